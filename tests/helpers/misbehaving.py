"""Functions to be timed that are right at first, or never come back."""

from __future__ import annotations

import os
import time

from scripted.functions import conv2d

_CALLS = {"count": 0}


def right(input, weight, bias, stride, padding, dilation, groups):
    return conv2d(input, weight, bias, stride, padding, dilation, groups)


def tires(input, weight, bias, stride, padding, dilation, groups):
    """Right twice, and then wrong in its last channel."""
    _CALLS["count"] += 1
    y = conv2d(input, weight, bias, stride, padding, dilation, groups)
    if _CALLS["count"] > 2:
        y[:, -1] += 1
    return y


def dies(input, weight, bias, stride, padding, dilation, groups):
    os.abort()


def sleeps(input, weight, bias, stride, padding, dilation, groups):
    time.sleep(3600)


def gives_up(input, weight, bias, stride, padding, dilation, groups):
    """Dies when it is timed, and not before."""
    _CALLS["count"] += 1
    if _CALLS["count"] > 3:
        os.abort()
    return conv2d(input, weight, bias, stride, padding, dilation, groups)
