"""An error after which a process can compute nothing more ends it: one child is lost, and not the run.

After an illegal access, a failed launch and their likes CUDA gives the same error to every later call of the process,
until that is ended (CUDA Runtime API, "Error handling"). Such an error is told from others by asking for something trivial.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from convlaws.errors import Refusal

SPENT = 86  # exit status of a process that ended so
SAID = 280  # bytes: the sandbox keeps a little more of what a child says last


@contextmanager
def exit_on_fatal(alive: Callable[[], object]) -> Iterator[None]:
    """Let exceptions pass; but where `alive` fails after one, say it on stderr and end the process with SPENT."""
    try:
        yield
    except Refusal:
        raise
    except Exception as error:
        if _fails(alive):
            _end(error)
        raise


def _fails(alive: Callable[[], object]) -> bool:
    try:
        alive()
    except Exception:
        return True
    return False


def _end(error: Exception) -> None:
    """End at once: destructors and exit handlers would only call the broken library again."""
    first = (str(error).splitlines() or [""])[0]  # below it torch explains how to debug
    os.write(2, f"{type(error).__name__}: {first}".encode()[:SAID])
    os._exit(SPENT)
