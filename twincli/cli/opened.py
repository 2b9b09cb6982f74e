"""What a run works with, opened when it is first asked for: settings, keys, names, ledgers.

Nothing of it changes during a run. What was opened stays open until the result is printed.
"""

from __future__ import annotations

import os
from functools import cached_property

from twincli import config
from twincli.errors import ConfigError, UsageError
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twincli.book.store import Book
    from twincli.cli.options import Options
    from twincli.client import LedgerClient
    from twincli.client.embedded import EmbeddedClient
    from twincli.client.tls import Tls
    from twincli.keystore.store import KeyStore
    from twincli.ledger.ledger import Ledger
    from twincli.services.network.networks import Chosen


class Creates(NamedTuple):
    """What a command makes where it is missing; without it, that is an error.

    Attributes:
        home: The home.
        ledger: The home's ledger.
        file: The ledger that ``--node file:PATH`` names.
    """

    home: bool = False
    ledger: bool = False
    file: bool = False


NOTHING = Creates()
HOME = Creates(home=True)
ANY_LEDGER = Creates(home=True, ledger=True, file=True)


class Opened:
    """The settings of a run, and the keys, names and ledgers that it opens.

    Attributes:
        options: The shared options.
        creates: What is made where it is missing.
        wait: What a write on a network waits for.
    """

    options: Options
    creates: Creates
    wait: str
    _warnings: list[str]

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: a run is what its command line says."""
        raise AttributeError(f"{name} does not change during a run")

    def close(self) -> None:
        """Close what was opened."""
        self._remember()
        for name in ("client", "home_ledger", "book", "keystore"):
            opened: Any = self.__dict__.pop(name, None)
            if opened is not None:
                opened.close()

    def _remember(self) -> None:
        """Note what the home has held, so that a later loss is noticed."""
        where: config.Paths | None = self.__dict__.get("paths")
        if where is None or not os.path.isdir(where.home):
            return
        # Most commands make none of it, and need not read what is remembered.
        if not self.creates.home and os.path.exists(where.memory):
            return
        before = config.remembered(where)
        opened: EmbeddedClient | None = self.__dict__.get("home_ledger")
        is_kept = opened is not None and opened.ledger.path != ":memory:"
        ledger = opened.ledger_id if is_kept and opened is not None else before.ledger
        if ledger is None:  # one that this run found to be lost, which would be forgotten here
            ledger = self.__dict__.get("_named_ledger")
        now = config.Memory(
            ledger,
            before.keys or os.path.isdir(where.keys),
            before.names or (os.path.exists(where.book) and os.path.getsize(where.book) > 0),
        )
        if now != before and (now.ledger or now.names):
            config.remember(where, now)

    @cached_property
    def paths(self) -> config.Paths:
        """Where things live; the settings file is not read for it."""
        return config.paths(self.options.home)

    @cached_property
    def settings(self) -> config.Settings:
        """All settings, each with its source."""
        return self.load_settings(read_file=True)

    def load_settings(self, *, read_file: bool) -> config.Settings:
        """Return the settings, also without those of the settings file."""
        options = self.options
        return config.load(
            home=options.home,
            key=options.key[0] if options.key else None,
            node=options.node,
            timeout=options.timeout,
            color=options.color,
            read_file=read_file,
        )

    def need_home(self) -> None:
        """Refuse to go on without a home that this run may not make.

        Raises:
            NotFoundError: ``no_home``.
        """
        is_missing = not os.path.isdir(self.paths.home)
        if is_missing and not self.creates.home and not is_file(self.node):
            config.require_home(self.paths)
        fault = config.lost(self.paths)
        if fault is not None:
            raise fault

    def need_ledger(self) -> None:
        """Refuse to take the home's ledger for one that was never made, when it is lost.

        Raises:
            ConfigError: ``lost_ledger``.
        """
        from twincli.ledger import lost
        from twincli.ledger.files import locate

        where = locate(self.paths.ledger)
        if os.path.exists(where.ledger_db) and os.path.getsize(where.ledger_db):
            return
        memory = config.remembered(self.paths)
        known = memory.ledger
        if memory == config.Memory() and os.path.exists(self.paths.book):
            known = self._named_ledger
        lost.check(where, known)

    @cached_property
    def _named_ledger(self) -> str | None:
        """Return the ledger that the names of a home without memory are bound to, or None."""
        from twincli.book.store import Book
        from twincli.client import copies, profiles

        with Book(self.paths.book) as book:
            named = book.ledgers()
        elsewhere = {item.network[:16] for item in profiles.load(self.paths.nodes).values()}
        elsewhere |= copies.known(self.paths.networks)
        return next((ledger for ledger in named if ledger[:16] not in elsewhere), None)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about the networks and keys that were used."""
        keystore: KeyStore | None = self.__dict__.get("keystore")
        return (*self._warnings, *(() if keystore is None else keystore.warnings))

    def warn(self, warnings: Iterable[str]) -> None:
        """Add warnings to those of the result."""
        self._warnings.extend(item for item in warnings if item not in self._warnings)

    @cached_property
    def keystore(self) -> KeyStore:
        """The key files of this home."""
        self.need_home()
        from twincli.keystore.store import KeyStore

        return KeyStore(self.paths.keys, environment=config.for_programs, settled=True)

    @cached_property
    def book(self) -> Book:
        """The local names of this home."""
        self.need_home()
        from twincli.book.store import Book

        return Book(self.paths.book)

    @property
    def node(self) -> str:
        """The setting ``node``: ``local``, ``file:PATH``, a URL or a network's name."""
        return str(self.settings.node.value)

    @cached_property
    def client(self) -> LedgerClient:
        """The ledger that ``--node`` chooses.

        Raises:
            UsageError, NotFoundError: There is no such ledger, see ``services.networks``.
        """
        if self.node == "local":
            return self.home_ledger
        if is_file(self.node):
            path = self.node.removeprefix("file:")
            return self._ledger_at(path, create=self.creates.file, is_foreign=True)
        self.need_home()
        from twincli.services.network import networks

        profile = networks.find(self.paths.nodes, self.node)
        self.warn(networks.plaintext_warnings(profile))
        return networks.client(
            profile,
            self.paths.networks if os.path.isdir(self.paths.home) else None,
            float(self.settings.timeout.value),
            self.wait,
            self.tls,
        )

    @property
    def tls(self) -> Tls:
        """The certificates that the settings name."""
        from twincli.client.tls import Tls

        settings = self.settings
        return Tls(settings.tls_ca.value, settings.tls_cert.value, settings.tls_key.value)

    @cached_property
    def home_ledger(self) -> EmbeddedClient:
        """The ledger of this home, whatever ``--node`` says; empty before the first asset."""
        self.need_home()
        self.need_ledger()
        return self._ledger_at(self.paths.ledger, create=self.creates.ledger, stand_in=True)

    def _ledger_at(
        self, path: str, *, create: bool, stand_in: bool = False, is_foreign: bool = False
    ) -> EmbeddedClient:
        """Open a ledger.

        Args:
            path: Its directory or file.
            create: Make it where it is missing; a dry run opens an empty one in memory.
            stand_in: Open an empty one in memory where it is missing and not to be made.
            is_foreign: It may be evidence, so reading it writes nothing, not even an index.
        """
        from twincli.client.embedded import EmbeddedClient
        from twincli.ledger.files import locate

        if self.options.dry_run:
            create, stand_in = False, create or stand_in
        if stand_in and not create and not os.path.exists(locate(path).ledger_db):
            path, create = ":memory:", True
        read_only = is_foreign and not create and locate(path) != locate(self.paths.ledger)
        if create and path != ":memory:" and not os.path.exists(locate(path).ledger_db):
            self._check_clock(None)
        client = EmbeddedClient.open(path, create=create, read_only=read_only)
        client.before_write = self._check_write
        return client

    def _check_write(self, ledger: Ledger) -> None:
        """Warn before the first write where something is not as it should be.

        Raises:
            UsageError: ``clock_ahead``.
        """
        self._check_clock(ledger.tip().time_ms)
        self.warn(self.key_warnings(ledger))

    def key_warnings(self, ledger: Ledger) -> list[str]:
        """Return what is wrong with the key of this home's ledger; nothing for others."""
        from twincli.ledger.files import check_key, locate

        where = locate(self.paths.ledger)
        if ledger.path != where.ledger_db:
            return []
        try:
            check_key(where.key, ledger.public_key)
        except ConfigError as error:
            return [f"{error.message}; {error.hint}"]
        return []

    def _check_clock(self, tip_ms: int | None) -> None:
        """Refuse to write with a clock that is far ahead; warn where the ledger is.

        Raises:
            UsageError: ``clock_ahead``.
        """
        from twincli.services.home import clock
        from twincli.services.workspace import now_ms

        where = self.paths
        # Not the files that this very command has just written.
        known = (where.keys, where.settings, where.nodes, os.path.join(where.ledger, "ledger.key"))
        self.warn(clock.check(now_ms(), tip_ms, known, accepted=self.options.yes))

    @property
    def network(self) -> Chosen | None:
        """The network that ``--node`` chooses, None where that is a ledger on this machine."""
        if self.node == "local" or is_file(self.node):
            return None
        from twincli.services.network.networks import Chosen

        timeout = float(self.settings.timeout.value)
        return Chosen(self.node, self.paths.nodes, self.paths.networks, timeout, self.tls)

    @property
    def ledger_path(self) -> str:
        """Where the chosen ledger is, for commands about its files.

        Raises:
            UsageError: ``not_supported``: ``--node`` chooses a network.
        """
        if self.node == "local":
            self.need_ledger()
            return self.paths.ledger
        if is_file(self.node):
            return self.node.removeprefix("file:")
        raise UsageError(
            f"this command needs a ledger on this machine, and {self.node!r} is a network",
            code="not_supported",
            hint="add --node local; to see a network's state: twin node info",
        )

    @property
    def ledger(self) -> Ledger:
        """The ledger at ``ledger_path``.

        Raises:
            UsageError: ``not_supported``.
        """
        if self.ledger_path == self.paths.ledger:
            return self.home_ledger.ledger
        client: Any = self.client
        ledger: Ledger = client.ledger
        return ledger


def is_file(node: str) -> bool:
    """Say whether ``--node`` names a ledger's file."""
    return node.startswith("file:") and node != "file:"
