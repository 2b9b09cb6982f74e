"""The one expression language: ``facility = Plant-A and power.hp > 200``.

It serves finding, the rules of templates and the conditions of states. A text is parsed into a
small tree, which `predicate` turns into a function of a document here, and the ledger's index into
parameterised SQL; both give the same answer.

- ``not`` binds tighter than ``and``, ``and`` tighter than ``or``; parentheses group.
- A comparison is a dotted path, an operator and a value: ``= != < <= > >= ~ in has``. A bare word
  is a path on the left and a text on the right.
- A value is what it looks like: ``true``, ``200``, ``200 hp`` (a number and its unit), ``250h`` (a
  span), ``2024-01-20`` or RFC 3339 (a time), else a text; quotes, single or double, make a text.
- A comparison with a field that is missing, null or of another type is false, ``!=`` too. ``not``
  negates plainly, so ``not (hp > 200)`` holds where hp is missing.
- ``=`` and the order compare texts by code point; ``~`` means contains, case, accents and
  compatibility forms folded; ``has`` is membership in a list, ``in (a, b)`` one of several values.
- The only calls are those of `CALLS`.

Length, depth and the number of terms are bounded, so parsing and evaluating take linear time.
"""

from __future__ import annotations

import operator
from functools import cache

from twincli.errors import InvalidError, UsageError
from twincli.model import times
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Mapping

MAX_LENGTH = 4096
"""Characters of an expression."""
MAX_DEPTH = 32
"""Parentheses and ``not`` inside each other."""

ORDER = frozenset({"<", "<=", ">", ">="})
CALLS = frozenset({"exists"})
"""``exists(path)``: the field is there and not null."""

_WORDS = frozenset({"and", "or", "not", "in", "has"})


class Text(NamedTuple):
    """A text to compare with."""

    text: str


class Number(NamedTuple):
    """A number to compare with."""

    number: int | float


class Quantity(NamedTuple):
    """A number as it was written, and its unit; `predicate` is told how to convert it."""

    number: str
    unit: str


class Truth(NamedTuple):
    """``true`` or ``false``."""

    truth: bool


class Time(NamedTuple):
    """A time to compare with, milliseconds since the epoch."""

    time_ms: int


Plain = Text | Number | Truth | Time
Value = Plain | Quantity


class Compare(NamedTuple):
    """A comparison.

    Attributes:
        path: Names from the top level down.
        operator: ``= != < <= > >= ~ in has``.
        values: One value; of ``in`` at least one. Without any it never holds.
    """

    path: tuple[str, ...]
    operator: str
    values: tuple[Value, ...]


class Exists(NamedTuple):
    """``exists(path)``."""

    path: tuple[str, ...]


class Not(NamedTuple):
    """A negation."""

    part: Node


class And(NamedTuple):
    """Several conditions that must all hold."""

    parts: tuple[Node, ...]


class Or(NamedTuple):
    """Several conditions of which one must hold."""

    parts: tuple[Node, ...]


Node = Compare | Exists | Not | And | Or
if TYPE_CHECKING:
    Convert = Callable[[tuple[str, ...], Quantity], int | float]


def parse(text: str) -> Node:
    """Return the tree of an expression.

    Raises:
        InvalidError: ``invalid_expression``: the message names the character, counted from 1.
    """
    return _Parser(text).whole()


# --- Reading -----------------------------------------------------------------------------------


class _Token(NamedTuple):
    kind: str  # word, text, operator, punctuation, end
    text: str
    at: int


@cache
def _pattern() -> re.Pattern[str]:
    import re

    return re.compile(
        r"\s*(?:(?P<text>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')|(?P<operator>!=|<=|>=|[=<>~])"
        r"|(?P<punctuation>[(),])|(?P<word>[^\s\"'()=<>~!,]+))",
        re.DOTALL,
    )


@cache
def _number() -> re.Pattern[str]:
    import re

    return re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


@cache
def _span() -> re.Pattern[str]:
    import re

    return re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d|w)")


class _Parser:
    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise InvalidError(
                f"the expression has {len(text)} characters, at most {MAX_LENGTH} are read",
                code="invalid_expression",
            )
        self.source = text
        self.tokens = self._tokens()
        self.index = 0
        self.depth = 0

    def _tokens(self) -> list[_Token]:
        tokens: list[_Token] = []
        at = 0
        end = len(self.source.rstrip())
        while at < end:
            found = _pattern().match(self.source, at)
            if found is None:
                while self.source[at].isspace():
                    at += 1
                wrong = self.source[at]
                if wrong in "\"'":
                    raise self._fault(at, f"the {wrong} is never closed")
                raise self._fault(at, f"unexpected {wrong!r}")
            kind = str(found.lastgroup)
            tokens.append(_Token(kind, found[kind], found.start(kind)))
            at = found.end()
        tokens.append(_Token("end", "", end))
        return tokens

    def _fault(self, at: int, why: str) -> InvalidError:
        return InvalidError(
            f"the expression is wrong at character {at + 1}: {why}",
            code="invalid_expression",
            hint="for example: facility = Plant-A and power.hp > 200",
        )

    @property
    def token(self) -> _Token:
        return self.tokens[self.index]

    def next(self) -> _Token:
        token = self.token
        self.index += 1
        return token

    def is_word(self, *words: str) -> bool:
        return self.token.kind == "word" and self.token.text in words

    def takes(self, text: str) -> bool:
        """Take a punctuation mark if it is next."""
        if self.token.kind == "punctuation" and self.token.text == text:
            self.index += 1
            return True
        return False

    def whole(self) -> Node:
        if self.token.kind == "end":
            raise self._fault(0, "it is empty")
        node = self.any_of()
        if self.token.kind != "end":
            raise self._fault(
                self.token.at,
                f"unexpected {self.token.text!r}; join conditions with and, or; quote a text of"
                " several words",
            )
        return node

    def any_of(self) -> Node:
        parts = [self.all_of()]
        while self.is_word("or"):
            self.index += 1
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def all_of(self) -> Node:
        parts = [self.one()]
        while self.is_word("and"):
            self.index += 1
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def one(self) -> Node:
        token = self.token
        if self.is_word("not") or (token.kind, token.text) == ("punctuation", "("):
            self.index += 1
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise self._fault(token.at, f"it nests deeper than {MAX_DEPTH}")
            node = Not(self.one()) if token.text == "not" else self.grouped(token)
            self.depth -= 1
            return node
        return self.comparison()

    def grouped(self, opened: _Token) -> Node:
        node = self.any_of()
        if not self.takes(")"):
            if self.token.kind == "end":
                raise self._fault(opened.at, "the '(' is never closed")
            raise self._fault(self.token.at, f"expected ')', not {self.token.text!r}")
        return node

    def comparison(self) -> Node:
        token = self.next()
        if token.kind != "word" or token.text in _WORDS:
            what = "the end" if token.kind == "end" else repr(token.text)
            raise self._fault(token.at, f"expected the name of a field, not {what}")
        if self.token.kind == "punctuation" and self.token.text == "(":
            return self.call(token)
        path = self.path(token)
        operation = self.next()
        is_operator = operation.kind == "operator" or (
            operation.kind == "word" and operation.text in {"in", "has"}
        )
        if not is_operator:
            raise self._fault(
                operation.at, f"expected one of = != < <= > >= ~ in has after {token.text!r}"
            )
        if operation.text == "in":
            return Compare(path, "in", self.several())
        value = self.value(operation.text)
        if operation.text == "~" and not isinstance(value, Text):
            value = Text(self.tokens[self.index - 1].text)
        if operation.text in ORDER and isinstance(value, Truth):
            raise self._fault(operation.at, f"{operation.text} does not compare true and false")
        return Compare(path, operation.text, (value,))

    def call(self, token: _Token) -> Node:
        if token.text not in CALLS:
            raise self._fault(
                token.at, f"there is no {token.text}(); only {', '.join(sorted(CALLS))}()"
            )
        self.index += 1
        name = self.next()
        if name.kind != "word":
            raise self._fault(name.at, f"{token.text}() takes the name of a field")
        path = self.path(name)
        if not self.takes(")"):
            raise self._fault(self.token.at, "expected ')'")
        return Exists(path)

    def path(self, token: _Token) -> tuple[str, ...]:
        names = tuple(token.text.split("."))
        if not all(names):
            raise self._fault(token.at, f"a part of the path {token.text!r} is empty")
        return names

    def several(self) -> tuple[Value, ...]:
        opened = self.token
        if not self.takes("("):
            raise self._fault(opened.at, "expected '(' and the values after 'in'")
        values = [self.value("in")]
        while self.takes(","):
            values.append(self.value(","))
        if not self.takes(")"):
            raise self._fault(self.token.at, "expected ',' or ')' between the values of 'in'")
        return tuple(values)

    def value(self, after: str) -> Value:
        token = self.next()
        if token.kind == "text":
            return Text(_unquoted(token.text))
        if token.kind != "word" or token.text in _WORDS:
            what = "the end" if token.kind == "end" else repr(token.text)
            raise self._fault(token.at, f"expected a value after {after!r}, not {what}")
        return self.bare(token)

    def bare(self, token: _Token) -> Value:
        word = token.text
        if word in {"true", "false"}:
            return Truth(word == "true")
        if _number().fullmatch(word):
            if self.token.kind == "word" and self.token.text not in _WORDS:
                return Quantity(word, self.next().text)
            number = _exact(word)
            if number is None:
                raise self._fault(token.at, f"{word[:40]} is too large")
            return Number(number)
        if found := _span().fullmatch(word):
            return Quantity(found[1], found[2])
        time_ms = time_of(word)
        return Text(word) if time_ms is None else Time(time_ms)


def _unquoted(text: str) -> str:
    inner = text[1:-1]
    if "\\" not in inner:
        return inner
    import re

    return re.sub(r"\\(.)", r"\1", inner, flags=re.DOTALL)


def _exact(text: str) -> int | float | None:
    """Return a JSON number, None beyond what a double can hold."""
    if text.lstrip("-").isdigit():
        return int(text) if len(text) <= 20 else None
    number = float(text)
    return number if abs(number) != float("inf") else None


def time_of(text: str) -> int | None:
    """Return a date or an RFC 3339 time in milliseconds since the epoch, None for other text."""
    if len(text) < 10 or len(text) > 40 or text[4] != "-" or text[7] != "-":
        return None
    try:
        return times.parse(text, 0)
    except UsageError:
        return None


def folded(text: str) -> str:
    """Return text as ``~`` compares it: case, accents and compatibility forms do not matter."""
    if text.isascii():
        return text.lower()
    from unicodedata import combining, normalize

    plain = normalize("NFKD", normalize("NFKC", text).casefold())
    return "".join(character for character in plain if not combining(character))


def has_quantity(node: Node) -> bool:
    """Say whether a number with a unit is compared, which a field's unit has to meet."""
    if isinstance(node, And | Or):
        return any(map(has_quantity, node.parts))
    if isinstance(node, Not):
        return has_quantity(node.part)
    return isinstance(node, Compare) and any(isinstance(one, Quantity) for one in node.values)


def without_quantities(node: Node, convert: Convert) -> Node:
    """Return the tree with plain numbers for quantities.

    Args:
        node: From `parse`.
        convert: Returns a quantity in the unit of the field at a path. Where it raises
            InvalidError no value of the field compares with that quantity.
    """
    if isinstance(node, And | Or):
        parts = tuple(without_quantities(part, convert) for part in node.parts)
        return And(parts) if isinstance(node, And) else Or(parts)
    if isinstance(node, Not):
        return Not(without_quantities(node.part, convert))
    if isinstance(node, Exists):
        return node
    values: list[Value] = []
    for value in node.values:
        try:
            values.append(plain(node.path, value, convert))
        except InvalidError:
            continue
    return node._replace(values=tuple(values))


# --- Writing -----------------------------------------------------------------------------------


def text_of(node: Node) -> str:
    """Return an expression that `parse` reads as the same tree.

    A comparison without values is written as one that never holds. A tree that `parse` did not
    make can be too long or too deep for it.

    Args:
        node: Numbers in it are finite.
    """
    if isinstance(node, Or):
        return " or ".join(_grouped(part, Or) for part in node.parts)
    if isinstance(node, And):
        return " and ".join(_grouped(part, And | Or) for part in node.parts)
    if isinstance(node, Not):
        return f"not {_grouped(node.part, And | Or)}"
    path = ".".join(node.path)
    if isinstance(node, Exists):
        return f"exists({path})"
    if not node.values:
        return f"(exists({path}) and not exists({path}))"
    values = ", ".join(map(_value_text, node.values))
    return f"{path} {node.operator} " + (f"({values})" if node.operator == "in" else values)


def _grouped(node: Node, kinds: Any) -> str:
    text = text_of(node)
    return f"({text})" if isinstance(node, kinds) else text


def _value_text(value: Value) -> str:
    if isinstance(value, Text):
        escaped = value.text.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    if isinstance(value, Truth):
        return "true" if value.truth else "false"
    if isinstance(value, Time):
        return times.to_text(value.time_ms)
    if isinstance(value, Quantity):
        # A span may have leading zeros, which a number has not.
        joined = value.number + value.unit
        return joined if _span().fullmatch(joined) else f"{value.number} {value.unit}"
    return repr(value.number)


def count(node: Node) -> int:
    """Return how many values and fields an expression looks at, which is what it costs."""
    if isinstance(node, And | Or):
        return sum(map(count, node.parts))
    if isinstance(node, Not):
        return count(node.part)
    return 1 if isinstance(node, Exists) else max(1, len(node.values))


# --- Evaluating --------------------------------------------------------------------------------


def paths(node: Node) -> set[tuple[str, ...]]:
    """Return the paths that an expression looks at."""
    if isinstance(node, (Compare, Exists)):
        return {node.path}
    parts = (node.part,) if isinstance(node, Not) else node.parts
    return set().union(*map(paths, parts))


def predicate(node: Node, convert: Convert | None = None) -> Callable[[Mapping[str, Any]], bool]:
    """Return the expression as a function of a document.

    Args:
        node: From `parse`.
        convert: Returns a quantity in the unit of the field at a path; may raise InvalidError.

    Raises:
        InvalidError: ``invalid_expression``: a unit where no field has one.
    """
    if isinstance(node, And):
        parts = [predicate(part, convert) for part in node.parts]
        return lambda document: all(part(document) for part in parts)
    if isinstance(node, Or):
        parts = [predicate(part, convert) for part in node.parts]
        return lambda document: any(part(document) for part in parts)
    if isinstance(node, Not):
        inner = predicate(node.part, convert)
        return lambda document: not inner(document)
    path = node.path
    if isinstance(node, Exists):
        return lambda document: value_at(document, path) is not None
    tests = [_test(node.operator, plain(path, value, convert)) for value in node.values]
    if len(tests) == 1:
        test = tests[0]
        return lambda document: test(value_at(document, path))
    return lambda document: _is_any(tests, value_at(document, path))


def _is_any(tests: list[Callable[[Any], bool]], value: Any) -> bool:
    return any(test(value) for test in tests)


def value_at(document: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """Return what a document holds at a path, None where it holds nothing."""
    value: Any = document
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def plain(path: tuple[str, ...], value: Value, convert: Convert | None) -> Plain:
    """Return a value without a unit: a quantity becomes a number in the field's unit.

    Raises:
        InvalidError: ``invalid_expression``: the field has no unit.
    """
    if not isinstance(value, Quantity):
        return value
    if convert is None:
        raise InvalidError(
            f"{'.'.join(path)} has no unit, so {value.number} {value.unit} cannot be compared",
            code="invalid_expression",
            hint=f"leave the unit out, or quote a text: '{value.number} {value.unit}'",
        )
    return Number(convert(path, value))


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "in": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _test(name: str, wanted: Plain) -> Callable[[Any], bool]:
    """Return whether one field's value compares as wanted with the value of the expression."""
    if name == "has":
        inner = _test("=", wanted)
        return lambda value: isinstance(value, list) and any(map(inner, value))
    if name == "~":
        assert isinstance(wanted, Text)
        part = folded(wanted.text)
        return lambda value: isinstance(value, str) and part in folded(value)
    compare = _OPERATORS[name]
    if isinstance(wanted, Number):
        number = wanted.number
        return lambda value: type(value) in {int, float} and compare(value, number)
    if isinstance(wanted, Text):
        text = wanted.text
        return lambda value: isinstance(value, str) and compare(value, text)
    if isinstance(wanted, Truth):
        truth = wanted.truth
        return lambda value: isinstance(value, bool) and compare(value, truth)
    time_ms = wanted.time_ms

    def compare_times(value: Any) -> bool:
        found = time_of(value) if isinstance(value, str) else None
        return found is not None and compare(found, time_ms)

    return compare_times
