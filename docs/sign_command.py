#!/usr/bin/env python3
"""A program that signs for twin: the reference of the protocol in sign-command.md.

    twin keys new gps --provider command --command "python3 /path/to/sign_command.py SEEDFILE"

It stands in for a chip with a file of 32 random bytes (mode 0600), made when it is not there yet.
To reach a real chip, replace the class Key; everything else is the protocol.
"""

from __future__ import annotations

import json
import os
import sys

import base58
from nacl.signing import SigningKey


class Key:
    """The stand-in: a seed in a file. A chip would be opened here, and asked for a touch."""

    def __init__(self, path: str) -> None:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(descriptor, "wb") as new:
                new.write(os.urandom(32))
        with open(path, "rb") as file:
            self._key = SigningKey(file.read())

    def public_key(self) -> bytes:
        """Return the 32 bytes of the public key."""
        return bytes(self._key.verify_key)

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature: Ed25519 as in RFC 8032, nothing hashed before."""
        return self._key.sign(message).signature


def answer(request: dict[str, object], key: Key) -> dict[str, str]:
    """Return what is to be said to a request."""
    if request.get("version") != 1:
        return {"error": "this program speaks version 1 of the protocol"}
    mine = base58.b58encode(key.public_key()).decode()
    if request["op"] == "public_key":
        return {"public_key": mine}
    if request["op"] != "sign":
        return {"error": f"there is no operation {request['op']!r}"}
    if request["public_key"] != mine:
        return {"error": f"the key here is {mine}"}
    # Here a chip would be touched; what the user should do is said on stderr.
    return {"signature": key.sign(bytes.fromhex(str(request["message"]))).hex()}


if __name__ == "__main__":
    # One line in, one line out, then the end.
    print(json.dumps(answer(json.loads(sys.stdin.readline()), Key(sys.argv[1]))))
