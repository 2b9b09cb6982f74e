"""Networks by name: ``nodes.json`` in the home.

A profile has the URLs of a network's nodes and, if needed, the paths of a header file and of
certificates. Secrets stay in those files.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress

from twincli import files
from twincli.client.nodes import normalized
from twincli.client.tls import Tls
from twincli.crypto.digests import sha3_256
from twincli.errors import ConfigError, InvalidError, UsageError
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VERSION = 1
LOCAL = "local"

_OF_HTTP = frozenset({"host", "content-length", "transfer-encoding", "connection"})
_LONGEST = 1 << 16
_LONGEST_FILE = 1 << 24


class Profile(NamedTuple):
    """A network.

    Attributes:
        urls: Of its nodes, normalized, in the order to ask them.
        network: 64 hex digits that names are bound to where the nodes state no ledger id. Derived
            from the first URLs, and kept when the URLs change.
        header_file: Absolute path, or None.
        tls_ca: The same, likewise ``tls_cert`` and ``tls_key``; see ``client.tls``.
    """

    urls: tuple[str, ...]
    network: str
    header_file: str | None = None
    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None

    @property
    def tls(self) -> Tls:
        """The certificates."""
        return Tls(self.tls_ca, self.tls_cert, self.tls_key)


def of_urls(urls: Iterable[str]) -> Profile:
    """Return the network of some nodes.

    Raises:
        UsageError: ``bad_url``.
    """
    wanted = tuple(dict.fromkeys(normalized(url.strip()) for url in urls))
    # A BigchainDB network has no id. Its lowest URL stands for it, so the order does not matter.
    return Profile(wanted, sha3_256(b"bigchaindb network\n" + min(wanted).encode()).hexdigest())


def load(path: str) -> dict[str, Profile]:
    """Return the profiles in a file; none if there is no file.

    Raises:
        ConfigError: It cannot be read, or is damaged.
    """
    try:
        document = json.loads(files.read_regular(path, _LONGEST_FILE, path))
        if document["version"] != VERSION:
            raise ConfigError(
                f"{path} has version {document['version']}, this twincli supports {VERSION}",
                code="newer_schema",
                hint="upgrade twincli",
            )
        return {str(name): _profile(entry) for name, entry in document["nodes"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"{path} cannot be read or is damaged", hint="move it away and add the nodes again"
        ) from error


def names(path: str) -> list[str]:
    """Return the names in a file that ``--node`` takes; a copied file may have others."""
    found = []
    for name in load(path):
        with suppress(UsageError):
            found.append(check_name(name))
    return found


def _profile(entry: Mapping[str, Any]) -> Profile:
    urls, network = entry["urls"], entry["network"]
    paths = [entry["header_file"], *(entry.get(name) for name in ("tls_ca", "tls_cert", "tls_key"))]
    if (
        not isinstance(urls, list)
        or not urls
        or len(bytes.fromhex(network)) != 32
        or not all(isinstance(path, str | None) for path in paths)
    ):
        raise ValueError
    return Profile(tuple(normalized(url) for url in urls), network, *paths)


def save(path: str, profiles: Mapping[str, Profile]) -> None:
    """Replace the profiles in a file."""
    document = {
        "version": VERSION,
        "nodes": {name: profile._asdict() for name, profile in sorted(profiles.items())},
    }
    files.make_directory(os.path.dirname(path))
    # In ASCII, which can also hold file names that are not UTF-8.
    files.replace(path, json.dumps(document, indent=2).encode() + b"\n")


def headers(path: str) -> dict[str, str]:
    """Return the headers in a file, one ``Name: value`` a line; ``#`` starts a comment.

    Raises:
        ConfigError: ``insecure_permissions``: others can read it; ``bad_headers``, naming the
            line and never its content.
    """
    from twincli.keystore import secret_text

    try:
        # A named pipe in its place must not block the program.
        with open(path, "rb", opener=files.open_at_once) as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_LONGEST + 1) if stat.S_ISREG(mode) else b""
        text = secret_text.checked(data, f"the header file {path}").decode("ascii")
    except OSError as error:
        raise ConfigError(
            f"the header file {path} cannot be read: {(error.strerror or '').lower()}",
            code="bad_headers",
        ) from error
    except InvalidError as error:
        raise ConfigError(error.message, code="bad_headers", hint=error.hint) from None
    except UnicodeDecodeError:
        raise ConfigError(f"the header file {path} is not ASCII", code="bad_headers") from None
    if not stat.S_ISREG(mode):
        raise ConfigError(f"the header file {path} is not a regular file", code="bad_headers")
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise ConfigError(
            f"the header file {path} can be read or written by others",
            code="insecure_permissions",
            hint=f"chmod 600 {path}",
        )
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, value = line.partition(":")
        is_token = name and all(letter.isalnum() or letter in "!#$%&'*+-.^_`|~" for letter in name)
        if not colon or not is_token or not value.strip().isprintable():
            raise ConfigError(
                f"line {number} of the header file {path} is not NAME: VALUE", code="bad_headers"
            )
        if name.lower() in _OF_HTTP:
            raise ConfigError(
                f"line {number} of the header file {path}: {name} is set by the HTTP client",
                code="bad_headers",
            )
        found[name] = value.strip()
    if len(text) > _LONGEST:
        raise ConfigError(f"the header file {path} is too long", code="bad_headers")
    return found


def check_name(name: str) -> str:
    """Return the name of a profile, which must not look like another value of ``--node``.

    Raises:
        UsageError: ``bad_name``.
    """
    plain = name and all(letter.isalnum() or letter in "-_." for letter in name)
    if not plain or name[0] in "-." or name.lower() == LOCAL or len(name) > 64:
        raise UsageError(
            f"{name!r} cannot be the name of a network",
            code="bad_name",
            hint="use letters, digits, - _ and .; local is reserved",
        )
    return name
