"""Signals to end a long write are taken like Ctrl-C, so that it says how far it came."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager

from twincli.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def told() -> Iterator[None]:
    """Raise KeyboardInterrupt for SIGTERM, and for SIGHUP unless that is ignored."""
    with _handled(signal.default_int_handler, _ENDING):
        yield


class Whole:
    """What is done inside a ``with`` of this is done whole before Ctrl-C ends it.

    A second Ctrl-C ends it at once: it may wait for a reader that reads no more.
    """

    def __init__(self) -> None:
        self._is_busy = False
        self._is_due = False

    def __enter__(self) -> None:
        self._is_busy = True

    def __exit__(self, kind: object, *_: object) -> None:
        self._is_busy = False
        if self._is_due and kind is None:  # an error on its way out ends it too, and says more
            raise KeyboardInterrupt

    def is_due(self) -> bool:
        """Say whether it is to end: what is done inside may look, and end earlier."""
        return self._is_due

    def take(self, *_: object) -> None:
        """Take a signal."""
        if not self._is_busy or self._is_due:
            raise KeyboardInterrupt
        self._is_due = True


@contextmanager
def between() -> Iterator[Whole]:
    """Raise KeyboardInterrupt for Ctrl-C and signals to end, but not inside of what is whole."""
    whole = Whole()
    with _handled(whole.take, (signal.SIGINT, *_ENDING)):
        yield whole


@contextmanager
def noted() -> Iterator[threading.Event]:
    """Yield what is set by Ctrl-C and signals to end, so that what was read is recorded."""
    stopped = threading.Event()
    with _handled(lambda *_: stopped.set(), (signal.SIGINT, *_ENDING)):
        yield stopped


_ENDING = (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM))


@contextmanager
def _handled(handler: Callable[..., object], numbers: tuple[int, ...]) -> Iterator[None]:
    """Take signals that nobody ignores or takes otherwise."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread gets signals
        return
    before = {
        number: signal.signal(number, handler)
        for number in dict.fromkeys(numbers)
        if signal.getsignal(number) in {signal.SIG_DFL, signal.default_int_handler}
    }
    try:
        yield
    finally:
        for number, usual in before.items():
            signal.signal(number, usual)
