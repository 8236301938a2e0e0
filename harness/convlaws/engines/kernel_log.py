"""What really ran: an adapter says it, where its library tells, and the reply carries it.

Some libraries tell only at a price (a verbose mode): `wanted()` says whether it is worth it.
"""

from __future__ import annotations

_STATE = {"wanted": False, "ran": ""}


def ran(text: str) -> None:
    """Note what ran for the call at hand: the name of a kernel, an algorithm, a provider."""
    _STATE["ran"] = text


def wanted() -> bool:
    """Whether the call at hand is one whose kernel should be named at any price."""
    return bool(_STATE["wanted"])


def begin(want: bool) -> None:
    """Forget the call before."""
    _STATE.update(wanted=want, ran="")


def noted() -> str:
    """What was noted since `begin`."""
    return str(_STATE["ran"])
