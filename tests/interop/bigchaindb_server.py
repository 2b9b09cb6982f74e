"""BigchainDB 2.2.2's own code, asked over stdin; runs in an environment of its own.

MongoDB is two dictionaries here and Tendermint is absent: parsing, schemas, signatures and rules
are the published ones.

A line in is ``{"before": [text, ...], "texts": [text, ...], "warm": bool}``, bodies of POST
requests. Those of ``before`` are committed to an empty store, in order; each of ``texts`` is judged
alone after them, with what was parsed before remembered if ``warm``. The line out has
``verdicts``, for each of ``texts`` null, or the class of what the server raised and whether it
answers 500, and ``seconds``, those that judging took.
"""

import json
import logging
import sys
import time
from types import ModuleType
from typing import Any


class Absent(ModuleType):
    """Tendermint's side, which is imported and never called."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


for absent in ("abci", "abci.application"):
    sys.modules[absent] = Absent(absent)

import bigchaindb  # noqa: E402
import bson  # noqa: E402
from bigchaindb import backend  # noqa: E402
from bigchaindb.backend.utils import module_dispatch_registrar  # noqa: E402
from bigchaindb.common import memoize  # noqa: E402
from bigchaindb.common.exceptions import ValidationError  # noqa: E402
from bigchaindb.models import Transaction  # noqa: E402

logging.disable(logging.CRITICAL)


class Memory:
    """What is committed; documents are kept as BSON, so that each reader has its own."""

    def __init__(self) -> None:
        self.transactions: Any = {}
        self.spenders: Any = {}

    def commit(self, tx: Any) -> None:
        """Store a valid transaction."""
        document = bson.BSON.encode(tx)
        self.transactions[tx["id"]] = document
        for entry in tx["inputs"]:
            if entry["fulfills"]:
                spent = entry["fulfills"]["transaction_id"], entry["fulfills"]["output_index"]
                self.spenders[spent] = document

    def read(self, tx_id: str) -> Any:
        """Return a document of its own, or None."""
        document = self.transactions.get(tx_id)
        return document and bson.BSON(document).decode()


def get_transaction(memory: Memory, transaction_id: str) -> Any:
    return memory.read(transaction_id)


def get_asset(_memory: Memory, _asset_id: str) -> None:
    """Return None: a document here has its asset."""


def get_assets(_memory: Memory, _asset_ids: Any) -> Any:
    return []


def get_metadata(memory: Memory, transaction_ids: Any) -> Any:
    found = [memory.read(tx_id) for tx_id in transaction_ids]
    return [{"id": tx["id"], "metadata": tx["metadata"]} for tx in found]


def get_spent(memory: Memory, transaction_id: str, output: int) -> Any:
    document = memory.spenders.get((transaction_id, output))
    return document and [bson.BSON(document).decode()]


register = module_dispatch_registrar(backend.query)(Memory)
for query in (get_transaction, get_asset, get_assets, get_metadata, get_spent):
    register(query)


def judged(server: Any, text: str) -> Any:
    """Do what POST does up to Tendermint; return the transaction, as it was sent."""
    tx = json.loads(text)
    server.validate_transaction(Transaction.from_dict(tx))
    return tx


def verdict(server: Any, text: str) -> Any:
    """Return None, or the class of what was raised and whether the answer is 500."""
    try:
        # MongoDB's driver refuses some of what was found valid, integers over 64 bits.
        bson.BSON.encode(judged(server, text))
    except ValidationError as error:
        return [type(error).__name__, False]
    except Exception as error:  # noqa: BLE001 - Flask answers 500
        return [type(error).__name__, True]
    return None


def main() -> None:
    """Answer until stdin ends."""
    for line in sys.stdin:
        asked = json.loads(line)
        memory = Memory()
        server = bigchaindb.BigchainDB(connection=memory)
        for text in asked["before"]:
            memory.commit(judged(server, text))
        verdicts = []
        start = time.perf_counter()
        for text in asked["texts"]:
            if not asked["warm"]:
                # 1 is found where 1.0 or true was parsed: a verdict would depend on the last one.
                memoize.from_dict.cache_clear()
                memoize.to_dict.cache_clear()
            verdicts.append(verdict(server, text))
        seconds = time.perf_counter() - start
        sys.stdout.write(json.dumps({"verdicts": verdicts, "seconds": seconds}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
