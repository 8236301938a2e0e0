"""Functions for the timing tests that turn wrong after some calls, die, or do not return."""

from __future__ import annotations

import os
import time

from scripted.functions import conv2d

_CALLS = {"count": 0}


def right(input, weight, bias, stride, padding, dilation, groups):
    return conv2d(input, weight, bias, stride, padding, dilation, groups)


def tires(input, weight, bias, stride, padding, dilation, groups):
    """Return the right result twice, then a result with a wrong last channel."""
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
    """Abort at the fourth call, which is a timed one."""
    _CALLS["count"] += 1
    if _CALLS["count"] > 3:
        os.abort()
    return conv2d(input, weight, bias, stride, padding, dilation, groups)
