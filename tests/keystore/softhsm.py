"""A chip for tests: SoftHSM's token in a directory of its own, and what other programs do to it."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.plugins.tools import require_tool

PIN = "123456"
PLACES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)

# Another program at the token, run on its own; "session" is a logged in one.
OTHER = """
import sys, pkcs11
from pkcs11 import KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.constants import Attribute
token = pkcs11.lib(sys.argv[1]).get_token(token_label=sys.argv[2])
session = token.open(rw=True, user_pin=sys.argv[3])
def generate(label, **more):
    session.create_domain_parameters(
        KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: bytes.fromhex("06032b6570")}, local=True
    ).generate_keypair(
        label=label, store=True, capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
        mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN, **more
    )
def objects(label, kind):
    return list(session.get_objects({Attribute.LABEL: label, Attribute.CLASS: kind}))
"""


class Chip:
    """A token and the module that reaches it.

    Attributes:
        module: Path of SoftHSM.
        label: The token's label.
        pin_file: A file that holds its PIN.
    """

    def __init__(self, directory: Path, label: str = "car") -> None:
        found = [place for place in PLACES if os.path.isfile(place)]
        assert found, "softhsm2-util is here, but its library is in no usual place"
        self._tool = require_tool("softhsm2-util")
        self.module = found[0]
        self.label = label
        self.directory = directory
        self.pin_file = str(directory / "pin")
        Path(self.pin_file).write_text(PIN + "\n")
        self.initialise(label)

    def _run(self, *arguments: str) -> None:
        subprocess.run([self._tool, *arguments], check=True, capture_output=True)

    def initialise(self, label: str) -> None:
        """Make one more token."""
        self._run("--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "654321")

    def put(self, seed: bytes, label: str, key_id: str, *, token: str | None = None) -> None:
        """Import a key as SoftHSM's own tool does."""
        der = bytes.fromhex("302e020100300506032b657004220420") + seed
        body = base64.b64encode(der).decode()
        pem = self.directory / "key.pem"
        pem.write_text(f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
        place = ("--token", token or self.label, "--pin", PIN)
        # Several keys may have one label or id: --force is for that.
        self._run("--import", str(pem), "--label", label, "--id", key_id, "--force", *place)

    def other(self, code: str) -> str:
        """Have another program do something, and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-c", OTHER + code, self.module, self.label, PIN],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    @property
    def options(self) -> tuple[str, ...]:
        """What ``keys new`` needs to be told."""
        return ("--provider", "pkcs11", "--module", self.module)


@contextmanager
def opened(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chip]:
    """Give a chip with one empty token; afterwards nobody may be logged in any more."""
    require_tool("softhsm2-util")
    tokens = directory / "tokens"
    tokens.mkdir()
    configuration = directory / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tokens}\nlog.level = ERROR\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(configuration))
    import pkcs11

    from twincli.keystore.providers import pkcs11 as chips

    chip = Chip(directory)
    try:
        yield chip
        assert chips._logins == {}
    finally:
        # The next test's tokens are in another directory, which SoftHSM reads when it starts.
        chips._logins.clear()
        pkcs11.lib(os.path.realpath(chip.module)).finalize()
