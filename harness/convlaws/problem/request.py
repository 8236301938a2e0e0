"""Request and Reply: what is asked of a method, and how it ended."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from convlaws.problem.spec import ConvSpec

# beyond the four ops of a problem: the derivatives of <v, dgrad> + <u, wgrad> by x, w and gy. Convolution is bilinear, so
# each is the sum of convolutions without bias: (op, {role: the operand that stands there})
BILINEAR = {
    "second_x": (("dgrad", {"gy": "gy", "w": "u"}),),
    "second_w": (("wgrad", {"x": "v", "gy": "gy"}),),
    "second_gy": (("fprop", {"x": "v", "w": "w"}), ("fprop", {"x": "x", "w": "u"})),
}
SECOND = tuple(BILINEAR)


@dataclass(frozen=True, kw_only=True, eq=False)
class Request:
    """One call of a method: sizes, op, arrays and how they lie in memory.

    `operands` are arrays in C order by role (x, w, b, gy; v and u for the second derivatives);
    `layout` says how x, w, gy are laid out for the method, `shift` by how many elements they are
    misaligned, `guard` what surrounds them in memory. `threads` is the number that the
    library may use. `note` asks which kernel runs even where the library tells only at a price.
    `measure` asks the child to measure the call, and not only to make it: {"seconds": s} how long it takes, in
    about s seconds of calls, {"memory": True} by how much the process grows in one.
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
    """How a call ended."""

    ANSWERED = "answered"
    REFUSED = "refused"  # the method raised Refusal
    RAISED = "raised"  # any other exception, or sys.exit
    DIED = "died"  # a signal ended the process
    HUNG = "hung"  # the time limit passed
    OVER_LIMIT = "greedy"  # the memory limit passed
    NOT_LOADED = "lost"  # the method could not be loaded at all


@dataclass(frozen=True, kw_only=True, eq=False)
class Reply:
    """What came back: an array if `ending` is ANSWERED, else a message.

    `signature` tells failures apart that should be shrunk apart (an exception's type, a signal's
    name). `touched` names the operands whose memory the call changed, `aliased` says that
    the output lies in the operands' memory, `stale` that the output of the call before changed. `ran` names what
    really ran, where the library tells: a kernel, an algorithm. `measured` is what the request's `measure` asks for
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
    """What a law asked for; two calls of the same, on the same numbers, are equal."""

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
