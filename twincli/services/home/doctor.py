"""A check of the whole installation: what works, what does not, and what to do about it."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from twincli import BUILD_TIME_MS, files
from twincli.errors import NotFoundError, TwinError
from twincli.model import times

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from twincli.keystore.keyfile import KeyInfo
    from twincli.ledger.audit import Report
    from twincli.ledger.ledger import Ledger
    from twincli.services.network.networks import Chosen

RECENT = 1000
"""Transactions that are verified without ``full``."""

OLDEST_SQLITE = (3, 35, 0)
DRIVER_HINT = (
    'pip install "twincli[bigchaindb]" and then'
    " pip install --no-deps bigchaindb-driver==0.6.2 cryptoconditions==0.8.1"
)

_NO_LEDGER_KEY = (
    "put the file back; if it is lost, `twin backup create` and `restore` give the ledger a new one"
)

# RFC 8032, section 7.1, test 1: the seed, and the signature over nothing.
_SEED = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
_SIGNATURE = (
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
    "d25bf5f0595bbe24655141438e7a100b"
)


class Check(NamedTuple):
    """One finding.

    Attributes:
        name: What was looked at.
        ok: None where it is not there and need not be.
        message: What was found.
        hint: What to do about it.
    """

    name: str
    ok: bool | None
    message: str
    hint: str | None = None


def _good(name: str, message: str, hint: str | None = None) -> Check:
    return Check(name, ok=True, message=message, hint=hint)


def _bad(name: str, message: str, hint: str | None = None) -> Check:
    return Check(name, ok=False, message=message, hint=hint)


def _absent(name: str, message: str, hint: str | None = None) -> Check:
    return Check(name, ok=None, message=message, hint=hint)


def doctor(
    *,
    home: str,
    keys: str,
    ledger: str,
    book: str,
    now_ms: int,
    full: bool = False,
    network: Chosen | None = None,
) -> dict[str, Any]:
    """Check everything, and change nothing but a lost index.

    Args:
        home: Path of the home, of which there need be none.
        keys: Directory of key files.
        ledger: Directory or file of the ledger.
        book: File of names.
        now_ms: The present.
        full: Verify all transactions, not only the last 1,000.
        network: To be asked how it is; None: none is used.

    Returns:
        ``twin.doctor/1``: ``ok`` (false when a check failed) and ``checks``:
        ``{"name", "ok", "message", "hint"}``.
    """
    checks = [_python(), _libsodium(), *_sqlite(), _driver(wanted=network is not None)]
    checks += _home(home)
    if os.path.isdir(home):
        checks += _keys(keys)
        checks += _book(book)
    checks += _ledger(ledger, now_ms, full=full)
    if network is not None:
        checks += _network(network, full=full)
    checks += _leftovers(home, keys, ledger)
    return {
        "schema": "twin.doctor/1",
        "ok": all(check.ok is not False for check in checks),
        "checks": [check._asdict() for check in checks],
    }


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("python", sys.version_info >= (3, 11), f"Python {version}")


def _libsodium() -> Check:
    import nacl

    from twincli.crypto import ed25519

    pair = ed25519.KeyPair.from_seed(bytes.fromhex(_SEED))
    signature = pair.sign(b"")
    good = (
        signature.hex() == _SIGNATURE
        and ed25519.verify(pair.public_bytes, b"", signature)
        and not ed25519.verify(pair.public_bytes, b"x", signature)
    )
    library = f"PyNaCl {nacl.__version__}"
    if good:
        return _good("libsodium", f"{library} signs and verifies as RFC 8032 says")
    return _bad(
        "libsodium",
        f"{library} does not sign as RFC 8032 says",
        "pip install --force-reinstall pynacl",
    )


def _sqlite() -> Iterator[Check]:
    from twincli.ledger.store import engine

    version, fault = engine()
    if tuple(map(int, version.split("."))) >= OLDEST_SQLITE:
        yield _good("sqlite", f"SQLite {version}")
    else:
        wanted = ".".join(map(str, OLDEST_SQLITE))
        yield _bad("sqlite", f"SQLite {version} is too old", f"use a Python with {wanted} or newer")
    if fault is None:
        yield _good("fts5", "full text search is there")
    else:
        yield _bad("fts5", f"SQLite has no full text search: {fault}", "use another Python")


def _driver(*, wanted: bool) -> Check:
    from importlib.util import find_spec

    if find_spec("bigchaindb_driver") is None:
        if wanted:
            return _bad("bigchaindb-driver", "not there; no network is reached", DRIVER_HINT)
        return _absent("bigchaindb-driver", "not there; only networks need it", DRIVER_HINT)
    return _good("bigchaindb-driver", "the official driver is there")


def _home(home: str) -> Iterator[Check]:
    if not os.path.isdir(home):
        yield _absent("home", f"there is none at {home} yet", "twin keys new NAME makes one")
        return
    yield _good("home", home)
    yield _private("home permissions", home, 0o700)


def _private(name: str, path: str, wanted: int) -> Check:
    """Check that nobody but the owner can use a file or directory."""
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if os.name == "posix" and mode & 0o077:
        return _bad(name, f"{path} is open to others ({mode:04o})", f"chmod {wanted:o} {path}")
    return _good(name, f"{path} is yours alone")


def _keys(directory: str) -> Iterator[Check]:
    from twincli.keystore import keyfile
    from twincli.keystore.store import KeyStore

    if not os.path.isdir(directory):
        yield _absent("keys", "there are none yet", "twin keys new NAME makes one")
        return
    yield _private("keys permissions", directory, 0o700)
    try:
        store = KeyStore(directory)
        infos, faults = store.scan()
    except TwinError as error:
        yield _bad("keys", error.message, error.hint)
        return
    for info in infos:
        if info.provider != keyfile.FILE:
            yield _external_key(info)
            continue
        if not info.passphrase:
            try:
                store.unlock(info.name, None)
            except TwinError as error:
                yield _bad(f"key {info.name}", error.message, error.hint)
                continue
        kept = "with a passphrase" if info.passphrase else "without a passphrase"
        yield _good(f"key {info.name}", f"{info.public_key}, kept {kept}")
    for fault in faults:
        yield _bad("keys", fault.message, fault.hint)


def _external_key(info: KeyInfo) -> Check:
    """Look whether the chip or program of a key is there; a chip may well be in a drawer."""
    from twincli.keystore.providers import external

    try:
        where = external.look(info)
    except TwinError as error:
        return _absent(f"key {info.name}", error.message, error.hint)
    return _good(f"key {info.name}", f"{info.public_key}, {where}")


def _book(path: str) -> Iterator[Check]:
    from twincli.book.store import Book

    if not os.path.exists(path):
        yield _absent("names", "there are none yet")
        return
    with Book(path) as book:
        try:
            count = len(book.list_parties())
        except TwinError as error:
            yield _bad("names", error.message, error.hint)
            return
    yield _good("names", f"{path} is in order, {count} of others")


def _ledger(path: str, now_ms: int, *, full: bool) -> Iterator[Check]:
    from twincli.ledger.files import locate
    from twincli.ledger.ledger import Ledger
    from twincli.ledger.schema import SCHEMA_VERSION

    try:
        ledger = Ledger.open(path, create=False)
    except NotFoundError:
        yield _absent(
            "ledger", "there is none yet", "the first asset makes one: twin asset create NAME"
        )
        return
    except TwinError as error:
        yield _bad("ledger", error.message, error.hint)
        return
    with ledger:
        try:
            count = ledger.counts()["transactions"]
            yield _good("ledger", f"{ledger.path}: {count} transactions")
            yield _good("schema", f"version {SCHEMA_VERSION}, the present one")
            key = locate(path).key
            yield _ledger_key(key, ledger.public_key)
            ledger.checkpoint()
            report = ledger.verify() if full else ledger.verify_last(RECENT)
            yield _verified(report, "transactions", "restore the ledger from a backup", full=full)
            yield _index(ledger, count)
            yield _clock(ledger, now_ms)
        except TwinError as error:
            yield _bad("ledger", error.message, error.hint)


def _ledger_key(path: str, public_key: str) -> Check:
    """Check the file of the ledger's own key, and that it is the one of block 0."""
    from twincli.ledger.files import read_key

    if not os.path.exists(path):
        return _bad("ledger key", f"{path} is missing", _NO_LEDGER_KEY)
    private = _private("ledger key", path, 0o600)
    if private.ok is False:
        return private
    try:
        found = read_key(path).public_key
    except TwinError as error:
        return _bad("ledger key", error.message, error.hint)
    if found != public_key:
        return _bad("ledger key", f"{path} is the key of another ledger", _NO_LEDGER_KEY)
    return private


def _verified(report: Report, name: str, remedy: str, *, full: bool) -> Check:
    what = f"{report.transactions} transactions" if full else f"the last {report.transactions}"
    if report.problems:
        first, code, message = report.problems[0]
        return _bad(
            name,
            f"{len(report.problems)} problems in {what}; the first: {first}: {code}: {message}",
            remedy,
        )
    checked = "ids, signatures, links and blocks" if full else "ids, signatures and links"
    more = None if full else "twin doctor --full checks all"
    return _good(name, f"{checked} of {what} are good", more)


def _index(ledger: Ledger, count: int) -> Check:
    done = ledger.indexed()
    if done > count:
        return _bad("index", "the index is ahead of the ledger", "twin ledger reindex")
    behind = count - done
    if behind:
        return _good("index", f"{behind} behind the ledger; it catches up when it is asked")
    return _good("index", "it holds the whole ledger")


def _clock(ledger: Ledger, now_ms: int) -> Check:
    tip = ledger.tip().time_ms
    now = times.to_text(now_ms)
    if now_ms < max(tip, BUILD_TIME_MS):
        past = f"the last block ({times.to_text(tip)})" if now_ms < tip else "this version's making"
        return _bad("clock", f"this machine's clock says {now}, before {past}", "set it")
    return _good("clock", f"{now}, after the last block")


def _network(chosen: Chosen, *, full: bool) -> Iterator[Check]:
    """Ask the nodes of a network, and look at its copies on this machine."""
    from twincli.client import copies
    from twincli.services.network import networks

    try:
        profile = networks.find(chosen.file, chosen.name)
    except TwinError as error:
        yield _bad("network", error.message, error.hint)
        return
    try:
        told = networks.info(profile, chosen.name, chosen.timeout, chosen.tls)
    except TwinError as error:
        yield _bad("network", error.message, error.hint)
    else:
        for warning in told["warnings"]:
            yield _bad("headers", warning)
        for node in told["nodes"]:
            yield _node(node)
        stated = {node["ledger"] for node in told["nodes"] if node["reachable"]}
        if len(stated) > 1:
            yield _bad(
                "network",
                f"the nodes of {chosen.name} do not serve one ledger",
                "twin node info tells which serves which; name only those of one",
            )
    for place in copies.of_network(chosen.directory, profile.network):
        yield _copy(place, full=full)


def _node(node: dict[str, Any]) -> Check:
    name = f"node {node['url']}"
    if not node["reachable"]:
        return _bad(name, node["error"], node["hint"] or "is it running?")
    parts = [f"{node['software'] or 'it'} {node['version'] or 'answers'}"]
    parts += [f"{part} {node[part]}" for part in ("ledger", "height") if node[part] is not None]
    return _good(name, ", ".join([*parts, f"{node['latency_ms']} ms"]))


def _copy(place: str, *, full: bool) -> Check:
    from twincli.client import copies

    try:
        with closing(copies.opened(place, create=False)) as copy:
            report = copy.verify() if full else copy.verify_last(RECENT)
    except TwinError as error:
        return _bad("copy", error.message, error.hint)
    return _verified(report, "copy", copies.remedy(place), full=full)


def _leftovers(home: str, keys: str, ledger: str) -> Iterator[Check]:
    """Look for temporary files that a killed process left behind."""
    found = []
    for directory in dict.fromkeys((home, keys, ledger)):
        if os.path.isdir(directory):
            found += [
                os.path.join(directory, name)
                for name in sorted(os.listdir(directory))
                if files.is_passing(name)
            ]
    if found:
        yield _absent(
            "leftovers",
            f"{len(found)} temporary files of a stopped process: {', '.join(found)}",
            "they hold nothing that is needed; remove them when no twin is running",
        )
