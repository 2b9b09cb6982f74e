"""Where passphrases come from, and the two things only a terminal may see.

A passphrase is looked for in ``--passphrase-file``, ``--passphrase-fd``, TWIN_PASSPHRASE_FILE,
TWIN_PASSPHRASE and the settings file's ``passphrase_file``, then asked for on ``/dev/tty``, never
on stdin. Without a terminal nothing waits: the error holds the command to type instead.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from twincli import config
from twincli.errors import ConfigError, LockedError, TwinError, UsageError

if TYPE_CHECKING:
    from twincli.cli.context import Context
    from twincli.keystore.keyfile import SecretSource

TERMINAL = "/dev/tty"
"""The controlling terminal; tests put another one here."""

_LONGEST = 4096


def source(context: Context) -> SecretSource:
    """Return what gives the passphrase of an existing key.

    The returned callable takes the key's name, asks at most once a key, and raises LockedError
    (``locked``) where there is nothing to ask.
    """
    given = _Given(context)
    asked: dict[str, bytes] = {}

    def passphrase_of(name: str) -> bytes:
        found = given.passphrase_of(name)
        if found is not None:
            return found
        if name not in asked:
            typed = ask(f"Passphrase of key {name}: ", echo=False)
            if typed is None:
                raise _locked(f"the key {name!r} has a passphrase", context)
            if not typed:
                raise LockedError(f"no passphrase was typed for the key {name!r}")
            asked[name] = typed
        return asked[name]

    return passphrase_of


def new_source(
    context: Context, *, no_passphrase: bool = False, for_all: str | None = None
) -> SecretSource | None:
    """Return what gives the passphrase of a new key, typed twice; None where it has none.

    Args:
        context: The run.
        no_passphrase: Whether ``--no-passphrase`` was given; TWIN_NO_PASSPHRASE=1 says the same.
        for_all: What several keys are called that get one passphrase, which is typed once. They
            come from another key, so what is given beside ``--no-passphrase`` is for that one.

    Raises:
        UsageError: Both a passphrase and none are asked for on the command line.
    """
    options = context.options
    if no_passphrase and for_all is None and (options.passphrase_file or options.passphrase_fd):
        raise UsageError("--no-passphrase contradicts the passphrase given beside it")
    if no_passphrase or config.no_passphrase():
        return None
    given = _Given(context)
    typed: dict[str, bytes] = {}

    def passphrase_of(name: str) -> bytes:
        found = given.passphrase_of(name)
        if found is not None:
            return found
        whose = f"key {name}" if for_all is None else for_all
        if whose not in typed:
            typed[whose] = _typed_twice(
                context,
                whose,
                f"the new key {name!r} needs a passphrase",
                option="--passphrase-file",
            )
        return typed[whose]

    return passphrase_of


def changed_source(
    context: Context, whose: str, *, file: str | None, no_passphrase: bool
) -> Callable[[], bytes] | None:
    """Return what gives the passphrase that keys are to have instead; None for none.

    No variable has a say here: what would take away a passphrase has to be typed.

    Args:
        context: The run.
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
        context,
        whose,
        f"{whose} needs a new passphrase",
        option="--new-passphrase-file",
    )


def from_file(path: str, option: str) -> Callable[[], bytes]:
    """Return what gives the passphrase in a file that an option names."""
    return lambda: _from_file(path, option)


def input_source(context: Context, file: str | None, what: str) -> Callable[[], bytes]:
    """Return what gives the passphrase of a key that comes from another program.

    Args:
        context: The run.
        file: The file of ``--input-passphrase-file``; asked for without it.
        what: Where the key is, for the question.
    """
    if file is not None:
        return from_file(file, "--input-passphrase-file")

    def asked() -> bytes:
        typed = ask(f"Passphrase of {what}: ", echo=False)
        if typed is None:
            raise _locked(f"{what} has a passphrase", context, option="--input-passphrase-file")
        return typed

    return asked


def _typed_twice(context: Context, whose: str, why: str, *, option: str) -> bytes:
    typed = ask(f"New passphrase for {whose}: ", echo=False)
    if typed is None:
        raise _locked(why, context, option=option, other="--no-passphrase")
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

    def __init__(self, context: Context) -> None:
        self._context = context
        self._read: dict[str, bytes] = {}
        self._descriptor: bytes | None = None

    def passphrase_of(self, name: str) -> bytes | None:
        options = self._context.options
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
        setting = self._context.settings.passphrase_file
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
        data = file_arguments.beginning(name, _LONGEST + 2)
    except TwinError as error:
        error.message = f"{where}: {error.message}"
        raise
    return _passphrase(data, f"the file {path} of {where}")


def _from_descriptor(descriptor: int) -> bytes:
    data = b""
    try:
        while len(data) <= _LONGEST + 1:
            piece = os.read(descriptor, _LONGEST)
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
    if len(data) > _LONGEST:
        raise ConfigError(f"{where} is longer than {_LONGEST} bytes, so it is no passphrase")
    return data


def _locked(
    message: str,
    context: Context,
    *,
    option: str = "--passphrase-file",
    other: str | None = None,
) -> LockedError:
    hint = retry(context, option, "FILE")
    if other is not None:
        hint += f", or {retry(context, other)}"
    return LockedError(f"{message}, and there is no terminal to ask for it", hint=hint)


def retry(context: Context, *addition: str) -> str:
    """Return the command line that was typed with more options, ready to paste."""
    import shlex

    words = list(context.argv)
    # Words after "--" are data, so the addition goes before it.
    at = words.index("--") if "--" in words else len(words)
    return shlex.join(["twin", *words[:at], *addition, *words[at:]])


# ---------------------------------------------------------------- the terminal


def ask(prompt: str, *, echo: bool) -> bytes | None:
    """Ask one line on the terminal.

    Returns:
        The bytes typed, without the line end; None where there is no terminal.
    """
    descriptor = _open_terminal()
    if descriptor is None:
        return None
    try:
        return _line(descriptor, prompt) if echo else _hidden_line(descriptor, prompt)
    finally:
        os.close(descriptor)


def _open_terminal() -> int | None:
    try:
        return os.open(TERMINAL, os.O_RDWR | getattr(os, "O_NOCTTY", 0))
    except OSError:
        return None


def _hidden_line(descriptor: int, prompt: str) -> bytes | None:
    import termios

    try:
        before = termios.tcgetattr(descriptor)
    except termios.error:
        return None
    silent = [*before]
    silent[3] = int(silent[3]) & ~termios.ECHO
    try:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, silent)
        return _line(descriptor, prompt)
    finally:
        # Also after Ctrl-C: a terminal left without echo looks broken.
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
        os.write(descriptor, b"\n")


def _line(descriptor: int, prompt: str) -> bytes:
    from twincli.cli.showing.output import visible

    os.write(descriptor, visible(prompt).encode())
    data = b""
    while not data.endswith(b"\n") and len(data) <= _LONGEST:
        piece = os.read(descriptor, 1024)
        if not piece:
            break
        data += piece
    return data.removesuffix(b"\n").removesuffix(b"\r")


def confirm(question: str, context: Context, details: Sequence[str] = ()) -> bool:
    """Ask a question that ``--yes`` answers; ``details`` are lines to read before it.

    Raises:
        UsageError: ``confirmation_needed``: there is no terminal to ask on.
    """
    if context.yes:
        return True
    answer = ask("\n".join((*details, f"{question} [y/N] ")), echo=True)
    if answer is None:
        raise _unconfirmed(question, context)
    return answer.strip().lower() in {b"y", b"yes"}


def confirm_name(question: str, name: str, context: Context) -> bool:
    """Ask for a name to be typed, for what cannot be undone; ``--yes`` answers it.

    Raises:
        UsageError: ``confirmation_needed``: there is no terminal to ask on.
    """
    if context.yes:
        return True
    answer = ask(f"{question} Type {name} to go on: ", echo=True)
    if answer is None:
        raise _unconfirmed(question, context)
    return answer.strip() == name.encode()


def _unconfirmed(question: str, context: Context) -> UsageError:
    return UsageError(
        f"this needs a yes, and there is no terminal to ask on: {question}",
        code="confirmation_needed",
        hint=retry(context, "--yes"),
    )


def phrase_sink(context: Context, out: str | None) -> Callable[[str], None] | None:
    """Return what shows a phrase to its owner, made ready before any key is made.

    Args:
        context: The run.
        out: The file of ``--mnemonic-out``, made here with mode 0600.

    Returns:
        A callable that takes the phrase; None where it belongs into the JSON document.

    Raises:
        ConflictError: ``exists``: the file is there already.
        LockedError: ``no_terminal``: a plain pipe would get the phrase.
    """
    if out is not None:
        write = file_sink(context, out)
        return lambda phrase: write(phrase + "\n")
    if context.options.json or context.options.jsonl or context.options.get is not None:
        return None
    descriptor = _open_terminal()
    if descriptor is None:
        raise LockedError(
            "there is no terminal to show the phrase on",
            code="no_terminal",
            hint=retry(context, "--mnemonic-out", "FILE"),
        )
    os.close(descriptor)

    def show(phrase: str) -> None:
        opened = _open_terminal()
        if opened is None:
            raise LockedError("the terminal is gone; the phrase was not shown", code="no_terminal")
        try:
            os.write(
                opened,
                b"Write these words down, in this order. Who has them has the key:\n\n"
                + phrase.encode()
                + b"\n\n",
            )
        finally:
            os.close(opened)

    return show


def file_sink(context: Context, path: str, *, mode: int = 0o600) -> Callable[[str], None]:
    """Return what writes a text to a new file; that it can be made is seen at once.

    Args:
        context: The run; the file is there only with the text.
        path: The file.
        mode: Who may read it; the umask takes more away.

    Raises:
        ConflictError: ``exists``: it is there already.
        ConfigError: ``cannot_write``.
    """
    from contextlib import ExitStack

    from twincli import files

    files.check_free(path)
    place = os.path.abspath(path)
    opened = ExitStack()
    file = opened.enter_context(files.incoming(os.path.dirname(place), mode=mode, overwrite=False))
    context.at_end(opened.close)

    def keep(text: str) -> None:
        file.write(text.encode())
        file.path = place
        opened.close()

    return keep
