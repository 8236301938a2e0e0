"""The layout of a request's operands and output in the memory shared with the child."""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod
from typing import Any

import numpy as np

from convlaws.errors import UsageError
from convlaws.problem.formats import FORMATS
from convlaws.problem.layouts import Placement, place
from convlaws.problem.problem import RESULT, shape_of
from convlaws.problem.request import SECOND, Request
from convlaws.problem.spec import ConvSpec
from convlaws.sandbox.worker import HALF, LENGTH, SLOT, ProtocolError, message_of

LINE = 64  # bytes; every array's buffer begins at a multiple of it
SPARE = 1 << 20  # bytes reserved for an output of a wrong shape, beside four times the right one
PAGE = 4096  # bytes; every request's part of a segment begins at a multiple of it
LEAST = 1 << 25  # bytes of the smallest segment: some thirty requests; only what is written to takes memory
LARGE = 1 << 28  # bytes; a larger segment is not kept for small requests
DIRECTIONS = {"v": "x", "u": "w"}  # the arrays of second derivatives are laid out like these, contiguous
RESULTS = {**RESULT, **{op: op.removeprefix("second_") for op in SECOND}}
GUARDS = {"nan": float("nan"), "zero": 0.0}

# bounds for the output shape that a child reports, so that no unchecked number of it is used
MOST_AXES = 32
LONGEST_AXIS = 1 << 40


@dataclass(frozen=True, eq=False)
class Slot:
    """One operand's buffer: `start` is its first byte in the segment, `placement` counts elements."""

    role: str
    start: int
    placement: Placement
    itemsize: int

    @property
    def repeated(self) -> bool:
        """True if every index of axis 0 is the same memory."""
        return self.placement.strides[:1] == (0,)

    @cached_property
    def where(self) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
        """(offset in bytes, shape, strides in bytes)."""
        offset = self.start + self.placement.offset * self.itemsize
        return offset, self.placement.shape, tuple(s * self.itemsize for s in self.placement.strides)


@dataclass(frozen=True, eq=False)
class MemoryLayout:
    """The memory layout, which a request's sizes determine; `words` is its part of the message.

    Bytes [0, inputs) hold the operands with their guards, [inputs, inputs + room) the output,
    of which the first `expected` are written if its shape is right, and the rest the reply.
    """

    slots: tuple[Slot, ...]
    dtype: str
    inputs: int
    expected: int
    room: int
    words: str

    @property
    def size(self) -> int:
        """Bytes of the segment that are needed."""
        return self.inputs + self.room + SLOT


def layout_of(request: Request) -> MemoryLayout:
    """Return the layout of a request; requests of the same sizes share it."""
    shapes = tuple((role, a.shape) for role, a in request.operands.items())
    return _plan(request.spec, request.op, request.dtype, (request.layout, request.shift), shapes)


@lru_cache(maxsize=512)
def _plan(spec: ConvSpec, op: str, dtype: str, lies: tuple[str, int], shapes: tuple) -> MemoryLayout:
    itemsize = FORMATS[dtype].dtype.itemsize
    slots, start = [], 0
    for role, shape in shapes:
        like, layout = (DIRECTIONS[role], "contiguous") if role in DIRECTIONS else (role, lies[0])
        placement = place(like, shape, layout, batched=spec.batch is not None, shift=lies[1])
        slots.append(Slot(role, start, placement, itemsize))
        start += _lines(placement.elements * itemsize)
    expected = prod(shape_of(spec, RESULTS[op])) * itemsize
    room = _lines(4 * expected + SPARE)
    arrays = {slot.role: slot.where for slot in slots}
    said = {"spec": str(spec), "op": op, "dtype": dtype, "arrays": arrays, "output": (start, room)}
    return MemoryLayout(tuple(slots), dtype, start, expected, room, json.dumps(said, separators=(",", ":"))[1:-1])


def _lines(size: int) -> int:
    return -(-size // LINE) * LINE


class Snapshot:
    """A private copy of the input bytes of a layout: written before the call, compared with the segment afterwards."""

    def __init__(self, plan: MemoryLayout, guard: str):
        native = FORMATS[plan.dtype].dtype
        self.native = native
        self.whole = np.full(plan.inputs // native.itemsize, GUARDS[guard], native).view(np.uint64)
        raw = self.whole.view(HALF.get(plan.dtype, plan.dtype))
        self.views = {s.role: np.ndarray(s.where[1], raw.dtype, raw, s.where[0], s.where[2]) for s in plan.slots}

    def draw(self, plan: MemoryLayout, operands: Mapping[str, np.ndarray]) -> None:
        """Write the operands to their places in the layout."""
        for slot in plan.slots:
            operand, view = operands[slot.role], self.views[slot.role]
            if operand.dtype != self.native:
                raise UsageError(f"operand {slot.role} is {operand.dtype}, the request says {plan.dtype}")
            operand = operand.view(view.dtype)
            if slot.repeated:
                self._once(slot.role, view, operand)
            else:
                view[...] = operand

    @staticmethod
    def _once(role: str, view: np.ndarray, operand: np.ndarray) -> None:
        view[:1] = operand[:1]
        if view.tobytes() != operand.tobytes():
            raise UsageError(f"operand {role} is to be expanded, but its images along axis 0 are not all the same")


class Segment:
    """Memory shared with a child; sealed, as a child that shrinks it would kill this process with SIGBUS."""

    def __init__(self, size: int, *, shared: bool = True):
        self.size = max(LEAST, 1 << (size - 1).bit_length())
        self.fd = os.memfd_create("convlaws", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING) if shared else -1
        if shared:
            import fcntl  # not at the top: `InProcess` works on systems without it

            os.ftruncate(self.fd, self.size)
            fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        self.map = mmap.mmap(self.fd, self.size)
        self.bytes = np.frombuffer(self.map, np.uint8)
        self._end = 0  # of the parts that are in use
        self._last: tuple[MemoryLayout, str, tuple[np.ndarray, ...], Snapshot] | None = None  # what was written last

    def fits(self, plan: MemoryLayout) -> bool:
        """True if the layout fits into the segment and does not waste a large one."""
        return plan.size <= self.size and (self.size <= LARGE or 8 * plan.size >= self.size)

    def drop_fd(self) -> None:
        """Close the descriptor: the mapping stays."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def clear(self) -> None:
        """Use the segment from its beginning again; no part of it may be in use."""
        self._end = 0

    def part(self, plan: MemoryLayout) -> int | None:
        """Reserve a part of the segment, and return its first byte; None if too little is left."""
        base = self._end
        if base + plan.size > self.size:
            return None
        self._end = -(-(base + plan.size) // PAGE) * PAGE
        return base

    def write(self, plan: MemoryLayout, request: Request, base: int) -> Snapshot:
        """Write the operands, fill the output with 0xFF bytes, and return a snapshot of the input bytes."""
        snapshot = self._same(plan, request)
        if snapshot is None:
            snapshot = Snapshot(plan, request.guard)
            snapshot.draw(plan, request.operands)
            self._last = (plan, request.guard, tuple(request.operands.values()), snapshot)
        self.bytes[base : base + plan.inputs] = snapshot.whole.view(np.uint8)
        self.bytes[base + plan.inputs : base + plan.inputs + plan.expected] = 0xFF
        place = base + plan.inputs + plan.room
        self.map[place : place + LENGTH.size] = bytes(LENGTH.size)
        return snapshot

    def reply(self, plan: MemoryLayout, base: int) -> dict[str, Any] | None:
        """Return the reply that the child has left; None if there is none yet.

        Raises:
            ProtocolError: what is there is no reply.
        """
        place = base + plan.inputs + plan.room
        (length,) = LENGTH.unpack(self.map[place : place + LENGTH.size])
        if length > SLOT - LENGTH.size:
            raise ProtocolError(f"a reply of {length} bytes")
        return message_of(self.map[place + LENGTH.size : place + LENGTH.size + length]) if length else None

    def _same(self, plan: MemoryLayout, request: Request) -> Snapshot | None:
        """Return the snapshot of the last write if it was of the same read-only arrays, else None."""
        if self._last is None or self._last[0] is not plan or self._last[1] != request.guard:
            return None
        pairs = zip(self._last[2], request.operands.values(), strict=True)
        return self._last[3] if all(a is b and not a.flags.writeable for a, b in pairs) else None

    def touched(self, plan: MemoryLayout, snapshot: Snapshot, base: int) -> tuple[str, ...]:
        """Return the operands whose buffers, guards included, differ from what was written."""
        now = self.bytes[base : base + plan.inputs].view(np.uint64)
        if (now == snapshot.whole).all():
            return ()
        ends = [s.start // 8 for s in plan.slots[1:]] + [plan.inputs // 8]
        spans = zip(plan.slots, ends, strict=True)
        return tuple(s.role for s, end in spans if (now[s.start // 8 : end] != snapshot.whole[s.start // 8 : end]).any())

    def output(self, plan: MemoryLayout, shape: object, tag: object, base: int) -> np.ndarray:
        """Return a private copy of the output, of the shape and dtype that the child reports.

        Raises:
            ProtocolError: they are not those of an array within the room for it.
        """
        if not isinstance(shape, list) or not all(type(n) is int and 0 <= n <= LONGEST_AXIS for n in shape):
            raise ProtocolError(f"an output of shape {shape!r}"[:200])
        dtype = _dtype(tag)
        if len(shape) > MOST_AXES or prod(shape) * dtype.itemsize > plan.room:
            raise ProtocolError(f"an output of shape {shape} in {plan.room} bytes"[:200])
        return np.ndarray(shape, dtype, self.map, base + plan.inputs).copy()


def _dtype(tag: object) -> np.dtype:
    if isinstance(tag, str) and tag in FORMATS:
        return FORMATS[tag].dtype
    try:
        if isinstance(tag, str) and (dtype := np.dtype(tag)).kind in "biufc":
            return dtype
    except (TypeError, ValueError, SyntaxError):
        pass
    raise ProtocolError(f"an output of dtype {tag!r}"[:200])
