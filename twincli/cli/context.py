"""What a command is given: the shared options, and what they open.

Light on purpose: the commands that never load Typer use it too. Keys, names and the ledger are
opened when a command first asks for them, and closed after its result has been printed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from twincli import config
from twincli.cli.options import Options, option_key
from twincli.cli.result import Mode
from twincli.errors import ConfigError, TwinError, UsageError

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from twincli.book.store import Book
    from twincli.client import LedgerClient
    from twincli.client.embedded import EmbeddedClient
    from twincli.client.tls import Tls
    from twincli.keystore.keyfile import SecretSource
    from twincli.keystore.store import KeyStore
    from twincli.ledger.ledger import Ledger
    from twincli.services.network.networks import Chosen
    from twincli.services.workspace import Workspace


class Context:
    """One run of one command.

    Args:
        options: The shared options.
        argv: The command line as typed, for the retry that an error names.
        creates_home: Whether this command may create the home.

    Attributes:
        wait: What writes on a network wait for, from ``--wait``; set before ``client`` is asked.
    """

    def __init__(
        self,
        options: Options,
        *,
        argv: tuple[str, ...] = (),
        creates_home: bool = False,
    ) -> None:
        self.options = options
        self.argv = argv
        self.creates_home = creates_home
        self._paths: config.Paths | None = None
        self._settings: config.Settings | None = None
        self._keystore: KeyStore | None = None
        self._book: Book | None = None
        self._client: LedgerClient | None = None
        self._home_ledger: EmbeddedClient | None = None
        self.wait = "commit"
        self._warnings: list[str] = []
        self._at_end: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened, and do what `at_end` asked for."""
        while self._at_end:
            self._at_end.pop()()
        opened: list[Any] = [self._client, self._home_ledger, self._book, self._keystore]
        self._client = self._home_ledger = self._book = self._keystore = None
        for thing in opened:
            if thing is not None:
                thing.close()

    def at_end(self, callback: Callable[[], None]) -> None:
        """Have something done when the run is over, whether it went well or not."""
        self._at_end.append(callback)

    @property
    def yes(self) -> bool:
        """Whether every question is answered with yes."""
        return self.options.yes

    @property
    def dry_run(self) -> bool:
        """Whether nothing may be written or unlocked."""
        return self.options.dry_run

    @property
    def paths(self) -> config.Paths:
        """Where things live; the settings file is not read for it."""
        if self._paths is None:
            self._paths = config.paths(self.options.home)
        return self._paths

    @property
    def settings(self) -> config.Settings:
        """All settings, each with its source."""
        if self._settings is None:
            self._settings = self._load(read_file=True)
        return self._settings

    def _load(self, *, read_file: bool) -> config.Settings:
        options = self.options
        return config.load(
            home=options.home,
            key=options.key[0] if options.key else None,
            node=options.node,
            timeout=options.timeout,
            color=options.color,
            read_file=read_file,
        )

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys named by ``--key``; empty where none is."""
        return self.options.key

    def refuse(self, *names: str) -> None:
        """Refuse shared options that mean nothing to a command, such as ``key``.

        Raises:
            UsageError: One of them was given; it would be passed over without a word.
        """
        for name in names:
            if getattr(self.options, option_key(name)):
                raise UsageError(f"--{name} means nothing here", hint="leave it out")

    @property
    def default_key(self) -> str | None:
        """The key for a CREATE when nothing else says, from TWIN_KEY or the settings file."""
        setting = self.settings.key
        return None if setting.source in {"--key", "default"} else str(setting.value)

    @property
    def mode(self) -> Mode:
        """How to print the result."""
        options = self.options
        if options.json:
            form = "json"
        elif options.jsonl:
            form = "jsonl"
        else:
            form = "get" if options.get is not None else "auto"
        terminal = is_terminal(sys.stdout)
        color = False
        if terminal or form == "auto":
            try:
                setting = self.settings.color
            except ConfigError:
                # What prints the place of a broken settings file has to work.
                setting = self._load(read_file=False).color
            color = terminal and config.color_wanted(setting, terminal=terminal)
        return Mode(form, options.get, options.quiet, terminal, color)

    @property
    def keystore(self) -> KeyStore:
        """The key files of this home."""
        if self._keystore is None:
            self._need_home()
            from twincli.keystore.store import KeyStore

            self._keystore = KeyStore(self.paths.keys, environment=config.for_programs)
        return self._keystore

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the networks and keys that were used give reason to say."""
        of_keys = () if self._keystore is None else self._keystore.warnings
        return (*self._warnings, *of_keys)

    def warn(self, warnings: Iterable[str]) -> None:
        """Have something said on stderr and in the document, beside the result's own."""
        self._warnings += warnings

    @property
    def book(self) -> Book:
        """The local names of this home."""
        if self._book is None:
            self._need_home()
            from twincli.book.store import Book

            self._book = Book(self.paths.book)
        return self._book

    @property
    def client(self) -> LedgerClient:
        """The ledger that ``--node`` chooses.

        Raises:
            UsageError, NotFoundError: It chooses none, see ``services.networks``.
        """
        node = str(self.settings.node.value)
        if node == "local":
            return self.home_ledger
        if self._client is None:
            if is_file(node):
                self._client = self._opened(node.removeprefix("file:"), stand_in=self.creates_home)
            else:
                self._need_home()
                from twincli.services.network import networks

                profile = networks.find(self.paths.nodes, node)
                self._client = networks.client(
                    profile,
                    self.paths.networks if os.path.isdir(self.paths.home) else None,
                    float(self.settings.timeout.value),
                    self.wait,
                    self.tls,
                )
                self.warn(networks.in_the_open(profile))
        return self._client

    @property
    def tls(self) -> Tls:
        """The certificates that the settings name."""
        from twincli.client.tls import Tls

        settings = self.settings
        return Tls(settings.tls_ca.value, settings.tls_cert.value, settings.tls_key.value)

    @property
    def home_ledger(self) -> EmbeddedClient:
        """The ledger of this home, whatever ``--node`` says."""
        if self._home_ledger is None:
            self._need_home()
            self._home_ledger = self._opened(self.paths.ledger, stand_in=True)
        return self._home_ledger

    def _opened(self, path: str, *, stand_in: bool) -> EmbeddedClient:
        """Open a ledger.

        Args:
            path: Its directory or file.
            stand_in: Where it is not there and is not to be made, the first asset is still to
                come: open an empty one without a file.
        """
        from twincli.client.embedded import EmbeddedClient
        from twincli.ledger.files import locate

        create = self.creates_home and not self.dry_run
        if stand_in and not create and not os.path.exists(locate(path).ledger_db):
            path, create = ":memory:", True
        return EmbeddedClient.open(path, create=create)

    @property
    def network(self) -> Chosen | None:
        """The network that ``--node`` chooses, None where that is a ledger on this machine."""
        node = str(self.settings.node.value)
        if node == "local" or is_file(node):
            return None
        from twincli.services.network.networks import Chosen

        timeout = float(self.settings.timeout.value)
        return Chosen(node, self.paths.nodes, self.paths.networks, timeout, self.tls)

    @property
    def ledger_path(self) -> str:
        """Where the ledger is that ``--node`` chooses, for what concerns its files.

        Raises:
            UsageError: ``not_supported``: it chooses a network.
        """
        node = str(self.settings.node.value)
        if node == "local":
            return self.paths.ledger
        if is_file(node):
            return node.removeprefix("file:")
        raise UsageError(
            f"this is about a ledger on this machine, and {node!r} is a network",
            code="not_supported",
            hint="add --node local; how a network is, says: twin node info",
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

    def workspace(self) -> Workspace:
        """Return what a service works with: the rooms of this run and its choices."""
        return self.workspace_of(self.client)

    def workspace_of(self, client: LedgerClient) -> Workspace:
        """Return ``workspace`` with a ledger that ``--node`` does not choose."""
        from twincli.services.workspace import Workspace

        return Workspace(
            client=client,
            keystore=self.keystore,
            book=self.book,
            secrets=self.secret_source(),
            keys=self.keys,
            default_key=self.default_key,
            accept_unknown=self.yes,
            dry_run=self.dry_run,
        )

    def workspace_without_ledger(self) -> Workspace:
        """Return ``workspace`` for what needs keys and names only; no ledger is opened."""
        from twincli.services.workspace import Workspace, no_ledger

        return Workspace(
            client=no_ledger(),
            keystore=self.keystore,
            book=self.book,
            secrets=self.secret_source(),
            keys=self.keys,
            dry_run=self.dry_run,
        )

    def _need_home(self) -> None:
        if not self.creates_home:
            config.require_home(self.paths)

    def secret_source(self) -> SecretSource:
        """Return what asks for the passphrase of a key, given its name."""
        from twincli.cli.asking import passphrases

        return passphrases.source(self)

    def new_secret_source(
        self, *, no_passphrase: bool = False, for_all: str | None = None
    ) -> SecretSource | None:
        """Return what asks for the passphrase of a new key; None where it shall have none."""
        from twincli.cli.asking import passphrases

        return passphrases.new_source(self, no_passphrase=no_passphrase, for_all=for_all)

    def confirm(self, question: str, *, details: Sequence[str] = ()) -> None:
        """Go on only after a yes.

        Args:
            question: What is asked.
            details: Lines to read before it, on the terminal.

        Raises:
            UsageError: There is no terminal to ask on; names ``--yes``.
            TwinError: ``declined``: the answer was no.
        """
        from twincli.cli.asking import confirm

        if not confirm.confirm(question, self, details):
            raise TwinError("nothing was done: the answer was no", code="declined")


def is_file(node: str) -> bool:
    """Say whether ``--node`` names a ledger's file."""
    return node.startswith("file:") and node != "file:"


def is_terminal(stream: Any) -> bool:
    """Say whether a stream, which may be missing or closed, is a terminal."""
    try:
        return bool(stream is not None and stream.isatty())
    except ValueError:  # closed
        return False
