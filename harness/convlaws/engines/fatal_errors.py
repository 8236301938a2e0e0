"""End a process after an error from which it cannot recover, so that one child is lost, and not the run.

After an illegal access, a failed launch and similar errors CUDA returns the same error to every later call of the process,
until it exits (CUDA Runtime API, "Error handling"). Such an error is detected by a trivial call that fails after it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from convlaws.errors import Refusal

SPENT = 86  # exit status of a process that was ended so
SAID = 280  # bytes; the sandbox keeps a little more than this of a child's last output


@contextmanager
def exit_on_fatal(alive: Callable[[], object]) -> Iterator[None]:
    """Let exceptions pass; but if `alive` fails after one, print it on stderr and end the process with SPENT."""
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
    """Exit at once: destructors and exit handlers would only call the broken library again."""
    first = (str(error).splitlines() or [""])[0]  # the lines after it are torch's advice on debugging
    os.write(2, f"{type(error).__name__}: {first}".encode()[:SAID])
    os._exit(SPENT)
