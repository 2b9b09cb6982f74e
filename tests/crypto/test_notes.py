"""Signed notes: against other implementations, and against what strangers may write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twincli.crypto import notes
from twincli.crypto.ed25519 import KeyPair
from twincli.crypto.notes import COSIGNATURE, ED25519, Note, Signature, VerifierKey
from twincli.errors import InvalidError, NotVerifiedError

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors/tlog.json").read_text())
GO = VECTORS["go_notes"]
PETER, ENOCH = (notes.parse_key(text) for text in GO["keys"])
TEXT: str = GO["text"]
PETERS, ENOCHS = GO["lines"]
AICS = VECTORS["aics_tlog"]


def parsed(*lines: str, text: str = TEXT) -> Note:
    return notes.parse((text + "\n" + "".join(lines)).encode())


# --- Against others -----------------------------------------------------------------------------


def test_a_key_of_go_reads_and_is_written_as_it_was() -> None:
    for text in (*GO["keys"], VECTORS["go_sum"]["key"], AICS["log_key"], AICS["witness_key"]):
        assert notes.parse_key(text + "\n").text == text


def test_the_signature_is_the_one_that_go_makes() -> None:
    peter = KeyPair.from_seed(bytes.fromhex(GO["peter_seed"]))
    made = notes.sign(TEXT, "PeterNeumann", peter)
    assert made.line == PETERS
    assert Note(TEXT, (made,)).to_bytes().decode() == f"{TEXT}\n{PETERS}"


def test_signatures_of_known_keys_count_and_others_are_passed_over() -> None:
    both = parsed(PETERS, ENOCHS)
    assert [entry.key for entry in notes.verify(both, [PETER])] == [PETER]
    assert [entry.key for entry in notes.verify(both, [ENOCH, PETER])] == [PETER, ENOCH]
    assert notes.verify(both, []) == []
    assert notes.verify(both, [PETER._replace(name="another")]) == []
    assert notes.verify(both, [PETER._replace(public_key=ENOCH.public_key)]) == []
    assert [entry.key for entry in notes.verify(parsed(PETERS, PETERS), [PETER])] == [PETER]


def test_the_checkpoint_of_the_go_checksum_database() -> None:
    note = notes.parse(VECTORS["go_sum"]["note"].encode())
    key = notes.parse_key(VECTORS["go_sum"]["key"])
    assert notes.verify(note, [key]) == [(key, None)]
    with pytest.raises(NotVerifiedError, match=r"sum\.golang\.org") as caught:
        notes.verify(note._replace(text=note.text.replace("908", "909")), [key])
    assert caught.value.code == "bad_note_signature"


def test_the_text_ends_at_the_last_empty_line() -> None:
    data = VECTORS["blank_lines"].encode()
    note = notes.parse(data)
    assert note.text.endswith("\n\ned è subito sera.\n")
    assert note.to_bytes() == data


@pytest.mark.parametrize("case", AICS["checkpoints"], ids=lambda case: f"size {case['size']}")
def test_signatures_and_cosignatures_are_those_of_aics_tlog(case: dict[str, Any]) -> None:
    log = KeyPair.from_seed(bytes.fromhex(AICS["log_seed"]))
    witness = KeyPair.from_seed(bytes.fromhex(AICS["witness_seed"]))
    note = notes.parse(case["note"].encode())
    signed = notes.sign(note.text, "log.example/twins", log)
    cosigned = notes.cosign(note.text, "wit.example/w1", witness, case["seconds"])
    assert note.signatures == (signed, cosigned)
    keys = [notes.parse_key(AICS["log_key"]), notes.parse_key(AICS["witness_key"])]
    assert [entry.seconds for entry in notes.verify(note, keys)] == [None, case["seconds"]]


def test_the_example_of_a_cosignature() -> None:
    note = notes.parse(VECTORS["cosigned"]["note"].encode())
    assert [entry.name for entry in note.signatures] == [
        "example.com/behind-the-sofa",
        "witness.example.com/w1",
    ]
    assert int.from_bytes(note.signatures[1].data[:8]) == VECTORS["cosigned"]["seconds"]


# --- Keys that are not one ------------------------------------------------------------------------


def test_no_part_and_no_neighbour_of_a_key_is_a_key() -> None:
    text = PETER.text
    parts = {text[a:b] for a in range(len(text)) for b in range(a + 1, len(text) + 1)} - {text}
    changed = {text[:at] + chr(ord(text[at]) + 1) + text[at + 1 :] for at in range(len(text))}
    for bad in (*parts, *changed, *GO["refused_keys"], "", "+", "++", f"{text}é"):
        with pytest.raises(InvalidError) as caught:
            notes.parse_key(bad)
        assert caught.value.code == "invalid_verifier_key"


def test_keys_that_anybody_could_sign_for_are_refused() -> None:
    weak = VerifierKey("weak", ED25519, b"\1" + bytes(31))
    with pytest.raises(InvalidError, match="not an Ed25519 key"):
        notes.parse_key(weak.text)
    with pytest.raises(InvalidError, match="type 6"):
        notes.parse_key(weak._replace(kind=6).text)
    with pytest.raises(InvalidError, match=r"name\+id"):
        notes.parse_key(PETER._replace(name="n" * 1100).text)


@pytest.mark.parametrize(
    "name",
    ["", "a b", "a+b", "a\u00a0b", "a\u2028b", "a\tb", "a\0b", "n" * 256, "é" * 128, "a\ud800"],
)
def test_names_that_a_key_may_not_have(name: str) -> None:
    assert not notes.is_name(name)
    line = Signature(name, PETER.id, bytes(64)).line
    with pytest.raises(InvalidError):
        notes.parse_key(f"{name}+{PETER.text.partition('+')[2]}")
    with pytest.raises(InvalidError):
        notes.parse_line(line[:-1])


# --- Notes that are not one -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        "",
        TEXT,
        f"{TEXT}\n",
        f"{TEXT}\n{PETERS[:-1]}",
        f"\x01{TEXT}\n{PETERS}",
        f"{TEXT}\n{PETERS}".replace("\n", "\r\n"),
        f"{TEXT}\n{PETERS}Unexpected line.\n",
        f"{TEXT}\n{PETERS.replace('PeterNeumann', 'Bad Name')}",
        f"{TEXT}\n{PETERS.replace('— ', '- ')}",
        f"{TEXT}\n{PETERS.replace('=', '')}",
        f"{TEXT}\n{PETERS.replace('JnAM=', 'JnAN=')}",
        f"{TEXT}\n{PETERS.replace('x08g', 'x08é')}",
        f"{TEXT}\n— PeterNeumann x08gow==\n",
        f"{TEXT}\n— PeterNeumann\n",
        f"{TEXT}\n{PETERS * (notes.MAX_SIGNATURES + 1)}",
        "x" * notes.MAX_BYTES + f"\n\n{PETERS}",
    ],
)
def test_malformed_notes(data: str) -> None:
    with pytest.raises(InvalidError) as caught:
        notes.parse(data.encode())
    assert caught.value.code == "invalid_note"
    assert len(caught.value.message) < 300


def test_a_note_that_is_not_utf8() -> None:
    with pytest.raises(InvalidError, match="UTF-8"):
        notes.parse(b"\xff" + TEXT.encode() + b"\n" + PETERS.encode())


def test_sixteen_large_signatures_of_another_type_are_passed_over() -> None:
    large = "".join(Signature(f"w{n}", b"abcd", bytes(5000)).line for n in range(16))
    assert len(notes.verify(parsed(large, PETERS), [PETER])) == 1


def test_a_signature_of_a_known_key_that_is_not_good_refuses_the_note() -> None:
    witness = KeyPair.from_seed(bytes(32))
    key = VerifierKey("w", COSIGNATURE, witness.public_bytes)
    good = notes.cosign(TEXT, "w", witness, 1_700_000_000)
    assert notes.verify(Note(TEXT, (good,)), [key]) == [(key, 1_700_000_000)]
    late = (1 << 63).to_bytes(8) + witness.sign(f"cosignature/v1\ntime {1 << 63}\n{TEXT}".encode())
    for data in (
        good.data[:-1],
        good.data[:7],
        (1).to_bytes(8) + good.data[8:],
        good.data[8:],
        notes.sign(TEXT, "w", witness).data,
        late,
    ):
        with pytest.raises(NotVerifiedError):
            notes.verify(Note(TEXT, (good._replace(data=data),)), [key])


def test_further_signatures_take_the_place_of_those_of_their_keys() -> None:
    first, second = parsed(PETERS).signatures[0], parsed(ENOCHS).signatures[0]
    newer = first._replace(data=bytes(64))
    assert Note(TEXT, (first,)).with_signatures([second, newer]).signatures == (newer, second)
    assert Note(TEXT, (first,)).with_signatures([first]).signatures == (first,)


@settings(max_examples=100)
@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=60),
    st.lists(st.binary(min_size=1, max_size=80), min_size=1, max_size=5),
)
def test_what_is_written_reads_the_same(text: str, blobs: list[bytes]) -> None:
    note = Note(text + "\n", tuple(Signature(f"k{n}", b"1234", d) for n, d in enumerate(blobs)))
    assert notes.parse(note.to_bytes()) == note


@settings(max_examples=100)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_note_or_an_error_of_ours(data: bytes) -> None:
    for made in (data, TEXT.encode() + b"\n" + data, PETERS.encode() + data):
        try:
            note = notes.parse(made)
        except InvalidError:
            continue
        assert note.to_bytes() == made
