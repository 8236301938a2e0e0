"""Convert a child's untrusted message to a Reply."""

from __future__ import annotations

from math import inf
from typing import Any

from convlaws.problem.request import Ending, Reply
from convlaws.sandbox.processes import printable
from convlaws.sandbox.shared_memory import MemoryLayout, Segment, Snapshot
from convlaws.sandbox.worker import ProtocolError

FAILURES = {e.value: e for e in (Ending.REFUSED, Ending.RAISED, Ending.NOT_LOADED)}
MESSAGE, SIGNATURE = 4000, 200  # characters that are kept of each


def reply_from(message: dict[str, Any], plan: MemoryLayout, segment: Segment, snapshot: Snapshot, base: int = 0) -> Reply:
    """Return the reply that a child's message and the part of the shared memory at `base` describe.

    Raises:
        ProtocolError: the message is not a worker's.
    """
    touched = segment.touched(plan, snapshot, base)
    said = message.get("ending")
    if said == Ending.ANSWERED:
        output = segment.output(plan, message.get("shape"), message.get("dtype"), base)
        aliased, stale = message.get("aliased") is True, message.get("stale") is True
        ran = printable(str(message.get("ran", "")))[:SIGNATURE]
        found = _measured(message.get("measured", {}))
        return Reply(
            ending=Ending.ANSWERED, output=output, touched=touched, aliased=aliased, stale=stale, ran=ran, measured=found
        )
    if not isinstance(said, str) or said not in FAILURES:
        raise ProtocolError(f"an ending {said!r}"[:200])
    text = printable(str(message.get("message", "")), keep="\n")[:MESSAGE]
    signature = printable(str(message.get("signature", "")))[:SIGNATURE]
    return Reply(ending=FAILURES[said], message=text, signature=signature, touched=touched)


def _measured(found: object) -> dict[str, Any]:
    """Return the measurements of a child.

    Raises:
        ProtocolError: the times or the sizes are not valid.
    """
    times = found.get("blocks", []) if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(times, list) or not all(type(t) is float and 0 < t < inf for t in times):
        raise ProtocolError(f"a measurement {found!r}"[:200])
    sizes = (found.get("calls", 1), found.get("grown"))
    if not all(size is None or (type(size) is int and size >= 0) for size in sizes):
        raise ProtocolError(f"a measurement {found!r}"[:200])
    return {"blocks": times, "calls": sizes[0], "grown": sizes[1]} if found else {}
