"""``twin verify``: whether what somebody handed over, or what is here, is what it says."""

from __future__ import annotations

from typing import Annotated

import typer

from twincli.cli.commands.proof import verifying
from twincli.cli.context import Context
from twincli.cli.parsing import candidates, typer_frame
from twincli.cli.result import Result

app = typer_frame.bare()

What = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME|FILE]",
        help="A twin, a bundle, a ledger's file or a proof.",
        autocompletion=candidates.assets,
    ),
]
Twin = Annotated[
    str | None,
    typer.Argument(
        metavar="[ID|TX]", help="The twin of a ledger's file; the transaction of a proof."
    ),
]
Asset = Annotated[
    str | None, typer.Option(metavar="ID", help="Anchor: the id of the twin that it is about.")
]
Issuer = Annotated[
    str | None, typer.Option(metavar="DID", help="Anchor: who made the twin: a DID or a key.")
]
Checkpoint = Annotated[
    str | None, typer.Option(metavar="FILE", help="Anchor: a checkpoint that was kept.")
]
Root = Annotated[
    str | None, typer.Option(metavar="HEX", help="Anchor: a root that the ledger once had.")
]
LedgerKey = Annotated[
    str | None, typer.Option(metavar="KEY", help="Anchor: the ledger's own public key.")
]
NotBefore = Annotated[
    str | None, typer.Option(metavar="TIME", help="The evidence must be at least this new.")
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Count notes as problems, such as statements that do not count.",
    ),
]
Incremental = Annotated[
    bool,
    typer.Option("--incremental", help="Trust the checkpoint: verify signatures only after it."),
]
Index = Annotated[
    bool,
    typer.Option("--index", help="Compare the search index of this home with its ledger, too."),
]


@typer_frame.command(app, "verify", refuses=("key",))
def verify(
    context: Context,
    what: What = None,
    twin: Twin = None,
    asset: Asset = None,
    issuer: Issuer = None,
    checkpoint: Checkpoint = None,
    root: Root = None,
    ledger_key: LedgerKey = None,
    not_before: NotBefore = None,
    strict: Strict = False,
    incremental: Incremental = False,
    index: Index = False,
) -> Result:
    """Verify a twin, a bundle or a ledger: every byte, and against what you know.

    The answer is verified, consistent (true to itself, but nothing anchors it), failed or
    undetermined (something is missing). A file is judged without a home, and nothing is written.
    Without a name, the whole ledger of this home is verified.
    """
    given = verifying.Given(asset, issuer, checkpoint, root, ledger_key, not_before)
    return verifying.run(
        context, what, twin, given, strict=strict, incremental=incremental, index=index
    )
