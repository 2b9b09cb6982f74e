"""Keys behind a program: it is given one line of JSON and answers with one.

The protocol is ``docs/sign-command.md``. The program runs without a shell, once a request, in the
user's terminal, so that it may ask there for a PIN or a touch; its stderr is the user's.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from twincli.crypto import base58, canonical, ed25519
from twincli.errors import ConfigError, InvalidError, LockedError, UnreachableError
from twincli.keystore.providers.source import bad_settings
from twincli.values import NamedTuple

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

    from twincli.keystore.providers.source import Environment

PROTOCOL = 1
TIMEOUT = 60.0
"""Seconds for one answer: time enough to find the chip and touch it."""

LONGEST_TIMEOUT = 86400.0
"""Seconds; the system waits for no more than some hundred years, and for no infinity."""

_LONGEST = 65536
_GRACE = 0.2
_SHOWN = 200


class Program(NamedTuple):
    """A program that signs.

    Attributes:
        name: The key's name, for errors.
        words: The program and its arguments.
        timeout: Seconds for one answer.
        environment: Gives the variables that it gets.
        key: The key to sign with, base58; empty until it is known.
    """

    name: str
    words: tuple[str, ...]
    timeout: float
    environment: Environment
    key: str

    @classmethod
    def of(
        cls, name: str, settings: Mapping[str, Any], environment: Environment, key: str = ""
    ) -> Program:
        """Return the program of a key's settings.

        Raises:
            ConfigError: ``bad_settings``.
        """
        words = settings.get("command")
        if (
            not isinstance(words, list)
            or not words
            or not all(isinstance(word, str) and "\0" not in word for word in words)
        ):
            raise bad_settings(name, "command is not a list of words")
        timeout = settings.get("timeout", TIMEOUT)
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
            raise bad_settings(name, "timeout is not a number of seconds")
        if not 0 < timeout <= LONGEST_TIMEOUT:  # nor NaN
            raise bad_settings(name, f"timeout is not from 0 to {LONGEST_TIMEOUT:g} seconds")
        return cls(name, tuple(words), float(timeout), environment, key)

    def public_key(self) -> str:
        """Return the public key that the program says it has, base58.

        Raises:
            ConfigError, LockedError, UnreachableError: As ``sign``.
        """
        key = self._ask({"op": "public_key"}).get("public_key")
        try:
            usable = isinstance(key, str) and ed25519.is_point(base58.decode_key(key))
        except InvalidError:
            usable = False
        if not usable:
            raise self._bad("its public_key is not a public key in base58")
        return str(key)

    def sign(self, message: bytes) -> bytes:
        """Return the program's signature of ``message``.

        Raises:
            ConfigError: ``no_program``, ``program_failed``, ``bad_answer``.
            LockedError: ``declined``: the program says why it does not sign.
            UnreachableError: ``timeout``.
        """
        request = {"op": "sign", "public_key": self.key, "message": message.hex()}
        text = self._ask(request).get("signature")
        if not isinstance(text, str) or len(text) != 128:
            raise self._bad("its signature is not 128 hex digits")
        try:
            return bytes.fromhex(text)
        except ValueError as error:
            raise self._bad("its signature is not 128 hex digits") from error

    def close(self) -> None:
        """Do nothing: a program ends with its answer."""

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        line = json.dumps({"version": PROTOCOL, **request}).encode() + b"\n"
        data, status = self._run(line)
        if len(data) > _LONGEST:
            raise self._bad(f"it is longer than {_LONGEST} bytes")
        answer = _object(data)
        if answer is not None and isinstance(answer.get("error"), str):
            said = answer["error"][:_SHOWN]
            raise LockedError(f"{self._who()} does not sign: {said}", code="declined")
        if status != 0:
            ended = f"status {status}" if status > 0 else f"signal {-status}"
            raise ConfigError(
                f"{self._who()} ended with {ended}",
                code="program_failed",
                hint="see its stderr above; the protocol: docs/sign-command.md",
            )
        if answer is None:
            raise self._bad("it is not one JSON object on one line")
        return answer

    def _run(self, line: bytes) -> tuple[bytes, int]:
        """Run the program, return the beginning of what it wrote and its exit status."""
        import subprocess
        import threading
        import time

        try:
            process = subprocess.Popen(  # noqa: S603 - the owner of the key file names the program
                self.words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                env=dict(self.environment()),
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "its name is not a path"
            raise ConfigError(
                f"the program {self.words[0]} of the key {self.name} cannot be run:"
                f" {reason.lower()}",
                code="no_program",
                hint=f"twin keys show {self.name}",
            ) from error
        answer = bytearray()
        # A thread and not a loop over both pipes: those of Windows cannot be waited for together.
        talk = threading.Thread(target=_talk, args=(process, line, answer), daemon=True)
        talk.start()
        try:
            ends = time.monotonic() + self.timeout
            while talk.is_alive():
                talk.join(max(0.0, min(0.05, ends - time.monotonic())))
                if process.poll() is not None and b"\n" in answer:
                    # It has answered and ended; what it left behind may hold the pipe for long.
                    talk.join(_GRACE)
                    break
                if talk.is_alive() and time.monotonic() >= ends:
                    raise self._late()
            if len(answer) <= _LONGEST:
                process.wait(self.timeout)
        except subprocess.TimeoutExpired as error:
            raise self._late() from error
        finally:
            # Too late, too long, or Ctrl-C: whatever it was, the program does not stay behind.
            # It is in our process group, so that it may ask on the terminal; what it started itself
            # is its own business.
            if process.poll() is None:
                process.kill()
            process.wait()
            talk.join(1.0)
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                pipe.close()
        return bytes(answer), process.returncode

    def _who(self) -> str:
        return f"the program {os.path.basename(self.words[0])} of the key {self.name}"

    def _bad(self, why: str) -> ConfigError:
        return ConfigError(
            f"the answer of {self._who()} cannot be used: {why}",
            code="bad_answer",
            hint="the protocol: docs/sign-command.md",
        )

    def _late(self) -> UnreachableError:
        return UnreachableError(
            f"{self._who()} gave no answer within {self.timeout:g} s",
            code="timeout",
            hint="is it waiting for a touch or a PIN? twin keys new ... --timeout S waits longer",
            retryable=True,
        )


def _talk(process: subprocess.Popen[bytes], line: bytes, answer: bytearray) -> None:
    """Write the request and read the answer, up to the limit."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        rest = memoryview(line)
        while rest:
            rest = rest[process.stdin.write(rest) :]
    except (OSError, ValueError):
        pass  # it does not read; its answer counts all the same
    try:
        process.stdin.close()
        while len(answer) <= _LONGEST and (piece := process.stdout.read(_LONGEST)):
            answer += piece
    except (OSError, ValueError):
        return  # closed after a timeout, while a child of the program still held the pipe


def _object(data: bytes) -> dict[str, Any] | None:
    """Return the JSON object that is the only line of an answer, or None."""
    line, _, rest = data.partition(b"\n")
    if rest.strip():
        return None
    try:
        value = canonical.decode(line)
    except InvalidError:
        return None
    return value if isinstance(value, dict) else None


def look(name: str, settings: Mapping[str, Any]) -> str:
    """Return the program of a key's settings, if it is there.

    Raises:
        ConfigError: ``bad_settings``, ``no_program``.
    """
    program = Program.of(name, settings, dict).words[0]
    if not os.access(program, os.X_OK) or os.path.isdir(program):
        raise ConfigError(
            f"the program {program} of the key {name} is missing or cannot be run",
            code="no_program",
            hint="give its path",
        )
    return program
