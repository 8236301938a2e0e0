"""SIGINT (Ctrl-C): a command keeps its findings and ends within three seconds, whatever call is in flight.

Within `deferred_sigint()` the first one is only noted: the loop sees it, stops, and reports its findings. A call in the sandbox
that takes longer is cut off (see `overdue`). A second Ctrl-C ends all at once; so does the first one elsewhere.

In a notebook or a test, "at once" is Python's KeyboardInterrupt. A command is guarded instead (see `guard`): it raises nothing,
because of what is raised in a callback of an import or of the garbage collector Python prints a traceback, and goes on. The
process is left from where it is, as is also done if it does not stop in time.
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

MOMENT = 0.4  # seconds that a call in flight may go on after Ctrl-C
PATIENCE = 2.2  # seconds from Ctrl-C until a command that has not ended by itself is left
INTERRUPTED = 130  # exit code
LAST = 0.3  # seconds for the processes that are killed to be gone
FOLDER = "/proc"
ENDED = (b"Z", b"X")  # states of a process that nobody has asked for its end yet
PR_SET_CHILD_SUBREAPER = 36

Keeper = Callable[[], str]
_open: list[Interrupt] = []  # the deferred block that the main thread is in
_keepers: list[Keeper] = []
_leaving = threading.Lock()
_guarded: list[int] = []  # the process that is guarded: a fork of it is not


class Interrupted(KeyboardInterrupt):
    """A call in the sandbox was cut off, since Ctrl-C was pressed a moment ago."""


class Interrupt:
    """Whether Ctrl-C was pressed, and when."""

    def __init__(self) -> None:
        self.requested, self.since = False, inf

    def press(self, *_: object) -> None:
        """Note it; a signal handler."""
        self.since = min(self.since, time.monotonic())
        self.requested = True

    def waited(self, seconds: float) -> bool:
        """Whether it was pressed longer ago than that."""
        return time.monotonic() - self.since > seconds


def cut_off() -> None:
    """Press for the block that the main thread is in, and cut off the call in flight; for another thread."""
    for interrupt in _open:
        interrupt.requested, interrupt.since = True, -inf


def overdue() -> bool:
    """Whether a call in flight should be cut off."""
    return any(interrupt.waited(MOMENT) for interrupt in _open)


@contextmanager
def deferred_sigint(*, ignore_second: bool = False) -> Iterator[Interrupt]:
    """Within, SIGINT is only noted; a second one raises KeyboardInterrupt, or ends a guarded process, unless `ignore_second`.

    An exception in the middle of a message between processes would leave half of it in the pipe. A block within another has the
    same flag. Only the main thread of a process has signals: elsewhere nothing changes.
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
    """Within, processes are started that do not hear Ctrl-C before `hear`: while they import, it would end them in a traceback.

    Here nothing is lost: what comes meanwhile comes to another thread, or afterwards.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # its first start, which a worker's start would bring about, has its own idea of the mask
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        hear()


def hear() -> None:
    """Hear Ctrl-C from now on, and the one that came before."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


# --- a command --------------------------------------------------------------------------
def keep(keeper: Keeper) -> None:
    """When the process is left, `keeper` tidies up, quickly and without a lock, and says what it leaves behind."""
    _keepers.append(keeper)


def release(keeper: Keeper) -> None:
    """There is nothing more to keep."""
    with suppress(ValueError):
        _keepers.remove(keeper)


@contextmanager
def keeping(keeper: Keeper) -> Iterator[None]:
    """Within, `keeper` is kept."""
    keep(keeper)
    try:
        yield
    finally:
        release(keeper)


def _is_guarded() -> bool:
    return _guarded == [os.getpid()]


def guard() -> None:
    """From now on Ctrl-C ends this process as a command ends: in time, in one line, with all processes that it started."""
    if os.name != "posix":  # where a pipe wakes nobody, KeyboardInterrupt has to do
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    _guarded[:] = [os.getpid()]
    _adopt_orphans()
    signal.signal(signal.SIGINT, _pressed)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    # Python ends by giving SIGINT its default back, which kills: what is ignored stays so, and the exit code is decided by then
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch, args=(reading,), name="convlaws-ctrl-c", daemon=True).start()


def _adopt_orphans() -> None:
    """Whoever descends from this process and loses its parent becomes its child, where Linux is asked for that.

    Else a process that Ctrl-C ended (pip, a worker) would leave others that nobody finds.
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
    """Leave the process if the main thread does not end it in time: it may be in a library that lets no signal through."""
    until = inf
    while True:
        left = None if until == inf else max(0.0, until - time.monotonic())
        if select.select([reading], [], [], left)[0]:
            if signal.SIGINT in os.read(reading, 64):
                until = min(until, time.monotonic() + (PATIENCE if _open and until == inf else MOMENT))
        elif time.monotonic() >= until:
            leave()


def leave() -> NoReturn:
    """End this process and all that descend from it, in one line."""
    if _leaving.acquire(blocking=False):
        said = "".join(map(_told, reversed(_keepers)))
        with suppress(OSError):
            os.write(2, f"convlaws: interrupted{said}\n".encode())
        _fall_silent()
    else:  # another thread is at it
        time.sleep(MOMENT)
    until = time.monotonic() + LAST
    while (left := descendants(os.getpid())) and time.monotonic() < until:
        kill(left)  # again: what they started meanwhile comes to this process
        time.sleep(0.01)
    os._exit(INTERRUPTED)


def _fall_silent() -> None:
    """What the other threads say of the processes that are killed around them is no news."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _told(keeper: Keeper) -> str:
    try:
        return keeper()
    except Exception:  # whatever state it was interrupted in
        return ""


def descendants(root: int) -> list[int]:
    """The processes that come from `root` and run, parents first; none on systems that do not tell."""
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
    """End them at once."""
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
