"""Graphs of links as text, whatever strangers call their things."""

from __future__ import annotations

import re
from typing import Any

import pytest

from twincli.formats import graphs
from twincli.model.text import one_line

A, B, C = (letter * 64 for letter in "abc")
HOSTILE = [
    'say "hi"',
    'a"]; x [label="b',
    "back\\slash\\N",
    "a\\",
    "</script><img src=x onerror=alert(1)>",
    "&lt;b&gt; #quot; #35;",
    '`code` **bold** "`md`"',
    "two\nlines\tand\x1b[31m red",
    "click n0 call alert()",
    "end",
    "%%{init: {}}%%",
    "x-->y|z|{[(<",
    "\u202egnp",
    "Élan 日本",
    "",
]


def graph(*edges: dict[str, Any], **names: str | None) -> dict[str, Any]:
    ends = dict.fromkeys([A, *(edge[end] for edge in edges for end in ("source", "target"))])
    return {
        "schema": "twin.link-graph/1",
        "asset_id": A,
        "nodes": [
            {"id": one, "name": names.get(one[0]), "end": "present", "cut": False} for one in ends
        ],
        "links": list(edges),
    }


def edge(source: str, verb: str, target: str, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"id": f"{source[0]}{verb}{target[0]}", "source": source, "verb": verb}
    made |= {"target": target, "state": "active", "confirmed": True, "circle": False}
    return {**made, **changes}


def test_a_tree() -> None:
    drawn = graph(
        edge(A, "part", B),
        edge(C, "replaces", A, confirmed=False),
        edge(B, "made_by", C, state="proposed", confirmed=False),
        edge(B, "replaces", A, circle=True),
        a="car",
        b="box",
    )
    drawn["nodes"][1] |= {"end": "burned"}
    drawn["nodes"][2] |= {"cut": True}
    assert graphs.tree(drawn) == (
        "car\n"
        "+-- part -> box (burned)\n"
        "|   +-- made_by -> cccccccccc... (proposed, depth ends here)\n"
        "|   |   +-- replaces -> car (not confirmed, see above)\n"
        "|   +-- replaces -> car (in a circle, see above)\n"
    )
    assert graphs.tree(graph(a="car")) == "car\n"


def test_dot() -> None:
    drawn = graph(edge(A, "part", B), edge(B, "replaces", A, confirmed=False), a="car")
    assert graphs.dot(drawn).splitlines() == [
        "digraph links {",
        "  node [shape=box, fontname=monospace];",
        f'  "{A}" [label="car\\n{A}"];',
        f'  "{B}" [label="bbbbbbbbbb..."];',
        f'  "{A}" -> "{B}" [label="part"];',
        f'  "{B}" -> "{A}" [label="replaces, not confirmed", style=dashed];',
        "}",
    ]


def test_mermaid() -> None:
    drawn = graph(edge(A, "part", B), edge(B, "replaces", A, confirmed=False), a="car")
    assert graphs.mermaid(drawn).splitlines() == [
        "flowchart LR",
        '  n0["car"]',
        '  n1["bbbbbbbbbb..."]',
        '  n0 -->|"part"| n1',
        '  n1 -.->|"replaces#44; not confirmed"| n0',
    ]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_stays_text(name: str) -> None:
    drawn = graph(edge(A, "part", B), a="car", b=name)
    assert len(graphs.tree(drawn).splitlines()) == 2
    in_dot = graphs.dot(drawn).splitlines()
    assert len(in_dot) == 6
    label = re.fullmatch(r'  "b{64}" \[label="((?:[^"\\]|\\.)*)"\];', in_dot[3])
    assert label is not None
    assert re.search("&(?!amp;)", label[1]) is None
    in_mermaid = graphs.mermaid(drawn).splitlines()
    assert len(in_mermaid) == 4
    label = re.fullmatch(r'  n1\["([^"`<>&*%{}\[\]|]*)"\]', in_mermaid[2])
    assert label is not None
    plain = re.sub(r"#(\d+);", lambda found: chr(int(found[1])), label[1])
    assert plain == (one_line(name) or "bbbbbbbbbb...")
