"""What a command is given: the command line's options, and what they open.

Light on purpose: the commands that never load Typer use it too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import cached_property

from twincli import config
from twincli.cli.opened import NOTHING, Creates, Opened
from twincli.cli.options import Options, WriteOptions, option_key
from twincli.cli.result import Mode
from twincli.errors import ConfigError, NotFoundError, TwinError, UsageError
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from twincli.client import LedgerClient
    from twincli.keystore.keyfile import SecretSource
    from twincli.services.workspace import Audit, Workspace


class Context(Opened):
    """One run of one command; it does not change.

    Args:
        options: The shared options.
        writes: The options of a write to the ledger.
        argv: The command line as typed, for the retry that an error names.
        creates: What the command may make where it is missing.
        command: Its words, such as ``asset append``.
    """

    writes: WriteOptions
    argv: tuple[str, ...]
    command: str
    _at_end: list[Callable[[], None]]
    _identities: tuple[str, ...]

    def __init__(
        self,
        options: Options,
        *,
        writes: WriteOptions | None = None,
        argv: tuple[str, ...] = (),
        creates: Creates = NOTHING,
        command: str = "",
    ) -> None:
        writes = writes or WriteOptions()
        self.__dict__.update(
            options=options,
            writes=writes,
            argv=argv,
            creates=creates,
            command=command,
            wait=writes.wait or "commit",
            _warnings=[],
            _at_end=[],
            _identities=(),
        )

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
        """Do what `at_end` asked for, and close what was opened."""
        while self._at_end:
            self._at_end.pop()()
        super().close()

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
    def keys(self) -> tuple[str, ...]:
        """The keys named by ``--key``."""
        return self.options.key

    @property
    def default_key(self) -> str | None:
        """The key for a CREATE when nothing else says, from TWIN_KEY or the settings file."""
        setting = self.settings.key
        return None if setting.source in {"--key", "default"} else str(setting.value)

    def refuse(self, *names: str) -> None:
        """Refuse shared options that mean nothing to a command, such as ``key``.

        Raises:
            UsageError: One of them was given; it would be ignored silently.
        """
        for name in names:
            if getattr(self.options, option_key(name)):
                raise UsageError(f"--{name} does not apply here", hint="leave it out")

    @cached_property
    def mode(self) -> Mode:
        """How to print the result."""
        options = self.options
        form = "json" if options.json else "jsonl" if options.jsonl else "auto"
        if options.get is not None:
            form = "get"
        terminal = is_terminal(sys.stdout)
        color = False
        if terminal or form == "auto":
            try:
                setting = self.settings.color
            except ConfigError:
                # A command that prints the place of a broken settings file has to work.
                setting = self.load_settings(read_file=False).color
            color = terminal and config.color_wanted(setting, terminal=terminal)
        return Mode(form, options.get, options.quiet, terminal, color, options.wide)

    def use_identity(self, file: str | None) -> None:
        """Open what is encrypted also with the identities of age in a file; None: there is none.

        Raises:
            InvalidError: ``invalid_identity``.
            NotFoundError: ``no_file``.
        """
        if file is not None:
            from twincli.cli import file_arguments
            from twincli.crypto import age

            data = file_arguments.beginning(file, age.MAX_IDENTITIES + 1)
            self.__dict__["_identities"] = age.identities(data)

    def workspace(self) -> Workspace:
        """Return what a service works with: the rooms of this run and its choices."""
        return self.workspace_of(self.client)

    def workspace_of(self, client: LedgerClient) -> Workspace:
        """Return ``workspace`` with another ledger than the one ``--node`` chooses."""
        return self.workspace_without_ledger()._replace(
            client=client,
            default_key=self.default_key,
            accept_unknown=self.yes,
            audit=self.audit,
        )

    @property
    def audit(self) -> Audit | None:
        """The audit log of the home, None where there is no home, and none is made."""
        from twincli.services.workspace import Audit

        if not os.path.isdir(self.paths.home) and not self.creates.home:
            return None
        return Audit(self.paths.audit, reads=self.settings.audit_reads.value == "on")

    def workspace_or_none(self) -> Workspace | None:
        """Return ``workspace``, None where there is no home, for what can do without one.

        Raises:
            NotFoundError: The ledger that ``--node`` names does not exist.
        """
        try:
            return self.workspace()
        except NotFoundError as error:
            if error.code != "no_home":
                raise
            return None

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
            identities=self._identities,
        )

    def secret_source(self) -> SecretSource:
        """Return what asks for the passphrase of a key, given its name."""
        from twincli.cli.asking import passphrases

        return passphrases.source(self)

    def new_secret_source(
        self, *, no_passphrase: bool = False, for_all: str | None = None
    ) -> SecretSource | None:
        """Return what asks for the passphrase of a new key; None where it is to have none."""
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
            raise TwinError("cancelled", code="declined")

    def warn_before(self, question: str, warning: str) -> None:
        """Ask on a terminal whether to go on; elsewhere the warning is printed with the result.

        Raises:
            TwinError: ``declined``: the answer was no.
        """
        import sys

        if is_terminal(sys.stdin) and is_terminal(sys.stderr) and not self.dry_run:
            self.confirm(question, details=[f"twin: warning: {warning}"])


def is_terminal(stream: Any) -> bool:
    """Say whether a stream, which may be missing or closed, is a terminal."""
    try:
        return bool(stream is not None and stream.isatty())
    except ValueError:  # closed
        return False
