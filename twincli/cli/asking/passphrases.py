"""Where passphrases come from, and the two things only a terminal may see.

A passphrase is looked for in ``--passphrase-file``, ``--passphrase-fd``, TWIN_PASSPHRASE_FILE,
TWIN_PASSPHRASE and the settings file's ``passphrase_file``, then asked for on ``/dev/tty``, never
on stdin. Without a terminal nothing waits: the error holds the command to type instead.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from twincli import config
from twincli.cli.asking.confirm import retry
from twincli.cli.asking.terminal import LONGEST, ask
from twincli.errors import ConfigError, LockedError, TwinError, UsageError
from twincli.keystore import secret_text
from twincli.values import TYPE_CHECKING

if TYPE_CHECKING:
    from twincli.cli.asking.run import Run
    from twincli.keystore.keyfile import SecretSource


def source(run: Run) -> SecretSource:
    """Return what gives the passphrase of an existing key.

    The returned callable takes the key's name and raises LockedError (``locked``) where there is
    no passphrase and no terminal.
    """
    return _Existing(run)


_READ = LONGEST + 6
"""Bytes read of a passphrase: with a byte order mark and a line end, and one too many."""

_AGAIN = "Wrong, try again. "

TRIES = 3
"""Number of times that a passphrase is asked for on a terminal."""


class _Existing:
    """Gives the passphrases of existing keys; a typed one is asked for again if it is wrong."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._given = _Given(run)
        self._typed: dict[str, bytes] = {}
        self._wrong: dict[str, int] = {}

    def __call__(self, name: str) -> bytes:
        found = self._given.passphrase_of(name)
        if found is not None:
            return found
        if name not in self._typed:
            again = _AGAIN if self._wrong.get(name) else ""
            typed = ask(f"{again}Passphrase of key {name}: ", echo=False)
            if typed is None:
                raise _locked(f"the key {name!r} has a passphrase", self._run)
            if not typed:
                raise LockedError(f"no passphrase was typed for the key {name!r}")
            self._typed[name] = secret_text.one_line(typed, "the passphrase")
        return self._typed[name]

    def wrong(self, name: str) -> bool:
        """Forget a wrong passphrase that was typed; say whether it is asked for again."""
        if self._typed.pop(name, None) is None:
            return False
        self._wrong[name] = self._wrong.get(name, 0) + 1
        return self._wrong[name] < TRIES


def new_source(
    run: Run, *, no_passphrase: bool = False, for_all: str | None = None
) -> SecretSource | None:
    """Return what gives the passphrase of a new key, typed twice; None where it has none.

    Args:
        run: The run.
        no_passphrase: Whether ``--no-passphrase`` was given; TWIN_NO_PASSPHRASE=1 says the same.
        for_all: What several keys are called that get one passphrase, which is typed once. They
            come from another key, so what is given beside ``--no-passphrase`` is for that one.

    Raises:
        UsageError: Both a passphrase and none are asked for on the command line.
    """
    options = run.options
    if no_passphrase and for_all is None and (options.passphrase_file or options.passphrase_fd):
        raise UsageError("--no-passphrase and a passphrase cannot be given together")
    if no_passphrase or config.no_passphrase():
        return None
    given = _Given(run)
    typed: dict[str, bytes] = {}

    def passphrase_of(name: str) -> bytes:
        found = given.passphrase_of(name)
        if found is not None:
            return found
        whose = f"key {name}" if for_all is None else for_all
        if whose not in typed:
            typed[whose] = _typed_twice(
                run,
                whose,
                f"the new key {name!r} needs a passphrase",
                option="--passphrase-file",
            )
        return typed[whose]

    return passphrase_of


def changed_source(
    run: Run, whose: str, *, file: str | None, no_passphrase: bool
) -> Callable[[], bytes] | None:
    """Return what gives the passphrase that keys are to have instead; None for none.

    No variable has a say here: what would take away a passphrase has to be typed.

    Args:
        run: The run.
        whose: What the keys are called.
        file: The file of ``--new-passphrase-file``; typed twice without it.
        no_passphrase: Whether ``--no-passphrase`` was given.

    Raises:
        UsageError: Both are given.
    """
    if no_passphrase:
        if file is not None:
            raise UsageError("--no-passphrase and --new-passphrase-file cannot be given together")
        return None
    if file is not None:
        return from_file(file, "--new-passphrase-file")
    return lambda: _typed_twice(
        run,
        whose,
        f"{whose} needs a new passphrase",
        option="--new-passphrase-file",
    )


def from_file(path: str, option: str) -> Callable[[], bytes]:
    """Return what gives the passphrase in a file that an option names."""
    return lambda: _from_file(path, option)


def input_source(run: Run, file: str | None, what: str) -> Callable[[], bytes]:
    """Return what gives the passphrase of a key that comes from another program.

    Args:
        run: The run.
        file: The file of ``--input-passphrase-file``; asked for without it.
        what: Where the key is, for the question.
    """
    if file is not None:
        return from_file(file, "--input-passphrase-file")

    return _Foreign(run, what)


class _Foreign:
    """Gives the typed passphrase of another program's key, asked for again if it is wrong."""

    def __init__(self, run: Run, what: str) -> None:
        self._run = run
        self._what = what
        self._wrong = 0

    def __call__(self) -> bytes:
        again = _AGAIN if self._wrong else ""
        typed = ask(f"{again}Passphrase of {self._what}: ", echo=False)
        if typed is None:
            why = f"{self._what} has a passphrase"
            raise _locked(why, self._run, option="--input-passphrase-file")
        return secret_text.one_line(typed, "the passphrase")

    def wrong(self) -> bool:
        """Count a wrong passphrase; say whether it is asked for again."""
        self._wrong += 1
        return self._wrong < TRIES


def _typed_twice(run: Run, whose: str, why: str, *, option: str) -> bytes:
    typed = ask(f"New passphrase for {whose}: ", echo=False)
    if typed is None:
        raise _locked(why, run, option=option, other="--no-passphrase")
    if not typed:
        raise LockedError(
            "a passphrase cannot be empty",
            hint="for a key without one: --no-passphrase",
        )
    if ask("Repeat it: ", echo=False) != typed:
        raise LockedError("the two passphrases differ; nothing was done")
    return secret_text.one_line(typed, "the passphrase")


class _Given:
    """The passphrases that options, variables and settings give, read when first needed."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._read: dict[str, bytes] = {}
        self._descriptor: bytes | None = None

    def passphrase_of(self, name: str) -> bytes | None:
        options = self._run.options
        for_all: str | None = None
        for value in options.passphrase_file:
            key, path = _split(value)
            if key is None:
                for_all = path
            elif key == name:
                return self._file(path, "--passphrase-file")
        if for_all is not None:
            return self._file(for_all, "--passphrase-file")
        if options.passphrase_fd is not None:
            if self._descriptor is None:
                self._descriptor = _from_descriptor(options.passphrase_fd)
            return self._descriptor
        setting = self._run.settings.passphrase_file
        if setting.value is not None and setting.source == "TWIN_PASSPHRASE_FILE":
            return self._file(str(setting.value), setting.source)
        found = config.passphrase()
        if found is not None:
            return _passphrase(found, "TWIN_PASSPHRASE")
        if setting.value is not None:
            return self._file(str(setting.value), setting.source)
        return None

    def _file(self, path: str, where: str) -> bytes:
        if path not in self._read:
            self._read[path] = _from_file(path, where)
            self._run.warn(_open_to_others(path, where))
        return self._read[path]


def _split(value: str) -> tuple[str | None, str]:
    """Split ``KEY=FILE``; what stands before ``=`` is a key only if it can be a key's name."""
    key, equals, path = value.partition("=")
    if equals and key and "/" not in key and path:
        return key, path
    return None, value


def _from_file(path: str, where: str) -> bytes:
    from twincli.cli import file_arguments

    # Here "-" is a file of that name: stdin stays free for data.
    name = os.path.expanduser(path if path != "-" else "./-")
    try:
        data = file_arguments.beginning(name, _READ)
    except TwinError as error:
        raise error.within(where)  # noqa: B904 - it is the same error
    return _passphrase(data, f"the file {path} of {where}")


def _open_to_others(path: str, where: str) -> list[str]:
    """Return a warning where others can read the file of a passphrase."""
    try:
        mode = os.stat(os.path.expanduser(path)).st_mode
    except OSError:
        return []
    if os.name != "posix" or not stat.S_ISREG(mode) or not mode & 0o044:
        return []
    shown = f"{path} of {where} can be read by others (mode {stat.S_IMODE(mode):04o})"
    return [f"the passphrase file {shown}: chmod 600 {path}"]


def _from_descriptor(descriptor: int) -> bytes:
    data = b""
    try:
        while len(data) < _READ:
            piece = os.read(descriptor, LONGEST)
            if not piece:
                break
            data += piece
    except (OSError, OverflowError, ValueError) as error:
        raise UsageError(
            f"--passphrase-fd {descriptor} cannot be read",
            hint="open it in the shell, as in --passphrase-fd 3 3<FILE",
        ) from error
    return _passphrase(data, f"--passphrase-fd {descriptor}")


def _passphrase(data: bytes, where: str) -> bytes:
    """Return the only line; refuse what is empty or too long to be a passphrase."""
    if len(data) >= _READ:
        raise ConfigError(f"{where} is longer than {LONGEST} bytes, so it is not a passphrase")
    data = secret_text.one_line(data, where)
    if not data:
        raise ConfigError(f"{where} is empty", code="empty_passphrase")
    if len(data) > LONGEST:
        raise ConfigError(f"{where} is longer than {LONGEST} bytes, so it is not a passphrase")
    return data


def _locked(
    message: str,
    run: Run,
    *,
    option: str = "--passphrase-file",
    other: str | None = None,
) -> LockedError:
    hint = retry(run, option, "FILE")
    if other is not None:
        hint += f", or {retry(run, other)}"
    return LockedError(f"{message}, but there is no terminal to ask for it", hint=hint)


# ---------------------------------------------------------------- the terminal
