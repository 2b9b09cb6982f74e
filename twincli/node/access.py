"""Who may ask, and how much: tokens, origins, hosts, the rate and the connections of a client."""

from __future__ import annotations

import re
import time
from functools import lru_cache
from hmac import compare_digest
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Protocol

from twincli.errors import ConfigError, InvalidError
from twincli.keystore import secret_text
from twincli.keystore.files import read_private
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twincli.ledger import Ledger
    from twincli.node.answers import Header

MIN_TOKEN = 16
MAX_CLIENTS = 10_000


def read_tokens(path: str) -> tuple[bytes, ...]:
    """Return the tokens of a private file, one a line.

    Raises:
        ConfigError: ``bad_tokens``: the file is missing, or holds no token, or a short one;
            ``insecure_permissions``, ``cannot_read``.
    """
    try:
        data = secret_text.checked(read_private(path), f"the token file {path}")
    except InvalidError as error:
        raise ConfigError(error.message, code="bad_tokens", hint=error.hint) from None
    except FileNotFoundError as error:
        raise ConfigError(
            f"the token file {path} does not exist", code="bad_tokens", hint=_MAKE.format(path=path)
        ) from error
    tokens = tuple(line.strip() for line in data.splitlines() if line.strip())
    if not tokens:
        raise ConfigError(
            f"the token file {path} is empty", code="bad_tokens", hint=_MAKE.format(path=path)
        )
    for number, token in enumerate(tokens, 1):
        if len(token) < MIN_TOKEN or not token.isascii() or b" " in token:
            raise ConfigError(
                f"token {number} of {path} must be at least {MIN_TOKEN} ASCII characters without"
                " spaces",
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
        for token in tokens:  # all of them, so that timing reveals nothing
            found |= compare_digest(given, token)
    return found


# --- Content ------------------------------------------------------------------------------------


class Ruling(NamedTuple):
    """Whether somebody may have something.

    Attributes:
        is_public: Anybody may.
        why_not: Why this key may not, None where it may.
    """

    is_public: bool
    why_not: str | None = None


class Guard(Protocol):
    """Judges who may have what is encrypted."""

    def __call__(self, ledger: Ledger, cid: str, public_key: str | None, /) -> Ruling:
        """Judge by what a ledger says.

        Args:
            ledger: For this call alone.
            cid: What is asked for.
            public_key: Who signed the request, None where nobody did.
        """


# --- Web pages ----------------------------------------------------------------------------------

ANY = "*"
HOST = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[a-zA-Z0-9._-]{1,253})(:[0-9]{1,5})?")


def allows_origin(allowed: Sequence[str], origin: str) -> bool:
    """Say whether web pages of an origin may use the node: it is named, or local."""
    if ANY in allowed or origin.lower() in allowed:
        return True
    scheme, _, place = origin.partition("://")
    found = HOST.fullmatch(place)
    return scheme.lower() in {"http", "https"} and found is not None and _is_local(found[1])


def _is_local(host: str) -> bool:
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(name)
    return address is not None and address.is_loopback


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


class Hosts(NamedTuple):
    """What a node is called in the header ``Host``, besides the names of this machine.

    A page whose own name was made to lead to this node (DNS rebinding) sends that name.

    Attributes:
        names: In lower case, without port.
        any_address: An IP address always fits, for a node that listens at all of them; a page
            cannot rebind one.
    """

    names: frozenset[str] = frozenset()
    any_address: bool = False

    def has(self, header: str) -> bool:
        """Say whether a request with this header means this node."""
        found = HOST.fullmatch(header)
        if found is None:
            return False
        name = found[1].lower().removesuffix(".")
        if _is_local(name) or name.strip("[]") in self.names:
            return True
        return self.any_address and _address(name) is not None


# --- How much -----------------------------------------------------------------------------------


@lru_cache(maxsize=MAX_CLIENTS)
def network_of(address: str) -> str:
    """Return the network of one client: an IPv4 address, or the first 64 bits of an IPv6 one."""
    found = _address(address.partition("%")[0])
    if not isinstance(found, IPv6Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ip_network((found.packed[:8] + bytes(8), 64)))


class Open:
    """Counts what every client has open.

    Args:
        most: The most that one may have; 0 for any number.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: dict[str, int] = {}

    def enter(self, client: str) -> bool:
        """Count one more, unless the client has the most already."""
        client = network_of(client)
        count = self._open.get(client, 0)
        if self._most and count >= self._most:
            return False
        self._open[client] = count + 1
        return True

    def leave(self, client: str) -> None:
        """Count one less."""
        client = network_of(client)
        self._open[client] -= 1
        if not self._open[client]:
            del self._open[client]


class Rate:
    """Holds every client to N requests a second; twice as many at once.

    Args:
        rate: Requests a second; 0 for no bound.
        clock: Seconds.
    """

    def __init__(self, rate: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def wait(self, client: str) -> int:
        """Count a request; return 0 if it may pass, else the seconds until the next may."""
        if not self.rate:
            return 0
        client = network_of(client)
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
