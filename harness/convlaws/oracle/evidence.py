"""The bounded evidence of a failure: what a report draws without having the method at hand."""

from __future__ import annotations

import base64
import zlib

import numpy as np

from convlaws.oracle.claim import Mismatch

MOST_MASK = 16_384  # elements of which the mask of wrong ones is kept
MOST_VALUES = 12  # wrong elements listed with got, low and high


def evidence_of(mismatch: Mismatch) -> dict:
    """Shape, mask of the wrong elements and the first of them with their values; under 4 kB as JSON.

    `mask` is base64 of zlib of packed bits in C order, or "" where the result is too large or the
    mask does not compress to 2 kB. Numbers are texts, since JSON has no NaN.
    """
    claim, wrong = mismatch.claim, mismatch.wrong
    worst = [mismatch.worst, *(tuple(int(i) for i in at) for at in np.argwhere(wrong)[:MOST_VALUES])]
    rows = [
        {"at": list(at), **{name: _text(getattr(claim, name)[at]) for name in ("got", "low", "high")}}
        for at in dict.fromkeys(worst)
    ]
    return {"shape": list(wrong.shape), "wrong": int(wrong.sum()), "mask": _packed(wrong), "elements": rows}


def _packed(wrong: np.ndarray) -> str:
    if wrong.size > MOST_MASK:
        return ""
    text = base64.b64encode(zlib.compress(np.packbits(wrong).tobytes(), 9)).decode()
    return text if len(text) <= 2048 else ""


def unpacked(evidence: dict) -> np.ndarray | None:
    """The mask of `evidence_of`, or None where it was not kept."""
    if not evidence.get("mask"):
        return None
    shape = evidence["shape"]
    bits = np.unpackbits(np.frombuffer(zlib.decompress(base64.b64decode(evidence["mask"])), np.uint8))
    return bits[: int(np.prod(shape))].reshape(shape).astype(bool)


def _text(value) -> str:
    return f"{float(value):.17g}"
