"""What the handler of a route receives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.node import queries
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from twincli.node.answers import Answer, Sent, Streamed
    from twincli.node.node import Node
    from twincli.node.queries import Parameter
    from twincli.node.writing.bodies import Receive

    Handler = Callable[[Node, "Request"], Awaitable[Answer | Sent | Streamed]]


class Request(NamedTuple):
    """A request, as a handler receives it.

    Attributes:
        scope: ASGI's.
        last: The variable part of the path, empty where it has none.
        receive: ASGI's.
    """

    scope: dict[str, Any]
    last: str
    receive: Receive

    def query(self, *parameters: Parameter, strict: bool = False) -> dict[str, Any]:
        """Return the parameters of the query string; see ``queries.parse``."""
        return queries.parse(self.scope["query_string"], parameters, strict=strict)
