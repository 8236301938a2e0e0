"""The fork server (zygote): it imports the libraries, never computes, and forks the children.

Run as a file. Importing torch takes seconds and a fork after OpenMP has run hangs, so the
import is done once here and every child is forked from it.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import importlib.util
import json
import os
import resource
import select
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

PR_SET_PDEATHSIG = 1
NOTICE = 0.5  # seconds between two checks for the parent's end: another process may still hold its socket
FAILED = 70  # exit status of a child whose own loop failed


def _worker() -> ModuleType:
    """Return the module worker.py beside this file, under a name that hides no module of the code under test."""
    spec = importlib.util.spec_from_file_location("_convlaws_worker", Path(__file__).with_name("worker.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _adopt(folder: str) -> None:
    """Make the package in `folder` importable as convlaws, and nothing else beside it."""
    init = Path(folder) / "__init__.py"
    spec = importlib.util.spec_from_file_location("convlaws", init, submodule_search_locations=[folder])
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["convlaws"] = package
    spec.loader.exec_module(package)


class Zygote:
    """Executes `fork` and `reap` for the parent at the other end of `sock`."""

    def __init__(self, sock: socket.socket, worker: ModuleType):
        self.worker = worker
        self.link = worker.Link(sock, takes_fds=True)
        self.prctl = ctypes.CDLL(None, use_errno=True).prctl
        self.host: ModuleType | None = None

    def load(self) -> None:
        """Import the host that the parent names, and have it import its libraries."""
        hello = self.link.receive()
        if "path" in hello:
            sys.path[:] = hello["path"]
        else:
            _adopt(hello["package"])
        self.host = importlib.import_module(hello["host"])
        for name in hello["modules"]:
            importlib.import_module(name)
        if "path" in hello:
            self.host.preload()
        gc.collect()
        gc.freeze()  # a collection in a child would otherwise copy every page
        self.link.send('{"ready":true}')

    def work(self, parent: int) -> None:
        """Serve until the parent has ended."""
        commands = {"fork": self.fork, "reap": self.reap}
        while os.getppid() == parent:
            # PDEATHSIG would kill when the *thread* that started us ends, so poll instead
            if not self.link.pending and not select.select([self.link.sock], [], [], NOTICE)[0]:
                continue
            try:
                message = self.link.receive()
            except EOFError:
                return
            self.link.send(json.dumps(commands[message["do"]](message)))

    def fork(self, message: dict[str, Any]) -> dict[str, Any]:
        """Fork a child with the socket and the log that were received, and return its id."""
        sock, log = self.link.fds
        self.link.fds.clear()
        parent = os.getpid()
        sys.stdout.flush()
        pid = os.fork()
        if not pid:
            self._live(parent, sock, log)
        with suppress(OSError):
            os.setpgid(pid, pid)
        os.close(sock)
        os.close(log)
        return {"pid": pid}

    def _live(self, parent: int, sock: int, log: int) -> None:
        try:
            os.setpgid(0, 0)
            self.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(FAILED)
            self.link.sock.close()
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.close(log)
            sys.stdout.reconfigure(write_through=True, errors="backslashreplace")  # type: ignore[union-attr]
            with suppress(OSError):  # if memory is short, the system should kill the child first
                Path("/proc/self/oom_score_adj").write_text("1000")
            self.worker.serve(self.host, socket.socket(fileno=sock))
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(FAILED)

    def reap(self, message: dict[str, Any]) -> dict[str, Any]:
        """Wait up to `grace` seconds for the child to end, else kill it; its process group is killed in any case."""
        pid, until = message["pid"], time.monotonic() + message["grace"]
        ended = _ended(pid)
        while not ended and time.monotonic() < until:
            time.sleep(0.001)
            ended = _ended(pid)
        for kill in (os.kill, os.killpg):
            with suppress(OSError):
                kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        return {"code": os.waitstatus_to_exitcode(status), "killed": not ended}


def _ended(pid: int) -> bool:
    """True if the child has ended; it stays a zombie, so that its id is not reused."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def main(fd: int, parent: int) -> None:
    """Load the host, then serve `fork` and `reap`."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    zygote = Zygote(socket.socket(fileno=fd), _worker())
    zygote.load()
    zygote.work(parent)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
