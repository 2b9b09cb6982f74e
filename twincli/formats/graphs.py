"""Graphs of links as text: a tree for people, Graphviz's DOT, and Mermaid.

What strangers call their things stays text in all of them: it opens no quotation, no markup and no
statement of its own.
"""

from __future__ import annotations

from twincli.model.text import one_line
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    Graph = Mapping[str, Any]
    Node = Mapping[str, Any]
    Edge = Mapping[str, Any]

_SHORT = 10
"""Digits of an id that stands for a name."""

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-.")
"""The ASCII characters that stand for themselves in a label of Mermaid."""


def tree(graph: Graph) -> str:
    """Return a graph as a tree below the asset that was asked about.

    Args:
        graph: ``twin.link-graph/1``.
    """
    nodes = {node["id"]: node for node in graph["nodes"]}
    edges: dict[str, list[Edge]] = {}
    for edge in graph["links"]:
        edges.setdefault(edge["source"], []).append(edge)
        edges.setdefault(edge["target"], []).append(edge)
    root = graph["asset_id"]
    rows = [_name(nodes[root])]
    drawn: set[str] = set()
    shown = {root}
    todo = [(edge, root, "") for edge in reversed(edges.get(root, ()))]
    while todo:
        edge, above, indent = todo.pop()
        if edge["id"] in drawn:
            continue
        drawn.add(edge["id"])
        is_outgoing = edge["source"] == above
        below = edge["target"] if is_outgoing else edge["source"]
        more = [*_doubts(edge), *_ends(nodes[below])]
        if below in shown:
            more.append("see above")
        elif nodes[below]["cut"]:
            more.append("depth ends here")
        arrow = f"{edge['verb']} ->" if is_outgoing else f"<- {edge['verb']}"
        said = f" ({', '.join(more)})" if more else ""
        rows.append(f"{indent}+-- {arrow} {_name(nodes[below])}{said}")
        if below not in shown:
            shown.add(below)
            todo.extend((one, below, f"{indent}|   ") for one in reversed(edges[below]))
    return "\n".join(rows) + "\n"


def dot(graph: Graph) -> str:
    """Return a graph as a Graphviz digraph."""
    rows = ["digraph links {", "  node [shape=box, fontname=monospace];"]
    for node in graph["nodes"]:
        lines = [_name(node), *([] if node["name"] is None else [node["id"]]), *_ends(node)]
        label = "\\n".join(map(_in_dot, lines))
        rows.append(f'  "{_in_dot(node["id"])}" [label="{label}"];')
    for edge in graph["links"]:
        label = _in_dot(", ".join([edge["verb"], *_doubts(edge)]))
        style = "" if edge["confirmed"] else ", style=dashed"
        rows.append(
            f'  "{_in_dot(edge["source"])}" -> "{_in_dot(edge["target"])}"'
            f' [label="{label}"{style}];'
        )
    rows.append("}")
    return "\n".join(rows) + "\n"


def mermaid(graph: Graph) -> str:
    """Return a graph as a flowchart of Mermaid."""
    rows = ["flowchart LR"]
    numbers: dict[str, str] = {}
    for number, node in enumerate(graph["nodes"]):
        numbers[node["id"]] = f"n{number}"
        label = ", ".join([_name(node), *_ends(node)])
        rows.append(f'  n{number}["{_in_mermaid(label)}"]')
    for edge in graph["links"]:
        label = _in_mermaid(", ".join([edge["verb"], *_doubts(edge)]))
        arrow = "-->" if edge["confirmed"] else "-.->"
        rows.append(f'  {numbers[edge["source"]]} {arrow}|"{label}"| {numbers[edge["target"]]}')
    return "\n".join(rows) + "\n"


def _name(node: Node) -> str:
    return one_line(node["name"] or f"{node['id'][:_SHORT]}...")


def _doubts(edge: Edge) -> list[str]:
    """Return in words what is not as it should be with a link."""
    words = []
    if edge["state"] != "active":
        words.append(edge["state"])
    elif not edge["confirmed"]:
        words.append("not confirmed")
    if edge["circle"]:
        words.append("in a circle")
    return words


def _ends(node: Node) -> list[str]:
    return [] if node["end"] == "present" else [node["end"]]


def _in_dot(text: str) -> str:
    """Return text inside a quotation of DOT, where Graphviz reads entities of HTML, too."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")


def _in_mermaid(text: str) -> str:
    """Return text inside a quotation of Mermaid, which may hold markup of two kinds."""
    return "".join(
        char if char in _PLAIN or not char.isascii() else f"#{ord(char)};" for char in text
    )
