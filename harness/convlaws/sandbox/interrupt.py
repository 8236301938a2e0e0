"""Handling of SIGINT (Ctrl-C): a command keeps its findings and ends within three seconds, whatever call is running.

Within `deferred_sigint()` the first SIGINT only sets a flag: the loop checks it, stops, and reports its findings. A call in the
sandbox that takes longer is cut off (see `overdue`). A second SIGINT ends everything at once; outside, the first one does.

In a notebook or a test, "at once" means Python's KeyboardInterrupt. A command calls `guard` instead, and then SIGINT raises
nothing: if an exception is raised in a callback of an import or of the garbage collector, Python prints a traceback and goes on.
The signal handler ends the process directly; a thread does so if the command does not stop in time.
"""

from __future__ import annotations

import atexit
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import inf
from typing import NoReturn

MOMENT = 0.4  # seconds that a running call may continue after Ctrl-C
PATIENCE = 2.2  # seconds from Ctrl-C until `leave` ends a command that has not ended by itself
INTERRUPTED = 130  # exit code
LAST = 0.3  # seconds to wait for killed processes to end
FOLDER = "/proc"
ENDED = (b"Z", b"X")  # states of a process that has ended and was not waited for
PR_SET_CHILD_SUBREAPER = 36

Keeper = Callable[[], str]
_open: list[Interrupt] = []  # the `deferred_sigint` block that the main thread is in
_keepers: list[Keeper] = []
_leaving = threading.Lock()
_guarded: list[int] = []  # the id of the guarded process; a fork of it is not guarded


class Interrupted(KeyboardInterrupt):
    """A call was cut off because Ctrl-C was pressed more than `MOMENT` seconds ago."""


class Interrupt:
    """The state of Ctrl-C: if it was pressed, and when."""

    def __init__(self) -> None:
        self.requested, self.since = False, inf

    def press(self, *_: object) -> None:
        """Record that it was pressed; can be a signal handler."""
        self.since = min(self.since, time.monotonic())
        self.requested = True

    def waited(self, seconds: float) -> bool:
        """True if it was pressed more than `seconds` ago."""
        return time.monotonic() - self.since > seconds


def cut_off() -> None:
    """Interrupt the main thread's `deferred_sigint` block and cut off its running call; can be called from another thread."""
    for interrupt in _open:
        interrupt.requested, interrupt.since = True, -inf


def overdue() -> bool:
    """True if a running call should be cut off."""
    return any(interrupt.waited(MOMENT) for interrupt in _open)


@contextmanager
def deferred_sigint(*, ignore_second: bool = False) -> Iterator[Interrupt]:
    """Only set a flag at SIGINT within the block; a second one raises KeyboardInterrupt unless `ignore_second`.

    In a guarded process the second one ends it. An exception in the middle of a message between processes would leave half of it
    in the pipe. Nested blocks share one flag. Only the main thread handles signals: in other threads nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield Interrupt()
        return
    if _open:
        yield _open[0]
        return
    interrupt = Interrupt()

    def handle(*_: object) -> None:
        if interrupt.requested and not ignore_second:
            raise KeyboardInterrupt
        interrupt.press()

    _open.append(interrupt)
    before = None if _is_guarded() else signal.signal(signal.SIGINT, handle)
    try:
        yield interrupt
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
        _open.clear()


@contextmanager
def deaf() -> Iterator[None]:
    """Start processes with SIGINT blocked until they call `hear`: during their imports it would end them with a traceback.

    This process loses no SIGINT: another thread gets it, or it is delivered after the block.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # its first start, else caused by the first worker, changes the signal mask
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        hear()


def hear() -> None:
    """Unblock SIGINT; a pending one is delivered."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


# --- a command --------------------------------------------------------------------------
def keep(keeper: Keeper) -> None:
    """Register `keeper` for `leave`: it cleans up, quickly and without a lock, and returns what to print about what remains."""
    _keepers.append(keeper)


def release(keeper: Keeper) -> None:
    """Unregister `keeper`."""
    with suppress(ValueError):
        _keepers.remove(keeper)


@contextmanager
def keeping(keeper: Keeper) -> Iterator[None]:
    """Register `keeper` for the duration of the block."""
    keep(keeper)
    try:
        yield
    finally:
        release(keeper)


def _is_guarded() -> bool:
    return _guarded == [os.getpid()]


def guard() -> None:
    """Make Ctrl-C end this process in time, with one line of output, together with all processes that it started."""
    if os.name != "posix":  # without a wake-up pipe, KeyboardInterrupt must suffice
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    _guarded[:] = [os.getpid()]
    _adopt_orphans()
    signal.signal(signal.SIGINT, _pressed)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    # at its end Python restores SIGINT's default, which kills: an ignored signal stays ignored, and the exit code is set by then
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch, args=(reading,), name="convlaws-ctrl-c", daemon=True).start()


def _adopt_orphans() -> None:
    """Make orphaned descendants children of this process, on Linux.

    Otherwise a process that Ctrl-C ended (pip, a worker) would leave children that `descendants` does not find.
    """
    with suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _pressed(*_: object) -> None:
    if not _is_guarded():
        raise KeyboardInterrupt
    if _open and not _open[0].requested:
        _open[0].press()
    else:
        leave()


def _watch(reading: int) -> None:
    """End the process if the main thread does not in time: it may be in a library, where Python runs no signal handler."""
    until = inf
    while True:
        left = None if until == inf else max(0.0, until - time.monotonic())
        if select.select([reading], [], [], left)[0]:
            if signal.SIGINT in os.read(reading, 64):
                until = min(until, time.monotonic() + (PATIENCE if _open and until == inf else MOMENT))
        elif time.monotonic() >= until:
            leave()


def leave() -> NoReturn:
    """End this process and all its descendants, with one line of output."""
    if _leaving.acquire(blocking=False):
        said = "".join(map(_told, reversed(_keepers)))
        with suppress(OSError):
            os.write(2, f"convlaws: interrupted{said}\n".encode())
        _fall_silent()
    else:  # another thread is doing it
        time.sleep(MOMENT)
    until = time.monotonic() + LAST
    while (left := descendants(os.getpid())) and time.monotonic() < until:
        kill(left)  # repeated, as processes that they started meanwhile become children of this one
        time.sleep(0.01)
    os._exit(INTERRUPTED)


def _fall_silent() -> None:
    """Redirect standard error to the null device: other threads would report the processes that are killed."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _told(keeper: Keeper) -> str:
    try:
        return keeper()
    except Exception:  # it may have been interrupted in any state
        return ""


def descendants(root: int) -> list[int]:
    """Return the running descendants of `root`, parents first; empty on systems without /proc."""
    born: dict[int, list[int]] = {}
    for entry in os.listdir(FOLDER) if os.path.isdir(FOLDER) else ():
        with suppress(OSError, ValueError, IndexError), open(f"{FOLDER}/{int(entry)}/stat", "rb") as file:
            state, parent, *_ = file.read().rpartition(b")")[2].split()
            if state not in ENDED:
                born.setdefault(int(parent), []).append(int(entry))
    found = list(born.get(root, ()))
    for pid in found:
        found += born.get(pid, ())
    return found


def kill(pids: list[int]) -> None:
    """Send SIGKILL to the processes."""
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
