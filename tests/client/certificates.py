"""Certificates that openssl makes for a test."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.plugins.tools import require_tool


class Certificate(NamedTuple):
    """Paths of a certificate and its key, in PEM."""

    cert: str
    key: str


def own(directory: Path, name: str, address: str = "IP:127.0.0.1", days: int = 2) -> Certificate:
    """Make a certificate that is its own authority.

    Args:
        directory: Where its files go.
        name: Of the files, and what it is for.
        address: What else it is for, as openssl writes it.
        days: How long it is valid from now; negative: it was once.
    """
    openssl = require_tool("openssl")
    made = Certificate(str(directory / f"{name}.pem"), str(directory / f"{name}.key"))
    request = str(directory / f"{name}.csr")
    extensions = directory / f"{name}.ext"
    # What Python 3.13 asks of an authority.
    extensions.write_text(
        f"subjectAltName={address}\nbasicConstraints=critical,CA:TRUE\n"
        "keyUsage=critical,digitalSignature,keyCertSign\n"
        "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid:always\n"
    )

    def run(*words: str) -> None:
        subprocess.run([openssl, *words], check=True, capture_output=True)

    run("genpkey", "-algorithm", "ed25519", "-out", made.key)
    run("req", "-new", "-key", made.key, "-subj", f"/CN={name}", "-out", request)
    run(
        *("x509", "-req", "-in", request, "-signkey", made.key, "-days", str(days)),
        *("-extfile", str(extensions), "-out", made.cert),
    )
    return made
