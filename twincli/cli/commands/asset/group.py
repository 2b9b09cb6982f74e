"""The noun ``asset``, whose commands stand in several modules."""

from __future__ import annotations

from twincli.cli.parsing import typer_frame

app = typer_frame.group("asset")
