"""One JSON file a key.

::

    keys/alice.json           named in lower case, so that names differ in more than case
    keys/removed/alice.1.json a key that was removed

All of the public part of a file but the name is bound to the sealed secret, and the seed must give
the public key, so neither can be exchanged. ``keyfile`` has the form, ``agent`` and ``external``
the keys that sign without their secret being read here.
"""

from __future__ import annotations

import os
from contextlib import suppress

from twincli import files
from twincli.crypto import canonical
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import (
    ConfigError,
    ConflictError,
    LockedError,
    NotFoundError,
    TwinError,
    UnreachableError,
    UsageError,
)
from twincli.keystore import agent, keyfile
from twincli.keystore.files import make_directory, open_to_others, read_private
from twincli.keystore.keyfile import KeyInfo
from twincli.model import names
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from twincli.crypto.ed25519 import Signer
    from twincli.crypto.sealing import Cost
    from twincli.keystore.keyfile import SecretSource
    from twincli.keystore.providers.external import ExternalSigner

_SUFFIX = ".json"
_REMOVED = "removed"

_Keys = list[KeyInfo]
_Scan = tuple[list[KeyInfo], list[TwinError]]


class UnlockedKey:
    """A key that can sign; its ``repr`` shows no secret.

    Attributes:
        info: The public part.
        keypair: The key pair.
        mnemonic: The phrase, if it was kept.
    """

    __slots__ = ("info", "keypair", "mnemonic")

    def __init__(self, info: KeyInfo, keypair: KeyPair, mnemonic: str | None) -> None:
        self.info = info
        self.keypair = keypair
        self.mnemonic = mnemonic

    @property
    def public_key(self) -> str:
        """The public key, base58."""
        return self.keypair.public_key

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of ``message``."""
        return self.keypair.sign(message)

    def __repr__(self) -> str:
        return f"UnlockedKey({self.info.name!r}, {self.public_key})"


class KeyStore:
    """The keys in one directory. Making the object touches nothing.

    Args:
        directory: Path of the directory; ``create`` makes it.
        cost: Cost of one passphrase check for new keys; ``sealing.DEFAULT_COST`` when not given.
        environment: Gives the variables of programs that sign; they get only a PATH when not given.
        settled: Whether the files, once read, are those of the whole run, changes through this
            object aside; a listing then asks for a thousand keys again and again. A passphrase is
            asked for once then, and what it opened stays in memory.

    Attributes:
        warnings: For the owner of a key that was used.
    """

    def __init__(
        self,
        directory: str,
        *,
        cost: Cost | None = None,
        environment: Callable[[], Mapping[str, str]] = lambda: {"PATH": os.defpath},
        settled: bool = False,
    ) -> None:
        self.directory = directory
        self.environment = environment
        self.warnings: tuple[str, ...] = ()
        self._cost = cost
        self._external: dict[str, ExternalSigner] = {}
        self._agent_fails = False
        self._settled = settled
        self._unlocked: dict[str, Signer] | None = None
        self._opened: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        self._kept: _Scan | None = None
        self._scanned: dict[str, tuple[tuple[int, int, int], KeyInfo]] = {}

    def create(
        self,
        name: str,
        keypair: KeyPair,
        *,
        secret_source: SecretSource | None,
        created: str,
        mnemonic: str | None = None,
        rule: str = "random",
        path: str | None = None,
    ) -> KeyInfo:
        """Write a new key file; it is durable when this returns.

        Args:
            name: See ``names.check``.
            keypair: The key.
            secret_source: Asked for the passphrase once the name is known to be free; None
                stores the secret in plain.
            created: RFC 3339, UTC.
            mnemonic: The phrase to keep with the secret.
            rule: One of ``RULES``.
            path: Derivation path, with rule ``slip10``.

        Raises:
            ConflictError: ``exists``: a key of that name, in whatever case.
            InvalidError: ``invalid_name``.
            ConfigError: ``cannot_write``, ``insecure_permissions``.
            LockedError: No passphrase could be had.
        """
        self.check_new(name)
        info = KeyInfo(
            name=name,
            public_key=keypair.public_key,
            created=created,
            passphrase=secret_source is not None,
            rule=rule,
            path=path,
            has_mnemonic=mnemonic is not None,
        )
        passphrase = None if secret_source is None else secret_source(name)
        self._write_new(self._whole(UnlockedKey(info, keypair, mnemonic), passphrase))
        return info

    def _whole(self, key: UnlockedKey, passphrase: bytes | None) -> dict[str, Any]:
        """Return the document of a key, its secret sealed, or in plain without a passphrase."""
        document = keyfile.head(key.info)
        secret = {"seed": key.keypair.private_key, "mnemonic": key.mnemonic}
        if passphrase is None:
            document.update(secret)
        else:
            from twincli.crypto import sealing

            document["sealed"] = sealing.seal(
                canonical.encode(secret),
                keyfile.forms(passphrase)[0],
                header=keyfile.header(key.info),
                cost=self._cost or sealing.DEFAULT_COST,
            )
        return document

    def reseal(self, key: UnlockedKey, passphrase: bytes | None) -> KeyInfo:
        """Seal a key under another passphrase, at the current cost; durable when this returns.

        A process killed at any moment leaves the old file or the new one.

        Args:
            key: From ``unlock``.
            passphrase: The new one; None keeps the secret in plain.

        Raises:
            NotFoundError: ``not_found``: it was removed or renamed meanwhile.
            ConflictError: ``changed``: its file was changed meanwhile.
            LockedError: ``empty_passphrase``.
            ConfigError: As ``get``; ``cannot_write``.
        """
        info = key.info._replace(passphrase=passphrase is not None)
        document = self._whole(UnlockedKey(info, key.keypair, key.mnemonic), passphrase)
        # Sealing takes a while; a key that was removed meanwhile must not come back.
        with self._changing():
            if self.get(info.name) != key.info:
                raise ConflictError(
                    f"the key {info.name} was changed by another process", code="changed"
                )
            self._kept = None
            files.replace(self._path(info.name), keyfile.to_bytes(document))
        return info

    def create_external(self, info: KeyInfo) -> None:
        """Write the file of a key that lives elsewhere; it is durable when this returns.

        Raises:
            ConflictError: ``exists``: a key of that name, in whatever case.
            InvalidError: ``invalid_name``.
            ConfigError: ``cannot_write``, ``insecure_permissions``.
            UsageError: Its settings hold text that is not UTF-8.
        """
        assert info.provider != keyfile.FILE
        self.check_new(info.name)
        document = keyfile.head(info)
        if keyfile.parse(keyfile.to_bytes(document)) is None:
            raise UsageError(f"the location of the key {info.name} is not UTF-8 text")
        self._write_new(document)

    def _changing(self) -> AbstractContextManager[None]:
        """Return a context in which no other process changes keys, or copies all of them."""
        return files.held(self.directory)

    def _write_new(self, document: dict[str, Any]) -> None:
        name = document["name"]
        self._kept = None
        make_directory(self.directory)
        try:
            with self._changing():
                files.write_new(self._path(name), keyfile.to_bytes(document))
        except ConflictError as error:
            if error.retryable:
                raise
            raise self._taken(name) from error

    def check_new(self, name: str) -> None:
        """Check that a key of this name could be made.

        Raises:
            ConflictError: ``exists``.
            InvalidError: ``invalid_name``.
        """
        names.check(name)
        if os.path.lexists(self._path(name)):
            raise self._taken(name)

    def list(self) -> _Keys:
        """Return all keys by name.

        Raises:
            ConfigError: A file cannot be used; ``scan`` goes on instead.
        """
        keys, faults = self.scan()
        if faults:
            raise faults[0]
        return keys

    def scan(self) -> _Scan:
        """Return all keys by name, and why other files could not be used."""
        if self._kept is not None:
            keys, faults = self._kept
            return [*keys], [*faults]
        found = self._scan()
        if self._settled:
            self._kept = found
        return found

    def _scan(self) -> _Scan:
        try:
            entries = os.listdir(self.directory)
        except FileNotFoundError:
            return [], []
        except OSError as error:
            raise files.cannot("read", self.directory, error) from error
        keys: _Keys = []
        faults: list[TwinError] = []
        for entry in sorted(entries):
            if entry.startswith(".") or not entry.endswith(_SUFFIX):
                continue
            try:
                keys.append(self._scanned_info(entry))
            except FileNotFoundError:
                continue  # removed since it was listed
            except TwinError as error:
                faults.append(error)
        return keys, faults

    def _scanned_info(self, entry: str) -> KeyInfo:
        """Return the public part of a file, read again only if it is not the one read before."""
        path = os.path.join(self.directory, entry)
        status = os.lstat(path) if not os.path.exists(path) else os.stat(path)
        stamp = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
        known = self._scanned.get(entry)
        if known is None or known[0] != stamp:
            known = stamp, keyfile.info_of(self._read(entry.removesuffix(_SUFFIX)))
            self._scanned[entry] = known
        return known[1]

    def get(self, name: str) -> KeyInfo:
        """Return the public part of a key; case does not matter.

        Raises:
            NotFoundError: ``not_found``, with a near name in the hint.
            ConfigError: ``insecure_permissions``, ``damaged_key``, ``newer_version``,
                ``cannot_read``.
        """
        return keyfile.info_of(self._document(name))

    def find(self, public_key: str) -> KeyInfo | None:
        """Return the key with that public key, or None.

        Of several, one without passphrase comes first, then the order of names.

        Raises:
            ConfigError: It was not found, and a file that might hold it cannot be used.
        """
        keys, faults = self.scan()
        found = [info for info in keys if info.public_key == public_key]
        if found:
            return min(found, key=lambda info: info.passphrase)
        if faults:
            raise faults[0]
        return None

    def signer(self, name: str, secret_source: SecretSource | None) -> Signer:
        """Return what signs with a key, wherever the key is.

        A key with a passphrase is the agent's, if it holds the key.

        Args:
            name: Its name.
            secret_source: Asked for the passphrase or PIN if there is one.

        Raises:
            NotFoundError, LockedError, InvalidError, ConfigError: As ``unlock``, or
                ``external.open_signer`` for a key that lives elsewhere.
        """
        if self._unlocked is None:
            return self._signer(name, secret_source)
        if name not in self._unlocked:
            self._unlocked[name] = self._signer(name, secret_source)
        return self._unlocked[name]

    def keep_unlocked(self) -> None:
        """Keep what `signer` returns from now on in memory, for those who sign many times."""
        self._unlocked = {}

    def _signer(self, name: str, secret_source: SecretSource | None) -> Signer:
        info = self.get(name)
        self._warn()
        if info.provider != keyfile.FILE:
            return self._external_signer(info, secret_source)
        # A key without a passphrase needs no agent, and must not wait for one that hangs.
        if info.passphrase and info.public_key in self.held():
            return agent.AgentSigner(
                self.directory, info.public_key, lambda: self.unlock(name, secret_source)
            )
        return self.unlock(name, secret_source).keypair

    def _warn(self) -> None:
        """Add a warning if others could replace the key that is used."""
        try:
            fault = open_to_others(self.directory)
        except OSError:
            return  # it went away since the key was read
        if fault is not None:
            self.warnings = (f"{fault}: chmod 700 {self.directory}",)

    def held(self) -> frozenset[str]:
        """Return the public keys that the agent holds, for which nothing is asked.

        An agent that cannot be used counts as missing, and passphrases are asked for;
        ``agent.status`` reports what is wrong with it. It is waited for once.
        """
        if self._agent_fails:
            return frozenset()
        try:
            found = agent.status(self.directory)
        except TwinError:
            self._agent_fails = True
            return frozenset()
        return frozenset(key["public_key"] for key in found["keys"]) if found else frozenset()

    def _external_signer(self, info: KeyInfo, secret_source: SecretSource | None) -> Signer:
        from twincli.keystore.providers import external

        signer = self._external.get(info.public_key)
        if signer is None:
            signer = external.open_signer(info, secret_source, self.environment)
            self._external[info.public_key] = signer
        return signer

    def close(self) -> None:
        """Log out of the chips that have signed."""
        while self._external:
            self._external.popitem()[1].close()

    def unlock(self, name: str, secret_source: SecretSource | None) -> UnlockedKey:
        """Return a key whose secret is in its file.

        Args:
            name: Its name.
            secret_source: Asked for the passphrase if there is one.

        Raises:
            NotFoundError: ``not_found``.
            LockedError: ``locked``: a passphrase is needed and ``secret_source`` is None;
                ``bad_passphrase``; ``no_secret_here``: the key lives elsewhere.
            InvalidError: ``damaged_key``: altered or damaged, such as a seed that does not give
                the public key; ``unknown_algorithm``, ``cost_out_of_bounds``.
            ConfigError: As ``get``.
        """
        document = self._document(name)
        self._warn()
        info = keyfile.info_of(document)
        if info.provider != keyfile.FILE:
            raise keyfile.no_secret_here(info)
        if info.passphrase:
            known = self._opened.get(name)
            if known is None or known[0] != document:
                known = document, self._unseal(document, info, secret_source)
            if self._settled:
                self._opened[name] = known
            secret = known[1]
        else:
            secret = {"seed": document["seed"], "mnemonic": document.get("mnemonic")}
        seed = keyfile.seed_of(secret["seed"])
        if seed is None:
            raise keyfile.damaged(info.name, "its seed is malformed")
        keypair = KeyPair.from_seed(seed)
        if keypair.public_key != info.public_key:
            raise keyfile.damaged(info.name, "its seed does not match its public key")
        return UnlockedKey(info, keypair, secret["mnemonic"])

    def _unseal(
        self, document: dict[str, Any], info: KeyInfo, secret_source: SecretSource | None
    ) -> dict[str, Any]:
        if secret_source is None:
            raise LockedError(f"the key {info.name} needs its passphrase")
        # A source that asks people has ``wrong``, which says whether it asks again.
        wrong = getattr(secret_source, "wrong", None)
        while True:
            data = _opened(document["sealed"], secret_source(info.name), keyfile.header(info))
            if data is not None:
                break
            if wrong is None or not wrong(info.name):
                raise LockedError(
                    f"the passphrase of the key {info.name} is wrong", code="bad_passphrase"
                )
        secret = keyfile.parse(data)
        if not isinstance(secret, dict) or not isinstance(secret.get("seed"), str):
            raise keyfile.damaged(info.name, "the sealed secret has no seed")
        return {"seed": secret["seed"], "mnemonic": secret.get("mnemonic")}

    def rename(self, old: str, new: str) -> KeyInfo:
        """Give a key another name; no passphrase is needed.

        A process killed in between leaves the key under both names.

        Raises:
            NotFoundError: ``not_found``.
            ConflictError: ``exists``.
            InvalidError: ``invalid_name``.
            ConfigError: As ``get`` and ``create``.
        """
        names.check(new)
        self._kept = None
        try:
            identity = files.identify(self._path(old)) if keyfile.is_name(old) else (0, 0)
        except FileNotFoundError as error:
            raise self._not_found(old) from error
        document = self._document(old)
        renamed = keyfile.info_of(document)._replace(name=new)
        make_directory(self.directory)
        data = keyfile.to_bytes({**document, "name": new})
        with self._changing():
            if names.fold(old) == names.fold(new):
                files.replace(self._path(new), data)
                return renamed
            try:
                files.write_new(self._path(new), data)
            except ConflictError as error:
                if error.retryable:
                    raise
                raise self._taken(new) from error
            # Another process may have removed it under its old name.
            with suppress(FileNotFoundError):
                files.unlink(self._path(old), identity)
        return renamed

    def remove(self, name: str, *, shred: bool = False) -> str | None:
        """Take a key out of the store.

        A damaged file can be removed, too, but not a missing one.

        Args:
            name: Its name.
            shred: Overwrite and erase it instead of keeping it in ``removed/``.

        Returns:
            Where the file is now, or None if it was erased.

        Raises:
            NotFoundError: ``not_found``.
            ConfigError: ``cannot_write``.
        """
        path = self._path(name)
        self._kept = None
        if not keyfile.is_name(name) or not os.path.lexists(path):
            raise self._not_found(name)
        if shred:
            self._have_forgotten(name)
            try:
                with self._changing():
                    files.shred(path)
            except FileNotFoundError as error:
                raise self._not_found(name) from error
            return None
        directory = os.path.join(self.directory, _REMOVED)
        make_directory(directory)
        try:
            with self._changing():
                return files.move_aside(path, directory, names.fold(name))
        except FileNotFoundError as error:
            raise self._not_found(name) from error

    def _have_forgotten(self, name: str) -> None:
        """Make the agent forget a key that is about to be erased."""
        try:
            agent.forget(self.directory, self.get(name).public_key)
        except (ConfigError, UnreachableError):
            return  # a damaged file, or an agent of no use; the file is erased all the same

    def _path(self, name: str) -> str:
        return os.path.join(self.directory, names.fold(name) + _SUFFIX)

    def _document(self, name: str) -> dict[str, Any]:
        if not keyfile.is_name(name):
            raise self._not_found(name)
        try:
            return self._read(names.fold(name))
        except FileNotFoundError as error:
            raise self._not_found(name) from error

    def _read(self, stem: str) -> dict[str, Any]:
        path = os.path.join(self.directory, stem + _SUFFIX)
        document = keyfile.parse(read_private(path))
        fault = keyfile.fault(document, stem)
        if fault == "newer":
            raise ConfigError(
                f"{path} was written by a newer twincli (version {document['version']})",
                code="newer_version",
                hint="upgrade twincli",
            )
        if fault:
            raise ConfigError(
                f"{path} is not a key file: {fault}", code="damaged_key", hint=keyfile.DAMAGED_HINT
            )
        checked: dict[str, Any] = document
        return checked

    def _taken(self, name: str) -> ConflictError:
        return ConflictError(
            f"a key named {names.fold(name)!r} already exists",
            code="exists",
            hint=f"twin keys show {name}, or choose another name",
        )

    def _not_found(self, name: str) -> NotFoundError:
        known = [info.name for info in self.scan()[0]]
        near = names.near(name, known)
        if near:
            hint = f"did you mean {near}?"
        elif known:
            hint = "twin keys list shows the keys here"
        else:
            hint = "there are no keys yet: make one with twin keys new NAME"
        return NotFoundError(f"there is no key named {name!r}", hint=hint)


def _opened(sealed: dict[str, Any], passphrase: bytes, header: dict[str, Any]) -> bytes | None:
    """Return a sealed secret, None if the passphrase is wrong in every form of its text."""
    from twincli.crypto import sealing

    for form in keyfile.forms(passphrase):
        try:
            return sealing.open_sealed(sealed, form, header=header)
        except LockedError as error:
            if error.code != "bad_passphrase":
                raise
    return None
