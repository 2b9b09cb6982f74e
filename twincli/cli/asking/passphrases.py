"""Where passphrases come from, and the two things only a terminal may see.

A passphrase is looked for in ``--passphrase-file``, ``--passphrase-fd``, TWIN_PASSPHRASE_FILE,
TWIN_PASSPHRASE and the settings file's ``passphrase_file``, then asked for on ``/dev/tty``, never
on stdin. Without a terminal nothing waits: the error holds the command to type instead.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from twincli import config
from twincli.cli.asking.confirm import retry
from twincli.cli.asking.terminal import LONGEST, ask
from twincli.errors import ConfigError, LockedError, TwinError, UsageError

if TYPE_CHECKING:
    from twincli.cli.asking.run import Run
    from twincli.keystore.keyfile import SecretSource


def source(run: Run) -> SecretSource:
    """Return what gives the passphrase of an existing key.

    The returned callable takes the key's name, asks at most once a key, and raises LockedError
    (``locked``) where there is nothing to ask.
    """
    given = _Given(run)
    asked: dict[str, bytes] = {}

    def passphrase_of(name: str) -> bytes:
        found = given.passphrase_of(name)
        if found is not None:
            return found
        if name not in asked:
            typed = ask(f"Passphrase of key {name}: ", echo=False)
            if typed is None:
                raise _locked(f"the key {name!r} has a passphrase", run)
            if not typed:
                raise LockedError(f"no passphrase was typed for the key {name!r}")
            asked[name] = typed
        return asked[name]

    return passphrase_of


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
        raise UsageError("--no-passphrase contradicts the passphrase given beside it")
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
            raise UsageError("--no-passphrase contradicts --new-passphrase-file")
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

    def asked() -> bytes:
        typed = ask(f"Passphrase of {what}: ", echo=False)
        if typed is None:
            raise _locked(f"{what} has a passphrase", run, option="--input-passphrase-file")
        return typed

    return asked


def _typed_twice(run: Run, whose: str, why: str, *, option: str) -> bytes:
    typed = ask(f"New passphrase for {whose}: ", echo=False)
    if typed is None:
        raise _locked(why, run, option=option, other="--no-passphrase")
    if not typed:
        raise LockedError(
            "a passphrase cannot be empty",
            hint="a key without one: --no-passphrase",
        )
    if ask("The same again: ", echo=False) != typed:
        raise LockedError("the two passphrases differ; nothing was done")
    return typed


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
            return found
        if setting.value is not None:
            return self._file(str(setting.value), setting.source)
        return None

    def _file(self, path: str, where: str) -> bytes:
        if path not in self._read:
            self._read[path] = _from_file(path, where)
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
        data = file_arguments.beginning(name, LONGEST + 2)
    except TwinError as error:
        raise error.within(where)  # noqa: B904 - it is the same error
    return _passphrase(data, f"the file {path} of {where}")


def _from_descriptor(descriptor: int) -> bytes:
    data = b""
    try:
        while len(data) <= LONGEST + 1:
            piece = os.read(descriptor, LONGEST)
            if not piece:
                break
            data += piece
    except (OSError, OverflowError, ValueError) as error:
        raise UsageError(
            f"--passphrase-fd {descriptor}: it cannot be read",
            hint="open it in the shell, as in --passphrase-fd 3 3<FILE",
        ) from error
    return _passphrase(data, f"--passphrase-fd {descriptor}")


def _passphrase(data: bytes, where: str) -> bytes:
    """Drop one line end; refuse what is empty or too long to be a passphrase."""
    data = data.removesuffix(b"\n").removesuffix(b"\r")
    if not data:
        raise ConfigError(f"{where} is empty", code="empty_passphrase")
    if len(data) > LONGEST:
        raise ConfigError(f"{where} is longer than {LONGEST} bytes, so it is no passphrase")
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
    return LockedError(f"{message}, and there is no terminal to ask for it", hint=hint)


# ---------------------------------------------------------------- the terminal
