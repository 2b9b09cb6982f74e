"""Keys whose secret lives elsewhere: adding a key that a chip or a program holds.

Each has to sign once before its file is written, so that nothing is ever paid to a key that cannot
sign.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import ConflictError, UsageError
from twincli.keystore.keyfile import KeyInfo
from twincli.keystore.providers import external, source
from twincli.services.keys.keys import check_name, document, present_key, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from twincli.services.documents import Key
    from twincli.services.keys.keys import NewKey
    from twincli.services.workspace import Workspace


def new_pkcs11(
    workspace: Workspace,
    wanted: NewKey,
    *,
    module: str,
    token: str | None = None,
    label: str | None = None,
    key_id: str | None = None,
    generate: bool = False,
) -> Key:
    """Add a key that a token holds, or have the token make one.

    A dry run checks, looks for the token and asks for nothing; unknown values are null.

    Args:
        workspace: Rooms; its ``secrets`` give the token's PIN.
        wanted: The key. With ``if_missing`` it must be in that place.
        module: Path of the PKCS#11 module.
        token: Label or serial number of the token, where there are several.
        label: Label of the key; of a new one the name when not given.
        key_id: Its id in hex; of a new one random when not given.
        generate: Make a key that cannot leave the token; without it the token already has one.

    Returns:
        ``twin.key/1``.

    Raises:
        UsageError: ``key_id`` is not hex.
        ConflictError: ``exists``, ``ambiguous``.
        TwinError: As ``external.open_signer``.
    """
    import os

    place = {
        "module": os.path.abspath(os.path.expanduser(module)),
        "token": token,
        "label": label,
        "id": _hex(key_id),
    }

    def make(planned: KeyInfo) -> KeyInfo:
        chips = external.pkcs11()
        opened = chips.generated if generate else chips.adopted
        with opened(wanted.name, chips.Place(**place), workspace.secrets) as found:
            info = planned._replace(
                public_key=found.public_key, settings=found.settings, passphrase=found.needs_pin
            )
            workspace.keystore.create_external(info)
        return info

    planned = _planned(workspace, wanted, "pkcs11", place)
    return _new(workspace, planned, make, if_missing=wanted.if_missing)


def new_command(
    workspace: Workspace, wanted: NewKey, *, command: str, timeout: float | None = None
) -> Key:
    """Add a key that a program signs with; the protocol is ``docs/sign-command.md``.

    A dry run checks and looks for the program without running it; unknown values are null.

    Args:
        workspace: Rooms.
        wanted: The key. With ``if_missing`` it must be behind that program.
        command: Program and arguments, quoted as for a shell, which is not used.
        timeout: Seconds for one answer; ``command.TIMEOUT`` when not given.

    Returns:
        ``twin.key/1``.

    Raises:
        UsageError: ``command`` cannot be split into words.
        ConflictError: ``exists``.
        TwinError: As ``external.open_signer`` and ``ExternalSigner.sign``.
    """
    from twincli.keystore.providers.command import TIMEOUT, Program

    settings = {"command": _words(command), "timeout": TIMEOUT if timeout is None else timeout}

    store = workspace.keystore

    def make(planned: KeyInfo) -> KeyInfo:
        program = Program.of(wanted.name, settings, store.environment)
        info = planned._replace(public_key=program.public_key())
        signer = external.ExternalSigner(info, program._replace(key=info.public_key))
        signer.sign(source.proof_message())
        store.create_external(info)
        return info

    planned = _planned(workspace, wanted, "command", settings)
    return _new(workspace, planned, make, if_missing=wanted.if_missing)


def _planned(
    workspace: Workspace, wanted: NewKey, provider: str, settings: dict[str, Any]
) -> KeyInfo:
    """Return a key's public part, except the public key, which only its holder knows."""
    return KeyInfo(
        name=wanted.name,
        public_key="",
        created=timestamp(workspace),
        passphrase=False,
        rule="external",
        path=None,
        has_mnemonic=False,
        provider=provider,
        settings=settings,
    )


def _new(
    workspace: Workspace,
    planned: KeyInfo,
    make: Callable[[KeyInfo], KeyInfo],
    *,
    if_missing: bool,
) -> Key:
    name = planned.name
    present = present_key(workspace, name) if if_missing else None
    if present is not None:
        return _kept(present, planned)
    check_name(workspace, name)
    external.look(planned)
    if workspace.dry_run:
        return {
            "schema": "twin.key/1",
            "name": name,
            "public_key": None,
            "did": None,
            "rule": planned.rule,
            "path": None,
            "created": None,
            "passphrase": None,
            "has_mnemonic": False,
            "provider": planned.provider,
            "settings": planned.settings or {},
        }
    try:
        return document(make(planned))
    except ConflictError:
        present = present_key(workspace, name) if if_missing else None
        if present is None:
            raise
        return _kept(present, planned)  # another process was faster


def _kept(present: KeyInfo, planned: KeyInfo) -> Key:
    """Return the document of a key that already exists, if it is in the place asked for."""
    settings = present.settings or {}
    asked = {key: value for key, value in (planned.settings or {}).items() if value is not None}
    if present.provider != planned.provider or any(
        settings.get(key) != value for key, value in asked.items()
    ):
        raise ConflictError(
            f"the key {present.name} already exists, and it lives elsewhere",
            code="exists",
            hint=f"twin keys show {present.name}",
        )
    return {**document(present), "created": False}


def _hex(text: str | None) -> str | None:
    """Return an id as settings hold it; ``0x`` and colons between bytes are dropped."""
    if text is None:
        return None
    try:
        value = bytes.fromhex(text.removeprefix("0x").replace(":", ""))
    except ValueError as error:
        raise UsageError(f"--id takes hex digits, two for a byte, not {text!r}") from error
    return value.hex() or None


def _words(command: str) -> list[str]:
    """Return program and arguments; the program by its path, whatever PATH says later."""
    import os
    import shlex
    import shutil

    try:
        words = shlex.split(command, posix=os.name == "posix")
    except ValueError as error:
        raise UsageError(
            f"--command cannot be split into words: {str(error).lower()}",
            hint="quote as for a shell: --command 'python3 /opt/sign.py \"a b\"'",
        ) from error
    if not words:
        raise UsageError("--command is empty")
    program = os.path.expanduser(words[0])
    found = shutil.which(program)
    return [os.path.abspath(found) if found else program, *words[1:]]
