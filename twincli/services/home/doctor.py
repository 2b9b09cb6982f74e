"""A check of the whole installation: the findings, and the remedy for each."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from twincli import BUILD_TIME_MS, files
from twincli.errors import NotFoundError, TwinError
from twincli.model import times
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from twincli.keystore.keyfile import KeyInfo
    from twincli.ledger.audit import Report
    from twincli.ledger.ledger import Ledger
    from twincli.ledger.lost import Mark
    from twincli.services.documents import CheckedFile, Doctor, FileItem, NodeItem
    from twincli.services.network.networks import Chosen

RECENT = 1000
"""Transactions that are verified without ``full``."""

OLDEST_SQLITE = (3, 35, 0)
DRIVER_HINT = (
    'pip install "twincli[bigchaindb]" and then'
    " pip install --no-deps bigchaindb-driver==0.6.2 cryptoconditions==0.8.1"
)

MISSING_CONTENT = "missing content"
"""The check of files that are named and not here."""

# RFC 8032, section 7.1, test 1: the seed, and the signature over nothing.
_SEED = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
_SIGNATURE = (
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
    "d25bf5f0595bbe24655141438e7a100b"
)


class Check(NamedTuple):
    """One finding.

    Attributes:
        name: The subject.
        ok: None where it is missing and need not exist.
        message: The finding.
        hint: The remedy.
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


class Place(NamedTuple):
    """Where things are, and what a home remembers of itself.

    Attributes:
        ledger: Directory or file of the ledger.
        home: Path of the home, which may be missing; None: check the ledger only.
        keys: Directory of key files.
        book: File of names.
        content: Directory of the content of files.
        ledger_id: Id of the ledger that the home had, or None.
        lost: The error of a home that lacks what was there, or None.
    """

    ledger: str
    home: str | None = None
    keys: str = ""
    book: str = ""
    content: str = ""
    ledger_id: str | None = None
    lost: TwinError | None = None


def doctor(
    place: Place,
    *,
    now_ms: int,
    full: bool = False,
    root: str | None = None,
    network: Chosen | None = None,
    named: Callable[[], Iterable[FileItem]] = tuple,
    progress: Callable[[int, int], None] | None = None,
    reading: Callable[[int, int], None] | None = None,
) -> Doctor:
    """Check everything, and change nothing.

    Args:
        place: What to check.
        now_ms: The present.
        full: Verify all transactions, not only the last 1,000, and read all content.
        root: The root hash, hex, that the ledger has or once had; None: not compared.
        network: The network to check, too, or None.
        named: Returns the files that twins of this home name.
        progress: Called while all are verified, with how much is done and how much there is.
        reading: Called while content is read, with how many bytes are done and how many there are.

    Returns:
        ``twin.doctor/1``: ``ok`` (false when a check failed) and ``checks``:
        ``{"name", "ok", "message", "hint"}``.

    Raises:
        NotFoundError: ``no_ledger``: only the ledger was to be checked, and there is none.
    """
    checks = [_python(), _libsodium(), *_sqlite()]
    if place.home is not None:
        checks.append(_driver(wanted=network is not None))
        checks += _home(place.home)
        if place.lost is not None:
            checks.append(_fault(place.lost.code.removeprefix("lost_"), place.lost))
        if os.path.isdir(place.home):
            checks += _keys(place.keys)
            checks += _book(place.book)
    checks += _ledger(place, now_ms, full=full, root=root, progress=progress)
    if network is not None:
        checks += _network(network, full=full)
    if place.home is not None:
        checks += _content(place.content, named, reading) if full else _unread(place.content)
        checks += _leftovers(place.home, place.keys, place.ledger)
    return {
        "schema": "twin.doctor/1",
        "ok": all(check.ok is not False for check in checks),
        "checks": [
            {"name": check.name, "ok": check.ok, "message": check.message, "hint": check.hint}
            for check in checks
        ],
    }


def _fault(name: str, error: TwinError) -> Check:
    return _bad(name, error.message, error.hint)


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
        yield _good("fts5", "full text search is available")
    else:
        yield _bad("fts5", f"SQLite has no full text search: {fault}", "use another Python")


def _driver(*, wanted: bool) -> Check:
    from importlib.util import find_spec

    if find_spec("bigchaindb_driver") is None:
        if wanted:
            return _bad("bigchaindb-driver", "missing, and networks need it", DRIVER_HINT)
        # An extra that nobody asked for is not a failed check.
        return _good("bigchaindb-driver", "not installed; only networks need it", DRIVER_HINT)
    return _good("bigchaindb-driver", "the official driver is installed")


def _home(home: str) -> Iterator[Check]:
    if not os.path.isdir(home):
        yield _absent("home", f"there is no home at {home} yet", "twin keys new NAME makes one")
        return
    yield _good("home", home)
    yield _private("home permissions", home, 0o700)


def _private(name: str, path: str, wanted: int) -> Check:
    """Check that nobody but the owner can use a file or directory."""
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if os.name == "posix" and mode & 0o077:
        return _bad(name, f"{path} is open to others ({mode:04o})", f"chmod {wanted:o} {path}")
    return _good(name, f"{path} is private")


def _keys(directory: str) -> Iterator[Check]:
    from twincli.keystore import keyfile
    from twincli.keystore.store import KeyStore

    if not os.path.isdir(directory):
        yield _absent("keys", "there are no keys yet", "twin keys new NAME makes one")
        return
    yield _private("keys permissions", directory, 0o700)
    try:
        store = KeyStore(directory)
        infos, faults = store.scan()
    except TwinError as error:
        yield _fault("keys", error)
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
    """Check whether the chip or program of a key is present; a chip may be in a drawer."""
    from twincli.keystore.providers import external

    try:
        where = external.look(info)
    except TwinError as error:
        return _absent(f"key {info.name}", error.message, error.hint)
    return _good(f"key {info.name}", f"{info.public_key}, {where}")


def _book(path: str) -> Iterator[Check]:
    from twincli.book.store import Book

    if not os.path.exists(path):
        yield _absent("names", "there are no names yet")
        return
    with Book(path) as book:
        try:
            count = len(book.list_parties())
        except TwinError as error:
            yield _bad("names", error.message, error.hint)
            return
    yield _good("names", f"{path} is in order, {count} names of others")


def _ledger(
    place: Place,
    now_ms: int,
    *,
    full: bool,
    root: str | None,
    progress: Callable[[int, int], None] | None,
) -> Iterator[Check]:
    from twincli.ledger import lost
    from twincli.ledger.files import locate
    from twincli.ledger.ledger import Ledger

    where = locate(place.ledger)
    is_missing = not os.path.exists(where.ledger_db) or not os.path.getsize(where.ledger_db)
    mark = lost.mark(
        where.index_db, write_nothing=place.home is None
    )  # before the index is opened, which begins it again
    try:
        if is_missing:
            lost.check(where, place.ledger_id)
        ledger = Ledger.open(place.ledger, create=False, read_only=place.home is None)
    except NotFoundError:
        if place.home is None:
            raise
        yield _absent(
            "ledger", "there is no ledger yet", "the first asset makes one: twin asset create NAME"
        )
        return
    except TwinError as error:
        yield _fault("ledger", error)
        return
    with ledger:
        try:
            count = ledger.counts()["transactions"]
            yield _good("ledger", f"{ledger.path}: {count} transactions")
            yield _schema(ledger.schema_version)
            if place.home is not None or os.path.lexists(where.key):
                yield _ledger_key(where.key, ledger.public_key)
            yield from _remembered(place, ledger, mark)
            ledger.checkpoint()
            report = ledger.verify(progress=progress) if full else ledger.verify_last(RECENT)
            yield _verified(report, "transactions", "restore the ledger from a backup", full=full)
            if root is not None:
                yield _root(ledger, root)
            is_sound = full and not report.problems and _fits(ledger, mark)
            yield (_compared_index(ledger) if is_sound else None) or _index(count, mark)
            yield _clock(ledger, now_ms)
        except TwinError as error:
            yield _fault("ledger", error)


def _remembered(place: Place, ledger: Ledger, mark: Mark | None) -> Iterator[Check]:
    """Compare the ledger with what other files of the home know of it."""
    others = {place.ledger_id, mark.ledger if mark else None} - {None, ledger.id}
    if others:
        yield _bad(
            "history",
            f"the ledger is {ledger.id}, but this home had {' and '.join(map(str, others))}:"
            " it was replaced",
            "put the right file back, or restore a backup",
        )
        return
    if mark is not None and mark.seq:
        count = ledger.counts()["transactions"]
        if mark.seq > count:
            yield _bad(
                "history",
                f"the ledger was longer: {mark.seq - count} transactions are missing",
                "an older copy of the file was put in its place; restore the latest backup",
            )
            return
        if ledger.id_at(mark.seq) != mark.tx_id:
            yield _bad(
                "history",
                f"transaction {mark.seq} is not the one that was there: the ledger was replaced",
                "put the right file back, or restore a backup",
            )
            return
    if place.home is None:
        return
    missing = _without_asset(place.book, ledger)
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        yield _bad(
            "history",
            f"the asset named {missing[0]}{more} is not on the ledger: an older copy of the ledger"
            " was put in its place",
            "restore the latest backup; to forget a name: twin name remove NAME",
        )
        return
    yield _good("history", "nothing that this home remembers is missing")


def _without_asset(path: str, ledger: Ledger) -> list[str]:
    """Return the names whose assets were on the ledger and are missing."""
    from twincli.book.store import Book

    if not os.path.exists(path):
        return []
    with Book(path) as book:
        try:
            named = book.list_assets(ledger.id)
        except TwinError:
            return []  # reported already
    return [
        entry.name for entry in named if not entry.reserved and ledger.entry(entry.asset_id) is None
    ]


def _root(ledger: Ledger, root: str) -> Check:
    """Compare the ledger with a root hash that somebody wrote down."""
    tip = ledger.tip()
    if tip.root.hex() == root:
        return _good("root", f"the ledger has the root {root}")
    height = ledger.height_of_root(bytes.fromhex(root))
    if height is None:
        return _bad(
            "root",
            f"the ledger never had the root {root}; it has {tip.root.hex()}",
            "it is another ledger, or its history was changed",
        )
    return _good("root", f"the ledger had the root {root} at height {height} of {tip.height}")


def _schema(version: int) -> Check:
    from twincli.ledger.schema import SCHEMA_VERSION

    if version < SCHEMA_VERSION:
        said = f"version {version}, which can only be read; current is {SCHEMA_VERSION}"
        return _bad("schema", said, "twin ledger upgrade; it makes a backup first")
    return _good("schema", f"version {version}, current")


def _ledger_key(path: str, public_key: str) -> Check:
    """Check the file of the ledger's own key, and that it is the one of block 0."""
    from twincli.ledger.files import check_key

    try:
        check_key(path, public_key)
    except TwinError as error:
        return _fault("ledger key", error)
    return _private("ledger key", path, 0o600)


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
    return _good(name, f"{checked} of {what} are valid", more)


def _index(count: int, mark: Mark | None) -> Check:
    behind = count - min(count, mark.seq if mark else 0)
    if behind:
        return _good("index", f"{behind} behind the ledger; it catches up at the next search")
    return _good("index", "it holds the whole ledger")


def _fits(ledger: Ledger, mark: Mark | None) -> bool:
    """Say whether the index is of this history: another one is begun again when it is opened."""
    return (
        mark is not None
        and mark.ledger == ledger.id
        and 0 < mark.seq <= ledger.tip().last_seq
        and ledger.id_at(mark.seq) == mark.tx_id
    )


def _compared_index(ledger: Ledger) -> Check | None:
    """Compare the index with the ledger; None where it is as it should be, or in no file."""
    found = ledger.verify_index()
    if not found:
        return None
    first, code, message = found[0]
    return _bad("index", f"{first}: {code}: {message}", "twin ledger reindex")


def _clock(ledger: Ledger, now_ms: int) -> Check:
    tip = ledger.tip().time_ms
    now = _time(now_ms)
    if now_ms < BUILD_TIME_MS or now_ms > times.LATEST_MS:
        why = "before this version was made" if now_ms < BUILD_TIME_MS else "which cannot be"
        return _bad("clock", f"this machine's clock says {now}, {why}", "set the clock")
    if now_ms < tip:
        ahead = times.span_text(tip - now_ms)
        return _bad(
            "clock",
            f"the ledger is {ahead} ahead: its last block says {_time(tip)}, the clock {now}",
            "if the clock is right, it was ahead when that block was made: blocks keep that time"
            " until it is reached; the times of what happened (at) stay right",
        )
    return _good("clock", f"{now}, after the last block")


def _time(time_ms: int) -> str:
    if time_ms > times.LATEST_MS:
        return f"a time after the year 9999 ({time_ms} ms)"
    return times.to_text(time_ms)


def _network(chosen: Chosen, *, full: bool) -> Iterator[Check]:
    """Ask the nodes of a network, and check its copies on this machine."""
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
                "twin node info shows the ledger of each; name only nodes of one",
            )
    for place in copies.of_network(chosen.directory, profile.network):
        yield _copy(place, full=full)


def _node(node: NodeItem) -> Check:
    name = f"node {node['url']}"
    if not node["reachable"]:
        return _bad(name, str(node["error"]), node["hint"] or "is it running?")
    parts = [f"{node['software'] or 'it'} {node['version'] or 'answers'}"]
    parts += [f"ledger {node['ledger']}"] if node["ledger"] is not None else []
    parts += [f"height {node['height']}"] if node["height"] is not None else []
    return _good(name, ", ".join([*parts, f"{node['latency_ms']} ms"]))


def _copy(place: str, *, full: bool) -> Check:
    from twincli.client import copies

    try:
        with closing(copies.opened(place, create=False)) as copy:
            report = copy.verify() if full else copy.verify_last(RECENT)
    except TwinError as error:
        return _bad("copy", error.message, error.hint)
    return _verified(report, "copy", copies.remedy(place), full=full)


def _unread(directory: str) -> Iterator[Check]:
    """Count the content, which is not read."""
    from twincli.content.store import Blobs

    try:
        count = sum(1 for _ in Blobs(directory).cids())
    except TwinError as error:
        yield _fault("content", error)
        return
    if count:
        yield _good("content", f"files here: {count}, not read", "twin file check reads them")


def _content(
    directory: str,
    named: Callable[[], Iterable[FileItem]],
    reading: Callable[[int, int], None] | None,
) -> Iterator[Check]:
    """Read all content, and look for what twins of this home name."""
    from twincli.content.store import Blobs
    from twincli.services.file import contents

    items: list[FileItem] = []
    try:
        items.extend(named())
    except TwinError as error:
        yield _absent(
            "files of twins",
            f"they cannot be listed: {error.message}",
            "twin file check, once that is mended",
        )
    try:
        found = contents.check(Blobs(directory), items, everything=True, progress=reading)
    except TwinError as error:
        yield _fault("content", error)
        return
    if found["altered"]:
        first = _first(found["files"], contents.ALTERED)
        yield _bad(
            "content",
            f"{found['altered']} of {len(found['files'])} files are not what their CIDs say;"
            f" the first: {first}",
            "twin file check lists them; attach them again, or put them back from a backup",
        )
    elif found["ok"]:
        yield _good("content", f"all files here are what their CIDs say: {found['ok']}")
    if found["missing"]:
        first = _first(found["files"], contents.MISSING)
        yield _absent(
            MISSING_CONTENT,
            f"files of twins that are not here: {found['missing']}; the first: {first}",
            "twin file check lists them; a node may have one: twin file get CID --node URL -o FILE",
        )


def _first(checked: Iterable[CheckedFile], status: str) -> str:
    first = next(item for item in checked if item["status"] == status)
    whose = first["asset_name"] or first["asset_id"]
    return first["cid"] if whose is None else f"{first['cid']} ({first['name']} of {whose})"


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
            "they are not needed; remove them when no twin is running",
        )
