"""Output: forms, escapes, paths, streams."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from twincli.cli.result import Mode, Result
from twincli.cli.showing import output
from twincli.cli.showing.output import find, render, to_json
from twincli.errors import NotFoundError, TwinError
from twincli.model.text import separated, visible

EVIL = "\x1b]0;own\x07\x9b31m\u202ered\u2066\x7f\r\t\ud800"
TERMINAL = Mode(terminal=True)

ASSET = {"schema": "twin.asset/1", "id": "ab", "n": 5, "data": {"a": [1]}, "none": None}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[str, str]]:
    def run(result: Result, mode: Mode | None = None) -> tuple[str, str]:
        streams = []
        with monkeypatch.context() as patch:
            for name in ("stdout", "stderr"):
                memory = io.BytesIO()
                # The locale of cron: what is printed must not depend on it.
                stream = io.TextIOWrapper(memory, encoding="ascii")
                patch.setattr(sys, name, stream)
                streams.append((memory, stream))
            render(result, mode or Mode())
            texts = []
            for memory, stream in streams:
                stream.flush()
                texts.append(memory.getvalue().decode())
        return texts[0], texts[1]

    return run


Shown = Callable[..., tuple[str, str]]


def rows(*items: dict[str, Any], **more: Any) -> Result:
    return Result(
        {"schema": "twin.things/1", "things": list(items)},
        listing="things",
        columns=(("id", "id"), ("hp", "power.hp"), ("up", lambda item: str(item["id"]).upper())),
        item_schema="twin.thing/1",
        **more,
    )


def test_a_pipe_gets_keys_and_whole_values(shown: Shown) -> None:
    long = "x" * 300
    out, err = shown(Result({**ASSET, "long": long}))
    assert out == f'id\tab\nn\t5\ndata\t{{"a":[1]}}\nnone\t\nlong\t{long}\n'
    assert err == ""


def test_a_pipe_gets_listings_with_a_header(shown: Shown) -> None:
    out, _ = shown(rows({"id": "a", "power": {"hp": 5}}, {"id": "b\tc\n\\"}))
    assert out == "id\thp\tup\na\t5\tA\nb\\tc\\n\\\\\t\tB\\tC\\n\\\\\n"
    assert shown(rows())[0] == "id\thp\tup\n"


def test_columns_default_to_the_first_items_members(shown: Shown) -> None:
    result = Result({"schema": "s/1", "l": [{"a": 1, "b": True}, {"b": None}]}, listing="l")
    assert shown(result)[0] == "a\tb\n1\ttrue\n\t\n"


def test_json_is_one_object_that_begins_with_its_schema(shown: Shown) -> None:
    for result in (Result(ASSET), rows({"id": "a"}), rows()):
        out, _ = shown(result, Mode("json"))
        assert out.count("\n") == 1
        assert json.loads(out) == result.document
        assert next(iter(json.loads(out))) == "schema"
    out, _ = shown(Result(ASSET), Mode("json", terminal=True))
    assert json.loads(out) == ASSET
    assert out.count("\n") > 1


def test_iterators_are_streamed_into_the_same_document(shown: Shown) -> None:
    items = [{"id": "a"}, {"id": "b\u2028"}]
    for count in (0, 1, 2):
        document = {"schema": "s/1", "asset_id": "x", "l": iter(items[:count]), "more": 5}
        out, _ = shown(Result(document, listing="l"), Mode("json"))
        assert json.loads(out) == {**document, "l": items[:count]}
        document["l"] = iter(items[:count])
        out, _ = shown(Result(document, listing="l"), Mode("json", terminal=True))
        assert json.loads(out)["l"] == items[:count]


def test_json_lines_begin_with_the_items_schema(shown: Shown) -> None:
    out, _ = shown(rows({"id": "a"}, {}, {"schema": "own/1", "id": "c"}), Mode("jsonl"))
    assert out.splitlines() == [
        '{"schema":"twin.thing/1","id":"a"}',
        '{"schema":"twin.thing/1"}',
        '{"schema":"own/1","id":"c"}',
    ]
    assert shown(rows(), Mode("jsonl"))[0] == ""
    assert json.loads(shown(Result(ASSET), Mode("jsonl"))[0]) == ASSET


def test_an_iterator_that_fails_at_once_leaves_stdout_empty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken:
        def __iter__(self) -> Iterator[dict[str, Any]]:
            return self

        def __next__(self) -> dict[str, Any]:
            raise NotFoundError("gone")

    for form in ("json", "jsonl", "auto"):
        memory = io.BytesIO()
        stream = io.TextIOWrapper(memory)
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(NotFoundError):
            render(Result({"schema": "s/1", "l": Broken()}, listing="l"), Mode(form))
        stream.flush()
        assert memory.getvalue() == b""


def test_notes_and_warnings_stay_off_stdout(shown: Shown) -> None:
    result = Result(ASSET, notes=("wrote mileage=5",), warnings=("clock",))
    out, err = shown(result)
    assert "wrote" not in out
    assert err == "wrote mileage=5\ntwin: warning: clock\n"
    assert shown(result, Mode(quiet=True))[1] == "twin: warning: clock\n"
    for form in ("json", "jsonl"):
        out, err = shown(result, Mode(form))
        assert err == ""
        assert json.loads(out)["warnings"] == ["clock"]
    document = {**ASSET, "warnings": ["old", "clock"]}
    out, _ = shown(result._replace(document=document), Mode("json"))
    assert json.loads(out)["warnings"] == ["old", "clock"]
    assert shown(rows(warnings=("w",)), Mode("jsonl"))[1] == "twin: warning: w\n"


def test_the_exit_code_of_an_answer_is_returned() -> None:
    assert render(Result({"schema": "s/1"}, exit_code=3, text=""), Mode()) == 3


# ------------------------------------------------------------ --get


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("id", "ab"),
        ("n", "5"),
        ("data", '{"a":[1]}'),
        ("data.a.0", "1"),
        ("data.a.-1", "1"),
        ("none", "null"),
        ("schema", "twin.asset/1"),
    ],
)
def test_get_prints_one_value(path: str, text: str, shown: Shown) -> None:
    assert shown(Result(ASSET), Mode("get", path))[0] == text + "\n"


def test_get_reaches_into_listings(shown: Shown) -> None:
    document = {"schema": "s/1", "l": iter([{"id": "a"}, {"id": "b"}])}
    assert shown(Result(document, listing="l"), Mode("get", "l.1.id"))[0] == "b\n"


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("x", "available: schema, id"),
        ("data.b", "available: a"),
        ("data.a.1", "a list of 1: 0 to 0"),
        ("data.a.-2", "a list of 1"),
        ("data.a.x", "a list of 1"),
        ("data.a.\u0661", "a list of 1"),
        ("id.x", "a single value"),
        ("", "available: schema"),
        ("data.", "available: a"),
    ],
)
def test_get_of_what_is_not_there_names_what_is(path: str, there: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        find(ASSET, path)
    assert caught.value.code == "no_such_path"
    assert there in (caught.value.hint or "")


def test_get_is_raw_in_a_pipe_and_safe_on_a_terminal(shown: Shown) -> None:
    result = Result({"schema": "s/1", "x": "a\x1bb"})
    assert shown(result, Mode("get", "x"))[0] == "a\x1bb\n"
    assert shown(result, Mode("get", "x", terminal=True))[0] == "a\\u001bb\n"


# ------------------------------------------------------------ escapes


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("form", ["auto", "json", "jsonl"])
def test_control_characters_never_pass(form: str, terminal: bool, shown: Shown) -> None:
    result = Result(
        {"schema": "s/1", EVIL: EVIL, "l": {EVIL: [EVIL]}}, notes=(EVIL,), warnings=(EVIL,)
    )
    listing = Result({"schema": "s/1", "l": [{EVIL: EVIL}]}, listing="l", warnings=(EVIL,))
    for one in (result, listing):
        for text in shown(one, Mode(form, terminal=terminal)):
            rest = text.replace("\n", "").replace("\t", "")
            assert rest.isprintable(), ascii(rest)
            if not terminal and form == "auto":
                assert "\\u001b" in text


def test_rich_markup_of_others_is_plain_text(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    text = "[red]x[/] :boom: [link=http://e]y[/link]"
    for mode in (TERMINAL, Mode(terminal=True, color=True)):
        assert text in shown(rows({"id": text}), mode)[0]
        assert text in shown(Result({"schema": "s/1", "id": text}), mode)[0]


def test_ids_are_short_in_tables_and_whole_elsewhere(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    identity = "".join(f"{number:02x}" for number in range(32))
    one = Result({"schema": "s/1", "id": identity})
    several = Result({"schema": "s/1", "l": [{"id": identity}]}, listing="l")
    wide = Mode(terminal=True, wide=True)
    for result, mode, text in (
        (one, TERMINAL, identity),
        (several, TERMINAL, identity[:10]),
        (several, wide, identity),
        (several, Mode(), identity),
    ):
        out, _ = shown(result, mode)
        assert "".join(out.split()) == f"id{text}"
        assert not mode.terminal or max(map(len, out.splitlines())) <= 40


def test_a_terminal_gets_colour_only_when_wanted(shown: Shown) -> None:
    assert "\x1b[" not in shown(rows({"id": "a"}), Mode(terminal=True))[0]
    assert "\x1b[" in shown(rows({"id": "a"}), Mode(terminal=True, color=True))[0]


def test_a_drawing_of_its_own_gets_the_whole_document(shown: Shown) -> None:
    seen = []

    def draw(document: dict[str, Any], console: Any) -> None:
        seen.append(document["l"])
        console.print("drawn")

    document = {"schema": "s/1", "l": iter([1])}
    result = Result(document, listing="l", terminal=draw)
    assert shown(result, TERMINAL)[0] == "drawn\n"
    assert seen == [[1]]


@given(st.text())
def test_separated_fields_can_be_read_back(text: str) -> None:
    field = separated(text)
    assert not any(letter in field for letter in "\t\n\r\x1b")
    escaped = field.replace("\\\\", "\\u005c").replace("\\t", "\\u0009")
    escaped = escaped.replace("\\n", "\\u000a").replace("\\r", "\\u000d").replace('"', "\\u0022")
    assert json.loads(f'"{escaped}"') == text
    field.encode()


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_json_is_safe_and_the_same_value(value: Any) -> None:
    text = to_json(value)
    assert json.loads(text) == value
    assert text.isprintable() or not any(ord(letter) < 32 or letter == "\x7f" for letter in text)
    text.encode()


INKLESS = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0}.union(
    range(0x180B, 0x1810), range(0xFE00, 0xFE10), range(0xE0000, 0xE1000)
)
"""Characters that Python prints and that nobody sees."""


@given(st.text())
@example("a\u034fb")
def test_visible_text_keeps_lines_and_letters(text: str) -> None:
    safe = visible(text)
    assert not any(ord(letter) < 32 and letter != "\n" for letter in safe)
    assert not any(ord(letter) in INKLESS for letter in safe)
    if text.isprintable() and not any(ord(letter) in INKLESS for letter in text):
        assert safe == text


# ------------------------------------------------------------ streams


class Refusing(io.RawIOBase):
    def __init__(self, error: OSError) -> None:
        self.error: OSError | None = error

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self.error is not None:
            raise self.error
        return len(data)


def test_a_full_disk_is_an_error_and_a_closed_pipe_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for error, wanted in (
        (OSError(28, "No space left on device"), TwinError),
        (BrokenPipeError(32, "Broken pipe"), BrokenPipeError),
    ):
        raw = Refusing(error)
        stream = io.TextIOWrapper(io.BufferedWriter(raw))
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(wanted):
            render(Result(ASSET), Mode())
        raw.error = None  # let it be closed


def test_missing_streams_are_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert render(Result(ASSET, notes=("x",)), Mode()) == 0


def test_streams_without_bytes_take_text(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = io.StringIO()
    monkeypatch.setattr(sys, "stdout", memory)
    monkeypatch.setattr(sys, "stderr", memory)
    render(Result(ASSET, notes=("x",), text="y\n"), Mode())
    assert memory.getvalue() == "x\ny\n"


def test_live_listings_are_written_item_by_item(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(memory))
    sizes = []

    def items() -> Iterator[dict[str, Any]]:
        for number in range(3):
            sizes.append(len(memory.getvalue()))
            yield {"n": number}

    render(Result({"schema": "s/1", "l": items()}, listing="l", live=True), Mode("jsonl"))
    assert sizes[0] == 0 < sizes[1] < sizes[2]


def test_a_hundred_thousand_items_are_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    item = {
        "id": "b" * 64,
        "operation": "TRANSFER",
        "height": 5,
        "at": "2024-01-01T00:00:00Z",
        "signers": ["z" * 44],
        "outputs": [{"owners": ["z" * 44], "amount": "1", "spent_by": None}],
        "changes": {"mileage": 1200, "note": "gr\u00fcn"},
    }
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO()))
    items = (item for _ in range(100_000))
    result = Result({"schema": "s/1", "l": items}, listing="l", item_schema="i/1")
    started = time.process_time()
    render(result, Mode("jsonl"))
    # About 0.6 s; the bound is for slow machines and still finds anything quadratic.
    assert time.process_time() - started < 3
    assert output._BATCH > 1000
