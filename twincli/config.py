"""Settings and paths: the only reader of the environment.

A value comes from the flag, then the ``TWIN_*`` variable, then the settings file ``config.json``,
then the default, and keeps its source for ``twin config show``. Everything is resolved when a
command runs, never at import. A variable that is set but empty counts as unset, except
``TWIN_PASSPHRASE``, where the difference between none and an empty one matters.
"""

from __future__ import annotations

import os
from contextlib import suppress

from twincli import files
from twincli.errors import ConfigError, NotFoundError, TwinError, UsageError
from twincli.values import Any, NamedTuple

ENVIRONMENT: tuple[tuple[str, str], ...] = (
    ("TWIN_HOME", "where keys, names, the ledger and the settings file live"),
    ("TWIN_NODE", "the ledger to use: local, file:PATH, a URL or a profile"),
    ("TWIN_KEY", "the default key, used if neither --key nor an owner names one"),
    ("TWIN_TIMEOUT", "seconds to wait for a node"),
    ("TWIN_COLOR", "auto, always or never"),
    ("TWIN_TLS_CA", "file or directory of the certificate authorities to trust, in PEM"),
    ("TWIN_TLS_CERT", "file with the certificate to show to nodes, in PEM"),
    ("TWIN_TLS_KEY", "file with its key, if not in the same file"),
    ("TWIN_STATUS_URL", "URL of a node where others can ask for the status of certificates"),
    ("TWIN_AUDIT_READS", "on: the audit log notes reads of what is not encrypted, too"),
    ("TWIN_PASSPHRASE", "the passphrase of the keys; set but empty is an error"),
    ("TWIN_PASSPHRASE_FILE", "a file that holds the passphrase of the keys"),
    ("TWIN_NO_PASSPHRASE", "1 makes new keys without a passphrase"),
    ("NO_COLOR", "not empty: no colour"),
    ("FORCE_COLOR", "not empty: colour even if the output is not a terminal"),
    ("TERM", "dumb: no colour and no pager"),
    ("PAGER", "shows listings longer than the screen; default: less; cat: no pager"),
    ("REQUESTS_CA_BUNDLE", "the same as TWIN_TLS_CA, which wins; many programs read it"),
    ("CURL_CA_BUNDLE", "the same"),
    ("SSL_CERT_FILE", "the same"),
    ("SSL_CERT_DIR", "the same"),
)
"""Every environment variable that ``twin`` reads, with what it is for."""

COLORS = ("auto", "always", "never")
SWITCH = ("on", "off")

LONGEST_TIMEOUT = 86400.0
"""Seconds; more is a mistake."""

USUAL_CA = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables of other programs that name authorities, the first that is set counting."""

_DEFAULTS: dict[str, Any] = {
    "key": None,
    "node": "local",
    "timeout": 10.0,
    "color": "auto",
    "passphrase_file": None,
    "tls_ca": None,
    "tls_cert": None,
    "tls_key": None,
    "status_url": None,
    "audit_reads": "off",
}
KEYS = tuple(_DEFAULTS)
"""The settings that a settings file may hold."""

SETTINGS_FILE = "config.json"
_LONGEST_MEMORY = 4096
_LONGEST_SETTINGS = 1 << 20


class Setting(NamedTuple):
    """A value and where it came from: a flag, a variable, a file's path, or ``default``."""

    value: Any
    source: str


class Paths(NamedTuple):
    """Where things live; none of it needs to exist.

    Attributes:
        home: The directory of everything below.
        source: What decided ``home``: ``--home``, ``TWIN_HOME`` or ``default``.
        settings: The settings file.
        keys: Directory of key files.
        ledger: Directory of ``ledger.db``, ``ledger.key`` and ``index.db``.
        book: The file of local names.
        content: Directory of files by their CID.
        streams: The file of what streams hold, which is derived; their spools are beside it.
        nodes: The file of networks that have a name.
        networks: Directory of what was fetched from networks, a copy each.
        memory: What the home has held, so that a loss is noticed; see ``Memory``.
        rollups: The file of what was computed from chunks, made again when it is missing.
        copies: Directory of chunks of others, written again here.
        audit: Directory of the audit log.
    """

    home: str
    source: str
    settings: str
    keys: str
    ledger: str
    book: str
    content: str
    streams: str
    nodes: str
    networks: str
    memory: str
    rollups: str
    copies: str
    audit: str


class Settings(NamedTuple):
    """All settings, each with its source, and the paths they apply to.

    ``key`` is a key's name or None, ``timeout`` is in seconds; ``tls_ca``, ``tls_cert`` and
    ``tls_key`` are paths or None; ``status_url`` is the URL of a node that serves the status of
    certificates, or None; ``audit_reads`` is ``on`` or ``off``.
    """

    paths: Paths
    key: Setting
    node: Setting
    timeout: Setting
    color: Setting
    passphrase_file: Setting
    tls_ca: Setting
    tls_cert: Setting
    tls_key: Setting
    status_url: Setting
    audit_reads: Setting


def paths(home: str | None = None) -> Paths:
    """Resolve the paths, without reading or making any file.

    Args:
        home: The value of ``--home``, if given.
    """
    if home == "":
        raise UsageError("--home is empty", hint="give a directory: --home DIR")
    given = home or os.environ.get("TWIN_HOME")
    if given:
        directory = os.path.abspath(os.path.expanduser(given))
        source = "--home" if home else "TWIN_HOME"
        settings = os.path.join(directory, SETTINGS_FILE)
    else:
        import platformdirs  # costs 18 ms, so only where nothing else says where home is

        directory = platformdirs.user_data_dir("twincli")
        source = "default"
        settings = os.path.join(platformdirs.user_config_dir("twincli"), SETTINGS_FILE)
    return Paths(
        home=directory,
        source=source,
        settings=settings,
        keys=os.path.join(directory, "keys"),
        ledger=os.path.join(directory, "ledger"),
        book=os.path.join(directory, "book.db"),
        content=os.path.join(directory, "content"),
        streams=os.path.join(directory, "streams", "streams.db"),
        nodes=os.path.join(directory, "nodes.json"),
        networks=os.path.join(directory, "networks"),
        memory=os.path.join(directory, "memory.json"),
        rollups=os.path.join(directory, "streams", "rollups.db"),
        copies=os.path.join(directory, "streams", "copies"),
        audit=os.path.join(directory, "audit"),
    )


class Memory(NamedTuple):
    """What a home has held.

    It is written without a sync and may be missing: it proves what was there, never what was not.

    Attributes:
        ledger: Id of its ledger, or None.
        keys: Whether there were keys.
        names: Whether there were names.
    """

    ledger: str | None = None
    keys: bool = False
    names: bool = False


def remembered(where: Paths) -> Memory:
    """Return what a home has held; empty if its memory is missing or damaged."""
    import json

    try:
        with open(where.memory, "rb", opener=files.open_at_once) as file:
            stored = json.loads(file.read(_LONGEST_MEMORY))
        ledger = stored["ledger"]
        return Memory(
            ledger if isinstance(ledger, str) else None,
            stored["keys"] is True,
            stored["names"] is True,
        )
    except (OSError, ValueError, TypeError, KeyError):
        return Memory()


def remember(where: Paths, memory: Memory) -> None:
    """Write what a home has held; one that cannot be written is not remembered."""
    import json

    with suppress(TwinError, OSError):
        files.replace(where.memory, json.dumps(memory._asdict()).encode() + b"\n", durable=False)


def lost(where: Paths) -> ConfigError | None:
    """Return the error of a home that lacks keys or names that were there, None if it is whole.

    For the ledger, see ``twincli.ledger.lost``.
    """
    way_out = (
        "put it back, or restore a backup: twin backup restore FILE --home DIR;"
        f" to start without it on purpose: rm {where.memory}"
    )
    fault = _fault(where.keys, "keys", where)
    if fault is not None:
        message = f"the keys of this home were in {where.keys}, {fault}"
        return ConfigError(message, code="lost_keys", hint=way_out)
    fault = _fault(where.book, "names", where)
    if fault is not None:
        message = f"the names of this home were in {where.book}, {fault}"
        return ConfigError(message, code="lost_names", hint=way_out)
    return None


def _fault(path: str, what: str, where: Paths) -> str | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        if os.path.islink(path):
            return f"which is a link to {os.readlink(path)}, which is missing"
        return "which is missing" if getattr(remembered(where), what) else None
    except OSError:
        return None  # the reader says what is wrong
    if status.st_size == 0 and getattr(remembered(where), what):
        return "which is empty"
    return None


def require_home(where: Paths) -> None:
    """Refuse to continue without a home, for commands that must not create one.

    Raises:
        NotFoundError: ``no_home``, naming the path and TWIN_HOME.
    """
    if os.path.isdir(where.home):
        return
    decided = "" if where.source == "default" else f", as {where.source} says"
    raise NotFoundError(
        f"there is no twin home at {where.home}{decided}",
        code="no_home",
        hint="make one with `twin keys new NAME`, or name another with TWIN_HOME or --home",
    )


def load(
    *,
    home: str | None = None,
    key: str | None = None,
    node: str | None = None,
    timeout: float | None = None,
    color: str | None = None,
    read_file: bool = True,
) -> Settings:
    """Resolve all settings.

    Args:
        home: Value of ``--home``; the other arguments likewise, None where not given.
        key: Value of ``--key``.
        node: Value of ``--node``.
        timeout: Value of ``--timeout``, seconds.
        color: Value of ``--color``.
        read_file: False leaves the settings file aside, for what must work when it is broken.

    Raises:
        ConfigError: The settings file cannot be read, or holds what it may not.
        UsageError: A variable or a flag holds what it may not.
    """
    where = paths(home)
    stored = read(where) if read_file else {}
    flags = {"key": key, "node": node, "timeout": timeout, "color": color}

    def resolve(name: str) -> Setting:
        flag = flags.get(name)
        if flag is not None:
            return Setting(checked(name, flag, f"--{name}"), f"--{name}")
        variable = "TWIN_" + name.upper()
        text = os.environ.get(variable)
        if text:
            return Setting(checked(name, text, variable), variable)
        if name in stored:
            return Setting(stored[name], where.settings)
        for usual in USUAL_CA if name == "tls_ca" else ():
            if os.environ.get(usual):
                return Setting(os.environ[usual], usual)
        return Setting(_DEFAULTS[name], "default")

    return Settings(
        paths=where,
        key=resolve("key"),
        node=resolve("node"),
        timeout=resolve("timeout"),
        color=resolve("color"),
        passphrase_file=resolve("passphrase_file"),
        tls_ca=resolve("tls_ca"),
        tls_cert=resolve("tls_cert"),
        tls_key=resolve("tls_key"),
        status_url=resolve("status_url"),
        audit_reads=resolve("audit_reads"),
    )


def checked(name: str, value: Any, where: str) -> Any:
    """Return ``value`` in the setting's type, or refuse it naming where it was read.

    Raises:
        UsageError: The setting cannot be that.
    """
    if name == "timeout":
        try:
            seconds = float(value)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds <= LONGEST_TIMEOUT:
            raise UsageError(
                f"{where}: {value} is not a number of seconds above 0 and up to"
                f" {LONGEST_TIMEOUT:.0f}, a day"
            )
        return seconds
    text = str(value)
    if not text:
        raise UsageError(f"{where} is empty")
    if name == "status_url" and not text.startswith(("http://", "https://")):
        raise UsageError(f"{where}: {text!r} is not http://HOST or https://HOST")
    if name == "audit_reads" and text not in SWITCH:
        raise UsageError(f"{where}: {text!r} is not one of {', '.join(SWITCH)}")
    if name == "color" and text not in COLORS:
        raise UsageError(f"{where}: {text!r} is not one of {', '.join(COLORS)}")
    return text


def read(where: Paths) -> dict[str, Any]:
    """Return what the settings file holds; empty if there is no file.

    Raises:
        ConfigError: ``config``: unreadable, no JSON (with the position), no object, an unknown
            setting (with the near one), a value of the wrong kind.
    """
    try:
        data = files.read_regular(where.settings, _LONGEST_SETTINGS + 1, where.settings)
    except FileNotFoundError:
        return {}
    except ConfigError as error:
        _, _, why = error.message.rpartition(f"{where.settings}: ")
        raise ConfigError(f"the settings file {where.settings} cannot be read: {why}") from error
    if len(data) > _LONGEST_SETTINGS:
        raise ConfigError(
            f"the settings file {where.settings} is longer than {_LONGEST_SETTINGS} bytes"
        )
    return _parsed(where.settings, data)


def _parsed(path: str, data: bytes) -> dict[str, Any]:
    import json

    try:
        stored = json.loads(data.decode("utf-8-sig"))  # some editors put a byte order mark first
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"the settings file {path} is not JSON: {error.msg.lower()}"
            f" at line {error.lineno}, column {error.colno}",
            hint="correct it with an editor; `twin config path` prints where it is",
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"the settings file {path} is not UTF-8: byte {error.start + 1} is invalid"
        ) from error
    except RecursionError as error:
        raise ConfigError(f"the settings file {path} is nested too deeply") from error
    if not isinstance(stored, dict):
        raise ConfigError(f"the settings file {path} does not hold a JSON object")
    for name, value in stored.items():
        if name not in _DEFAULTS:
            raise ConfigError(f"the settings file {path}: {_unknown(name)}", hint=_known(name))
        wanted = (int, float) if name == "timeout" else (str,)
        if isinstance(value, bool) or not isinstance(value, wanted):
            kind = "a number" if name == "timeout" else "text"
            raise ConfigError(f"the settings file {path}: {name} is not {kind}")
        try:
            stored[name] = checked(name, value, name)
        except UsageError as error:
            raise ConfigError(f"the settings file {path}: {error.message}") from error
    return stored


def _unknown(name: str) -> str:
    return f"there is no setting {name!r}"


def _known(name: str) -> str:
    from twincli.model.names import near

    found = near(name.replace("-", "_").replace(".", "_"), KEYS)
    return f"did you mean {found!r}?" if found else f"the settings are {', '.join(KEYS)}"


def check_name(name: str) -> str:
    """Return the setting's name as the file spells it.

    Raises:
        UsageError: There is no such setting; the near one is named.
    """
    spelled = name.replace("-", "_").replace(".", "_")
    if spelled not in _DEFAULTS:
        raise UsageError(_unknown(name), hint=_known(name))
    return spelled


def set_value(where: Paths, name: str, text: str, *, dry_run: bool = False) -> Any:
    """Write one setting to the file and return the value as stored.

    With ``dry_run`` everything is checked and nothing written.
    """
    name = check_name(name)
    value = checked(name, text, name)
    stored = read(where)
    stored[name] = value
    if not dry_run:
        _write(where.settings, stored)
    return value


def unset_value(where: Paths, name: str, *, dry_run: bool = False) -> bool:
    """Remove one setting from the file; say whether it was set."""
    name = check_name(name)
    stored = read(where)
    if name not in stored:
        return False
    del stored[name]
    if not dry_run:
        _write(where.settings, stored)
    return True


def _write(path: str, stored: dict[str, Any]) -> None:
    """Replace the settings file in one step, so that no reader sees half of it."""
    import json

    try:
        files.make_directory(os.path.dirname(path))
        text = json.dumps(stored, indent=2, ensure_ascii=False) + "\n"
        # A path may hold bytes that are not UTF-8; as escapes they survive in JSON.
        files.replace(path, text.encode("utf-8", "backslashreplace"))
    except ConfigError as error:
        raise ConfigError(error.message) from error


def passphrase() -> bytes | None:
    """Return the passphrase of TWIN_PASSPHRASE, None when it is not set.

    Raises:
        ConfigError: ``empty_passphrase``: it is set to nothing.
    """
    text = os.environ.get("TWIN_PASSPHRASE")
    if text is None:
        return None
    if not text:
        raise ConfigError(
            "TWIN_PASSPHRASE is set but empty",
            code="empty_passphrase",
            hint="unset it, or make keys without a passphrase with TWIN_NO_PASSPHRASE=1",
        )
    return os.fsencode(text)


def no_passphrase() -> bool:
    """Say whether TWIN_NO_PASSPHRASE asks for keys without a passphrase.

    Raises:
        ConfigError: It is neither 1 nor 0.
    """
    text = os.environ.get("TWIN_NO_PASSPHRASE", "")
    if text in {"", "0"}:
        return False
    if text == "1":
        return True
    raise ConfigError(f"TWIN_NO_PASSPHRASE is {text!r}, not 1 or 0")


def for_programs() -> dict[str, str]:
    """Return the variables for a program that signs: all but those of passphrases."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith("TWIN_PASSPHRASE")
    }


def for_stores() -> frozenset[str]:
    """Return the names of variables that are set and that tools of object stores read."""
    return frozenset(
        name.upper()
        for name, value in os.environ.items()
        if value and name.upper().startswith(("AWS_", "AZURE_", "GOOGLE_", "GCE_", "IDENTITY_"))
    )


def color_wanted(setting: Setting, *, terminal: bool) -> bool:
    """Say whether a stream gets colour.

    A flag or TWIN_COLOR that is not ``auto`` wins over all, then FORCE_COLOR, NO_COLOR and
    TERM=dumb, then the settings file, then whether the stream is a terminal.
    """
    chosen = {"always": True, "never": False}.get(setting.value)
    if chosen is not None and setting.source in {"--color", "TWIN_COLOR"}:
        return chosen
    if os.environ.get("FORCE_COLOR"):
        return True
    if plain_wanted():
        return False
    return terminal if chosen is None else chosen


def plain_wanted() -> bool:
    """Say whether NO_COLOR or TERM=dumb ask for plain output."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def pager() -> list[str]:
    """Return the command that shows long listings: PAGER, else less; empty for none."""
    import shlex

    text = os.environ.get("PAGER", "less")
    try:
        words = shlex.split(text)
    except ValueError:
        return []
    return [] if words == ["cat"] or os.environ.get("TERM") == "dumb" else words


def completing() -> bool:
    """Say whether a shell's completion script is asking."""
    return bool(os.environ.get("_TWIN_COMPLETE"))


def document(settings: Settings) -> dict[str, Any]:
    """Return ``twin.config/1``: every value with its source, secrets left out."""
    entries: list[dict[str, Any]] = [
        {"name": "home", "value": settings.paths.home, "source": settings.paths.source}
    ]
    for name in KEYS:
        setting: Setting = getattr(settings, name)
        value = _scrubbed(setting.value) if name == "node" else setting.value
        entries.append({"name": name, "value": value, "source": setting.source})
    if "TWIN_PASSPHRASE" in os.environ:
        entries.append({"name": "passphrase", "value": "(hidden)", "source": "TWIN_PASSPHRASE"})
    if os.environ.get("TWIN_NO_PASSPHRASE"):
        entries.append(
            {
                "name": "no_passphrase",
                "value": no_passphrase(),
                "source": "TWIN_NO_PASSPHRASE",
            }
        )
    return {
        "schema": "twin.config/1",
        "file": settings.paths.settings,
        "settings": entries,
    }


def _scrubbed(node: str) -> str:
    """Hide the password of every URL in the setting ``node``."""
    import re

    return re.sub(r"(?<=://)[^/@,\s]*@", "(hidden)@", node)
