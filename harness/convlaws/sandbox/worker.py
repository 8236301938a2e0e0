"""The loop of the child: it takes requests, runs the code under test and replies how each call ended.

Standard library and NumPy only, and no import of convlaws: the file runs as it is in an
environment that has the library under test and nothing of ours.
"""

from __future__ import annotations

import json
import linecache
import mmap
import os
import socket
import struct
import time
import zlib
from array import array
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

LENGTH = struct.Struct("<I")
MOST_FDS = 4  # file descriptors that come with a message
LONGEST = 1 << 20  # bytes of a message; ours have a few hundred
SLOT = 1 << 14  # bytes for a reply in the shared memory, behind the room for the output
AT_ONCE, LATEST = 6, 1e-3  # the most replies, and seconds, until the other side is told
WATCHED = 1 << 20  # a result of more bytes is not watched for later changes
TEXT = 500  # characters of an exception's text that are kept
HALF = {"bfloat16": "uint16"}  # formats that NumPy does not have are sent as their bits


class ProtocolError(Exception):
    """Bytes on the socket that are not a message of ours."""


@dataclass(frozen=True)
class Call:
    """The argument of a host's function: spec, op and dtype of the problem, and arrays in the shared memory."""

    spec: str
    op: str
    dtype: str
    arrays: dict[str, np.ndarray]


def framed(text: str) -> bytes:
    """A message as it is sent: its length, then JSON."""
    body = text.encode()
    return LENGTH.pack(len(body)) + body


def message_of(body: bytes) -> dict[str, Any]:
    """The object that JSON describes.

    Raises:
        ProtocolError: it is no JSON, or no object.
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"a message that is no JSON: {error}") from None
    if not isinstance(message, dict):
        raise ProtocolError(f"a message that is a {type(message).__name__}, not an object")
    return message


class Link:
    """Messages of JSON over a stream socket, each preceded by its length; never pickles."""

    def __init__(self, sock: socket.socket, *, takes_fds: bool = False):
        self.sock, self.takes_fds = sock, takes_fds
        self.fds: list[int] = []
        self.pending = b""

    def send(self, text: str, fds: Sequence[int] = ()) -> None:
        """Send JSON, and file descriptors with it."""
        if fds:
            socket.send_fds(self.sock, [framed(text)], fds)
        else:
            self.sock.sendall(framed(text))

    def receive(self) -> dict[str, Any]:
        """Return the next message; after a TimeoutError it may be called again.

        Raises:
            EOFError: the other side closed the connection. ProtocolError: the bytes are not a message.
        """
        while (message := self._take()) is None:
            data = self._more()
            if not data:
                raise EOFError("the other side closed the connection")
            self.pending += data
        return message

    def more(self) -> bool:
        """True if another message is here; does not wait for one."""
        if not self.pending:
            with suppress(BlockingIOError):
                self.pending += self._more(socket.MSG_DONTWAIT)
        return len(self.pending) >= LENGTH.size and len(self.pending) >= LENGTH.size + LENGTH.unpack_from(self.pending)[0]

    def _more(self, flags: int = 0) -> bytes:
        if not self.takes_fds:
            return self.sock.recv(65536, flags)
        fds = array("i")
        # not `socket.recv_fds`, which ignores its flags in Python 3.11
        data, ancillary, _, _ = self.sock.recvmsg(65536, socket.CMSG_LEN(MOST_FDS * fds.itemsize), flags)
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
        self.fds += fds
        return data

    def _take(self) -> dict[str, Any] | None:
        if len(self.pending) < LENGTH.size:
            return None
        (length,) = LENGTH.unpack_from(self.pending)
        if length > LONGEST:
            raise ProtocolError(f"a message of {length} bytes, at most {LONGEST} are allowed")
        end = LENGTH.size + length
        if len(self.pending) < end:
            return None
        body, self.pending = self.pending[LENGTH.size : end], self.pending[end:]
        return message_of(body)


class Worker:
    """Answers requests with the functions that a host opens, one per target."""

    def __init__(self, host: ModuleType):
        self.host = host
        self.memory: mmap.mmap | None = None
        self.whole = np.empty(0, np.uint8)
        self.threads = 0
        self.opened: dict[str, Callable[[Call], tuple[np.ndarray, str]]] = {}
        self.results: dict[str, tuple[np.ndarray, int]] = {}

    def attach(self, memory: mmap.mmap) -> None:
        """Use `memory` for the arrays from now on."""
        self.memory = memory
        self.whole = np.frombuffer(memory, np.uint8)

    def leave(self, place: int, text: str) -> bool:
        """Leave a reply at its place in the shared memory; False if it is too long."""
        body = text.encode()
        if len(body) > SLOT - LENGTH.size:
            return False
        assert self.memory is not None
        self.memory[place + LENGTH.size : place + LENGTH.size + len(body)] = body
        self.memory[place : place + LENGTH.size] = LENGTH.pack(len(body))
        return True

    def answer(self, message: dict[str, Any], announce: Callable[[], None]) -> dict[str, Any]:
        """Return how the request ended; `announce` is called once its target is opened, if it was not open before."""
        key = message["target"]
        try:
            self._prepare(key, message["threads"], announce)
        except BaseException as error:
            return self._failure(error, "lost")
        base = message["base"]
        arrays = {role: self._array(message["dtype"], base + at, *how) for role, (at, *how) in message["arrays"].items()}
        call = Call(message["spec"], message["op"], message["dtype"], arrays)
        try:
            notes = getattr(self.host, "kernel_log", None)
            if notes:
                notes.begin(message.get("note", False))
            result, tag, measured = self._called(key, call, message.get("measure"))
            offset, room = message["output"]
            delivered = self._deliver(key, result, tag, base + offset, room)
            return {**delivered, **measured, "ran": notes.noted()} if notes else delivered
        except BaseException as error:  # sys.exit and KeyboardInterrupt come from the method too
            return self._failure(error, "raised")

    def _called(self, key: str, call: Call, measure: dict[str, Any] | None) -> tuple[np.ndarray, str, dict[str, Any]]:
        """Return the result, its tag, and the measurements if the request asks for them."""
        if not measure:
            return *self.opened[key](call), {}
        self.whole[:: mmap.PAGESIZE].max()  # load the operands' pages before the call is measured
        (result, tag), found = self.host.measured(json.loads(key), self.opened[key], call, measure)
        return result, tag, {"measured": found}

    def _prepare(self, key: str, threads: int, announce: Callable[[], None]) -> None:
        if threads != self.threads:
            self.host.set_threads(threads)
            self.threads = threads
        if key not in self.opened:
            self.opened[key] = self.host.open_target(json.loads(key))
            announce()

    def _array(self, dtype: str, offset: int, shape: list[int], strides: list[int]) -> np.ndarray:
        return np.ndarray(shape, HALF.get(dtype, dtype), self.memory, offset, strides)

    def _deliver(self, key: str, result: np.ndarray, tag: str, offset: int, room: int) -> dict[str, Any]:
        if result.dtype.hasobject:
            raise TypeError(f"the output has dtype {result.dtype}, an array of numbers was expected")
        if result.nbytes > room:
            return {"ending": "raised", "signature": "output", "message": f"the output has {result.nbytes} bytes"}
        aliased = np.may_share_memory(result, self.whole)  # compares the bounds, which suffices here
        stale = self._changed(key)
        np.ndarray(result.shape, result.dtype, self.memory, offset)[...] = result
        if not aliased and result.nbytes < WATCHED:
            self.results[key] = (result, _checksum(result))
        shape = list(result.shape)
        return {"ending": "answered", "shape": shape, "dtype": tag, "aliased": aliased, "stale": stale}

    def _changed(self, key: str) -> bool:
        """True if the result of this target's previous call has changed since then."""
        array, checksum = self.results.pop(key, (None, 0))
        return array is not None and _checksum(array) != checksum

    def _failure(self, error: BaseException, ending: str) -> dict[str, Any]:
        name = type(error).__name__
        if any(kind.__name__ == "Refusal" for kind in type(error).__mro__):
            return {"ending": "refused", "signature": name, "message": _text(error)}
        whole = f"{name}: {_text(error)}"[:TEXT]
        ours, adapters = (__file__, getattr(self.host, "__file__", None)), getattr(self.host, "OURS", ())
        return {"ending": ending, "signature": name[:TEXT], "message": whole + _last_line(error, ours, adapters)}


def _checksum(array: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(array).data)


def _text(error: BaseException) -> str:
    try:
        return str(error)[: 4 * TEXT]
    except BaseException:  # the text is made by the method's code as well
        return "(its text cannot be printed)"


def _last_line(error: BaseException, ours: tuple[str | None, ...], adapters: tuple[str, ...]) -> str:
    """Return the last line of the method's own code; one in an installed package only if there is no other.

    Empty if the method had returned, and one of the `adapters` rejected its result.
    """
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append((trace.tb_frame.f_code, trace.tb_lineno))
        trace = trace.tb_next
    theirs = [f for f in frames if f[0].co_filename not in (*ours, *adapters)]
    theirs = theirs or [f for f in frames[-1:] if f[0].co_filename not in adapters]
    nearest = [f for f in theirs if "-packages" not in f[0].co_filename] or theirs
    if not nearest:
        return ""
    code, number = nearest[-1]
    source = linecache.getline(code.co_filename, number).strip()[:200]
    return f"\n  {code.co_filename}:{number} in {code.co_name}: {source}"


class Server:
    """Answers requests over a socket until the other side closes it.

    Each reply is left in the shared memory; a message says up to which request they are there. It is sent when no other
    request is here, and every few replies: waking the other process for each costs more than a small convolution.
    """

    def __init__(self, host: ModuleType, sock: socket.socket):
        self.link, self.worker = Link(sock, takes_fds=True), Worker(host)
        self.left = 0  # replies that the other side was not told of
        self.last, self.told = 0, time.monotonic()

    def serve(self) -> None:
        """Answer until the other side closes the connection."""
        while True:
            try:
                message = self.link.receive()
            except EOFError:
                return
            if size := message["segment"]:
                (fd,) = self.link.fds
                self.link.fds.clear()
                self.worker.attach(mmap.mmap(fd, size))
                os.close(fd)
            self._answer(message)
            if self.left >= AT_ONCE or time.monotonic() - self.told > LATEST or not self.link.more():
                self._tell()

    def _answer(self, message: dict[str, Any]) -> None:
        number = message["id"]
        if message["target"] not in self.worker.opened:
            self._tell()  # opening may take seconds
        reply = self.worker.answer(message, lambda: self.link.send(f'{{"opened":{number}}}'))
        text = json.dumps({"id": number, **reply})
        if self.worker.leave(message["base"] + sum(message["output"]), text):
            self.left, self.last = self.left + 1, number
        else:
            self._tell()
            self.link.send(text)

    def _tell(self) -> None:
        if self.left:
            self.link.send(f'{{"done":{self.last}}}')
        self.left, self.told = 0, time.monotonic()


def serve(host: ModuleType, sock: socket.socket) -> None:
    """Answer requests over `sock` until the other side closes it."""
    Server(host, sock).serve()
