"""The writes of the services, for tests that prepare nothing: what they return is the document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec

from twincli.services.asset import append as _append
from twincli.services.asset import create as _create
from twincli.services.asset import migrate as _migrate
from twincli.services.asset import transfer as _transfer

P = ParamSpec("P")


def _committed(service: Callable[P, Any]) -> Callable[P, dict[str, Any]]:
    def run(*args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
        made = service(*args, **kwargs)
        assert isinstance(made, dict)
        return made

    return run


append = _committed(_append.append)
burn = _committed(_transfer.burn)
create = _committed(_create.create)
migrate = _committed(_migrate.migrate)
transfer = _committed(_transfer.transfer)
