"""Parent-side handles of the fork server (the zygote) and of one child process."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convlaws.errors import UsageError
from convlaws.sandbox.interrupt import Interrupted, overdue
from convlaws.sandbox.shared_memory import Segment
from convlaws.sandbox.worker import Link, ProtocolError

SCRIPT = Path(__file__).with_name("zygote.py")
PATIENCE = 10.0  # seconds for the zygote to fork or reap (measured: 1 to 50 ms)
START = 300.0  # seconds for it to import its libraries (measured: 2.4 s for torch, warm)
GLANCE = 0.1  # seconds between two checks for Ctrl-C while it starts
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
LOG = 1 << 16  # bytes at the end of a zygote's output that are searched for its last line
GRACE = 2.0  # seconds for a zygote to exit after its connection has ended
KEPT = 1 << 20  # bytes of a child's output that are kept although they belong to earlier calls
TAIL = 300  # characters of a child's last output that go into a message


# NumPy has one thread, and waiting threads sleep: children share cores, and 4 spinning threads on 2 cores are very slow
FRUGAL = {"OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


PACKAGE = Path(__file__).parents[1]  # this package, for an interpreter in which it is not installed


class ZygoteGone(Exception):
    """The fork server has ended or does not answer as it should; another must be started."""


class HomeLost(Exception):
    """The fork server of a process spec cannot be started; the message has the reason."""


@dataclass(frozen=True)
class Exit:
    """The exit of a child: `name` is, for example, "SIGSEGV" or "exit 3"; `killed` is true if we killed it."""

    name: str
    killed: bool = False

    @property
    def sentence(self) -> str:
        """The exit in words."""
        if self.name.startswith("exit"):
            return f"the process ended with exit status {self.name[5:]}"
        return f"the process died of {self.name}"


def exit_of(code: int, *, killed: bool) -> Exit:
    """Return the Exit of an exit code; a negative one is a signal."""
    if code >= 0:
        return Exit(f"exit {code}", killed)
    try:
        return Exit(signal.Signals(-code).name, killed)
    except ValueError:
        return Exit(f"signal {-code}", killed)


def printable(text: str, keep: str = "") -> str:
    """Return `text` with every unprintable character escaped, except those in `keep`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)


class Child:
    """One child: its socket, its output, its shared memory, and the targets that it has opened."""

    def __init__(self, pid: int, sock: socket.socket, log: int):
        self.pid, self.log = pid, log
        self.link = Link(sock)
        self.opened: set[str] = set()
        self.last = ""
        self.segment: Segment | None = None
        self.done = 0  # the number of the last request whose reply is known to be in the shared memory
        self.told = 0  # the same, as far as the child has told
        self.untold: set[int] = set()  # requests whose target was opened, though the child has not told
        self._heard = 0  # bytes of its output that belong to earlier calls
        self._size = os.open(f"/proc/{pid}/statm", os.O_RDONLY | os.O_CLOEXEC)

    def resident(self) -> int | None:
        """Return the bytes of its resident memory; None if it has ended."""
        try:
            pages = int(os.pread(self._size, 128, 0).split()[1])
        except (ProcessLookupError, IndexError):
            return None
        return pages * PAGE or None

    def written(self) -> int:
        """Return the number of bytes that it wrote to standard output and error since the last `hush`."""
        return max(0, os.fstat(self.log).st_size - self._heard)

    def hush(self) -> None:
        """Count its output so far to the calls before; a long one is discarded, and with it what the next call has written."""
        self._heard = os.fstat(self.log).st_size
        if self._heard > KEPT:
            os.ftruncate(self.log, 0)
            self._heard = 0

    def tail(self) -> str:
        """Return the end of its output since the last `hush` in printable characters; empty if it wrote nothing."""
        written = self.written()
        last = os.pread(self.log, 4 * TAIL, self._heard + max(0, written - 4 * TAIL))
        return printable(last.decode(errors="backslashreplace").strip()[-TAIL:])

    def found(self, number: int, key: str) -> None:
        """Note that the reply to a request was found before the child has told; it may still tell that its target was opened."""
        self.done = number
        if key not in self.opened:
            self.opened.add(key)
            self.untold.add(number)

    def late(self, message: dict[str, Any]) -> bool:
        """Return True once for each message that tells what was found before it came."""
        number = message.get("done", message.get("opened"))
        if len(message) != 1 or type(number) is not int:
            return False
        if "opened" in message and number in self.untold:
            self.untold.remove(number)
            return True
        if "done" in message and self.told < number <= self.done:
            self.told = number
            return True
        return False

    def spoke(self) -> bool:
        """True if its socket is readable; a child that has ended may have answered just before."""
        return bool(select.select([self.link.sock], [], [], 0)[0])

    def close(self) -> None:
        """Release the descriptors and the memory."""
        self.link.sock.close()
        os.close(self._size)
        os.close(self.log)
        if self.segment:
            self.segment.drop_fd()
            self.segment = None


class ForkServer:
    """A running fork server for one process spec (see `convlaws.targets.process_spec`); if empty, the host chooses the imports.

    Raises:
        UsageError: the host cannot be loaded; the message has the last line that it wrote.
        HomeLost: the same, for a process spec that is not empty.
    """

    def __init__(self, host: str, home: Mapping[str, Any] | None = None):
        self.host, self.home, self.owner = host, home or {}, os.getpid()
        ours, theirs = socket.socketpair()
        self._log = os.memfd_create("convlaws-zygote", os.MFD_CLOEXEC)
        # -P: the folder of the script must not come first on the path of the code under test
        command = [self._python, "-P", "-u", str(SCRIPT), str(theirs.fileno()), str(self.owner)]
        with theirs:
            try:
                self.process = subprocess.Popen(
                    command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
                    env=self._environment(), process_group=0,
                )  # fmt: skip
            except OSError as error:
                raise HomeLost(f"{command[0]} cannot be started: {error.strerror}") from None
        self.link = Link(ours)
        self._load()

    @property
    def _python(self) -> str:
        return self.home.get("python") or sys.executable

    def _environment(self) -> dict[str, str]:
        dropped = ("PYTHONFAULTHANDLER", "PYTHONPATH", "PYTHONHOME") if self.home.get("python") else ("PYTHONFAULTHANDLER",)
        kept = {k: v for k, v in os.environ.items() if k not in dropped}
        return kept | FRUGAL | self.home.get("variables", {})

    def _hello(self) -> str:
        """Return what the fork server loads, and from where: another interpreter gets our package and nothing else of ours."""
        where = {"package": str(PACKAGE)} if self.home.get("python") else {"path": sys.path}
        return json.dumps({"host": self.host, "modules": self.home.get("modules", []), **where})

    def _load(self) -> None:
        try:
            self.link.sock.settimeout(START)
            self.link.send(self._hello())
            self._await()
            self.link.sock.settimeout(PATIENCE)
        except (EOFError, OSError, ProtocolError) as error:
            said = self._last_output(error)
            self.close()
            if self.home:
                raise HomeLost(f"it cannot be imported: {said}") from None
            raise UsageError(f"the sandbox cannot load its host {self.host}: {said}") from None
        except BaseException:
            self.close()
            raise

    def _await(self) -> None:
        """Wait until the fork server has imported its libraries.

        Raises:
            Interrupted: Ctrl-C was pressed a moment ago.
        """
        until = time.monotonic() + START
        self.link.sock.settimeout(GLANCE)
        while True:
            try:
                self.link.receive()
                return
            except TimeoutError:
                if overdue():
                    raise Interrupted from None
                if time.monotonic() > until:
                    raise

    def _last_output(self, error: Exception) -> str:
        """Return why the fork server ended: the signal, else the last line that it wrote, else the error of the connection."""
        written = os.pread(self._log, LOG, max(0, os.fstat(self._log).st_size - LOG)).decode(errors="replace").strip()
        with suppress(subprocess.TimeoutExpired):
            code = self.process.wait(GRACE)
            if code < 0:
                return exit_of(code, killed=False).sentence
        return printable((written.splitlines() or [repr(error)])[-1])

    def _ask(self, message: dict[str, Any], fds: tuple[int, ...] = ()) -> dict[str, Any]:
        try:
            self.link.send(json.dumps(message), fds)
            return self.link.receive()
        except (EOFError, OSError, ProtocolError) as error:
            raise ZygoteGone(repr(error)) from error

    def fork(self) -> Child:
        """Return a fresh child."""
        import fcntl  # not at the top: `InProcess` works on systems without it

        ours, theirs = socket.socketpair()
        log = os.memfd_create("convlaws-log", os.MFD_CLOEXEC)
        try:
            # the parent truncates the log at each call, so every write must go to its end
            fcntl.fcntl(log, fcntl.F_SETFL, os.O_APPEND)
            with theirs:
                pid = self._ask({"do": "fork"}, (theirs.fileno(), log))["pid"]
            return Child(pid, ours, log)
        except BaseException as error:
            ours.close()
            os.close(log)
            if isinstance(error, FileNotFoundError):  # no /proc/PID: the zygote and its child are gone
                raise ZygoteGone(repr(error)) from error
            raise

    def reap(self, child: Child, grace: float = 0.0) -> Exit:
        """Return the child's exit; the child is killed if it has not ended within `grace` seconds."""
        found = self._ask({"do": "reap", "pid": child.pid, "grace": grace})
        return exit_of(found["code"], killed=found["killed"])

    def close(self) -> None:
        """End the fork server; its children end with it."""
        self.link.sock.close()
        with suppress(OSError):
            os.close(self._log)
        if self.owner == os.getpid():  # a fork of the owner has only copies of the descriptors
            self.process.kill()
            self.process.wait()


class Processes:
    """The fork server and the child of one supervisor; both are ended with it."""

    def __init__(self) -> None:
        self.fork_server: ForkServer | None = None
        self.child: Child | None = None

    def drop(self) -> None:
        """Kill the child."""
        if not self.child or not self.fork_server:
            return
        try:
            self.fork_server.reap(self.child)
        except ZygoteGone:
            self.close()
        else:
            self.child.close()
            self.child = None

    def close(self) -> None:
        """End the child and the fork server."""
        child, self.child = self.child, None
        fork_server, self.fork_server = self.fork_server, None
        if fork_server:
            fork_server.close()
        if child:
            child.close()
