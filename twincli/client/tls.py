"""Certificates: which are trusted, which one this side shows, and what is wrong with one."""

from __future__ import annotations

import os
import ssl

from twincli.errors import ConfigError
from twincli.values import NamedTuple


class Tls(NamedTuple):
    """Certificates for ``https``.

    Attributes:
        ca: File or directory of the authorities that are trusted, in PEM; None: the usual ones.
        cert: File of the certificate that this side shows, in PEM; None: none.
        key: File of its key, where that is not in the same file.
    """

    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def over(self, other: Tls) -> Tls:
        """Return these, and ``other`` for what these leave open."""
        shown = self if self.cert else other
        return Tls(self.ca or other.ca, shown.cert, shown.key)

    def context(self) -> ssl.SSLContext:
        """Return the context of a connection.

        Raises:
            ConfigError: ``bad_tls``: a file cannot be used; the message names it.
        """
        if self.key and not self.cert:
            raise ConfigError(f"the key {self.key} needs its certificate", code="bad_tls")
        try:
            if self.ca is not None and os.path.isdir(self.ca):
                made = ssl.create_default_context(capath=self.ca)
            else:
                made = ssl.create_default_context(cafile=self.ca)
        except (OSError, ValueError) as error:
            raise _unusable(str(self.ca), error) from error
        if self.cert:
            try:
                made.load_cert_chain(self.cert, self.key, password=_no_passphrase)
            except (OSError, ValueError) as error:
                raise self._unusable_pair(self.cert, error) from error
        return made

    def _unusable_pair(self, cert: str, error: OSError | ValueError) -> ConfigError:
        """Return the error for a certificate and its key; OpenSSL does not say which is bad."""
        if self.key is None:
            return _unusable(cert, error)
        if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
            return _unusable(self.key, f"it is not the key of {cert}")
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=cert)
        except (OSError, ValueError) as of_cert:
            return _unusable(cert, of_cert)
        return _unusable(self.key, error)


def _unusable(path: str, why: Exception | str) -> ConfigError:
    said = (why.strerror if isinstance(why, OSError) else None) or str(why)
    return ConfigError(
        f"{path} cannot be used for TLS: {said[:1].lower()}{said[1:]}",
        code="bad_tls",
        hint="PEM files are needed, and a key without a passphrase",
    )


DEFAULT_TLS = Tls()
"""The default: trust the usual authorities, show no certificate."""


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase")


_OWN_CA = "if it is the right node, trust its authority: twin node add NAME URL --tls-ca FILE"
_SHOW = (
    "show one that it trusts: twin node add NAME URL --tls-cert FILE --tls-key FILE, or"
    " TWIN_TLS_CERT and TWIN_TLS_KEY"
)

_UNTRUSTED = {
    9: "is this machine's clock right?",
    10: "its operator must renew it, or this machine's clock is wrong",
    62: "use the name that is in the node's certificate",
    64: "use the name that is in the node's certificate",
}
"""What to do, by OpenSSL's codes: not yet valid, expired, another name, another address."""


class Fault(NamedTuple):
    """What is wrong with TLS.

    Attributes:
        message: In a few words.
        hint: What to do about it.
        final: Whether asking again is useless.
    """

    message: str
    hint: str
    final: bool = True


def fault(error: BaseException) -> Fault | None:
    """Return what is wrong with TLS; None for another kind of error.

    Args:
        error: Of a TLS connection; the error of the TLS library is somewhere inside it.
    """
    found = _inner(error)
    if found is None:
        return None
    if isinstance(found, ssl.SSLCertVerificationError):
        hint = _UNTRUSTED.get(found.verify_code, f"{_OWN_CA}, or TWIN_TLS_CA=FILE")
        return Fault(f"its certificate is not trusted: {found.verify_message}", hint)
    if not isinstance(found, ssl.SSLError):
        # Some nodes do this, without an alert, when they get no certificate or a wrong one.
        return Fault(
            "the connection was lost", f"if it asks for a certificate, {_SHOW}", final=False
        )
    reason = found.reason or str(found)
    if reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}:
        return Fault("it does not speak TLS", "is it http://, or another port?")
    if reason == "TLSV13_ALERT_CERTIFICATE_REQUIRED":
        return Fault("it asks for a certificate", _SHOW)
    if "ALERT" in reason and ("CERTIFICATE" in reason or reason.endswith("_CA")):
        said = reason.partition("ALERT_")[2].replace("_", " ").lower()
        return Fault(f"it refused the certificate: {said}", _SHOW)
    if reason == "SSLV3_ALERT_HANDSHAKE_FAILURE":
        return Fault("it ended the handshake", f"if it asks for a certificate, {_SHOW}")
    return Fault(f"TLS fails: {reason.replace('_', ' ').lower()}", "look at the node's log")


def _inner(error: BaseException) -> OSError | None:
    """Return the error of the TLS library inside another one, or a lost connection."""
    todo, seen, broken = [error], set(), None
    while todo:
        found = todo.pop()
        if isinstance(found, ssl.SSLError):
            return found
        if isinstance(found, ConnectionError) and not isinstance(found, ConnectionRefusedError):
            broken = found
        if id(found) not in seen:
            seen.add(id(found))
            inside = (getattr(found, "reason", None), found.__cause__, found.__context__)
            todo += [it for it in (*found.args, *inside) if isinstance(it, BaseException)]
    return broken
