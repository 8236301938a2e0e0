"""A host whose targets do what no method should: with `at: open` when opened, else when called."""

import ctypes
import os
import signal
import struct
import sys
import threading
import time
from collections import deque

import numpy as np


class Refusal(Exception):
    pass


class Narrower(Refusal):
    pass


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def preload():
    pass


def set_threads(n):
    pass


def _socket():
    """Return the descriptor of the socket between the child and its parent."""
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd > 2 and os.path.exists(f"/proc/self/fd/{fd}") and "socket" in os.readlink(f"/proc/self/fd/{fd}"):
            return fd
    raise LookupError("no socket")


def _forge(data):
    os.write(_socket(), data)
    time.sleep(30)


def _repeat(word):
    """Say for ever that requests are opened, or done: one of the numbers is that of this request."""
    sock = _socket()
    while True:
        for number in range(1, 500):
            os.write(sock, _message(f'{{"{word}": {number}}}'))


def _message(text):
    return struct.pack("<I", len(text)) + text.encode()


def _raise(error):
    raise error


def _eat():
    kept = []
    while True:
        kept.append(np.ones(2 << 20))
        time.sleep(0.001)


def _flood(size):
    for _ in range(size >> 20):
        os.write(1, b"x" * (1 << 20))


def _print():
    print("garbage \x1b[31m", flush=True)
    os.write(1, b"\xff\x00raw bytes\n" * 1000)
    os.write(2, b"\x80\x81")


def _orphan():
    """Die of a signal while a process that it forked still holds the socket."""
    if not (orphan := os.fork()):
        time.sleep(60)
    print(orphan)
    os.kill(os.getpid(), signal.SIGSEGV)


def _soon():
    """Return, and die 0.1 s later."""
    threading.Timer(0.1, lambda: ctypes.string_at(0)).start()


def _close_everything():
    os.closerange(3, 100)
    time.sleep(30)


DEEDS = {
    "nothing": lambda: None,
    "segfault": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "hang": lambda: time.sleep(60),
    "spin": lambda: deque(iter(int, 1), maxlen=0),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "eat": _eat,
    "sys.exit": lambda: sys.exit(4),
    "os._exit": lambda: os._exit(3),
    "interrupt": lambda: _raise(KeyboardInterrupt()),
    "error": lambda: _raise(ValueError("no such stride: \x1b[31m")),
    "long error": lambda: _raise(ValueError("long " * 10_000)),
    "unprintable": lambda: _raise(Unprintable()),
    "refusal": lambda: _raise(Narrower("only two axes")),
    "print": _print,
    "last words": lambda: (print("about to fall \x07"), ctypes.string_at(0)),
    "flood": lambda: _flood(70 << 20),
    "endless flood": lambda: _flood(1 << 40),
    "orphan": _orphan,
    "soon": _soon,
    "close": _close_everything,
    "kill zygote": lambda: (os.kill(os.getppid(), signal.SIGKILL), time.sleep(30)),
    "forge garbage": lambda: _forge(b"GET / HTTP/1.1\r\n\r\n"),
    "forge size": lambda: _forge(struct.pack("<I", 1 << 31)),
    "forge json": lambda: _forge(_message("{]")),
    "forge depth": lambda: _forge(_message("[" * 100_000)),
    "forge list": lambda: _forge(_message("[1]")),
    "forge number": lambda: _forge(_message('{"id": 999999, "ending": "answered"}')),
    "forge shape": lambda: _forge(_message(SAID % '"shape": [1099511627776, 1099511627776], "dtype": "float32"')),
    "forge negative": lambda: _forge(_message(SAID % '"shape": [-1], "dtype": "float32"')),
    "forge dtype": lambda: _forge(_message(SAID % '"shape": [1], "dtype": "object"')),
    "forge list dtype": lambda: _forge(_message(SAID % '"shape": [1], "dtype": [["a", "O"]]')),
    "forge ending": lambda: _forge(_message('{"id": 2, "ending": "hung"}')),
    "forge opened": lambda: _forge(_message('{"opened": true}')),
    "flood opened": lambda: _repeat("opened"),
    "flood done": lambda: _repeat("done"),
    "forge extra": lambda: os.write(_socket(), _message('{"id": 77}')),
}
SAID = '{"id": 2, "ending": "answered", %s}'  # the forging call is the second one in its test


def open_target(target):
    deed = DEEDS[target["do"]]
    if target.get("at") == "open":
        deed()
        deed = DEEDS["nothing"]

    def run(call):
        deed()
        return np.array([os.getpid()]), "int64"

    return run
