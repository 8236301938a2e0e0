"""From a child's message to a Reply: nothing in it is trusted."""

from __future__ import annotations

from typing import Any

from convlaws.request import Ending, Reply
from convlaws.sandbox.memory import Canvas, Plan, Segment
from convlaws.sandbox.nursery import printable
from convlaws.sandbox.worker import ProtocolError

FAILURES = {e.value: e for e in (Ending.REFUSED, Ending.RAISED, Ending.LOST)}
MESSAGE, SIGNATURE = 4000, 200  # characters that are kept


def reply_from(message: dict[str, Any], plan: Plan, segment: Segment, sketch: Canvas) -> Reply:
    """The reply that a message and the memory tell of.

    Raises:
        ProtocolError: the message is none of a worker's.
    """
    touched = segment.touched(plan, sketch)
    said = message.get("ending")
    if said == Ending.ANSWERED:
        output = segment.output(plan, message.get("shape"), message.get("dtype"))
        aliased, stale = message.get("aliased") is True, message.get("stale") is True
        ran = printable(str(message.get("ran", "")))[:SIGNATURE]
        return Reply(ending=Ending.ANSWERED, output=output, touched=touched, aliased=aliased, stale=stale, ran=ran)
    if not isinstance(said, str) or said not in FAILURES:
        raise ProtocolError(f"an ending {said!r}"[:200])
    text = printable(str(message.get("message", "")), keep="\n")[:MESSAGE]
    signature = printable(str(message.get("signature", "")))[:SIGNATURE]
    return Reply(ending=FAILURES[said], message=text, signature=signature, touched=touched)
