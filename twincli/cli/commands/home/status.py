"""``twin status``: the home, the ledger, the default key and the agent."""

from __future__ import annotations

import os
from typing import Any

from twincli.cli.context import Context
from twincli.cli.opened import is_file
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Result
from twincli.errors import NotFoundError

app = typer_frame.bare()


@typer_frame.command(app, "status")
def status(context: Context) -> Result:
    """Show the home, the ledger, the default key and the agent."""
    from twincli.services.home.status import status as service

    home = context.paths.home
    exists = os.path.isdir(home)
    ledger = None
    try:
        is_here = is_file(context.node)
        ledger = context.ledger if is_here else context.home_ledger.ledger
    except NotFoundError as error:
        if error.code not in {"no_home", "no_ledger"}:
            raise
    if ledger is not None and ledger.path == ":memory:":
        ledger = None  # stands in until the first asset is made
    keystore = context.keystore if exists else None
    document = service(
        home, ledger, keystore, context.default_key, context.paths.networks, context.network
    )
    notes = []
    if not exists:
        notes.append(f"there is no twin home at {home} yet; twin keys new NAME makes one")
    elif not document["keys"]:
        notes.append("there is no key yet; twin keys new NAME makes one")
    elif ledger is None:
        notes.append("there is no ledger yet; the first asset makes one: twin asset create NAME")
    problems = [document["agent"]["problem"]]
    if ledger is not None:
        problems += context.key_warnings(ledger)
    network = document["network"]
    if network is not None and not network["reachable"]:
        hint = f"; {network['hint']}" if network["hint"] else ""
        problems.append(f"{network['name']} cannot be reached: {network['error']}{hint}")
    return Result(
        document,
        columns=(
            ("version", "version"),
            ("home", "home"),
            ("ledger", "ledger.id"),
            ("path", "ledger.path"),
            ("height", "ledger.height"),
            ("transactions", "ledger.transactions"),
            ("assets", "ledger.assets"),
            ("default_key", "default_key"),
            ("keys", lambda shown: ",".join(shown["keys"])),
            ("agent", lambda shown: "running" if shown["agent"]["running"] else "not running"),
            ("unlocked", lambda shown: ",".join(shown["agent"]["keys"])),
            ("unpushed", _unpushed),
            ("network", _network),
        ),
        notes=tuple(notes),
        warnings=tuple(problem for problem in problems if problem),
    )


def _network(document: dict[str, Any]) -> str:
    network = document["network"]
    if network is None:
        return ""
    if not network["reachable"]:
        return f"{network['name']}: unreachable"
    what = " ".join(str(network[name]) for name in ("software", "version") if network[name])
    height = "" if network["height"] is None else f", height {network['height']}"
    left = "" if network["unpushed"] is None else f", {network['unpushed']} to push"
    return f"{network['name']}: {what or 'reached'}{height}{left}"


def _unpushed(document: dict[str, Any]) -> str:
    return ", ".join(f"{item['transactions']} to {item['node']}" for item in document["unpushed"])
