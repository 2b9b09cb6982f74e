"""Bulk appends: canonical text by template, one dump of the metadata a transaction.

A chain can only be built one after the other, each id holding the signature before; so the text
is assembled from fixed parts and the metadata alone is encoded. A property test feeds what this
makes to ``submit_each``, which judges it as a stranger's.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha3_256
from itertools import islice
from typing import TYPE_CHECKING, Any

from twincli.crypto import base58, canonical, conditions, ed25519
from twincli.errors import ConflictError, InvalidError, LockedError, NotFoundError
from twincli.ledger.block import Applying, once_token, uncollected
from twincli.rules.data import check_data
from twincli.rules.structure import CheckedOutput, plain_output_text
from twincli.rules.validity import Known
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twincli.crypto.ed25519 import Signer
    from twincli.ledger.reading import Reader
    from twincli.ledger.rows import Spendable


COMMIT_EVERY = 10_000
"""Appends that share a durable commit, and a block."""


class Append(NamedTuple):
    """An append.

    Attributes:
        asset_id: Id of the CREATE.
        metadata: What it records.
        spends: The only unspent output of the asset, where the caller has read it while no other
            process could write; None: it is read.
    """

    asset_id: str
    metadata: Any
    spends: Spendable | None = None


def append_each(
    ledger: Reader, signer: Signer, appends: Iterable[Append], commit_every: int
) -> list[str]:
    """See ``Ledger.append_each``."""
    made: list[str] = []
    source = iter(appends)
    while chunk := list(islice(source, commit_every)):
        with uncollected():
            with ledger.store.writing():
                state = Applying(ledger, *ledger.next_block())
                ids = _append_chunk(state, signer, chunk, len(made))
                state.write()
            state.remember()
        made += ids
    return made


class _Chain:
    """The end of an asset's history, to which is appended.

    Args:
        state: The block in the making.
        append: The first of those to it.
        key: Public key of the only owner.
    """

    __slots__ = ("asset", "head", "known", "output_index", "spent_seq", "tail", "tx_id")

    def __init__(self, state: Applying, append: Append, key: str) -> None:
        ledger, asset_id = state.ledger, append.asset_id
        found = append.spends or _only(ledger, asset_id)
        self.tx_id, self.output_index, output = found
        if output["condition"]["details"] != conditions.key_details(key):
            raise LockedError(
                f"{key} is not the only owner of asset {asset_id}", code="missing_signature"
            )
        seq, asset = ledger.seq(self.tx_id), ledger.seq(asset_id)
        assert seq is not None
        assert asset is not None
        amount = int(output["amount"])
        self.asset = asset
        self.spent_seq = seq
        self.known = Known(asset_id, [CheckedOutput(amount, conditions.key_condition(key), (key,))])
        self.head = f'{{"asset":{{"id":"{asset_id}"}},"id":'
        self.tail = (
            ',"operation":"TRANSFER","outputs":['
            + plain_output_text(key, str(amount))
            + '],"version":"2.0"}'
        )


def _only(ledger: Reader, asset_id: str) -> Spendable:
    """Return the only unspent output of an asset."""
    spendable = ledger.unspent(asset_id)
    if not spendable:
        raise NotFoundError(f"there is no asset {asset_id} to append to")
    if len(spendable) > 1:
        raise ConflictError(
            f"asset {asset_id} is split over {len(spendable)} outputs; append to them one by one",
            code="several_outputs",
        )
    return spendable[0]


def _append_chunk(state: Applying, signer: Signer, appends: list[Append], offset: int) -> list[str]:
    key = signer.public_key
    trusted = isinstance(signer, ed25519.KeyPair)
    public = base58.decode_key(key)
    der_head = b"\xa4\x64\x80\x20" + public + b"\x81\x40"
    owner = f'"}},"owners_before":["{key}"]}}],"metadata":'
    chains: dict[str, _Chain] = {}
    ids = []
    for number, append in enumerate(appends, offset + 1):
        metadata = append.metadata
        chain = chains.get(append.asset_id)
        if chain is None:
            chain = chains[append.asset_id] = _Chain(state, append, key)
        tx_id, output_index, head = chain.tx_id, chain.output_index, chain.head
        try:
            if metadata is None:
                metadata_text = "null"
            else:
                if not isinstance(metadata, dict) or not metadata:
                    raise InvalidError(
                        "metadata is neither null nor an object with at least one key",
                        code="schema_validation_error",
                    )
                check_data(None, metadata)
                metadata_text = canonical.text_of(metadata)
            inputs = (
                f',"fulfills":{{"output_index":{output_index},"transaction_id":"{tx_id}'
                f"{owner}{metadata_text}{chain.tail}"
            )
            message = f'{head}null,"inputs":[{{"fulfillment":null{inputs}'.encode()
        except InvalidError as error:
            raise InvalidError(
                f"append {number}: {error.message}",
                code=error.code,
                hint=f"{'nothing was' if offset == 0 else f'the first {offset} were'} recorded;"
                f" {error.hint or 'mend it and append the rest'}",
            ) from error
        except UnicodeEncodeError as error:
            raise InvalidError(
                f"append {number}: the metadata contain half of a surrogate pair",
                code="unencodable",
            ) from error
        digest = sha3_256(message)
        digest.update(f"{tx_id}{output_index}".encode())
        signed = digest.digest()
        signature = signer.sign(signed)
        if not trusted and not ed25519.verify(public, signed, signature):
            raise InvalidError(
                f"append {number}: the signer's signature is wrong",
                code="invalid_signature",
            )
        fulfillment = urlsafe_b64encode(der_head + signature).decode("ascii")
        rest = f',"inputs":[{{"fulfillment":"{fulfillment}"{inputs}'
        new_id = sha3_256(f"{head}null{rest}".encode()).hexdigest()
        state.seq += 1
        state.spend(chain.spent_seq, output_index, state.seq, new_id)
        if metadata is not None and "twin" in metadata:
            token = once_token(metadata)
            if token is not None:
                state.batch.once.append((chain.asset, token, key, state.seq))
        state.put(new_id, chain.asset, chain.known, f'{head}"{new_id}"{rest}')
        chain.tx_id, chain.output_index, chain.spent_seq = new_id, 0, state.seq
        ids.append(new_id)
    return ids
