"""What a question needs to know of the run that asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twincli import config
    from twincli.cli.options import Options


class Run(Protocol):
    """The part of a run that questions use; `twincli.cli.context.Context` is one."""

    @property
    def options(self) -> Options:
        """The shared options."""
        ...

    @property
    def argv(self) -> tuple[str, ...]:
        """The command line as typed, for the retry that an error names."""
        ...

    @property
    def settings(self) -> config.Settings:
        """All settings."""
        ...

    def warn(self, warnings: Iterable[str]) -> None:
        """Add warnings to those of the result."""
        ...

    def at_end(self, callback: Callable[[], None]) -> None:
        """Have something done when the run is over."""
        ...
