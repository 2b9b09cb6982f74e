"""Open what is encrypted: with a key that may read it now, and that somebody made a wrap for.

Roles, scopes and ends of grants are judged before a wrap is used, by the workspace's clock. What is
opened stays in memory.
"""

from __future__ import annotations

from twincli.crypto import age
from twincli.errors import ConfigError, InvalidError, LockedError
from twincli.keystore import keyfile
from twincli.rules.authority import AUTHORISED, DOWNLOAD, PRIVATE
from twincli.services import resolve
from twincli.services.access import Access
from twincli.services.audit import trail
from twincli.services.privacy import locks, private
from twincli.values import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from twincli.keystore.keyfile import KeyInfo
    from twincli.model.encryption import History
    from twincli.model.manifest import Entry
    from twincli.model.private import Secret
    from twincli.rules.authority import Verdict
    from twincli.services.privacy.locks import Lock
    from twincli.services.privacy.shelf import Shelf
    from twincli.services.workspace import Workspace

_WHY = {
    "expired": "its grant is over",
    "revoked": "its grant was revoked",
    "ended": "its grant ended when the twin changed hands",
    "scope": "its grant does not include it",
    PRIVATE: "the scope of its grant is private, and could not be opened here",
    DOWNLOAD: "its grant denies downloads",
    "no_block_time": "this network has no time of its own to judge the grant by",
    "unknown_record": "the twin has a record that this version does not know",
}


_CHIP = "a key in a chip or behind a program cannot decrypt"


class Keyring(NamedTuple):
    """What opens a stream or file.

    Attributes:
        lock: What it opens.
        history: Its epochs.
        secrets: The identities of epochs, by their numbers.
        key: The name of the key that opened the newest of them.
    """

    lock: Lock
    history: History
    secrets: dict[int, str]
    key: str

    def present(self, entry: Entry) -> Entry:
        """Return a chunk, or what it was encrypted again as."""
        again = self.history.sealed.get(entry.cid)
        return entry if again is None else entry._replace(cid=again.cid, size=again.size)

    def open(self, data: bytes) -> bytes:
        """Return what was encrypted.

        Raises:
            LockedError: ``no_grant``: it is of an epoch that no key here opens.
            InvalidError: ``damaged_content``.
        """
        # The newest first: that is what most is encrypted to.
        return age.open_sealed(data, reversed(self.secrets.values()))


def keyring(
    workspace: Workspace, shelf: Shelf, lock: Lock, *, by: str | None = None, download: bool = False
) -> Keyring:
    """Return what opens a stream or file: with ``--key``, else with the local keys that fit.

    The audit log has it, or that it was refused, before anything is opened.

    Args:
        workspace: Rooms.
        shelf: Where wraps are.
        lock: What is to be opened.
        by: The command, for the audit log; None: only to write or to grant, which notes itself.
        download: Whether it is to be written to a file, which a grant may deny.

    Raises:
        LockedError: ``no_grant``: no key may read it; ``missing_wrap``; ``locked``: a passphrase.
        ConfigError: ``missing_extra``.
    """
    age.load()
    tried = _Tried(workspace, shelf, lock, download=download)
    tried.is_quiet = by is None
    for info in tried.candidates():
        tried.use(info)
        if len(tried.secrets) == len(tried.history.epochs):
            break
    if not tried.secrets:
        error = tried.error()
        if by is not None and error.code == "no_grant":
            _note(workspace, lock, trail.REFUSED, by, tried.refused, error.message)
        raise error
    key = tried.keys[max(tried.secrets)]
    if by is not None:
        public_key = workspace.keystore.get(key).public_key
        _note(workspace, lock, trail.DECRYPTED, by, public_key)
    return Keyring(lock, tried.history, dict(sorted(tried.secrets.items())), key)


def _note(
    workspace: Workspace,
    lock: Lock,
    what: str,
    by: str,
    party: str | None,
    reason: str | None = None,
) -> None:
    try:
        trail.note(
            workspace,
            what,
            twin=lock.twin_id,
            party=party,
            stream=lock.name if lock.kind == locks.STREAM else None,
            kind=None if lock.kind == locks.STREAM else lock.kind,
            reason=reason,
            by=by,
            durable=what == trail.DECRYPTED,
        )
    except ConfigError as error:
        if what == trail.REFUSED:
            return  # why it was refused is what people have to know
        raise error.reworded(
            f"what is encrypted is opened only where the audit log can note it: {error.message}",
            hint="make the home writable, or read in a copy of it: --home COPY",
        ) from error


class _Tried:
    """Keys being tried."""

    def __init__(self, workspace: Workspace, shelf: Shelf, lock: Lock, *, download: bool) -> None:
        self.workspace, self.shelf, self.lock = workspace, shelf, lock
        self.wanted = lock.wanted._replace(download=download)
        self.history = locks.history(workspace, lock)
        self.secrets: dict[int, str] = {}
        self.keys: dict[int, str] = {}
        self._why: dict[str, str] = {}
        self._hidden: dict[str, dict[int, str]] = {}
        self._own: dict[str, str | None] = {}
        self.is_quiet = False
        self._missing: list[str] = []
        self._locked: LockedError | None = None

    def candidates(self) -> Iterator[KeyInfo]:
        """Yield the keys that may read it, those without a passphrase first."""
        workspace, lock = self.workspace, self.lock
        if workspace.keys:
            infos = [workspace.keystore.get(name) for name in dict.fromkeys(workspace.keys)]
        else:
            infos = sorted(workspace.keystore.scan()[0], key=lambda info: info.passphrase)
        access = Access(workspace, lock.twin_id)
        for info in infos:
            verdict = access.verdict(info.public_key, self.wanted)
            if verdict.why == PRIVATE:
                verdict = self._looked_into(access, info, verdict)
            if verdict.standing == AUTHORISED:
                yield info
            else:
                self._why[info.name] = _WHY.get(verdict.why, "")

    def _looked_into(self, access: Access, info: KeyInfo, verdict: Verdict) -> Verdict:
        """Return what a key may by its private grants, as far as it opens them."""
        found: dict[str, Secret] = {}
        for hidden in private.of_twin(self.workspace, self.lock.twin_id).values():
            for secret in self._secrets(info):
                opened = hidden.opened(self.shelf, info.public_key, secret)
                if opened is not None:
                    found[hidden.tx_id] = opened
                    break
        scopes = {tx_id: private.scope_of(each) for tx_id, each in found.items()}
        verdict = access.verdict(info.public_key, self.wanted, scopes)
        if verdict.standing == AUTHORISED and verdict.via in found:
            self._hidden[info.name] = private.identities(found[verdict.via], self.lock.what)
        return verdict

    def use(self, info: KeyInfo) -> None:
        """Open the epochs that a key opens."""
        hidden = self._hidden.get(info.name, {})
        for number in hidden.keys() - self.secrets.keys():
            self.secrets[number], self.keys[number] = hidden[number], info.name
        wanted = [
            (epoch.number, epoch.wraps_of(info.public_key))
            for epoch in self.history.epochs
            if epoch.number not in self.secrets
        ]
        wrapped = [(number, wraps) for number, wraps in wanted if wraps]
        if not wrapped and hidden:
            return
        if not wrapped:
            self._why[info.name] = "nobody encrypted it to this key"
            return
        if info.provider != keyfile.FILE and not self.workspace.identities:
            self._why[info.name] = _CHIP
            return
        for number, wraps in wrapped:
            for wrap in wraps:
                data = self.shelf.wrap(wrap.cid)
                if data is None:
                    self._missing.append(wrap.cid)
                    continue
                secrets = (_identity(data, each) for each in self._secrets(info))
                secret = next((each for each in secrets if each is not None), None)
                if secret is not None:
                    self.secrets[number], self.keys[number] = secret, info.name
                    break

    def _secrets(self, info: KeyInfo) -> Iterator[str]:
        """Yield the identities that may open what is for a key; it is unlocked last, and once."""
        yield from self.workspace.identities
        if info.provider != keyfile.FILE:
            return
        if info.name not in self._own:
            self._own[info.name] = self._unlocked(info)
        own = self._own[info.name]
        if own is not None:
            yield own

    def _unlocked(self, info: KeyInfo) -> str | None:
        workspace = self.workspace
        asks = info.passphrase and self.is_quiet
        if asks and (workspace.dry_run or info.public_key in workspace.keystore.held()):
            # A dry run unlocks nothing; the agent signs without a question, and decrypts nothing.
            return None
        try:
            key = workspace.keystore.unlock(info.name, workspace.secrets)
        except LockedError as error:
            self._locked = self._locked or error
            return None
        return age.of_seed(key.keypair.seed).secret

    @property
    def refused(self) -> str | None:
        """The one key that was named, if it was one."""
        names = self.workspace.keys
        return self.workspace.keystore.get(names[0]).public_key if len(names) == 1 else None

    def error(self) -> LockedError:
        """Return why nothing could be opened."""
        if self._locked is not None:
            return self._locked
        what = f"the {self.lock.kind} {self.lock.name}"
        if self._missing:
            return LockedError(
                f"{what} is encrypted, and what opens it is not here: it was shredded, or has not"
                " arrived",
                code="missing_wrap",
                hint=f"twin file get {self._missing[0]} --node URL -o FILE fetches it",
            )
        names = self.workspace.keys
        who = " and ".join(names) or "no key here"
        why = self._why.get(names[0], "") if len(names) == 1 else ""
        because = f": {why}" if why else ""
        if why == _CHIP:
            return LockedError(
                f"{what} is encrypted, and {who} cannot open it{because}",
                code="no_grant",
                hint="--identity FILE names the identity of age whose recipient the grant has",
            )
        to = names[0] if len(names) == 1 else "KEY"
        twin_id = self.lock.twin_id
        twin = resolve.asset_name(self.workspace, twin_id) or twin_id
        return LockedError(
            f"{what} is encrypted, and {who} {'cannot' if names else 'can'} open it{because}",
            code="no_grant",
            hint=f"its owner can allow it: twin grant add {twin} --to {to} --role viewer",
        )


def _identity(data: bytes, secret: str) -> str | None:
    """Return the identity in a wrap, None where somebody wrote something else."""
    try:
        opened = age.open_sealed(data, [secret]).decode("ascii").strip()
        age.load().x25519.Identity.from_str(opened)
    except (LockedError, InvalidError, UnicodeDecodeError, age.load().IdentityError):
        return None
    return opened


def cids_of(history: History) -> Iterable[str]:
    """Return the CIDs of all wraps of a stream or file."""
    return dict.fromkeys(wrap.cid for epoch in history.epochs for wrap in epoch.wraps)
