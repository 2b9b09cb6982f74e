"""The nodes of one BigchainDB network, asked through the official driver.

One driver for each URL, and around it the features that the driver lacks: if a node is silent,
refuses connections or fails, the next one is asked at once; an answer is bounded in size and time
(see ``transport``); the server's own message is kept; a POST whose answer was lost is sent again,
and if the node then says "already exists" or "double spend" the transaction is looked up.
"""

from __future__ import annotations

import re
import reprlib
import time
from typing import TYPE_CHECKING, Any, TypeVar

from twincli.client import COMMIT, ON_LEDGER, transport
from twincli.client.tls import DEFAULT_TLS, Tls
from twincli.client.transport import UnansweredError
from twincli.errors import ConfigError, InvalidError, TwinError, UnreachableError, UsageError
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

T = TypeVar("T")

ROUNDS = 2
"""How often all nodes are asked: the server may just have closed an idle connection."""

_BUSY = frozenset({429, 503})
_REFUSED = re.compile(r"Invalid transaction \((\w+)\): ?(.*)", re.DOTALL)
_SCHEMA = "Invalid transaction schema: "
_HELD = "already exists in cache"
_ALREADY_THERE = "already_there"
_DUPLICATE = "duplicate_twin"


def normalized(url: str) -> str:
    """Return a node's URL as it is compared and asked.

    Args:
        url: With its scheme; without a port, http has 9984, as with the official driver.

    Raises:
        UsageError: ``bad_url``.
    """
    from urllib.parse import urlsplit

    if not url.isprintable():
        raise _bad_url(url, "it contains characters that cannot be printed")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _bad_url(url, str(error)) from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise _bad_url(url, "it must be http://HOST or https://HOST")
    if "@" in parts.netloc:
        raise UsageError(
            "a node's URL must not contain a password",
            code="bad_url",
            hint="put it in a file: twin node add NAME URL --header-file FILE",
        )
    if parts.query or parts.fragment:
        raise _bad_url(url, "it must not contain ? or #")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = port or (443 if parts.scheme == "https" else 9984)
    path = parts.path.rstrip("/").removesuffix("/api/v1")
    return f"{parts.scheme}://{host}:{port}{path}"


def _bad_url(url: str, why: str) -> UsageError:
    return UsageError(f"{url!r} is not the URL of a node: {why}", code="bad_url")


class Node(NamedTuple):
    """One node.

    Attributes:
        url: Normalized.
        driver: The official driver for it alone.
        adapter: Sends the driver's requests, see ``transport.adapter``.
    """

    url: str
    driver: Any
    adapter: Any


class History(NamedTuple):
    """What a node of twincli sends of one asset.

    Attributes:
        asset_id: As the node says.
        known: Whether the node has the transaction after which these follow.
        more: Whether it has more than these.
        txs: In commit order, of unknown form.
        heights: Of their blocks.
        times: Of their blocks, milliseconds since the epoch; None where the node does not say.
    """

    asset_id: str
    known: bool
    more: bool
    txs: list[dict[str, Any]]
    heights: list[int]
    times: list[int | None]


class Nodes:
    """The nodes of one network; those that failed are asked last.

    Args:
        urls: Normalized.
        headers: Sent with every request; may hold secrets.
        timeout: Seconds to wait for each node.
        tls: Certificates for those of ``https``.

    Raises:
        ConfigError: ``missing_extra``, ``bad_tls``.
    """

    def __init__(
        self,
        urls: Sequence[str],
        headers: Mapping[str, str],
        timeout: float,
        tls: Tls = DEFAULT_TLS,
    ) -> None:
        self.urls = tuple(urls)
        self.timeout = timeout
        self.tls = tls
        self._headers = dict(headers)
        self._busy = False
        if tls != DEFAULT_TLS and any(url.startswith("https:") for url in urls):
            tls.context()  # reports a bad file; requests would not
        self._nodes = [_node(url, headers, timeout, tls) for url in urls]

    def again(self) -> Nodes:
        """Return the same nodes with connections of their own, for another thread."""
        return Nodes([node.url for node in self._nodes], self._headers, self.timeout, self.tls)

    def close(self) -> None:
        """Close the connections."""
        for node in self._nodes:
            for connection in node.driver.transport.connection_pool.connections:
                connection.session.close()

    # --- Reading ----------------------------------------------------------------------------------

    def info(self) -> dict[str, Any]:
        """Return the information about itself of the first node that answers."""
        return self._ask(lambda node: node.driver.info(), _object)

    def one_by_one(self) -> list[tuple[str, dict[str, Any] | TwinError, float]]:
        """Return each node's information about itself, or its failure, and the seconds it took.

        Raises:
            ConfigError, UsageError: ``not_allowed``, ``refused``: by the only node.
        """
        told: list[tuple[str, dict[str, Any] | TwinError, float]] = []
        for node in sorted(self._nodes, key=lambda node: self.urls.index(node.url)):
            begun = time.monotonic()
            said: dict[str, Any] | TwinError
            try:
                said = _object(self._of(node, lambda node: node.driver.info()))
            except UnansweredError as error:
                said = UnreachableError(str(error), hint=error.hint)
            except TwinError as error:
                if len(self._nodes) == 1 and not isinstance(error, UnreachableError):
                    raise
                said = error
            told.append((node.url, said, time.monotonic() - begun))
        return told

    def transaction(self, tx_id: str) -> dict[str, Any] | None:
        """Return a transaction, or None."""
        return self._ask(
            lambda node: node.driver.transactions.retrieve(tx_id),
            lambda found: None if found is None else _object(found),
        )

    def transactions(self, asset_id: str) -> list[dict[str, Any]]:
        """Return all transactions of an asset; empty if the asset is unknown."""
        return self._ask(
            lambda node: node.driver.transactions.get(asset_id=asset_id),
            _objects,
            transport.LARGEST,
        )

    def last(self, asset_id: str) -> dict[str, Any] | None:
        """Return the last transaction of an asset, or None."""
        asked = {"asset_id": asset_id, "last_tx": "true"}
        found = self._ask(
            lambda node: node.driver.transport.forward_request(
                method="GET", path=node.driver.transactions.path, params=asked
            ),
            _objects,
        )
        return found[-1] if found else None

    def outputs(self, public_key: str, *, spent: bool | None = None) -> list[tuple[str, int]]:
        """Return the outputs that name a key: transaction id and index."""

        def shape(answer: Any) -> list[tuple[str, int]]:
            refs = _objects(answer)
            found = [(ref.get("transaction_id"), ref.get("output_index")) for ref in refs]
            if not all(type(tx_id) is str and type(index) is int for tx_id, index in found):
                raise _strange(refs)
            return [(str(tx_id), int(str(index))) for tx_id, index in found]

        return self._ask(
            lambda node: node.driver.outputs.get(public_key, spent), shape, transport.LARGEST
        )

    def assets(self, text: str, limit: int = 0) -> list[dict[str, Any]]:
        """Return assets that contain the words of ``text``: ``{"data", "id"}``."""
        return self._ask(
            lambda node: node.driver.assets.get(search=text, limit=limit),
            lambda answer: _objects(answer, id=str),
            transport.LARGEST,
        )

    def metadata(self, text: str, limit: int = 0) -> list[dict[str, Any]]:
        """Return metadata that contain the words of ``text``: ``{"metadata", "id"}``."""
        return self._ask(
            lambda node: node.driver.metadata.get(search=text, limit=limit),
            lambda answer: _objects(answer, id=str),
            transport.LARGEST,
        )

    def histories(self, wanted: Sequence[tuple[str, str | None]]) -> list[History | None] | None:
        """Return what is new in many assets, in one request to a node of twincli.

        Args:
            wanted: A transaction of each asset, and the last one that is known, or None.

        Returns:
            A history for each, None for an unknown one; None where the nodes cannot answer this.
        """

        def shape(answer: Any) -> list[History | None] | None:
            if answer is None:
                return None
            if not isinstance(answer, list) or len(answer) != len(wanted):
                raise _strange(answer)
            return [None if item is None else _history(item) for item in answer]

        question = _beyond("POST", "/twin/v1/histories", json={"of": wanted})
        return self._ask(question, shape, transport.LARGEST)

    def found(
        self, text: str, template_cid: str | None, after: str | None
    ) -> tuple[list[str], str | None] | None:
        """Return a page of the assets for which an expression holds, from a node of twincli.

        Args:
            text: The expression, without quantities.
            template_cid: Only those held to this template; empty: to none.
            after: From the page before.

        Returns:
            Ids, and what to go on behind, None where that is all; None where the nodes cannot
            answer this.
        """

        def shape(answer: Any) -> tuple[list[str], str | None] | None:
            if answer is None:
                return None
            ids, behind = _object(answer).get("assets"), answer.get("after")
            if (
                not isinstance(ids, list)
                or not all(isinstance(item, str) for item in ids)
                or not isinstance(behind, str | None)
            ):
                raise _strange(answer)
            return ids, behind

        asked = {"expression": text, "template_cid": template_cid, "after": after}
        return self._ask(_beyond("POST", "/twin/v1/find", json=asked), shape)

    def pinned(self) -> list[tuple[str, str, str]] | None:
        """Return the templates that assets are held to, from a node of twincli.

        Returns:
            Id, CID, and an asset held to it; None where the nodes cannot answer this.
        """

        def shape(answer: Any) -> list[tuple[str, str, str]] | None:
            if answer is None:
                return None
            if not isinstance(answer, list):
                raise _strange(answer)
            for pin in answer:
                if (
                    not isinstance(pin, list)
                    or len(pin) != 3
                    or not all(isinstance(part, str) for part in pin)
                ):
                    raise _strange(pin)
            return [(name, cid, asset_id) for name, cid, asset_id in answer]

        return self._ask(_beyond("GET", "/twin/v1/templates"), shape)

    def places(self, tx_ids: Sequence[str]) -> list[tuple[int, int] | None]:
        """Return height and time of the blocks of transactions, from a node of twincli.

        Returns:
            For each a height and milliseconds since the epoch, None for an unknown one.
        """
        return self._ask(
            lambda node: node.driver.transport.forward_request(
                method="POST", path="/twin/v1/blocks", json={"of": list(tx_ids)}
            ),
            lambda answer: _places(answer, len(tx_ids)),
        )

    def listed(self, after: str | None, stated: tuple[str, str] | None = None) -> list[str]:
        """Return ids of assets in commit order, from a node of twincli; none: no more.

        Args:
            after: The last one of the page before.
            stated: Only those whose CREATE states this: a name and a value.
        """
        asked = {} if stated is None else {"name": stated[0], "value": stated[1]}
        if after is not None:
            asked["after"] = after

        def shape(answer: Any) -> list[str]:
            if not isinstance(answer, list) or not all(isinstance(item, str) for item in answer):
                raise _strange(answer)
            return answer

        return self._ask(
            lambda node: node.driver.transport.forward_request(
                method="GET", path="/twin/v1/assets", params=asked
            ),
            shape,
        )

    def height(self, tx_id: str) -> int | None:
        """Return the height of a transaction's block, or None."""

        def shape(answer: Any) -> int | None:
            return None if answer is None else _height(answer)

        return self._ask(lambda node: node.driver.blocks.get(txid=tx_id), shape)

    def _ask(
        self, question: Callable[[Node], Any], shape: Callable[[Any], T], largest: int | None = None
    ) -> T:
        """Ask one node after the other until one gives a usable answer.

        Args:
            question: Asks a node.
            shape: Converts the answer (None for "not found"), or raises.
            largest: Maximum size of the answer in bytes; None: ``SMALL``.

        Raises:
            UnreachableError: No node gave a usable answer.
            UsageError: ``refused``, ConfigError: ``not_allowed``: no other node answered.
        """
        problems: dict[str, UnansweredError] = {}
        refusal: TwinError | None = None
        for node in self._in_turn():
            try:
                return shape(self._of(node, question, largest))
            except UnansweredError as error:
                self._leave(node, problems, error)
            except TwinError as error:
                if len(self._nodes) == 1:
                    raise
                # The node is broken, or wants another token; the next one may work.
                refusal = refusal or error
                self._leave(node, problems, UnansweredError(error.message))
        raise refusal or _unreachable(problems)

    def _in_turn(self) -> Iterator[Node]:
        """Yield the nodes, ``ROUNDS`` times, and then the busy ones until the timeout."""
        begun = time.monotonic()
        number = 0
        self._busy = False  # an earlier question may have met a busy node
        while number < ROUNDS or (self._busy and time.monotonic() - begun < self.timeout):
            if self._busy:
                time.sleep(min(0.1 * 2 ** min(number, 4), 1.0))
            self._busy = False
            yield from tuple(self._nodes)
            number += 1

    def _leave(
        self, node: Node, problems: dict[str, UnansweredError], error: UnansweredError
    ) -> None:
        """Note that a node did not answer; from now on it is asked last."""
        problems[node.url] = error
        self._nodes.remove(node)
        self._nodes.append(node)

    def _of(self, node: Node, question: Callable[[Node], Any], largest: int | None = None) -> Any:
        """Ask one node; see ``_ask``.

        Raises:
            UnansweredError: It did not answer, or failed.
            UsageError: ``refused``: it rejects the question.
            ConfigError: ``not_allowed``.
        """
        from bigchaindb_driver.exceptions import BigchaindbException, TransportError
        from requests.exceptions import RequestException

        node.adapter.largest = largest or transport.SMALL
        try:
            return question(node)
        except TransportError as error:
            said = _message(error.info) or f"it answers with status {error.status_code}"
            if error.status_code == 404 and isinstance(error.info, dict):
                return None
            self._busy = self._busy or error.status_code in _BUSY
            if error.status_code in {401, 403}:
                raise _not_allowed(node.url, said) from error
            if error.status_code == 400:
                raise UsageError(f"the node rejects the request: {said}", code="refused") from error
            if error.status_code == 404:
                raise UnansweredError("it does not speak BigchainDB's HTTP API") from error
            raise UnansweredError(said) from error
        except (BigchaindbException, TimeoutError) as error:
            raise UnansweredError("it does not answer") from error
        except RequestException as error:
            raise transport.unanswered(error) from error
        except RecursionError as error:
            raise UnansweredError("its answer is nested too deeply") from error
        except MemoryError as error:
            raise UnansweredError("its answer does not fit into memory") from error

    # --- Writing ----------------------------------------------------------------------------------

    def post(self, tx: dict[str, Any], mode: str = COMMIT) -> None:
        """Send a transaction.

        Args:
            tx: Signed.
            mode: ``commit``, ``sync`` or ``async``: what the node waits for before it answers.

        Raises:
            InvalidError: The node refuses it; code and message are the server's.
            UnreachableError: No node answered; it may still have been committed.
            ConfigError: ``not_allowed``.
        """
        problems: dict[str, UnansweredError] = {}
        for node in self._in_turn():
            try:
                self._send(node, tx, mode)
            except UnansweredError as error:
                self._leave(node, problems, error)
            except InvalidError as error:
                # The earlier attempt, whose answer was lost, may have been committed.
                if error.code == _ALREADY_THERE or (
                    problems and error.code in ON_LEDGER and self.transaction(tx["id"]) is not None
                ):
                    return
                raise
            else:
                return
        failed = _unreachable(problems)
        failed.hint = (
            f"it may still have been committed; check when a node answers: twin tx show {tx['id']}"
        )
        raise failed

    def _send(self, node: Node, tx: dict[str, Any], mode: str) -> None:
        from bigchaindb_driver.exceptions import TransportError

        def question(node: Node) -> Any:
            try:
                return getattr(node.driver.transactions, f"send_{mode}")(tx)
            except TransportError as error:
                if error.status_code in {400, 409, 413, 422}:
                    raise _refusal(_message(error.info) or str(error.error)[:200]) from error
                raise

        answer = self._of(node, question)
        if not isinstance(answer, dict) or answer.get("id") != tx["id"]:
            raise UnansweredError("it did not return the transaction")


def _node(url: str, headers: Mapping[str, str], timeout: float, tls: Tls) -> Node:
    """Return a node with the official driver for its URL.

    Raises:
        ConfigError: ``missing_extra``.
    """
    import warnings

    try:
        with warnings.catch_warnings():
            # cryptoconditions 0.8.1, when a machine compiles it for the first time
            warnings.simplefilter("ignore", SyntaxWarning)
            from bigchaindb_driver import BigchainDB
    except ImportError as error:
        raise ConfigError(
            f"networks need the official driver, but {error.name} is not installed",
            code="missing_extra",
            hint='pip install "twincli[bigchaindb]" && pip install --no-deps'
            " bigchaindb-driver==0.6.2 cryptoconditions==0.8.1",
        ) from error
    driver = BigchainDB(url, headers=dict(headers), timeout=timeout)
    (connection,) = driver.transport.connection_pool.connections
    connection.node_url = url  # the driver loses the brackets of an IPv6 address
    session = connection.session
    # Send exactly what the user gave: no password from .netrc, no redirects.
    session.auth = transport.send_unchanged
    session.max_redirects = 0
    session.trust_env = not is_loopback(url)
    adapter = transport.adapter(timeout, tls)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return Node(url, driver, adapter)


def _beyond(method: str, path: str, **asked: Any) -> Callable[[Node], Any]:
    """Return a question that only a node of twincli answers; others, and older ones, give None."""
    from bigchaindb_driver.exceptions import TransportError

    def question(node: Node) -> Any:
        try:
            return node.driver.transport.forward_request(method=method, path=path, **asked)
        except TransportError as error:
            if error.status_code in {400, 403, 404, 405, 413}:
                return None
            raise

    return question


def is_loopback(url: str) -> bool:
    """Say whether a URL is on this machine, which a proxy cannot reach."""
    from ipaddress import ip_address
    from urllib.parse import urlsplit

    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _message(info: Any) -> str | None:
    """Return the message of an error, in either of BigchainDB's two forms."""
    said = info.get("message") if isinstance(info, dict) else None
    if isinstance(said, dict):
        said = "; ".join(f"{name}: {text}" for name, text in said.items())
    return said if isinstance(said, str) else None


def _refusal(said: str) -> InvalidError:
    """Return the error for a refused transaction, with the server's code and words."""
    match = _REFUSED.match(said)
    if match:
        code = re.sub(r"(?<!^)(?=[A-Z])", "_", match[1]).lower()
        if code == _DUPLICATE:
            other = re.search(r"[0-9a-f]{64}$", match[2])
            hint = None if other is None else f"twin asset show {other[0]}"
            return InvalidError(match[2], code=code, hint=hint)
        return InvalidError(f"the node refused it: {match[2] or match[1]}", code=code)
    if said.startswith(_SCHEMA):
        return InvalidError(
            f"the node refused it: {said.removeprefix(_SCHEMA)}", code="schema_validation_error"
        )
    if _HELD in said:
        return InvalidError("the node already has this transaction", code=_ALREADY_THERE)
    return InvalidError(f"the node refused it: {said}", code="refused")


def _unreachable(problems: Mapping[str, UnansweredError]) -> UnreachableError:
    told = "; ".join(f"{url}: {why}" for url, why in problems.items())
    said = {str(why) for why in problems.values()}
    hints = [why.hint for why in problems.values() if why.hint is not None]
    return UnreachableError(
        f"no node answered: {told}",
        code="timeout" if said == {"it does not answer"} else "unreachable",
        hint=hints[0]
        if hints
        else "is it running? --timeout SECONDS waits longer, --node URL,URL tries several",
        retryable=not all(why.final for why in problems.values()),
    )


def _not_allowed(url: str, said: str) -> TwinError:
    return ConfigError(
        f"{url} denies access: {said}",
        code="not_allowed",
        hint="if it needs a token, put it in a file: twin node add NAME URL --header-file FILE",
    )


def _strange(answer: Any) -> UnreachableError:
    return UnreachableError(
        f"the node does not answer as BigchainDB does: {reprlib.repr(answer)}",
        code="node_error",
    )


def _object(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise _strange(answer)
    return answer


def _objects(answer: Any, **members: type) -> list[dict[str, Any]]:
    """Return an answer that is a list of objects with members of some types."""
    if not isinstance(answer, list):
        raise _strange(answer)
    for item in answer:
        if not isinstance(item, dict):
            raise _strange(item)
        for name, kind in members.items():
            if not isinstance(item.get(name), kind):
                raise _strange(item)
    return answer


def _history(item: Any) -> History:
    listed = _objects(_object(item).get("transactions"), height=int, transaction=dict)
    asset_id, known, more = (item.get(name) for name in ("asset", "known", "more"))
    if not isinstance(asset_id, str) or type(known) is not bool or type(more) is not bool:
        raise _strange(item)
    txs = [entry["transaction"] for entry in listed]
    heights = [_height(entry["height"]) for entry in listed]
    times = [None if "time" not in entry else _height(entry["time"]) for entry in listed]
    return History(asset_id, known, more, txs, heights, times)


def _places(answer: Any, count: int) -> list[tuple[int, int] | None]:
    if not isinstance(answer, list) or len(answer) != count:
        raise _strange(answer)
    found = [None if item is None else _object(item) for item in answer]
    return [
        None if item is None else (_height(item.get("height")), _height(item.get("time")))
        for item in found
    ]


def _height(answer: Any) -> int:
    if type(answer) is not int or not 0 <= answer < 1 << 63:
        raise _strange(answer)
    return answer
