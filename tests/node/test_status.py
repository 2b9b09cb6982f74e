"""The status of certificates at a node: the issuer's newest list, nobody else's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.ledger.chains import create
from tests.node.running import Running, running
from twincli.client.lists import PATH
from twincli.content.store import Blobs
from twincli.crypto import data_integrity
from twincli.crypto.ed25519 import KeyPair
from twincli.model import credential, did, status_list
from twincli.node.node import Options

NUMBER = "0123456789abcdef" * 2


def signed(pair: KeyPair, url: str, *, revoked: bool = False) -> dict[str, Any]:
    made = status_list.unsigned(
        url, did.key_did(pair.public_key), credential.V2, "2026-01-01T00:00:00Z", revoked=revoked
    )
    return data_integrity.sign(made, pair, "2026-01-01T00:00:00Z")


def certificate(
    pair: KeyPair, about: str, url: str, *, revokes: str | None = None
) -> dict[str, Any]:
    """Return the CREATE by which a key that is not the owner's issues or revokes."""
    body: dict[str, Any] = {"status_list": signed(pair, url, revoked=revokes is not None)}
    if revokes is None:
        body["credential"] = {"credentialStatus": status_list.entry(url)}
    else:
        body["revokes"] = revokes
    envelope = {"v": 1, "kind": "certificate", "about": about, "body": body}
    return create(signer=pair, data={"twin": {**envelope, "nonce": f"{url}{revokes}"}})


LAB, OTHER = KeyPair.from_seed(b"l" * 32), KeyPair.from_seed(b"o" * 32)


def test_the_newest_list_of_the_issuer(node: Running) -> None:
    car = create(data={"twin": {"v": 1, "kind": "asset"}})
    assert node.post(car).status == 202
    path = f"{PATH}{car['id']}.{NUMBER}"
    url = node.url + path
    assert node.get(path).status == 404
    made = certificate(LAB, car["id"], url)
    assert node.post(made).status == 202
    found = node.get(path)
    assert found.status == 200
    entry = status_list.read_entry(status_list.entry(url))
    assert found.json == signed(LAB, url)
    # Another one who knows the number by now says nothing about it.
    assert node.post(certificate(OTHER, car["id"], url, revokes=made["id"])).status == 202
    assert node.get(path).json == signed(LAB, url)
    assert node.post(certificate(LAB, car["id"], url, revokes=made["id"])).status == 202
    found = node.get(path)
    assert status_list.is_set(found.json["credentialSubject"], entry)
    # What is revoked stays revoked.
    assert node.post(create(signer=LAB, data=made["asset"]["data"] | {"n": 1})).status == 202
    assert status_list.is_set(node.get(path).json["credentialSubject"], entry)


@pytest.mark.parametrize(
    "ident",
    ["x", "", NUMBER, f"{'0' * 64}", f"{'0' * 64}.", f"{'0' * 64}.x", f"{'0' * 64}.{'g' * 32}"],
)
def test_what_is_not_the_id_of_a_status(node: Running, ident: str) -> None:
    assert node.get(PATH + ident).status == 404


def test_malformed_certificates_are_passed_over(node: Running) -> None:
    car = create(data={"twin": {"v": 1, "kind": "asset"}})
    assert node.post(car).status == 202
    path = f"{PATH}{car['id']}.{NUMBER}"
    url = node.url + path
    about = {"v": 1, "about": car["id"], "kind": "certificate"}
    right = signed(LAB, url)
    for number, twin in enumerate(
        (
            {**about},
            {**about, "body": 5},
            {**about, "body": {"status_list": 5}},
            {**about, "body": {"status_list": {"id": 5}}},
            {**about, "body": {"status_list": {"id": url}}},
            {**about, "body": {"status_list": {"id": url, "issuer": {"id": "x"}}}},
            {**about, "body": {"status_list": right}},  # signed by another than its issuer
            {**about, "kind": "statement", "says": "certificate", "body": {"status_list": right}},
        )
    ):
        tx = create(signer=OTHER, data={"number": number, "twin": twin})
        assert node.post(tx).status == 202
    assert node.get(path).status == 404


def test_no_token_is_asked_for(tmp_path: Path) -> None:
    with running(tmp_path / "ledger", Options(tokens=(b"0123456789abcdef",))) as node:
        assert node.get("/api/v1/validators").status == 401
        assert node.get(f"{PATH}{'0' * 64}.{NUMBER}").status == 404
        assert "status" in json.dumps(
            node.get("/", authorization="Bearer 0123456789abcdef").json["twin"]["offers"]
        )


def test_stores_are_not_needed(tmp_path: Path) -> None:
    with running(tmp_path / "ledger", Options(content=Blobs(str(tmp_path / "content")))) as node:
        assert node.get("/").json["twin"]["offers"] == [
            "block_time",
            "listing",
            "log",
            "status",
            "content",
        ]
