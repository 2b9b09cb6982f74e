"""CARs against those of the JavaScript tools, valid and broken."""

from __future__ import annotations

import io
from hashlib import sha256
from typing import Any

import pytest

from tests.crypto.test_cid import VECTORS, content
from twincli.content import car, dag
from twincli.crypto import cid
from twincli.errors import InvalidError


def written(data: bytes, profile: cid.Profile = cid.USUAL) -> bytes:
    parts: list[bytes] = []
    car.write(io.BytesIO(data), profile, parts.append)
    return b"".join(parts)


def read(data: bytes) -> bytes:
    return car.FileInCar(io.BytesIO(data)).read()


@pytest.mark.parametrize("case", VECTORS["car_v1"], ids=lambda case: case["label"])
def test_there_and_back(case: dict[str, Any]) -> None:
    data = content(case["label"], case["size"])
    made = written(data)
    assert len(made) == case["car_bytes"]
    assert sha256(made).hexdigest() == case["car_sha256"]
    found = car.FileInCar(io.BytesIO(made))
    assert found.read() == data
    assert cid.Cid(found.root[1], found.root[4:]).text == case["root"]


@pytest.mark.parametrize("case", VECTORS["car_invalid"], ids=lambda case: case["name"])
def test_broken(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidError) as caught:
        read(bytes.fromhex(case["hex"]))
    assert caught.value.code == "invalid_car"


def test_what_holds_no_single_file() -> None:
    directory = bytes.fromhex(VECTORS["directories"][0]["car_v1"]["hex"])
    with pytest.raises(InvalidError, match="a directory"):
        read(directory)
    with pytest.raises(InvalidError, match="2 roots"):
        read(bytes.fromhex(VECTORS["car_v1_official_basic"]["file_hex"]))


@pytest.mark.parametrize("profile", cid.PROFILES.values(), ids=lambda item: item.name)
def test_equal_blocks_are_written_once(profile: cid.Profile) -> None:
    data = bytes(3_000_000) + content("car", 700_000)
    made = written(data, profile)
    assert len(made) < 2_800_000
    assert read(made) == data
    whole = car.FileInCar(io.BytesIO(made))
    pieces = []
    while piece := whole.read(77_777):
        pieces.append(piece)
    assert b"".join(pieces) == data


def block(data: bytes, codec: int = cid.DAG_PB) -> tuple[bytes, bytes]:
    made = cid.Cid(codec, sha256(data).digest()).encoded
    return made, cid.varint(len(made) + len(data)) + made + data


class Counted(io.BytesIO):
    seeks = 0

    def seek(self, *place: int) -> int:
        self.seeks += 1
        return super().seek(*place)


@pytest.mark.parametrize("leaf", [0, 1, 1 << 18])
def test_a_file_that_grows_beyond_measure_is_refused(leaf: int) -> None:
    link, text = block(bytes(leaf), cid.RAW)
    blocks = [text]
    for _ in range(6):
        inner = b"\x0a" + cid.varint(len(link)) + link
        node = (b"\x12" + cid.varint(len(inner)) + inner) * 174 + b"\x0a\x02\x08\x02"
        link, text = block(node)
        blocks.append(text)
    header = b"\xa2\x65roots\x81\xd8\x2a\x58\x25\x00" + link + b"\x67version\x01"
    stream = Counted(cid.varint(len(header)) + header + b"".join(blocks))
    found = car.FileInCar(stream)
    with pytest.raises(InvalidError, match="much larger than the CAR"):
        while found.read(1 << 20):
            pass
    assert stream.seeks < 20_000


@pytest.mark.parametrize("cut", range(0, 197, 7))
def test_a_car_that_is_cut_anywhere_is_refused(cut: int) -> None:
    whole = bytes.fromhex(VECTORS["car_v1"][1]["car_hex"])
    with pytest.raises(InvalidError):
        read(whole[:cut])


def test_every_flipped_bit_is_noticed() -> None:
    whole = bytes.fromhex(VECTORS["car_v1"][1]["car_hex"])
    data = read(whole)
    for place in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        try:
            assert read(bytes(flipped)) == data
        except InvalidError as error:
            assert error.code == "invalid_car"  # noqa: PT017 - some flips change nothing


@pytest.mark.parametrize(
    "hexed", ["", "80", "ffffffffffffffffff01", "0900", "120a0a08", "0a020801", "0a020805", "0d"]
)
def test_what_is_no_node(hexed: str) -> None:
    with pytest.raises(InvalidError):
        dag.node(bytes.fromhex(hexed))
