"""Arguments that many commands have."""

from __future__ import annotations

from typing import Annotated

import typer

from twincli.cli.parsing import candidates

Identity = Annotated[
    str | None,
    typer.Option(
        "--identity", metavar="FILE", help="Identities of age that open what is encrypted, too."
    ),
]
Twin = Annotated[
    str, typer.Argument(metavar="TWIN", help="The twin.", autocompletion=candidates.assets)
]
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The twin.", autocompletion=candidates.assets)
]
"""The same, for commands of assets."""
TwinOrMine = Annotated[
    str | None,
    typer.Argument(
        metavar="[TWIN]", help="Default: all of yours.", autocompletion=candidates.assets
    ),
]
