"""``twin demo``: the tutorial's story, with the command for each step."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from textwrap import wrap
from typing import Annotated, Any

import typer

from twincli.cli.context import Context
from twincli.cli.opened import HOME, is_file
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Result
from twincli.client import LedgerClient
from twincli.errors import UsageError

app = typer_frame.bare()

WIDTH = 79

Document = dict[str, Any]


@typer_frame.command(app, "demo", creates=HOME)
def demo(
    context: Context,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the home that the story is told in.")
    ] = False,
) -> Result:
    """Tell the story of a car and its owner, in a temporary home."""
    import shutil
    import tempfile

    from twincli.services.home.demo import tell

    kept = keep and not context.dry_run
    connect, node = _network(context)
    if kept and context.paths.source != "default":
        document = tell(context.paths.home, kept=True, connect=connect)
    else:
        home = tempfile.mkdtemp(prefix="twin-demo-")
        try:
            document = tell(home, kept=kept, connect=connect)
        except BaseException:
            shutil.rmtree(home, ignore_errors=True)
            raise
        if not kept:
            shutil.rmtree(home)
    return Result(document, text="\n".join(_lines(document, node)) + "\n")


def _network(context: Context) -> tuple[Callable[[str], LedgerClient] | None, str | None]:
    """Return what makes the client of the network that ``--node`` names, and its URLs."""
    # Only what is asked for here: a node that is used every day is no place for a story.
    node = context.options.node
    if node is None or node == "local":
        return None, None
    if is_file(node):
        raise UsageError("the demo makes a ledger of its own", hint="leave out --node")
    import os

    from twincli.services.network import networks

    profile = networks.find(context.paths.nodes, node)
    timeout, tls = float(context.settings.timeout.value), context.tls
    context.warn(networks.plaintext_warnings(profile))
    return (
        lambda home: networks.client(profile, os.path.join(home, "networks"), timeout, tls=tls),
        ",".join(profile.urls),
    )


def _lines(document: Document, node: str | None) -> Iterator[str]:
    kept = document["home"]
    if node is None:
        yield "A car, its owner Alice and its GPS box, on a ledger of their own."
    else:
        yield f"A car, its owner Alice and its GPS box, on the network at {node}."
    yield (
        "The home stays. Its keys have no passphrase: use it to try things out."
        if kept
        else "The home is temporary: its keys have no passphrase and are gone at the end."
    )
    if node is not None:
        yield ""
        yield from _command(f"export TWIN_NODE={shlex.quote(node)}")
    title = None
    for number, step in enumerate(document["steps"]):
        if step["title"] != title:
            title = step["title"]
            yield ""
            yield f"# {title}"
        yield from _command(step["command"])
        after = document["steps"][number + 1 :]
        yield from _told(step, is_last=not after or after[0]["title"] != title)
    yield ""
    if kept:
        yield "Go on with it:"
        yield f"  export TWIN_HOME={shlex.quote(kept)}"
        if node is not None:
            yield f"  export TWIN_NODE={shlex.quote(node)}"
        yield "  twin asset show car"
    else:
        yield "To look around in it: twin demo --keep. Your own: twin keys new NAME"


def _command(command: str) -> Iterator[str]:
    """Yield a command, continued with a backslash where it is too long for a line."""
    lines: list[str] = []
    for word in shlex.split(command):
        quoted = shlex.quote(word)
        if lines and len(lines[-1]) + len(quoted) < WIDTH - 4:
            lines[-1] += f" {quoted}"
        else:
            lines.append(f"    {quoted}" if lines else f"$ {quoted}")
    yield from (f"{line} \\" for line in lines[:-1])
    yield lines[-1]


def _told(step: Document, *, is_last: bool) -> Iterator[str]:
    result = step["result"]
    schema = result.get("schema")
    if schema is None:
        yield from _error(result["error"]) if "error" in result else _verified(result)
    elif schema == "twin.asset/1" and "created" not in result:
        # The appends of one chapter: only the last one's state is news.
        if is_last:
            yield f"  state {result['state']['mileage']} km, signed by the car's key"
    else:
        yield from _TOLD[schema](result)


def _key(result: Document) -> Iterator[str]:
    yield f"  public key {result['public_key']}"
    phrase = result.get("mnemonic")
    if phrase is not None:
        yield from wrap(phrase, WIDTH, initial_indent="  phrase     ", subsequent_indent=" " * 13)


def _asset(result: Document) -> Iterator[str]:
    yield f"  id {result['id']}"
    yield f"  owner {result['owner_names'][0]}, entity key {result['entity_standing']}"


def _dids(result: Document) -> Iterator[str]:
    for entry in result["dids"]:
        if entry["kind"] == "key":
            yield f"  {entry['name']:<6} {entry['did']}"


def _history(result: Document) -> Iterator[str]:
    for item in result["transactions"]:
        changes = ", ".join(
            f"{name} {change['before']} -> {change['after']}"
            if "before" in change
            else f"{name} {change['after']}"
            for name, change in item["changes"].items()
        )
        time = item["committed_at"] or item["at"] or ""
        yield f"  {time[:19]:<19}{'Z' if time else ' '}  {item['operation']:<8}  {changes}".rstrip()


def _tree(result: Document) -> Iterator[str]:
    def walk(nodes: list[Document], depth: int) -> Iterator[str]:
        for node in nodes:
            kind = "the key" if node["type"] == "key" else f"the {node['kind']}"
            yield f"  {'   ' * depth}{kind} {node['name']}"
            yield from walk(node["children"], depth + 1)

    yield from walk(result["roots"], 0)


def _pulled(result: Document) -> Iterator[str]:
    yield f"  {result['transactions']} transactions of {len(result['assets'])} assets"


def _error(error: Document) -> Iterator[str]:
    for label in ("message", "hint"):
        name = "error" if label == "message" else "hint"
        text = f"twin: {name}: {error[label]}"
        yield from wrap(
            text,
            WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
            break_on_hyphens=False,
        )


def _verified(result: Document) -> Iterator[str]:
    count = len(result["problems"])
    yield (
        f"  {result['transactions']} transactions: ids, signatures, links and blocks, "
        + (f"{count} problems" if count else "no problems")
    )
    for problem in result["problems"]:
        yield f"  {problem['where']}: {problem['message']}"


_TOLD: dict[str, Callable[[Document], Iterator[str]]] = {
    "twin.key/1": _key,
    "twin.asset/1": _asset,
    "twin.dids/1": _dids,
    "twin.history/1": _history,
    "twin.tree/1": _tree,
    "twin.pull/1": _pulled,
}
