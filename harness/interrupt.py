"""Ctrl-C as a wish: what is in flight is finished, and what was found is kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Interrupt:
    """Whether Ctrl-C was pressed."""

    def __init__(self) -> None:
        self.pressed = False

    def press(self, *_: object) -> None:
        """Note it; a signal handler."""
        self.pressed = True


@contextmanager
def deferred(*, patient: bool = False) -> Iterator[Interrupt]:
    """Within, SIGINT only notes itself; a second one raises KeyboardInterrupt, unless `patient`.

    An exception in the middle of a message between processes would leave half of it in the pipe.
    Only the main thread of a process has signals: elsewhere nothing changes.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return

    def handle(*_: object) -> None:
        if interrupt.pressed and not patient:
            raise KeyboardInterrupt
        interrupt.press()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)
