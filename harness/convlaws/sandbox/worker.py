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
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

LENGTH = struct.Struct("<I")
LONGEST = 1 << 20  # bytes of a message; ours have a few hundred
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


class Link:
    """Messages of JSON over a stream socket, each preceded by its length; never pickles."""

    def __init__(self, sock: socket.socket, *, takes_fds: bool = False):
        self.sock, self.takes_fds = sock, takes_fds
        self.fds: list[int] = []
        self.pending = b""

    def send(self, text: str, fds: Sequence[int] = ()) -> None:
        """Send JSON, and file descriptors with it."""
        body = text.encode()
        data = LENGTH.pack(len(body)) + body
        if fds:
            socket.send_fds(self.sock, [data], fds)
        else:
            self.sock.sendall(data)

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

    def _more(self) -> bytes:
        if not self.takes_fds:
            return self.sock.recv(65536)
        data, fds, _, _ = socket.recv_fds(self.sock, 65536, 4)
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
        try:
            message = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise ProtocolError(f"a message that is no JSON: {error}") from None
        if not isinstance(message, dict):
            raise ProtocolError(f"a message that is a {type(message).__name__}, not an object")
        return message


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

    def answer(self, message: dict[str, Any], announce: Callable[[], None]) -> dict[str, Any]:
        """Return how the request ended; `announce` is called once its target is opened, if it was not open before."""
        key = message["target"]
        try:
            self._prepare(key, message["threads"], announce)
        except BaseException as error:
            return self._failure(error, "lost")
        arrays = {role: self._array(message["dtype"], *where) for role, where in message["arrays"].items()}
        call = Call(message["spec"], message["op"], message["dtype"], arrays)
        try:
            notes = getattr(self.host, "kernel_log", None)
            if notes:
                notes.begin(message.get("note", False))
            result, tag, measured = self._called(key, call, message.get("measure"))
            delivered = self._deliver(key, result, tag, *message["output"])
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


def serve(host: ModuleType, sock: socket.socket) -> None:
    """Answer requests over `sock` until the other side closes it."""
    link, worker = Link(sock, takes_fds=True), Worker(host)
    while True:
        try:
            message = link.receive()
        except EOFError:
            return
        if size := message["segment"]:
            (fd,) = link.fds
            link.fds.clear()
            worker.attach(mmap.mmap(fd, size))
            os.close(fd)
        number = message["id"]
        reply = worker.answer(message, lambda: link.send('{"opened":true}'))
        link.send(json.dumps({"id": number, **reply}))
