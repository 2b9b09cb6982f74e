"""The strict parser of commands that take free data.

``twin asset append car --mileage 1200`` mixes options with the user's own names, so a typo must
never become data. These commands are parsed here and not by Typer, from the closed table in
`data_commands`:

- the name comes first; shared options may stand before it;
- a real option matches only as its exact long form; there are no short ones;
- any other ``--k`` is data and takes the next token whatever it is, unless that starts with
  ``--`` (then ``--k=--x`` is meant); everything after ``--`` is data;
- a name that looks like a mistyped option is refused; ``--set`` and ``--str`` reach any name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from twincli.cli.options import (
    GET_EXAMPLE,
    GLOBAL,
    SHORT,
    Option,
    check_number,
    not_a_choice,
    option_key,
)
from twincli.cli.parsing.data_commands import DataCommand, options_elsewhere, options_of
from twincli.cli.parsing.json_values import Reading, is_unicode, read_json
from twincli.errors import InvalidError, UsageError
from twincli.model.edits import Edit, check_edits, split_path, type_name
from twincli.values import Any, NamedTuple


class Parsed(NamedTuple):
    """What a command line said.

    Attributes:
        name: The name of the twin.
        words: What stands behind the name, before the data; None where it was left out.
        values: The real options by name, ``_`` for ``-``; absent ones are absent.
        edits: ``--k``, ``--set``, ``--str`` and ``--unset`` in their order.
        base: The object of ``--data``.
        state: The object of ``--state``, None when not given.
        lines: Whether data come from stdin, one object a line.
        warnings: Digits that a double cannot keep.
        help: Whether ``--help`` was asked for; nothing else is then filled in.
    """

    name: str = ""
    values: dict[str, Any] = {}  # noqa: RUF012 - never changed
    edits: tuple[Edit, ...] = ()
    base: dict[str, Any] = {}  # noqa: RUF012 - never changed
    state: dict[str, Any] | None = None
    lines: bool = False
    warnings: tuple[str, ...] = ()
    help: bool = False
    words: tuple[str | None, ...] = ()


def parse(
    command: DataCommand,
    argv: Sequence[str],
    *,
    shared: Sequence[str] = (),
    read_stdin: Callable[[], bytes] | None = None,
) -> Parsed:
    """Parse the words after the verb.

    Args:
        command: The command's table entry.
        argv: The words after the verb.
        shared: Shared options that stood before the noun.
        read_stdin: Returns all of stdin, for ``--data -``; the real stdin by default.

    Raises:
        UsageError: The command line is wrong.
        InvalidError: Names, numbers or documents that cannot be data.
        NotFoundError, ConfigError: A file of ``--data`` or ``--state`` is not there, or cannot be
            read.
    """
    return _Parser(command, read_stdin or _stdin).run((*shared,), (*argv,))


class _Parser:
    def __init__(self, command: DataCommand, read_stdin: Callable[[], bytes]) -> None:
        self.command = command
        self.path = f"{command.noun} {command.verb}"
        self.options = {option.name: option for option in options_of(command)}
        self.shared = {option.name for option in GLOBAL}
        self.read_stdin = read_stdin
        self.name: str | None = None
        self.words: list[str] = []
        self.example = " ".join(word for word in command.arguments if not word.startswith("["))
        self.values: dict[str, Any] = {}
        self.edits: list[Edit] = []
        self.lines = False
        self.warnings: list[str] = []
        self.argv: tuple[str, ...] = ()

    def run(self, shared: tuple[str, ...], argv: tuple[str, ...]) -> Parsed:
        shared, argv = tuple(map(_as_utf8, shared)), tuple(map(_as_utf8, argv))
        self.argv = argv
        for word in (*shared, *argv):
            check_word(word)
        self._words(shared)
        if not self.values.get("help"):
            self._words(argv)
        if self.values.get("help"):
            return Parsed(help=True)
        if self.name is None:
            raise self._missing()
        behind = self.command.arguments[1:]
        for word in behind[len(self.words) :]:
            if not word.startswith("["):
                raise self._usage(f"{word} is missing", hint=f"twin {self.path} {self.example} ...")
        if self.values.get("data") == self.values.get("state") == "-":
            raise self._usage("--data and --state cannot both read stdin")
        base = self._document("data") or {}
        state = self._document("state")
        edits = tuple(self.edits)
        check_edits(edits)
        self._check_amount_of_data(given=bool(edits or base))
        return Parsed(
            name=self.name,
            values=self.values,
            edits=edits,
            base=base,
            state=state,
            lines=self.lines,
            warnings=tuple(self.warnings),
            words=(*self.words, *(None for _ in behind[len(self.words) :])),
        )

    def _check_amount_of_data(self, *, given: bool) -> None:
        if self.lines and given:
            raise self._usage("data come either from stdin, one object per line, or from options")
        if self.command.needs_data and not given and not self.lines:
            raise self._usage(
                "there is nothing to append",
                hint=f"for example: twin {self.path} {self.name} --mileage 1200",
            )

    # ------------------------------------------------------------ words

    def _words(self, argv: tuple[str, ...]) -> None:
        index = 0
        while index < len(argv) and not self.values.get("help"):
            word = argv[index]
            if word == "--":
                self._data_words(argv[index + 1 :])
                return
            index += self._word(word, argv[index + 1 : index + 2])

    def _word(self, word: str, following: tuple[str, ...]) -> int:
        """Take one word, with the one after it where it needs a value; return how many."""
        if not word.startswith("--"):
            self._plain(word)
            return 1
        name, equals, value = word[2:].partition("=")
        option = self.options.get(name)
        if option is None:
            self._check_name_first(word)
            self._check_typo(name)
            self._check_elsewhere(name, value if equals else "".join(following))
            if equals:
                self._free(name, value)
                return 1
            self._free(name, self._value_after(word, following))
            return 2
        if option.name not in self.shared and option.name != "help":
            self._check_name_first(word)
        if name == "jsonl" and self.command.lines and following == ("-",):
            self._check_name_first(word)
            if self.lines:
                raise self._usage("--jsonl - is given twice")
            self.lines = True
            return 2
        if option.metavar is None:
            if equals:
                raise self._usage(f"--{name} takes no value")
            self._flag(option)
            return 1
        if equals:
            self._option(option, value)
            return 1
        self._option(option, self._value_after(word, following))
        return 2

    def _plain(self, word: str) -> None:
        if word.startswith("-") and word != "-":
            long = next((name for name, short in SHORT.items() if word == f"-{short}"), None)
            raise self._usage(
                f"{word!r} is not an option: this command has no short options",
                hint=f"write --{long}"
                if long
                else f"a value that starts with '-' follows its name; see twin {self.path} --help",
            )
        if self.name is None:
            if not word or word == "-":
                raise self._missing()
            self.name = word
        elif len(self.words) + 1 < len(self.command.arguments):
            self.words.append(word)
        else:
            hint = "quote a value that contains spaces; write data as --name value"
            if self.path == "asset transfer":
                hint = f"to give it away: twin asset transfer {self.name} --to {word}"
            if word == "-" and self.command.lines:
                hint = "--jsonl - reads one append a line from stdin"
            raise self._usage(f"unexpected argument {word!r}", hint=hint)

    def _check_name_first(self, word: str) -> None:
        if self.name is None:
            raise self._usage(
                f"the name comes first, before {word.partition('=')[0]}",
                hint=f"twin {self.path} {self.example} ...",
            )

    def _data_words(self, argv: tuple[str, ...]) -> None:
        """Take the words after ``--``: data only, also under the names of options."""
        index = 0
        while index < len(argv):
            word = argv[index]
            if not word.startswith("--"):
                self._plain(word)
                index += 1
                continue
            self._check_name_first(word)
            name, equals, value = word[2:].partition("=")
            if equals:
                self._free(name, value)
                index += 1
            else:
                self._free(name, self._value_after(word, argv[index + 1 : index + 2]))
                index += 2

    def _value_after(self, word: str, following: tuple[str, ...]) -> str:
        if not following:
            hint = GET_EXAMPLE if word == "--get" else None
            raise self._usage(f"{word} needs a value", hint=hint)
        value = following[0]
        if value.startswith("--"):
            raise self._usage(
                f"{word} needs a value, and {value!r} looks like an option",
                hint=f"if {value!r} is the value, write {word}={value}",
            )
        return value

    # ------------------------------------------------------------ options

    def _flag(self, option: Option) -> None:
        self.values[option_key(option.name)] = True

    def _option(self, option: Option, text: str) -> None:
        if option.name in {"set", "str", "unset"}:
            self._edit(option.name, text)
            return
        value = self._converted(option, text)
        key = option_key(option.name)
        if option.repeat:
            self.values[key] = (*self.values.get(key, ()), value)
        elif key in self.values:
            raise self._usage(f"--{option.name} is given twice")
        else:
            self.values[key] = value

    def _converted(self, option: Option, text: str) -> Any:
        if option.choices and text not in option.choices:
            hint = f"to write data of that name: --str {option.name}={text}"
            raise not_a_choice(option.name, text, option.choices, hint=hint)
        if option.kind == "text":
            is_path = option.metavar is not None and option.metavar.endswith(("FILE", "DIR"))
            return _as_path(text) if is_path or text.startswith("file:") else text
        try:
            value = int(text) if option.kind == "int" else float(text)
        except ValueError as error:
            kind = "a whole number" if option.kind == "int" else "a number"
            raise self._usage(f"--{option.name}: {text!r} is not {kind}") from error
        if isinstance(value, int):
            check_number(option.name, value)
        return value

    def _edit(self, how: str, text: str) -> None:
        if how == "unset":
            self.edits.append(Edit(split_path(text), None, unset=True))
            return
        path, equals, value = text.partition("=")
        if not equals:
            kind = "JSON" if how == "set" else "TEXT"
            raise self._usage(f"--{how} {text!r}: the '=' is missing", hint=f"--{how} PATH={kind}")
        names = split_path(path)
        if how == "str":
            self.edits.append(Edit(names, value))
        else:
            self.edits.append(Edit(names, self._json(value, f"--set {path}")))

    def _free(self, name: str, text: str) -> None:
        self.edits.append(Edit(split_path(name), self._guess(text, f"--{name}")))

    # ------------------------------------------------------------ values

    def _guess(self, text: str, what: str) -> Any:
        """Return a value as JSON where it is JSON, else as text."""
        reading = read_json(text)
        if reading.error is None:
            return self._accepted(reading, what, hint=_AS_TEXT)
        if text.lstrip(" \t\r\n")[:1] in {"{", "[", '"'}:
            raise self._usage(
                f"{what}: {reading.error}",
                hint=f"text that starts like JSON needs {_STR}",
            )
        return text

    def _json(self, text: str, what: str) -> Any:
        reading = read_json(text)
        if reading.error is not None:
            raise self._usage(f"{what}: {reading.error}", hint=f"for text use {_STR}")
        return self._accepted(reading, what, hint=_AS_TEXT)

    def _accepted(self, reading: Reading, what: str, *, hint: str | None) -> Any:
        if reading.refused is not None:
            raise InvalidError(
                f"{what}: {reading.refused}",
                code=reading.code or "invalid_json",
                hint=hint,
            )
        self.warnings.extend(f"{what}: {warning}" for warning in reading.warnings)
        return reading.value

    def _document(self, name: str) -> dict[str, Any] | None:
        """Return the object that ``--data`` or ``--state`` names."""
        source: str | None = self.values.get(name)
        if source is None:
            return None
        what = f"--{name}"
        if source == "-":
            text = _decoded(self.read_stdin(), f"{what} -")
        elif source.startswith("@"):
            what = f"{what} {source}"
            from twincli.cli import file_arguments

            text = _decoded(file_arguments.read(_as_path(source[1:])), what)
        else:
            reading = read_json(source)
            if reading.error is not None:
                raise self._usage(
                    f"{what}: {reading.error}",
                    hint=f"a file is written as {what} @FILE",
                )
            return _object(self._accepted(reading, what, hint=None), what)
        reading = read_json(text)
        if reading.error is not None:
            raise InvalidError(f"{what}: {reading.error}", code="invalid_json")
        return _object(self._accepted(reading, what, hint=None), what)

    # ------------------------------------------------------------ typos

    def _check_typo(self, name: str) -> None:
        near = mistyped(name, self.options)
        if near is not None:
            raise self._usage(
                f"there is no option --{name}",
                hint=f"did you mean --{near}? To write data of that name: --set {name}=VALUE",
            )

    def _check_elsewhere(self, name: str, value: str) -> None:
        """Refuse the option of another writing command: as data it would be a silent mistake."""
        plain = _plain_name(name)
        found = options_elsewhere(self.command)
        real = next((option for option in found if _plain_name(option) == plain), None)
        near = _NO_OPTIONS.get((self.command.noun, self.command.verb, plain))
        if real is None and near is None:
            return
        meant = near
        if real is not None:
            meant = _MEANT.get((self.command.verb, real), f"it belongs to twin {found[real]}")
        assert meant is not None
        shown = value if value and not value.startswith("--") else "VALUE"
        meant = meant.replace("VALUE", shown).replace("NAME", self.name or "NAME")
        meant = meant.replace("OWNER", self._given("to") or "OWNER")
        raise self._usage(
            f"--{name} is not an option of twin {self.path}",
            hint=f"{meant}; to write data of that name: --set {name}=JSON or --str {name}=TEXT",
        )

    def _given(self, name: str) -> str | None:
        """Return the value of an option, also where it is still to come."""
        for word, following in zip(self.argv, (*self.argv[1:], ""), strict=True):
            option, equals, value = word.removeprefix("--").partition("=")
            if word.startswith("--") and option == name:
                return (value if equals else following) or None
        return None

    def _missing(self) -> UsageError:
        return self._usage("the name is missing", hint=f"twin {self.path} {self.example} ...")

    def _usage(self, message: str, *, hint: str | None = None) -> UsageError:
        return UsageError(message, hint=hint or f"see twin {self.path} --help")


_STR = "--str PATH=TEXT"
_AS_TEXT = f"to keep every digit, write it as text: {_STR}"


_AT_CREATION = "it is set when an asset is created"
_TO_GIVE = "to give the asset away: twin asset transfer NAME --to VALUE"
_MEANT = {
    ("transfer", "amount"): "to give a part: --out VALUE:OWNER",
    ("transfer", "owner"): "to name the new owner: --to VALUE",
    **{
        ("transfer", name): _AT_CREATION
        for name in ("title", "parent", "template", "state", "orm-model", "if-missing")
    },
    ("append", "amount"): "amounts are given away by twin asset transfer NAME --out VALUE:OWNER",
    ("append", "owner"): _TO_GIVE,
    ("append", "to"): _TO_GIVE,
    ("append", "out"): "to give a part: twin asset transfer NAME --out VALUE",
    ("append", "state"): "the data of an append change the state: --data JSON",
    **{
        ("append", name): _AT_CREATION
        for name in ("title", "parent", "template", "orm-model", "entity", "if-missing")
    },
    ("create", "to"): "to name the owner: --owner VALUE",
    ("create", "out"): "create it with --amount N, then twin asset transfer NAME --out VALUE",
    ("new", "to"): "to name the owner: --owner VALUE",
}
"""What the option of another command most likely meant, by this command's verb."""

_NO_OPTIONS = {
    ("maintenance", "add", name): "a cost is that of a part: --part PART:QUANTITY:VALUE"
    for name in ("cost", "costs", "price", "total")
}
"""What looks like an option and is none, by noun and verb, and what was meant: as data it would be
left out of every sum."""


def mistyped(name: str, options: Sequence[str] | dict[str, Option]) -> str | None:
    """Return the real option that a data name is too near to, if there is one.

    Too near is: equal but for case, ``-`` and ``_``; two neighbours swapped; or, for options of
    five letters or more, one letter added, left out or changed.
    """
    plain = _plain_name(name)
    for option in options:
        real = _plain_name(option)
        if plain == real or _swapped(plain, real):
            return option
        if len(real) >= 5 and _one_edit(plain, real):
            return option
    return None


def _plain_name(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _swapped(left: str, right: str) -> bool:
    if len(left) != len(right):
        return False
    apart = [index for index, letter in enumerate(left) if letter != right[index]]
    if len(apart) != 2 or apart[1] != apart[0] + 1:
        return False
    first, second = apart
    return left[first] == right[second] and left[second] == right[first]


def _one_edit(left: str, right: str) -> bool:
    if abs(len(left) - len(right)) > 1:
        return False
    if len(left) > len(right):
        left, right = right, left
    start = 0
    while start < len(left) and left[start] == right[start]:
        start += 1
    same_length = len(left) == len(right)
    return left[start + same_length :] == right[start + 1 :]


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidError(
            f"{what}: data must be an object, not {type_name(value)}",
            code="not_an_object",
        )
    return value


def check_word(word: str) -> None:
    """Refuse an argument that is not text."""
    if not is_unicode(word) or "\0" in word:
        raise UsageError(f"the argument {word!r} is not UTF-8 text")


def _as_utf8(word: str) -> str:
    """Return an argument as the UTF-8 that was typed.

    Under a C locale without UTF-8 mode, Python keeps bytes it cannot read as half surrogates.
    """
    try:
        return word if word.isascii() else word.encode("utf-8", "surrogateescape").decode()
    except UnicodeError:
        return word


def _as_path(text: str) -> str:
    """Return the name of a file as the system takes it, the reverse of `_as_utf8`."""
    return text if text.isascii() else os.fsdecode(text.encode())


def _decoded(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidError(
            f"{what}: not UTF-8: byte {error.start + 1} is invalid", code="invalid_json"
        ) from error


def _stdin() -> bytes:
    from twincli.cli import file_arguments

    return file_arguments.read("-")
