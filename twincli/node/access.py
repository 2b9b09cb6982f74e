"""Who may ask, and how often: tokens, the rate a client is held to."""

from __future__ import annotations

import time
from hmac import compare_digest
from typing import TYPE_CHECKING

from twincli.errors import ConfigError
from twincli.keystore.files import read_private

if TYPE_CHECKING:
    from collections.abc import Callable

    from twincli.node.answers import Header

MIN_TOKEN = 16
MAX_CLIENTS = 10_000


def read_tokens(path: str) -> tuple[bytes, ...]:
    """Return the tokens of a private file, one a line.

    Raises:
        ConfigError: ``bad_tokens``: the file is not there, or holds no token, or a short one;
            ``insecure_permissions``, ``cannot_read``.
    """
    try:
        data = read_private(path)
    except FileNotFoundError as error:
        raise ConfigError(
            f"there is no token file {path}", code="bad_tokens", hint=_MAKE.format(path=path)
        ) from error
    tokens = tuple(line.strip() for line in data.splitlines() if line.strip())
    if not tokens:
        raise ConfigError(f"{path} holds no token", code="bad_tokens", hint=_MAKE.format(path=path))
    for number, token in enumerate(tokens, 1):
        if len(token) < MIN_TOKEN or not token.isascii() or b" " in token:
            raise ConfigError(
                f"token {number} of {path} is no text of at least {MIN_TOKEN} ASCII characters"
                " without blanks",
                code="bad_tokens",
                hint=_MAKE.format(path=path),
            )
    return tokens


_MAKE = "(umask 077; openssl rand -hex 32 > {path})"


def permits(tokens: tuple[bytes, ...], headers: list[Header]) -> bool:
    """Say whether a request carries one of the tokens.

    ``Authorization: Bearer TOKEN``, or ``app_key: TOKEN`` as old drivers send it; they send an
    ``app_id`` as well, which may be anything.
    """
    found = False
    for name, value in headers:
        if name == b"authorization":
            scheme, _, given = value.partition(b" ")
            if scheme.lower() != b"bearer":
                continue
        elif name == b"app_key":
            given = value
        else:
            continue
        given = given.strip()
        for token in tokens:  # all of them, so that the time says nothing
            found |= compare_digest(given, token)
    return found


class Rate:
    """Holds every client to so many requests a second; twice as many at once.

    Args:
        rate: Requests a second; 0 for no bound.
        clock: Seconds.
    """

    def __init__(self, rate: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def wait(self, client: str) -> int:
        """Count a request; return 0 if it may pass, else after how many seconds the next may."""
        if not self.rate:
            return 0
        now = self._clock()
        most = max(2 * self.rate, 1.0)
        left, then = self._left.pop(client, (most, now))
        left = min(most, left + (now - then) * self.rate)
        passes = left >= 1
        # The client goes to the end, so that those not seen for longest are forgotten first.
        self._left[client] = (left - 1 if passes else left, now)
        if len(self._left) > MAX_CLIENTS:
            del self._left[next(iter(self._left))]
        return 0 if passes else max(1, round((1 - left) / self.rate))
