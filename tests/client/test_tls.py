"""Nodes behind TLS: whose certificate is trusted, which is shown, what is said when it is none."""

from __future__ import annotations

import io
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.client.certificates import Certificate, own
from tests.client.fakenode import serving
from tests.conftest import Invoke
from twincli.client.content import NodeContent
from twincli.client.nodes import Nodes
from twincli.client.tls import Tls, fault
from twincli.crypto import cid
from twincli.errors import ConfigError, UnreachableError

CID = cid.of(b"hello").text


class Guarded(NamedTuple):
    """A node of ours that asks for certificates.

    Attributes:
        url: Its URL.
        node: Its certificate.
        device: The one that it takes.
        stranger: One that it does not take.
        old: One whose time is over.
    """

    url: str
    node: Certificate
    device: Certificate
    stranger: Certificate
    old: Certificate

    @property
    def tls(self) -> Tls:
        """What reaches it."""
        return Tls(self.node.cert, self.device.cert, self.device.key)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    place = tmp_path_factory.mktemp("tls")
    node, device, stranger = (own(place, name) for name in ("node", "device", "stranger"))
    old = own(place, "old", days=-1)
    with started(place / "home", node, "--tls-client-ca", device.cert) as url:
        yield Guarded(url, node, device, stranger, old)


class started:  # noqa: N801 - a context manager
    """A node of ours with TLS, a process of its own; gives its URL."""

    def __init__(self, home: Path, certificate: Certificate, *words: str) -> None:
        files = ("--tls-cert", certificate.cert, "--tls-key", certificate.key)
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "twincli", "node", "start", "--port", "0", "--json"),
                *(*files, *words),
            ],
            stdout=subprocess.PIPE,
            env={"TWIN_HOME": str(home), "PATH": "/usr/bin:/bin"},
        )

    def __enter__(self) -> str:
        assert self.process.stdout is not None
        url: str = json.loads(self.process.stdout.readline())["url"]
        return url

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.communicate()


def failure(url: str, tls: Tls) -> UnreachableError:
    nodes = Nodes([url], {}, 5, tls)
    try:
        with pytest.raises(UnreachableError) as caught:
            nodes.info()
    finally:
        nodes.close()
    return caught.value


def test_a_node_that_asks_for_certificates(guarded: Guarded) -> None:
    nodes = Nodes([guarded.url], {}, 5, guarded.tls)
    assert nodes.info()["software"] == "BigchainDB"
    again = nodes.again()
    assert again.info()["software"] == "BigchainDB"
    nodes.close()
    again.close()


def test_content_of_a_node_that_asks_for_certificates(guarded: Guarded) -> None:
    content = NodeContent(guarded.url, tls=guarded.tls)
    content.put(io.BytesIO(b"hello"))
    with content.open(CID) as stream:
        assert stream.read() == b"hello"
    with pytest.raises(UnreachableError) as caught:
        NodeContent(guarded.url, tls=Tls(cert=guarded.device.cert, key=guarded.device.key)).has(CID)
    assert "its certificate is not trusted" in caught.value.message
    assert "--tls-ca" in str(caught.value.hint)
    assert caught.value.retryable is False


def test_who_certifies_the_node_is_not_trusted(guarded: Guarded) -> None:
    for tls in (Tls(), Tls(ca=guarded.stranger.cert)):
        error = failure(guarded.url, tls)
        assert "its certificate is not trusted: self" in error.message
        assert "--tls-ca FILE" in str(error.hint)
        assert "TWIN_TLS_CA" in str(error.hint)
        assert "running" not in str(error.hint)
        assert error.retryable is False


def test_another_name(guarded: Guarded) -> None:
    error = failure(guarded.url.replace("127.0.0.1", "localhost"), guarded.tls)
    assert "its certificate is not trusted: hostname mismatch" in error.message.lower()
    assert "use the name" in str(error.hint)


def test_a_certificate_whose_time_is_over(guarded: Guarded, tmp_path: Path) -> None:
    with started(tmp_path, guarded.old) as url:
        error = failure(url, Tls(ca=guarded.old.cert))
    assert "certificate has expired" in error.message
    assert "renew" in str(error.hint)


def test_no_certificate_is_shown_or_a_wrong_one(guarded: Guarded) -> None:
    """The node may hang up before what it says is read; then that is all that is known."""
    error = failure(guarded.url, Tls(ca=guarded.node.cert))
    assert "--tls-cert" in str(error.hint)
    assert "running" not in str(error.hint)
    error = failure(guarded.url, Tls(guarded.node.cert, *guarded.stranger))
    assert "--tls-cert" in str(error.hint)


def test_a_node_without_tls() -> None:
    with serving() as node:
        error = failure(node.url.replace("http:", "https:"), Tls())
    assert "it does not speak TLS" in error.message
    assert "http://" in str(error.hint)


def test_files_that_are_of_no_use(guarded: Guarded, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no certificate")
    sealed = tmp_path / "sealed.key"
    subprocess.run(
        [
            *("openssl", "pkey", "-in", guarded.device.key, "-aes256", "-passout", "pass:secret"),
            *("-out", str(sealed)),
        ],
        check=True,
        capture_output=True,
    )
    for tls, named in (
        (Tls(ca=str(tmp_path / "none")), f"{tmp_path / 'none'} cannot be used for TLS: no such"),
        (Tls(ca=str(text)), f"{text} cannot be used"),
        (Tls(str(text), guarded.device.cert, guarded.device.key), f"{text} cannot be used"),
        (Tls(cert=str(text)), f"{text} cannot be used"),
        (Tls(cert=str(text), key=guarded.device.key), f"{text} cannot be used"),
        (Tls(cert=str(tmp_path / "none"), key=guarded.device.key), f"{tmp_path / 'none'} cannot"),
        (Tls(cert=guarded.device.cert, key=str(text)), f"{text} cannot be used"),
        (Tls(cert=guarded.device.cert, key=str(tmp_path / "none")), f"{tmp_path / 'none'} cannot"),
        (
            Tls(cert=guarded.device.cert, key=guarded.stranger.key),
            f"{guarded.stranger.key} cannot be used for TLS: it is not the key of",
        ),
        (
            Tls(cert=guarded.device.cert, key=str(sealed)),
            f"{sealed} cannot be used for TLS: the key has a passphrase",
        ),
        (Tls(key=guarded.device.key), f"the key {guarded.device.key} needs its certificate"),
    ):
        for use in (
            lambda tls=tls: Nodes([guarded.url], {}, 5, tls),
            lambda tls=tls: NodeContent(guarded.url, tls=tls).has(CID),
        ):
            with pytest.raises(ConfigError) as caught:
                use()
            assert caught.value.code == "bad_tls"
            assert caught.value.message.startswith(named)
    # Where there is no TLS they do not matter.
    Nodes(["http://127.0.0.1:1"], {}, 5, Tls(ca=str(text))).close()


def test_a_directory_of_authorities(guarded: Guarded, tmp_path: Path) -> None:
    name = subprocess.run(
        ["openssl", "x509", "-hash", "-noout", "-in", guarded.node.cert],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    (tmp_path / f"{name}.0").symlink_to(guarded.node.cert)
    nodes = Nodes([guarded.url], {}, 5, guarded.tls._replace(ca=str(tmp_path)))
    assert nodes.info()["software"] == "BigchainDB"
    nodes.close()


# --- The command line --------------------------------------------------------------------------


def document(invoke: Invoke, *words: str) -> Any:
    run = invoke(*words, "--json")
    assert run.status == 0, run.stderr
    return run.json


def test_a_profile_holds_certificates(
    guarded: Guarded, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    document(invoke, "keys", "new", "alice", "--no-passphrase")
    monkeypatch.chdir(Path(guarded.node.cert).parent)
    names = [os.path.basename(path) for path in guarded.tls if path is not None]
    options = ("--tls-ca", names[0], "--tls-cert", names[1], "--tls-key", names[2])
    made = document(invoke, "node", "add", "shop", guarded.url, *options)
    assert Tls(made["tls_ca"], made["tls_cert"], made["tls_key"]) == guarded.tls
    monkeypatch.chdir("/")
    # What it says of authorities counts before what everybody is told.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", guarded.stranger.cert)
    assert document(invoke, "node", "info", "shop")["nodes"][0]["reachable"] is True
    document(invoke, "asset", "create", "car", "--node", "shop")
    assert document(invoke, "node", "list")["networks"][0]["tls_ca"] == guarded.node.cert
    assert document(invoke, "node", "add", "shop", guarded.url, *names_of(guarded))["created"] is (
        False
    )


def names_of(guarded: Guarded) -> tuple[str, ...]:
    ca, cert, key = guarded.tls
    return ("--tls-ca", str(ca), "--tls-cert", str(cert), "--tls-key", str(key))


@pytest.mark.parametrize("variable", ["TWIN_TLS_CA", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_certificates_come_from_the_environment(
    variable: str, guarded: Guarded, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    document(invoke, "keys", "new", "alice", "--no-passphrase")
    monkeypatch.setenv(variable, guarded.node.cert)
    monkeypatch.setenv("TWIN_TLS_CERT", guarded.device.cert)
    monkeypatch.setenv("TWIN_TLS_KEY", guarded.device.key)
    document(invoke, "asset", "create", "car", "--node", guarded.url)
    assert invoke("demo", "--node", guarded.url).status == 0
    monkeypatch.delenv(variable)
    run = invoke("node", "info", guarded.url)
    assert run.status == 8
    assert "--tls-ca" in run.stderr
    document(invoke, "config", "set", "tls_ca", guarded.node.cert)
    assert invoke("node", "info", guarded.url).status == 0


def test_certificates_that_nothing_is_certified_with(
    guarded: Guarded, invoke: Invoke, tmp_path: Path
) -> None:
    document(invoke, "keys", "new", "alice", "--no-passphrase")
    run = invoke("node", "add", "x", "http://a.example", "--tls-ca", guarded.node.cert, "--json")
    assert (run.status, run.error["code"]) == (2, "usage")
    run = invoke("node", "add", "x", guarded.url, "--tls-ca", str(tmp_path / "none"), "--json")
    assert (run.status, run.error["code"]) == (9, "bad_tls")


def test_a_token_in_the_open_is_told(invoke: Invoke, tmp_path: Path) -> None:
    document(invoke, "keys", "new", "alice", "--no-passphrase")
    path = tmp_path / "headers"
    path.write_text("app_key: s3cret\n")
    path.chmod(0o600)
    header = ("--header-file", str(path))
    for url in ("https://a.example", "http://127.0.0.1:1"):
        assert document(invoke, "node", "add", f"n{len(url)}", url, *header)["warnings"] == []
    (said,) = document(invoke, "node", "add", "far", "http://a.invalid", *header)["warnings"]
    assert "http://a.invalid:9984" in said
    assert "unencrypted" in said
    run = invoke("node", "info", "far")
    assert run.stderr.count("unencrypted") == 1
    assert "s3cret" not in run.stderr


def test_a_token_in_the_open_is_told_by_what_uses_it(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document(invoke, "keys", "new", "alice", "--no-passphrase")
    path = tmp_path / "headers"
    path.write_text("app_key: s3cret\n")
    path.chmod(0o600)
    with serving() as node:
        document(invoke, "node", "add", "far", node.url, "--header-file", str(path))
        monkeypatch.setattr("twincli.services.network.networks.is_loopback", lambda _url: False)
        made = document(invoke, "asset", "create", "car", "--node", "far")
        assert len(made["warnings"]) == 1
        for words in (["asset", "show", "car"], ["asset", "list"], ["push"]):
            run = invoke(*words, "--node", "far")
            assert (run.status, run.stderr.count("unencrypted")) == (0, 1)


# --- What is wrong -----------------------------------------------------------------------------


def of_openssl(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}]")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("reason", "message", "hint"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "asks for a certificate", "--tls-cert"),
        ("TLSV1_ALERT_UNKNOWN_CA", "refused the certificate", "--tls-cert"),
        (
            "SSLV3_ALERT_CERTIFICATE_EXPIRED",
            "refused the certificate: certificate expired",
            "--tls-cert",
        ),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "ended the handshake", "--tls-cert"),
        ("WRONG_VERSION_NUMBER", "does not speak TLS", "http://"),
        ("NO_SHARED_CIPHER", "TLS fails: no shared cipher", "log"),
    ],
)
def test_what_the_other_side_says(reason: str, message: str, hint: str) -> None:
    outer = OSError("the connection failed")
    outer.__cause__ = of_openssl(reason)
    found = fault(outer)
    assert found is not None
    assert message in found.message
    assert hint in found.hint
    assert found.final is True


def test_what_has_nothing_to_do_with_tls() -> None:
    assert fault(TimeoutError()) is None
    assert fault(ConnectionRefusedError()) is None
    broken = fault(ConnectionResetError())
    assert broken is not None
    assert broken.final is False
