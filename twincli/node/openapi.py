"""The description of the node's routes: OpenAPI 3.1."""

from __future__ import annotations

from typing import Any

from twincli import __version__
from twincli.model import expression, signed_request
from twincli.node import finding, histories, log, twins

_HASH = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_KEY = {"type": "string", "pattern": "^[1-9A-HJ-NP-Za-km-z]{43,44}$"}
_COUNT = {"type": "integer", "minimum": 0}
_CID = {"type": "string", "pattern": "^b[a-z2-7]{58}$"}
_FLAG = {"type": "string", "pattern": "^([tT][rR][uU][eE]|[fF][aA][lL][sS][eE])$"}
_OBJECT_OR_NULL = {"type": ["object", "null"]}


def _object(properties: dict[str, Any], *, closed: bool = True) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": not closed,
    }


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


_SCHEMAS: dict[str, Any] = {
    "Transaction": {
        **_object(
            {
                "id": _HASH,
                "version": {"const": "2.0"},
                "operation": {"enum": ["CREATE", "TRANSFER"]},
                "asset": {
                    "oneOf": [_object({"data": _OBJECT_OR_NULL}), _object({"id": _HASH})],
                },
                "metadata": _OBJECT_OR_NULL,
                "inputs": {**_list(_ref("Input")), "minItems": 1},
                "outputs": {**_list(_ref("Output")), "minItems": 1},
            }
        ),
        "description": "BigchainDB transaction, spec 2.0",
    },
    "Input": _object(
        {
            "owners_before": _list(_KEY),
            "fulfillment": {"type": "string", "pattern": "^[a-zA-Z0-9_-]+$"},
            "fulfills": {
                "oneOf": [
                    {"type": "null"},
                    _object({"transaction_id": _HASH, "output_index": _COUNT}),
                ]
            },
        }
    ),
    "Output": _object(
        {
            "amount": {"type": "string", "pattern": "^[1-9][0-9]{0,18}$"},
            "public_keys": {**_list(_KEY), "minItems": 1},
            "condition": _object({"details": {"type": "object"}, "uri": {"type": "string"}}),
        }
    ),
    "OutputReference": _object({"transaction_id": _HASH, "output_index": _COUNT}),
    "Asset": _object({"data": _OBJECT_OR_NULL, "id": _HASH}),
    "Metadata": _object({"metadata": _OBJECT_OR_NULL, "id": _HASH}),
    "Block": _object({"height": _COUNT, "transactions": _list(_ref("Transaction"))}),
    "History": {
        "oneOf": [
            {"type": "null"},
            _object(
                {
                    "asset": _HASH,
                    "known": {"type": "boolean"},
                    "more": {"type": "boolean"},
                    "transactions": _list(
                        _object(
                            {
                                "height": _COUNT,
                                "time": _COUNT,
                                "transaction": _ref("Transaction"),
                            }
                        )
                    ),
                }
            ),
        ]
    },
    "Place": {"oneOf": [{"type": "null"}, _object({"height": _COUNT, "time": _COUNT})]},
    "Error": {
        "type": "object",
        "required": ["message"],
        "properties": {
            "message": {"type": ["string", "object"]},
            "status": {"type": "integer"},
        },
    },
}


def _query(name: str, schema: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": schema}


def _path(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _content(schema: dict[str, Any], kind: str = "application/json") -> dict[str, Any]:
    return {"content": {kind: {"schema": schema}}}


def _operation(
    summary: str,
    answer: dict[str, Any],
    *parameters: dict[str, Any],
    errors: tuple[int, ...] = (),
    status: int = 200,
    kind: str = "application/json",
    **more: Any,
) -> dict[str, Any]:
    error = {"description": "Refused; the message says why.", **_content(_ref("Error"))}
    responses: dict[str, Any] = {
        str(status): {"description": "Success.", **_content(answer, kind)},
        **{str(number): error for number in sorted({401, 429, *errors})},
    }
    found: dict[str, Any] = {"summary": summary, **more}
    if parameters:
        found["parameters"] = list(parameters)
    return {**found, "responses": responses}


def _page(summary: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    return _operation(
        f"For people: {summary}", {"type": "string"}, *parameters, errors=(404,), kind="text/html"
    )


def _stream(summary: str) -> dict[str, Any]:
    return _operation(
        summary,
        {"type": "object"},
        _query("from_height", _COUNT),
        errors=(400, 426),
        status=101,
        description="A WebSocket. With from_height it begins at that block.",
    )


def document(max_body: int) -> dict[str, Any]:
    """Return the description.

    Args:
        max_body: Bytes of a transaction that the node takes.
    """
    search = (
        _query("search", {"type": "string", "minLength": 1}, required=True),
        _query("limit", _COUNT),
    )
    paths: dict[str, Any] = {
        "/": {"get": _operation("What this node is.", {"type": "object"})},
        "/api/v1": {"get": _operation("The paths of the API.", {"type": "object"})},
        "/api/v1/validators": {
            "get": _operation("The ledger as its one validator.", _list({"type": "object"}))
        },
        "/api/v1/transactions": {
            "get": _operation(
                "The transactions of an asset, in commit order.",
                _list(_ref("Transaction")),
                _query("asset_id", _HASH, required=True),
                _query("operation", {"enum": ["CREATE", "TRANSFER"]}),
                _query("last_tx", _FLAG),
                errors=(400,),
            ),
            "post": _operation(
                "Commit a transaction; answered when it is durable, whatever the mode.",
                _ref("Transaction"),
                _query("mode", {"enum": ["async", "sync", "commit"]}),
                errors=(400, 403, 408, 409, 413, 503),
                status=202,
                description=f"At most {max_body} bytes. 409: a twin of that template, owner and"
                " identifier already exists.",
                requestBody={"required": True, **_content(_ref("Transaction"))},
            ),
        },
        "/api/v1/transactions/{id}": {
            "get": _operation(
                "One transaction.", _ref("Transaction"), _path("id", _HASH), errors=(404,)
            )
        },
        "/api/v1/outputs": {
            "get": _operation(
                "The outputs that name a key.",
                _list(_ref("OutputReference")),
                _query("public_key", _KEY, required=True),
                _query("spent", _FLAG),
                errors=(400,),
            )
        },
        "/api/v1/assets": {
            "get": _operation(
                "Assets that contain a text.", _list(_ref("Asset")), *search, errors=(400,)
            )
        },
        "/api/v1/metadata": {
            "get": _operation(
                "Metadata that contain a text.", _list(_ref("Metadata")), *search, errors=(400,)
            )
        },
        "/api/v1/blocks": {
            "get": _operation(
                "The heights of the blocks that hold a transaction.",
                _list(_COUNT),
                _query("transaction_id", {"type": "string"}, required=True),
                errors=(400,),
            )
        },
        "/api/v1/blocks/{height}": {
            "get": _operation("A block.", _ref("Block"), _path("height", _COUNT), errors=(404,))
        },
        "/api/v1/streams/valid_transactions": {
            "get": _stream("Each transaction, when it is committed.")
        },
        "/api/v1/streams/valid_blocks": {"get": _stream("Each block, when it is committed.")},
        "/twin/v1/assets": {
            "get": _operation(
                "The ids of assets, in commit order: of all, or of those that state something.",
                _list(_HASH),
                _query("name", {"type": "string"}),
                _query("value", {"type": "string"}),
                _query("after", _HASH),
                _query("limit", _COUNT),
                errors=(400,),
                description=f"At most {twins.PAGE}; ask again with the last one as after.",
            )
        },
        "/twin/v1/blocks": {
            "post": _operation(
                "Height and time of the blocks that hold transactions; null for an unknown one.",
                _list(_ref("Place")),
                errors=(400, 408, 413, 503),
                description=f"At most {twins.MOST_BLOCKS} ids. The time is in milliseconds since"
                " the epoch.",
                requestBody={"required": True, **_content(_object({"of": _list(_HASH)}))},
            )
        },
        "/twin/v1/content/{cid}": {
            "get": _operation(
                "A file by its CID, or a part of it.",
                {"type": "string", "format": "binary"},
                _path("cid", _CID),
                errors=(400, 403, 404, 416),
                kind="application/octet-stream",
                description="A file of age that the ledger anchors as encrypted needs a signed"
                ' request: Authorization: Twin did="did:key:z...", nonce="32 hex digits",'
                ' time="RFC 3339", signature="base58". It signs the lines twin.request/1, method'
                " and path with a blank between them, nonce and time, each with a line feed; it"
                f" holds once, for {signed_request.MOST_MS // 60_000} minutes.",
            ),
            "put": _operation(
                "Store a file; answered when it is durable.",
                _object({"cid": _CID, "size": _COUNT, "created": {"type": "boolean"}}),
                _path("cid", _CID),
                errors=(400, 403, 404, 408, 413, 507),
                status=201,
                requestBody={
                    "required": True,
                    **_content({"type": "string", "format": "binary"}, "application/octet-stream"),
                },
            ),
        },
        "/twin/v1/find": {
            "post": _operation(
                "Assets for whose facts and state an expression holds, in commit order.",
                _object({"assets": _list(_HASH), "after": {"oneOf": [{"type": "null"}, _HASH]}}),
                errors=(400, 408, 413, 503),
                description=f"At most {finding.PAGE}, or what is found in {finding.SECONDS:g} s."
                " Ask again with the after of the answer, until it is null. The expression has"
                f" no units and at most {finding.MOST_TERMS} values. With a template_cid only"
                " assets held to that template, or, if it is empty, to none.",
                requestBody={
                    "required": True,
                    **_content(
                        {
                            "type": "object",
                            "required": ["expression"],
                            "properties": {
                                "expression": {
                                    "type": "string",
                                    "maxLength": expression.MAX_LENGTH,
                                },
                                "template_cid": {"type": ["string", "null"]},
                                "after": {"oneOf": [{"type": "null"}, _HASH]},
                            },
                        }
                    ),
                },
            )
        },
        "/twin/v1/histories": {
            "post": _operation(
                "The transactions of many assets, each in commit order; null for an unknown one.",
                _list(_ref("History")),
                errors=(400, 408, 413, 503),
                description=f"At most {histories.MOST_ASSETS} assets: for each, the id of any of"
                " its transactions and of the last one that the client has, or null. If more"
                " remain, ask again.",
                requestBody={
                    "required": True,
                    **_content(_object({"of": _list(_list({"type": ["string", "null"]}))})),
                },
            )
        },
        f"{log.PREFIX}/checkpoint": {
            "get": _operation(
                "All that the ledger holds: a checkpoint (C2SP tlog-checkpoint) as a signed note.",
                {"type": "string"},
                errors=(503,),
                kind="text/plain",
            )
        },
        f"{log.PREFIX}/proof/{{id}}": {
            "get": _operation(
                "That a transaction is on the ledger (C2SP tlog-proof).",
                {"type": "string"},
                _path("id", _HASH),
                errors=(404, 503),
                kind="text/plain",
                description="The extra data are height and time of its block, each in 8 bytes.",
            )
        },
        f"{log.TILES}{{tile}}": {
            "get": _operation(
                "A tile of the tree over all transactions (C2SP tlog-tiles).",
                {"type": "string", "format": "binary"},
                _path("tile", {"type": "string", "pattern": f"^{log.TILE}$"}),
                errors=(404, 503),
                kind="application/octet-stream",
                description="Such as 0/x001/234, 0/x001/234.p/5, or entries/x001/234 for the"
                " leaves. A leaf is height (8 bytes), time in ms (8 bytes) and id (32 bytes).",
            )
        },
        f"{log.PREFIX}/add-checkpoint": {
            "post": _operation(
                "Have a checkpoint of another log cosigned (C2SP tlog-witness).",
                {"type": "string"},
                errors=(400, 403, 404, 408, 409, 413, 422, 503),
                kind="text/plain",
                requestBody={"required": True, **_content({"type": "string"}, "text/plain")},
            )
        },
        "/twin/v1/status/{id}": {
            "get": _operation(
                "The status list of a certificate, a credential that its issuer signed.",
                {"type": "object"},
                _path("id", {"type": "string", "pattern": "^[0-9a-f]{64}[.][0-9a-f]{32}$"}),
                errors=(404, 503),
                security=[],
            )
        },
        "/twin/v1/templates": {
            "get": _operation(
                "The templates that assets are held to: id, CID, and an asset held to it.",
                _list(_list({"type": "string"})),
                errors=(400, 503),
            )
        },
        **{
            path: {"get": _page(summary, *parameters)}
            for path, summary, *parameters in (
                (
                    "/explorer",
                    "The newest things and blocks.",
                    _query("to", _COUNT),
                    _query("before", _HASH),
                ),
                ("/explorer/search", "Search results.", _query("q", {"type": "string"})),
                ("/explorer/asset/{argument}", "An asset.", _path("argument", _HASH)),
                ("/explorer/block/{argument}", "A block.", _path("argument", _COUNT)),
                ("/explorer/owner/{argument}", "What a key holds.", _path("argument", _KEY)),
                ("/explorer/tx/{argument}", "A transaction.", _path("argument", _HASH)),
            )
        },
        "/favicon.ico": {
            "get": _operation(
                "The icon of the pages.", {"type": "string"}, kind="image/svg+xml", security=[]
            )
        },
        "/healthz": {
            "get": _operation(
                "Whether the ledger can be read.", {"type": "object"}, errors=(503,), security=[]
            )
        },
        "/metrics": {
            "get": _operation("Counters for Prometheus.", {"type": "string"}, kind="text/plain")
        },
        "/openapi.json": {"get": _operation("This description.", {"type": "object"})},
    }
    schemes = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "app_key": {"type": "apiKey", "in": "header", "name": "app_key"},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "twin node",
            "version": __version__,
            "summary": "BigchainDB 2.2.2's API over an embedded ledger.",
        },
        "paths": paths,
        "components": {"schemas": _SCHEMAS, "securitySchemes": schemes},
        "security": [{}, {"bearer": []}, {"app_key": []}],
    }
