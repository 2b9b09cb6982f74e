"""The nodes of one BigchainDB network, asked through the official driver.

One driver a URL, and around it what the driver lacks: a node that is silent, refuses connections
or fails is left for the next one at once; an answer is bounded in size and time; the server's own
message is kept; a POST whose answer was lost is sent again, and what then "already exists", or
spends what it spent itself, is looked up and is a success.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from twincli.client import COMMIT
from twincli.client.tls import DEFAULT_TLS, Tls
from twincli.errors import ConfigError, InvalidError, TwinError, UnreachableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

T = TypeVar("T")

ROUNDS = 2
"""How often all nodes are asked: a connection that was kept open may just have been closed."""

LARGEST = 1 << 29
"""Bytes that are read at most of an answer that lists things."""

SMALL = 1 << 24
"""Bytes that are read at most of any other answer: one transaction, a height."""

_BUSY = frozenset({429, 503})
_REFUSED = re.compile(r"Invalid transaction \((\w+)\): ?(.*)", re.DOTALL)
_SCHEMA = "Invalid transaction schema: "
_HELD = "already exists in cache"
_ALREADY_THERE = "already_there"
_AGAIN = frozenset({"duplicate_transaction", "double_spend"})


class UnansweredError(Exception):
    """A node did not answer, or not in a way that anything can be made of.

    Attributes:
        hint: What to do about it, where that is known.
        final: Whether asking again is of no use.
    """

    def __init__(self, message: str, hint: str | None = None, *, final: bool = False) -> None:
        super().__init__(message)
        self.hint = hint
        self.final = final


def normalized(url: str) -> str:
    """Return a node's URL as it is compared and asked.

    Args:
        url: With its scheme; without a port, http has 9984, as with the official driver.

    Raises:
        UsageError: ``bad_url``.
    """
    from urllib.parse import urlsplit

    if not url.isprintable():
        raise _bad_url(url, "it holds what is no text")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _bad_url(url, str(error)) from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise _bad_url(url, "it is not http://HOST or https://HOST")
    if "@" in parts.netloc:
        raise UsageError(
            "a node's URL holds no password",
            code="bad_url",
            hint="put it in a file: twin node add NAME URL --header-file FILE",
        )
    if parts.query or parts.fragment:
        raise _bad_url(url, "it ends before ? and #")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = port or (443 if parts.scheme == "https" else 9984)
    path = parts.path.rstrip("/").removesuffix("/api/v1")
    return f"{parts.scheme}://{host}:{port}{path}"


def _bad_url(url: str, why: str) -> UsageError:
    return UsageError(f"{url!r} is no URL of a node: {why}", code="bad_url")


class Node(NamedTuple):
    """One node.

    Attributes:
        url: Normalized.
        driver: The official driver for it alone.
        adapter: What sends the driver's requests, see ``_adapter``.
    """

    url: str
    driver: Any
    adapter: Any


class Nodes:
    """The nodes of one network, the one that answered last first.

    Args:
        urls: Normalized.
        headers: Sent with every request; may hold secrets.
        timeout: Seconds that each node is waited for.
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
            tls.context()  # says what is wrong with a file, which requests would not
        self._nodes = [_node(url, headers, timeout, tls) for url in urls]

    def again(self) -> Nodes:
        """Return the same nodes over connections of their own, for another thread."""
        return Nodes([node.url for node in self._nodes], self._headers, self.timeout, self.tls)

    def close(self) -> None:
        """Close the connections."""
        for node in self._nodes:
            for connection in node.driver.transport.connection_pool.connections:
                connection.session.close()

    # --- Reading ----------------------------------------------------------------------------------

    def info(self) -> dict[str, Any]:
        """Return what the first node that answers says about itself."""
        return self._ask(lambda node: node.driver.info(), _object)

    def one_by_one(self) -> list[tuple[str, dict[str, Any] | TwinError, float]]:
        """Return what each node says about itself, or why not, and the seconds that it took.

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
        """Return all transactions of an asset; none where there is no such asset."""
        return self._ask(
            lambda node: node.driver.transactions.get(asset_id=asset_id), _objects, LARGEST
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

        return self._ask(lambda node: node.driver.outputs.get(public_key, spent), shape, LARGEST)

    def assets(self, text: str, limit: int = 0) -> list[dict[str, Any]]:
        """Return assets that hold the words of ``text``: ``{"data", "id"}``."""
        return self._ask(
            lambda node: node.driver.assets.get(search=text, limit=limit),
            lambda answer: _objects(answer, id=str),
            LARGEST,
        )

    def metadata(self, text: str, limit: int = 0) -> list[dict[str, Any]]:
        """Return metadata that hold the words of ``text``: ``{"metadata", "id"}``."""
        return self._ask(
            lambda node: node.driver.metadata.get(search=text, limit=limit),
            lambda answer: _objects(answer, id=str),
            LARGEST,
        )

    def height(self, tx_id: str) -> int | None:
        """Return the height of the block that holds a transaction, or None."""

        def shape(answer: Any) -> int | None:
            if answer is not None and type(answer) is not int:
                raise _strange(answer)
            return answer

        return self._ask(lambda node: node.driver.blocks.get(txid=tx_id), shape)

    def _ask(
        self, question: Callable[[Node], Any], shape: Callable[[Any], T], largest: int | None = None
    ) -> T:
        """Put a question to one node after the other until one answers as it should.

        Args:
            question: Asks a node.
            shape: Makes of the answer (None where the node says that there is no such thing) what
                is returned, or raises.
            largest: Bytes of an answer that are read at most; None: ``SMALL``.

        Raises:
            UnreachableError: None answered, or none in a way that anything can be made of.
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
                # A node that is broken, or wants another token; the next one may not.
                refusal = refusal or error
                self._leave(node, problems, UnansweredError(error.message))
        raise refusal or _unreachable(problems)

    def _in_turn(self) -> Iterator[Node]:
        """Yield the nodes, ``ROUNDS`` times, and then those that only ask for patience."""
        begun = time.monotonic()
        number = 0
        self._busy = False  # it may have been an earlier question that met a busy node
        while number < ROUNDS or (self._busy and time.monotonic() - begun < self.timeout):
            if self._busy:
                time.sleep(min(0.1 * 2 ** min(number, 4), 1.0))
            self._busy = False
            yield from tuple(self._nodes)
            number += 1

    def _leave(
        self, node: Node, problems: dict[str, UnansweredError], error: UnansweredError
    ) -> None:
        """Note that a node did not answer; it is asked last from now on."""
        problems[node.url] = error
        self._nodes.remove(node)
        self._nodes.append(node)

    def _of(self, node: Node, question: Callable[[Node], Any], largest: int | None = None) -> Any:
        """Put a question to one node; see ``_ask``.

        Raises:
            UnansweredError: It did not answer, or has a fault of its own.
            UsageError: ``refused``: the question is wrong.
            ConfigError: ``not_allowed``.
        """
        from bigchaindb_driver.exceptions import BigchaindbException, TransportError
        from requests.exceptions import RequestException

        node.adapter.largest = largest or SMALL
        try:
            return question(node)
        except TransportError as error:
            said = _message(error.info) or f"it answers {error.status_code}"
            if error.status_code == 404 and isinstance(error.info, dict):
                return None
            self._busy = self._busy or error.status_code in _BUSY
            if error.status_code in {401, 403}:
                raise _not_allowed(node.url, said) from error
            if error.status_code == 400:
                raise UsageError(
                    f"the node refuses the question: {said}", code="refused"
                ) from error
            if error.status_code == 404:
                raise UnansweredError("it does not speak BigchainDB's HTTP API") from error
            raise UnansweredError(said) from error
        except (BigchaindbException, TimeoutError) as error:
            raise UnansweredError("it does not answer") from error
        except RequestException as error:
            raise _unanswered(error) from error
        except RecursionError as error:
            raise UnansweredError("its answer is nested too deeply") from error

    # --- Writing ----------------------------------------------------------------------------------

    def post(self, tx: dict[str, Any], mode: str = COMMIT) -> None:
        """Have a transaction committed.

        Args:
            tx: Signed.
            mode: ``commit``, ``sync`` or ``async``: what the node waits for before it answers.

        Raises:
            InvalidError: The node refuses it; code and message are the server's.
            UnreachableError: No node answered; it may have been committed all the same.
            ConfigError: ``not_allowed``.
        """
        problems: dict[str, UnansweredError] = {}
        for node in self._in_turn():
            try:
                self._send(node, tx, mode)
            except UnansweredError as error:
                self._leave(node, problems, error)
            except InvalidError as error:
                # What was sent before and not answered may be what stands in the way now.
                if error.code == _ALREADY_THERE or (
                    problems and error.code in _AGAIN and self.transaction(tx["id"]) is not None
                ):
                    return
                raise
            else:
                return
        failed = _unreachable(problems)
        failed.hint = (
            f"whether it came through is told, once a node answers, by: twin tx show {tx['id']}"
        )
        raise failed

    def _send(self, node: Node, tx: dict[str, Any], mode: str) -> None:
        from bigchaindb_driver.exceptions import TransportError

        def question(node: Node) -> Any:
            try:
                return getattr(node.driver.transactions, f"send_{mode}")(tx)
            except TransportError as error:
                if error.status_code in {400, 413, 422}:
                    raise _refusal(_message(error.info) or str(error.error)[:200]) from error
                raise

        answer = self._of(node, question)
        if not isinstance(answer, dict) or answer.get("id") != tx["id"]:
            raise UnansweredError("it answers with something else than the transaction")


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
            f"a network is reached through the official driver, and {error.name} is not installed",
            code="missing_extra",
            hint='pip install "twincli[bigchaindb]" && pip install --no-deps'
            " bigchaindb-driver==0.6.2 cryptoconditions==0.8.1",
        ) from error
    driver = BigchainDB(url, headers=dict(headers), timeout=timeout)
    (connection,) = driver.transport.connection_pool.connections
    connection.node_url = url  # the driver loses the brackets of an IPv6 address
    session = connection.session
    # What the user gave is sent as it is: no password out of .netrc, no redirect elsewhere.
    session.auth = _as_it_is
    session.max_redirects = 0
    session.trust_env = not is_loopback(url)
    adapter = _adapter(timeout, tls)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return Node(url, driver, adapter)


def _as_it_is(request: Any) -> Any:
    return request


def is_loopback(url: str) -> bool:
    """Say whether a URL is on this machine, where no proxy can be asked for it."""
    from ipaddress import ip_address
    from urllib.parse import urlsplit

    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _adapter(timeout: float, tls: Tls) -> Any:
    """Return what sends requests, once each, and bounds answers: to ``largest`` bytes, and in time.

    The driver would ask again and again a node that refuses connections, until the timeout is
    over, and read an answer without end.
    """
    import io

    from requests.adapters import HTTPAdapter
    from requests.exceptions import RequestException
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.exceptions import HTTPError

    from twincli.client.pacing import TooSlowError
    from twincli.client.pacing import response_class as paced

    # What the environment says of certificates is in ``tls`` already, on this machine, too.
    certificates = {
        "verify": True if tls.ca is None else tls.ca,
        "cert": tls.cert if tls.cert is None or tls.key is None else (tls.cert, tls.key),
    }
    response = paced(timeout)

    class Plain(HTTPConnectionPool):
        class ConnectionCls(HTTPConnection):
            response_class = response

    class Secure(HTTPSConnectionPool):
        class ConnectionCls(HTTPSConnection):
            response_class = response

    class Adapter(HTTPAdapter):
        largest = SMALL

        def init_poolmanager(self, *given: Any, **options: Any) -> None:
            super().init_poolmanager(*given, **options)
            self.poolmanager.pool_classes_by_scheme = {"http": Plain, "https": Secure}

        def proxy_manager_for(self, *given: Any, **options: Any) -> Any:
            manager = super().proxy_manager_for(*given, **options)
            manager.pool_classes_by_scheme = {"http": Plain, "https": Secure}
            return manager

        def send(self, *given: Any, **options: Any) -> Any:
            try:
                response = super().send(*given, **{**options, **certificates, "stream": True})
                pieces = io.BytesIO()
                # Read here, so that nothing of an answer is waited for beyond its bounds.
                while piece := response.raw.read1(1 << 16, decode_content=True):
                    pieces.write(piece)
                    if pieces.tell() > self.largest:
                        raise UnansweredError("its answer has no end")
            except TooSlowError as error:
                raise UnansweredError(str(error)) from error
            except (RequestException, HTTPError, OSError) as error:
                raise _unanswered(error, given[0].url) from error
            pieces.seek(0)
            response.raw = pieces
            response.encoding = "utf-8"  # JSON is, whatever it is said to be
            return response

    return Adapter()


def _unanswered(error: Exception, url: str = "") -> UnansweredError:
    """Return why a request failed, in a few words."""
    from requests import exceptions

    from twincli.client import tls

    of_tls = tls.fault(error) if url.startswith("https:") else None
    if of_tls is not None:
        return UnansweredError(of_tls.message, of_tls.hint, final=of_tls.final)
    if isinstance(error, exceptions.TooManyRedirects):
        return UnansweredError("it points elsewhere")
    if isinstance(error, exceptions.Timeout):
        return UnansweredError("it does not answer")
    if isinstance(error, exceptions.ProxyError):
        return UnansweredError("the proxy does not reach it")
    text = str(error)
    for part, says in (
        ("refused", "connection refused"),
        ("resolve", "there is no such host"),
        ("Name or service", "there is no such host"),
        ("unreachable", "no way leads there"),
    ):
        if part in text:
            return UnansweredError(says)
    return UnansweredError("the connection broke off")


def _message(info: Any) -> str | None:
    """Return the message in the body of an error; both shapes of BigchainDB's."""
    said = info.get("message") if isinstance(info, dict) else None
    if isinstance(said, dict):
        said = "; ".join(f"{name}: {text}" for name, text in said.items())
    return said if isinstance(said, str) else None


def _refusal(said: str) -> InvalidError:
    """Return the error for a refused transaction, its code and words the server's."""
    match = _REFUSED.match(said)
    if match:
        code = re.sub(r"(?<!^)(?=[A-Z])", "_", match[1]).lower()
        return InvalidError(f"the node refuses it: {match[2] or match[1]}", code=code)
    if said.startswith(_SCHEMA):
        return InvalidError(
            f"the node refuses it: {said.removeprefix(_SCHEMA)}", code="schema_validation_error"
        )
    if _HELD in said:
        return InvalidError("the node already has this transaction", code=_ALREADY_THERE)
    return InvalidError(f"the node refuses it: {said}", code="refused")


def _unreachable(problems: Mapping[str, UnansweredError]) -> UnreachableError:
    told = "; ".join(f"{url}: {why}" for url, why in problems.items())
    said = {str(why) for why in problems.values()}
    hints = [why.hint for why in problems.values() if why.hint is not None]
    return UnreachableError(
        f"no node answered: {told}",
        code="timeout" if said == {"it does not answer"} else "unreachable",
        hint=hints[0]
        if hints
        else "is it running? --timeout SECONDS waits longer, --node URL,URL names several",
        retryable=not all(why.final for why in problems.values()),
    )


def _not_allowed(url: str, said: str) -> TwinError:
    return ConfigError(
        f"{url} does not allow it: {said}",
        code="not_allowed",
        hint="a node that asks for a token gets it from a file: twin node add NAME URL"
        " --header-file FILE",
    )


def _strange(answer: Any) -> UnreachableError:
    return UnreachableError(
        f"the node answers with something else than BigchainDB would: {str(answer)[:80]!r}",
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
