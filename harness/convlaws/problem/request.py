"""Request and Reply: one call of a method, and its outcome."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from convlaws.problem.spec import ConvSpec

# beyond the four ops of a problem: the derivatives of <v, dgrad> + <u, wgrad> by x, w and gy. Convolution is bilinear, so
# each is a sum of convolutions without bias: (op, {role: the operand used in its place})
BILINEAR = {
    "second_x": (("dgrad", {"gy": "gy", "w": "u"}),),
    "second_w": (("wgrad", {"x": "v", "gy": "gy"}),),
    "second_gy": (("fprop", {"x": "v", "w": "w"}), ("fprop", {"x": "x", "w": "u"})),
}
SECOND = tuple(BILINEAR)


@dataclass(frozen=True, kw_only=True, eq=False)
class Request:
    """One call of a method: sizes, op, arrays and their memory layout.

    `operands` are arrays in C order by role (x, w, b, gy; v and u for the second derivatives);
    `layout` is the layout of x, w, gy for the method, `shift` their misalignment in elements, `guard` the
    contents of the memory around them. `threads` is the number of threads that the library may use.
    `note` asks for the name of the kernel even if the library reports it only at a cost in time.
    `measure` asks the child to measure the call too: {"seconds": s} its time, in about s seconds
    of calls, {"memory": True} the growth of the process in one call.
    """

    spec: ConvSpec
    op: str
    dtype: str
    operands: Mapping[str, np.ndarray]
    layout: str = "contiguous"
    shift: int = 0
    guard: str = "nan"
    threads: int = 1
    note: bool = False
    measure: Mapping[str, Any] | None = None


class Ending(enum.StrEnum):
    """The ways in which a call can end."""

    ANSWERED = "answered"
    REFUSED = "refused"  # the method raised Refusal
    RAISED = "raised"  # any other exception, or sys.exit
    DIED = "died"  # a signal ended the process
    HUNG = "hung"  # the time limit passed
    OVER_LIMIT = "greedy"  # the memory limit passed
    NOT_LOADED = "lost"  # the method could not be loaded at all


@dataclass(frozen=True, kw_only=True, eq=False)
class Reply:
    """The outcome of a call: an array if `ending` is ANSWERED, else a message.

    `signature` distinguishes failures that are to be shrunk separately (an exception's type, a signal's
    name). `touched` names the operands whose memory the call changed, `aliased` is True if the output shares
    the operands' memory, `stale` if the output of the previous call changed. `ran` names the kernel or
    algorithm that ran, if the library reports it. `measured` has what the request's `measure` asks for
    (see `engines.stopwatch`); the output is then that of the last call.
    """

    ending: Ending
    output: np.ndarray = field(default_factory=lambda: np.zeros(0))
    message: str = ""
    signature: str = ""
    touched: tuple[str, ...] = ()
    aliased: bool = False
    stale: bool = False
    ran: str = ""
    seconds: float = 0.0
    measured: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class RequestedCall:
    """A call that a law asked for; equal if the call and its numbers are equal."""

    spec: ConvSpec
    op: str
    operands: Mapping[str, np.ndarray]
    how: Mapping[str, Any]

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RequestedCall) or (self.spec, self.op, self.how) != (other.spec, other.op, other.how):
            return False
        return all(_alike(a, other.operands[role]) for role, a in self.operands.items())


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    return one is other or (one.dtype == other.dtype and one.tobytes() == other.tobytes())
