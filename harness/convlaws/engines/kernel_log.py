"""Record of which kernel ran: an adapter notes it if its library reports it, and the reply contains it.

Some libraries report it only at a cost (a verbose mode): `wanted()` is True if the cost is acceptable.
"""

from __future__ import annotations

_STATE = {"wanted": False, "ran": ""}


def ran(text: str) -> None:
    """Note what ran for the current call: the name of a kernel, an algorithm, a provider."""
    _STATE["ran"] = text


def wanted() -> bool:
    """True if the kernel of the current call should be named at any cost."""
    return bool(_STATE["wanted"])


def begin(want: bool) -> None:
    """Clear the note of the call before."""
    _STATE.update(wanted=want, ran="")


def noted() -> str:
    """The note made since `begin`."""
    return str(_STATE["ran"])
