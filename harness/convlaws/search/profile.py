"""Where the time of a search goes: the stack of the main thread, looked at every few milliseconds."""

from __future__ import annotations

import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

PACKAGE = str(Path(__file__).parents[1])
EVERY = 0.005  # seconds between two looks
WAITING = frozenset({"_more", "collect", "_await"})  # functions that block until the child has written
SHRINKING = ("search/shrink.py", "judge/replay.py")  # whatever they call is a part of it
# the step that a file belongs to: the first row whose beginning fits
STEPS = (
    ("strategies/", "drawing"),
    ("search/drawing.py", "drawing"),
    ("problem/", "drawing"),
    ("sandbox/", "sending and receiving"),
    ("oracle/claim.py", "judging"),
    ("oracle/", "the definition and its bounds"),
    ("laws/", "judging"),
    ("judge/", "judging"),
    ("known/", "recording"),
    ("records/", "recording"),
    ("search/", "recording"),
)
WAIT, SHRINK, REST = "waiting for replies", "shrinking and repeating", "other"


def step(frame: FrameType | None) -> str:
    """Return what the code of this stack is at work on."""
    places = []
    while frame is not None:
        if place := _place(frame.f_code.co_filename):
            places.append((place, frame.f_code.co_name))
        frame = frame.f_back
    if any(place in SHRINKING for place, _ in places):
        return SHRINK
    if not places:
        return REST
    place, name = places[0]
    if place.startswith("sandbox/") and name in WAITING:
        return WAIT
    return next((says for begins, says in STEPS if place.startswith(begins)), REST)


def _place(path: str) -> str:
    """Return the path of one of our files within the package, or ''."""
    if path.startswith(PACKAGE):
        return path[len(PACKAGE) + 1 :]
    return f"strategies/{Path(path).name}" if Path(path).parent.name == "strategies" else ""


@contextmanager
def profiling(wanted: bool, notify: Callable[[dict], None]) -> Iterator[None]:
    """Within, the main thread is looked at; `notify` then gets the seconds of each step, as {"profile": {step: seconds}}."""
    if not wanted:
        yield
        return
    seconds: dict[str, float] = defaultdict(float)
    over, main = threading.Event(), threading.main_thread().ident or 0

    def look() -> None:
        before = time.perf_counter()
        while not over.wait(EVERY):
            now = time.perf_counter()
            seconds[step(sys._current_frames().get(main))] += now - before
            before = now

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        notify({"profile": dict(seconds)})
