"""The strict parser: every sentence of "Data on the command line" has a test."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.cli.options import GLOBAL
from twincli.cli.parsing.data_commands import COMMANDS, options_of
from twincli.cli.parsing.data_parser import Parsed, mistyped, parse
from twincli.cli.parsing.json_values import read_json
from twincli.errors import ConfigError, ExitCode, InvalidError, NotFoundError, TwinError, UsageError
from twincli.model.edits import Edit

APPEND = COMMANDS["asset", "append"]
CREATE = COMMANDS["asset", "create"]
TRANSFER = COMMANDS["asset", "transfer"]
NEW = COMMANDS["did", "new"]


def append(*words: str, stdin: bytes = b"") -> Parsed:
    return parse(APPEND, ["car", *words], read_stdin=lambda: stdin)


def create(*words: str, stdin: bytes = b"") -> Parsed:
    return parse(CREATE, ["car", *words], read_stdin=lambda: stdin)


def value_of(*words: str) -> Any:
    [edit] = append(*words).edits
    return edit.value


def refused(*words: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        append(*words)
    assert caught.value.exit_code == ExitCode.USAGE
    return caught.value


# ------------------------------------------------------------ the closed list

GLOBAL_NAMES = [
    "json",
    "jsonl",
    "get",
    "quiet",
    "node",
    "home",
    "key",
    "yes",
    "dry-run",
    "color",
    "timeout",
    "passphrase-file",
    "passphrase-fd",
]
SHARED_NAMES = {
    *GLOBAL_NAMES,
    *["help", "set", "str", "unset", "data", "at", "once", "if-tip", "prepare", "wait", "bare"],
}


@pytest.mark.parametrize(
    ("command", "own"),
    [
        (("did", "new"), "owner entity if-missing no-passphrase"),
        (
            ("asset", "create"),
            "owner entity parent template on-invalid amount title state orm-model if-missing",
        ),
        (("asset", "append"), "corrects output"),
        (("asset", "transfer"), "to out in children entity"),
        (("stream", "push"), "source quality unit on-invalid"),
        (("event", "add"), "attach"),
        (("state", "move"), "from reason meets triggered-by attach"),
        (("stage", "add"), "location date attach"),
        (
            ("maintenance", "add"),
            "type technician work part currency done next next-type attach",
        ),
    ],
)
def test_the_real_options_are_a_closed_list(command: tuple[str, str], own: str) -> None:
    names = [option.name for option in options_of(COMMANDS[command])]
    assert len(names) == len(set(names))
    assert set(names) == SHARED_NAMES | set(own.split())


def test_the_commands_with_data_are_a_closed_list() -> None:
    assert set(COMMANDS) == {
        ("did", "new"),
        ("asset", "create"),
        ("asset", "append"),
        ("asset", "transfer"),
        ("stream", "push"),
        ("event", "add"),
        ("state", "move"),
        ("stage", "add"),
        ("maintenance", "add"),
    }
    assert [option.name for option in GLOBAL] == GLOBAL_NAMES


# ------------------------------------------------------------ words


def test_the_name_comes_first() -> None:
    for words in (["--mileage", "1200", "car"], ["--once", "t", "car"], ["--set", "a=1", "car"]):
        with pytest.raises(UsageError, match="the name comes first"):
            parse(APPEND, words)


def test_shared_options_may_stand_before_the_name() -> None:
    parsed = parse(APPEND, ["--json", "car", "--a", "1"], shared=["--home", "x"])
    assert parsed.name == "car"
    assert parsed.values == {"json": True, "home": "x"}


@pytest.mark.parametrize("words", [[], ["--json"], [""], ["-"]])
def test_a_missing_name_is_refused(words: list[str]) -> None:
    with pytest.raises(UsageError, match="the name is missing"):
        parse(CREATE, words)


def test_real_options_match_only_as_exact_long_forms() -> None:
    parsed = append("--js", "1", "--onc.e", "x")
    assert parsed.edits == (Edit(("js",), 1), Edit(("onc", "e"), "x"))
    assert parsed.values == {}


@pytest.mark.parametrize("word", ["-k", "-5", "-q", "-abc=1", "-a"])
def test_there_are_no_short_options(word: str) -> None:
    assert "no short options" in refused(word, "--a", "1").message


def test_a_short_option_or_a_bare_owner_is_told_its_long_form() -> None:
    assert refused("-q", "--a", "1").hint == "write --quiet"
    with pytest.raises(UsageError) as caught:
        parse(TRANSFER, ["car", "bob"])
    assert caught.value.hint == "to give it away: twin asset transfer car --to bob"


def test_an_unknown_name_takes_the_next_token_whatever_it_is() -> None:
    assert value_of("--lon", "-74.0060") == -74.0060
    assert value_of("--note", "-x") == "-x"
    assert value_of("--note", "-") == "-"
    assert value_of("--note", "") == ""
    assert value_of("--note", "two words") == "two words"


def test_a_missing_value_is_refused() -> None:
    assert "needs a value" in refused("--mileage").message
    assert "needs a value" in refused("--once").message


def test_a_value_that_starts_with_two_dashes_needs_the_equals_sign() -> None:
    assert refused("--note", "--x").hint == "if '--x' is the value, write --note=--x"
    assert "needs a value" in refused("--note", "--json").message
    assert "needs a value" in refused("--once", "--json", "--a", "1").message
    assert "needs a value" in refused("--note", "--").message
    assert value_of("--note=--x") == "--x"
    assert append("--once=--x", "--a", "1").values["once"] == "--x"
    assert value_of("--note=") == ""
    assert value_of("--note=a=b") == "a=b"


def test_a_stray_word_is_refused() -> None:
    assert "unexpected argument '1200'" in refused("--mileage", "1", "1200").message
    assert "unexpected argument" in refused("mileage=1200").message
    assert "unexpected argument" in refused("--json", "car2", "--a", "1").message
    assert "unexpected argument" in refused("--a", "1", "--", "x").message


def test_everything_after_two_dashes_is_data() -> None:
    parsed = append("--json", "--", "--json", "5", "--Once", "x", "--key=k", "--help", "h")
    assert parsed.values == {"json": True}
    assert parsed.edits == (
        Edit(("json",), 5),
        Edit(("Once",), "x"),
        Edit(("key",), "k"),
        Edit(("help",), "h"),
    )
    assert "needs a value" in refused("--", "--json").message


def test_flags_take_no_value() -> None:
    assert "takes no value" in refused("--json=1", "--a", "1").message


def test_known_options_take_both_forms_of_value() -> None:
    assert append("--once", "t", "--a", "1").values == {"once": "t"}
    assert append("--once=t", "--a", "1").values == {"once": "t"}


def test_options_given_twice_are_refused_unless_they_repeat() -> None:
    assert "--once is given twice" in refused("--once", "a", "--once", "b", "--a", "1").message
    assert append("--key", "a", "--key=b", "--a", "1").values["key"] == ("a", "b")
    parsed = parse(TRANSFER, ["car", "--out", "1:a", "--out", "2:b", "--in", "x:0"])
    assert parsed.values == {"out": ("1:a", "2:b"), "in": ("x:0",)}


@pytest.mark.parametrize(
    "words",
    [["--wait", "never"], ["--color", "red"], ["--timeout", "x"], ["--passphrase-fd", "1.5"]],
)
def test_values_of_the_wrong_kind_are_refused(words: list[str]) -> None:
    assert repr(words[1]) in refused(*words, "--a", "1").message


def test_help_wins_over_everything_else() -> None:
    assert parse(APPEND, ["--help"]).help
    assert append("--note", "x", "--help", "stray").help
    assert not append("--note", "help").help


def test_arguments_that_are_no_utf8_are_refused() -> None:
    assert "not UTF-8" in refused("--note", "\udcff").message


# ------------------------------------------------------------ near names


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("JSON", "json"),  # case
        ("dry_run", "dry-run"),  # - and _
        ("dryrun", "dry-run"),
        ("If-Tip", "if-tip"),
        ("ta", "at"),  # two letters swapped
        ("jsno", "json"),
        ("owenr", "owner"),
        ("onwer", "owner"),
        ("ower", "owner"),  # one letter left out, of five or more
        ("ownerr", "owner"),  # one added
        ("ownes", "owner"),  # one changed
        ("titel", "title"),
        ("colour", "color"),
        ("passphrasefile", "passphrase-file"),
        ("dta", None),  # "data" has four letters
        ("jso", None),
        ("owenrs", None),
        ("mileage", None),
        ("keys", None),
        ("note", None),
    ],
)
def test_what_looks_like_a_mistyped_option_is_refused(name: str, meant: str | None) -> None:
    assert mistyped(name, [option.name for option in options_of(CREATE)]) == meant
    if meant is None:
        assert create(f"--{name}", "1").edits == (Edit((name,), 1),)
        return
    for words in ([f"--{name}", "1"], [f"--{name}=1"]):
        with pytest.raises(UsageError) as caught:
            create(*words)
        assert f"did you mean --{meant}?" in (caught.value.hint or "")


def test_set_and_str_reach_any_name() -> None:
    parsed = append("--set", "once=1", "--str", "jsno=x", "--set", "JSON.key=[1]")
    assert parsed.edits == (
        Edit(("once",), 1),
        Edit(("jsno",), "x"),
        Edit(("JSON", "key"), [1]),
    )


@given(
    option=st.sampled_from([option.name for option in options_of(CREATE)]),
    place=st.integers(0, 20),
    letter=st.sampled_from("abcxyz_-"),
)
def test_one_changed_letter_of_a_long_option_never_becomes_data(
    option: str, place: int, letter: str
) -> None:
    names = [known.name for known in options_of(CREATE)]
    place %= len(option)
    variants = [
        option[:place] + letter + option[place + 1 :],
        option[:place] + option[place + 1 :],
        option[:place] + letter + option[place:],
    ]
    for name in variants:
        if len(option.replace("-", "")) >= 5 and name not in names:
            assert mistyped(name, names) is not None


# ------------------------------------------------------------ values


@pytest.mark.parametrize(
    "text",
    [
        *("007", "+5", ".5", "5.", "0x10", "1_000", "1,5", "\u0665", "-"),
        *("NaN", "Infinity", "-Infinity", "True", "None", "nul", "'x'"),
        *("2024-01-20", "a b", "12345678901234567890 bottles"),
    ],
)
def test_what_is_no_json_is_text(text: str) -> None:
    assert value_of(f"--x={text}") == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-5", -5),
        ("1e3", 1000.0),
        ("null", None),
        ("true", True),
        ('"007"', "007"),
        ("[1, {}]", [1, {}]),
        ('{"a": {"b": 1.5}}', {"a": {"b": 1.5}}),
        (" 5 ", 5),
        ("-0", 0),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
    ],
)
def test_what_is_json_is_json(text: str, value: Any) -> None:
    found = value_of(f"--x={text}")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ['{"a": 1', "[1,]", '"open', "{NaN}", "[NaN]", " {", '{"a" 1}'])
def test_what_starts_like_json_and_is_none_is_refused_with_the_position(text: str) -> None:
    error = refused(f"--x={text}")
    assert "--x: not JSON" in error.message
    if "NaN]" not in text:
        assert "column" in error.message


def test_whole_numbers_beyond_64_bits_are_invalid() -> None:
    for text in (
        "9223372036854775808",
        "-9223372036854775809",
        "9" * 5000,
        "[1e0, 9" + "9" * 20 + "]",
    ):
        for words in ([f"--x={text}"], [f"--set=x={text}"], ["--data", f'{{"x":{text}}}']):
            with pytest.raises(InvalidError) as caught:
                append(*words)
            assert caught.value.code == "integer_out_of_range"
            assert caught.value.exit_code == ExitCode.INVALID


def test_numbers_too_large_for_a_double_are_invalid() -> None:
    with pytest.raises(InvalidError, match="too large for a double"):
        append("--x", "1e400")


@pytest.mark.parametrize("text", ["0.12345678901234567890123", "1e-400", "12345678901234567.5"])
def test_lost_digits_are_a_warning(text: str) -> None:
    parsed = append("--x", text)
    assert len(parsed.warnings) == 1
    assert text in parsed.warnings[0]
    assert "--x" in parsed.warnings[0]


@pytest.mark.parametrize(
    "text", ["0.1", "1200.50", "1e3", "-74.0060", "0.30000000000000004", "0.0"]
)
def test_numbers_that_keep_their_digits_warn_of_nothing(text: str) -> None:
    assert append("--x", text).warnings == ()


def test_an_object_that_names_a_key_twice_is_invalid() -> None:
    with pytest.raises(InvalidError, match="'a' occurs twice"):
        append("--x", '{"a":1,"a":2}')


def test_half_a_surrogate_pair_is_invalid() -> None:
    with pytest.raises(InvalidError) as caught:
        append("--x", '"\\ud800"')
    assert caught.value.code == "unencodable"


def test_deep_nesting_is_refused_without_a_traceback() -> None:
    with pytest.raises(InvalidError, match="nested too deeply"):
        append("--x", "[" * 100_000 + "]" * 100_000)


@given(st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_python_writes_comes_back_unchanged(number: float) -> None:
    parsed = append(f"--x={number!r}")
    assert parsed.edits[0].value == number
    assert parsed.warnings == ()


@given(st.text())
def test_str_keeps_every_text(text: str) -> None:
    try:
        [edit] = append(f"--str=x={text}").edits
    except UsageError:
        assert "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text)
        return
    assert edit.value == text


# ------------------------------------------------------------ paths


def test_dots_nest() -> None:
    assert append("--power.hp", "5").edits == (Edit(("power", "hp"), 5),)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--a..b", "1"], "empty_segment"),
        (["--=1"], "empty_segment"),
        (["--set", "=1"], "empty_segment"),
        (["--$a", "1"], "invalid_name"),
        (["--str", "a.$b=1"], "invalid_name"),
        (["--twin", "1"], "reserved_key"),
        (["--unset", "twin.kind"], "reserved_key"),
    ],
)
def test_forbidden_paths_are_invalid_and_named(words: list[str], code: str) -> None:
    with pytest.raises(InvalidError) as caught:
        append(*words)
    assert caught.value.code == code
    assert caught.value.exit_code == ExitCode.INVALID


@pytest.mark.parametrize(
    "words",
    [
        ["--a", "1", "--a", "2"],
        ["--a", "1", "--set", "a=2"],
        ["--str", "a.b=1", "--a.b", "2"],
        ["--unset", "a", "--a", "1"],
    ],
)
def test_the_same_path_twice_is_refused(words: list[str]) -> None:
    assert "given twice" in refused(*words).message


def test_set_wants_json_and_an_equals_sign() -> None:
    assert "not JSON" in refused("--set", "a=x").message
    assert "'=' is missing" in refused("--set", "a").message
    assert "'=' is missing" in refused("--str", "a").message


def test_appending_nothing_is_refused() -> None:
    for words in ([], ["--json"], ["--data", "{}"], ["--once", "t"]):
        assert "nothing to append" in refused(*words).message
    assert create().edits == ()
    assert append("--unset", "a").edits == (Edit(("a",), None, unset=True),)


# ------------------------------------------------------------ documents


def test_data_come_from_the_line_a_file_or_stdin(tmp_path: Path) -> None:
    file = tmp_path / "d.json"
    file.write_text('{"a": {"b": 1}}')
    assert append("--data", '{"a": {"b": 1}}').base == {"a": {"b": 1}}
    assert append("--data", f"@{file}").base == {"a": {"b": 1}}
    assert append("--data", "-", stdin=b'{"a": {"b": 1}}').base == {"a": {"b": 1}}


def test_stdin_is_read_only_when_asked_for() -> None:
    def fail() -> bytes:
        raise AssertionError

    parse(APPEND, ["car", "--note", "-"], read_stdin=fail)


def test_state_is_an_object_of_its_own() -> None:
    parsed = create("--state", '{"mileage": 0}', "--hp", "5")
    assert parsed.state == {"mileage": 0}
    assert parsed.base == {}
    assert create().state is None
    with pytest.raises(UsageError, match="cannot both read stdin"):
        create("--state", "-", "--data", "-")


def test_documents_that_are_wrong_say_where(tmp_path: Path) -> None:
    file = tmp_path / "d.json"
    file.write_text('{\n  "a": }')
    with pytest.raises(InvalidError, match="line 2, column 8"):
        append("--data", f"@{file}")
    with pytest.raises(InvalidError, match="column 1"):
        append("--data", "-", stdin=b"")
    with pytest.raises(InvalidError, match="not UTF-8: byte 3"):
        append("--data", "-", stdin=b'{"\xff')
    assert "column 1" in refused("--data", "d.json").message
    assert "@FILE" in (refused("--data", "d.json").hint or "")
    with pytest.raises(NotFoundError):
        append("--data", f"@{file}.gone")
    with pytest.raises(ConfigError, match="cannot read") as caught:
        append("--data", f"@{tmp_path}")
    assert caught.value.code == "cannot_read"


@pytest.mark.parametrize("text", ["5", "[]", '"x"', "null"])
def test_data_are_an_object(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        append("--data", text)
    assert caught.value.code == "not_an_object"


def test_one_append_a_line_from_stdin() -> None:
    parsed = append("--jsonl", "-")
    assert parsed.lines
    assert parsed.values == {}
    assert append("--jsonl", "-", "--json").values == {"json": True}
    assert append("--jsonl", "-", "--jsonl").values == {"jsonl": True}
    assert not append("--jsonl", "--a", "1").lines
    assert "either from stdin" in refused("--jsonl", "-", "--a", "1").message
    assert "twice" in refused("--jsonl", "-", "--jsonl", "-").message
    assert refused("-").hint == "--jsonl - reads one append a line from stdin"
    with pytest.raises(UsageError, match="unexpected argument"):
        create("-")


# ------------------------------------------------------------ fuzz

words_known = st.sampled_from(
    [f"--{option.name}" for command in COMMANDS.values() for option in options_of(command)]
    + ["--", "-", "--x", "--a.b", "--x=1", "--=", "---", "--$a", "-74.0060", "car", "", "{", "[1]"]
    + ["a=1", "1e400", "9" * 30, "@/nowhere", "\udcff", "--Json", "--onwer", "1:a", "commit"]
)


@given(
    command=st.sampled_from(sorted(COMMANDS)),
    words=st.lists(words_known | st.text(max_size=6), max_size=8),
    shared=st.lists(st.sampled_from(["--json", "--quiet"]), max_size=2),
)
def test_any_command_line_is_parsed_or_refused(
    command: tuple[str, str], words: list[str], shared: list[str]
) -> None:
    try:
        parsed = parse(COMMANDS[command], words, shared=shared, read_stdin=lambda: b"{}")
    except TwinError as error:
        status = error.exit_code
    else:
        status = ExitCode.OK
    assert status in {ExitCode.OK, ExitCode.USAGE, ExitCode.INVALID, ExitCode.NOT_FOUND}
    if status:
        return
    if not parsed.help:
        options = {option.name for option in options_of(COMMANDS[command])}
        assert {name.replace("_", "-") for name in parsed.values} <= options
        free = words[: words.index("--")] if "--" in words else words
        for edit in parsed.edits:
            typed = f"--{'.'.join(edit.path)}"
            if any(word.partition("=")[0] == typed for word in free):
                assert mistyped(typed[2:], list(options)) is None


def test_the_module_says_what_it_reads_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InvalidError):
        parse(APPEND, ["car", "--data", "-"])


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_documents_are_read_or_refused(opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    for depth in (400, 700, 950, 100_000):
        reading = read_json(opening * depth + r'"\u0041"' + closing * depth)
        assert reading.error is None
        assert reading.refused in {None, "nested too deeply"}


@pytest.mark.parametrize("text", [r'"\ud800"', r'{"\udfff": 1}', r'[{"a": ["\udc00"]}]'])
def test_half_a_pair_is_found_anywhere(text: str) -> None:
    assert read_json(text).code == "unencodable"


# ------------------------------------------------------------ options of other commands


@pytest.mark.parametrize(
    ("command", "words", "hint"),
    [
        (TRANSFER, ["--to", "bob", "--amount", "5"], "--out 5:bob;"),
        (TRANSFER, ["--amount", "5", "--to=bob"], "--out 5:bob;"),
        (TRANSFER, ["--amount=5"], "--out 5:OWNER;"),
        (TRANSFER, ["--Amount", "5"], "--out 5:OWNER;"),
        (TRANSFER, ["--owner", "bob"], "--to bob;"),
        (TRANSFER, ["--title", "x"], "when an asset is created;"),
        (TRANSFER, ["--orm_model", "x"], "when an asset is created;"),
        (TRANSFER, ["--corrects", "x"], "it belongs to twin asset append;"),
        (APPEND, ["--to", "bob"], "twin asset transfer car --to bob;"),
        (APPEND, ["--out", "5:bob"], "twin asset transfer car --out 5:bob;"),
        (APPEND, ["--state", "{}"], "--data JSON;"),
        (APPEND, ["--parent", "truck"], "when an asset is created;"),
        (APPEND, ["--entity", "k"], "when an asset is created;"),
        (APPEND, ["--if-missing"], "when an asset is created;"),
        (CREATE, ["--to", "bob"], "--owner bob;"),
        (CREATE, ["--out", "5:bob"], "twin asset transfer car --out 5:bob;"),
        (CREATE, ["--children", "keep"], "it belongs to twin asset transfer;"),
        (NEW, ["--parent", "truck"], "it belongs to twin asset create;"),
    ],
)
def test_an_option_of_another_command_is_never_data(
    command: Any, words: list[str], hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        parse(command, ["car", *words])
    assert hint in str(caught.value.hint)
    assert "--set" in str(caught.value.hint)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=map(" ".join, COMMANDS))
def test_each_option_of_each_other_command_is_refused(command: Any) -> None:
    own = {option.name for option in options_of(command)}
    words = named(command)
    for other in COMMANDS.values():
        for option in other.options:
            if option.name in own:
                continue
            if other.noun == command.noun or {other.noun, command.noun} <= {"asset", "did"}:
                with pytest.raises(UsageError):
                    parse(command, [*words, f"--{option.name}", "x"])
            parsed = parse(command, [*words, "--str", f"{option.name}=x"])
            assert parsed.edits == (Edit((option.name,), "x"),)
            assert parse(command, [*words, "--", f"--{option.name}", "x"]).edits


def named(command: Any) -> list[str]:
    """Return words for the arguments of a command that it cannot do without."""
    return ["car", *("x" for word in command.arguments[1:] if not word.startswith("["))]


@pytest.mark.parametrize("name", ["source", "quality", "unit"])
def test_what_readings_say_of_themselves_stays_data_of_assets(name: str) -> None:
    for command in COMMANDS.values():
        if command.noun != "stream":
            assert parse(command, [*named(command), f"--{name}", "x"]).edits == (
                Edit((name,), "x"),
            )


@pytest.mark.parametrize(
    "name", ["location", "date", "reason", "from", "meets", "attach", "triggered-by"]
)
def test_what_is_said_of_events_and_moves_stays_data_of_assets(name: str) -> None:
    for command in (APPEND, CREATE, COMMANDS["stream", "push"]):
        assert parse(command, [*named(command), f"--{name}", "x"]).edits == (Edit((name,), "x"),)


def test_more_arguments_than_the_name() -> None:
    push = COMMANDS["stream", "push"]
    assert parse(push, ["car", "heat", "--value", "1"]).words == ("heat", None)
    assert parse(push, ["car", "heat", "-"]).words == ("heat", "-")
    assert parse(push, ["car", "heat", "--value", "-1"]).edits == (Edit(("value",), -1),)
    for words in (["car"], ["car", "--value", "1"], ["car", "heat", "-", "more"], []):
        with pytest.raises(UsageError):
            parse(push, words)


@pytest.mark.parametrize("name", ["kind", "limit", "format", "view", "columns", "model"])
def test_options_of_commands_that_read_stay_data(name: str) -> None:
    for command in COMMANDS.values():
        parsed = parse(command, [*named(command), f"--{name}", "x"])
        assert parsed.edits == (Edit((name,), "x"),)


# ------------------------------------------------------------ numbers, locales


def test_utf8_stays_utf8_where_python_took_it_for_bytes() -> None:
    typed = "gr\u00fcn".encode().decode("ascii", "surrogateescape")
    assert value_of("--paint", typed) == "gr\u00fcn"
    assert parse(APPEND, [typed, f"--{typed}", "1"]).edits[0].path == ("gr\u00fcn",)
    refused("--paint", b"\xff".decode("ascii", "surrogateescape"))
