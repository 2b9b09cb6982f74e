"""Generated requests over the node's own description: never a 5xx, never a hang."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any
from urllib.parse import quote, quote_from_bytes, urlsplit

import pytest

from tests.ledger.chains import ALICE, chain
from tests.node.running import Running
from twincli.node.routes import ROUTES

NASTY = [
    "",
    " ",
    "0",
    "-1",
    "007",
    "99999999999999999999999999",
    "true",
    "NULL",
    "%",
    "'; DROP TABLE tx; --",
    '"',
    '"a',
    "a OR b NEAR(c) *:^",
    "\0",
    "\x1f\u2028\u202e",
    "🚗" * 30,
    "../" * 20,
    "a" * 3000,
    "½",
]


def requests(description: dict[str, Any], known: list[Any], count: int, seed: int) -> list[bytes]:
    """Return requests that fit the description, nearly fit it, or do not at all."""
    rng = random.Random(seed)
    values = {
        "id": [tx["id"] for tx in known],
        "asset_id": [known[0]["id"], known[1]["id"]],
        "transaction_id": [tx["id"] for tx in known],
        "public_key": [ALICE.public_key],
        "height": ["0", "1", "2"],
        "search": ["n", '"red car"', "-n x"],
    }
    found: list[bytes] = []
    while len(found) < count:
        path = rng.choice(list(description["paths"]))
        method = rng.choice([*description["paths"][path], "get", "head", "options", "put", "patch"])
        operation = description["paths"][path].get(method, {})
        pairs = []
        for parameter in operation.get("parameters", []):
            name, schema = parameter["name"], parameter["schema"]
            good = [*values.get(name, []), *schema.get("enum", []), "true", "FALSE", "3"]
            value = str(rng.choice(good if rng.random() < 0.6 else NASTY))
            if parameter["in"] == "path":
                path = path.replace(f"{{{name}}}", quote(value, safe=""))
            elif rng.random() < 0.85:
                pairs += [(name, value)] * (2 if rng.random() < 0.1 else 1)
        if rng.random() < 0.1:
            pairs.append((rng.choice(["x", "limit", "mode"]), rng.choice(NASTY)))
        query = "&".join(f"{name}={quote(value)}" for name, value in pairs)
        if rng.random() < 0.05:
            query += "&" + quote_from_bytes(rng.randbytes(8))
        path = path.replace("{", "").replace("}", "") + ("/" if rng.random() < 0.2 else "")
        body = mangled(rng, known) if method in {"post", "put", "patch"} else b""
        head = f"{method.upper()} {path}{'?' + query if query else ''} HTTP/1.1\r\nhost: x\r\n"
        if body or method == "post":
            head += f"content-length: {len(body)}\r\n"
        found.append(head.encode() + b"\r\n" + body)
    return found


def mangled(rng: random.Random, known: list[Any]) -> bytes:
    """Return a transaction with something changed anywhere, or other bytes."""
    if rng.random() < 0.1:
        return rng.randbytes(rng.randrange(60))
    tx = json.loads(json.dumps(rng.choice(known)))
    for _ in range(rng.randrange(3)):
        place: Any = tx
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = rng.choice(keys)
            if isinstance(place[key], (dict, list)) and place[key] and rng.random() < 0.7:
                place = place[key]
                continue
            other: list[Any] = [None, True, -1, 2**70, 1.5, [], {}, [[]], {"a": None}, *NASTY]
            place[key] = rng.choice(other)
            break
    text = json.dumps(tx, ensure_ascii=rng.random() < 0.5)
    if rng.random() < 0.1:
        at = rng.randrange(len(text))
        text = text[:at] + rng.choice(["NaN", "1e999", "\\ud800", "", ","]) + text[at + 1 :]
    return text.encode("utf-8", "replace")


async def statuses(url: str, todo: list[bytes]) -> list[int]:
    """Send the requests from several connections; return the statuses."""
    place = urlsplit(url)
    left = iter(todo)
    found: list[int] = []

    async def client() -> None:
        for request in left:
            reader, writer = await asyncio.open_connection(place.hostname, place.port)
            async with asyncio.timeout(30):
                writer.write(request.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1))
                answer = await reader.read(-1)
            writer.close()
            assert answer.startswith(b"HTTP/1.1 "), request
            status = int(answer[9:12])
            assert status < 500, (request, answer)
            found.append(status)

    await asyncio.gather(*(client() for _ in range(8)))
    return found


def sent(node: Running, count: int, seed: int = 0) -> None:
    txs = chain(12)
    for tx in txs[:6]:
        assert node.post(tx).status == 202
    description = node.get("/openapi.json").json
    found = asyncio.run(statuses(node.url, requests(description, txs, count, seed)))
    assert len(found) == count
    assert {200, 400, 404, 405} <= set(found)
    assert node.get("/healthz").json["status"] == "ok"


def test_generated_requests(node: Running) -> None:
    sent(node, 300)


@pytest.mark.ci
def test_two_thousand_generated_requests(node: Running) -> None:
    sent(node, 2_000, seed=1)


@pytest.mark.nightly
def test_a_hundred_thousand_generated_requests(node: Running) -> None:
    sent(node, 100_000, seed=2)


def test_it_describes_every_route_and_no_other(node: Running) -> None:
    description = node.get("/openapi.json").json
    assert description["openapi"] == "3.1.0"
    described = {
        path: {method.upper() for method in operations}
        for path, operations in description["paths"].items()
    }
    assert described == {route.path: set(route.methods) for route in ROUTES}
    named = set(description["components"]["schemas"])
    text = json.dumps(description)
    for part in text.split('"#/components/schemas/')[1:]:
        assert part.partition('"')[0] in named


def test_answers_fit_their_description(node: Running) -> None:
    """The members of what is answered are those of the schema, by name."""
    txs = chain(2)
    for tx in txs:
        assert node.post(tx).status == 202
    schemas = node.get("/openapi.json").json["components"]["schemas"]
    for path, name in [
        (f"transactions?asset_id={txs[0]['id']}", "Transaction"),
        (f"outputs?public_key={ALICE.public_key}", "OutputReference"),
        ("assets?search=number", "Asset"),
        ("metadata?search=" + txs[1]["id"], "Metadata"),
    ]:
        for item in node.get(f"/api/v1/{path}").json:
            assert set(item) == set(schemas[name]["properties"])
    assert set(node.get("/api/v1/blocks/1").json) == set(schemas["Block"]["properties"])
    assert set(node.post({}).json) == set(schemas["Error"]["properties"])
