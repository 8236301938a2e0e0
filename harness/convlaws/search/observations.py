"""Hypothesis' own record of each draw, as JSON lines that Tyche opens; the only module that knows of that interface.

A record is passed on as Hypothesis made it (phase, timing, how it was generated, metadata), but for
what `find` cannot know: `property` is the job that drew, `arguments` and `representation` are the
problem's line, `features` say what kind of problem it is and how each (method, law) ended on it, and
`status` is `failed` where one of them failed: a search's test function itself never fails. The
records of shrinking are `failed` where the failure still showed, with phase `shrink`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from convlaws.errors import UsageError
from convlaws.problem.problem import Problem
from convlaws.records.finding import Verdict

MOST_BYTES, MOST_FILES = 16 << 20, 4  # of one worker: the oldest file goes first
MOST_TEXT = 4000  # characters of one text in a record


class Rotating:
    """JSON lines in `worker-N.jsonl`; full, it becomes worker-N.1.jsonl, and that .2, as far as .3."""

    def __init__(self, folder: Path, worker: int, most: int = MOST_BYTES):
        self.folder, self.stem, self.most = folder, f"worker-{worker}", most
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.file: IO[str] = self._path(0).open("w", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot write to {folder}: {error.strerror}") from None

    def _path(self, age: int) -> Path:
        return self.folder / (f"{self.stem}.{age}.jsonl" if age else f"{self.stem}.jsonl")

    def write(self, record: dict) -> None:
        """Add a line."""
        line = json.dumps(record, allow_nan=False) + "\n"
        if self.file.tell() and self.file.tell() + len(line) > self.most:
            self.file.close()
            for age in reversed(range(MOST_FILES - 1)):
                if self._path(age).exists():
                    self._path(age).replace(self._path(age + 1))
            self.file = self._path(0).open("w", encoding="utf-8")
        self.file.write(line)

    def close(self) -> None:
        """No more lines."""
        self.file.close()


@dataclass
class _Recorder:
    """What is being drawn, and for which job."""

    out: Rotating
    job: str = ""
    problem: Problem | None = None
    seen: dict[str, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def take(self, observation: Any) -> None:
        """Write one of Hypothesis' observations."""
        from hypothesis.strategies._internal.utils import to_jsonable

        record: Any = to_jsonable(observation, avoid_realization=False)
        if record["type"] == "test_case":
            record |= self._case(record)
        self.out.write(plain({**record, "property": self.job or record["property"]}))
        self.problem, self.seen, self.broken = None, {}, []

    def _case(self, record: dict) -> dict:
        if self.problem is None:  # the draw ended before there was a problem
            return {"arguments": {}}
        line = str(self.problem)
        failed = {"status": "failed", "status_reason": "; ".join(self.broken)} if self.broken else {}
        features = {**record["features"], **kind(self.problem), **self.seen}
        return {"arguments": {"problem": line}, "representation": line, "features": features, **failed}


_now: _Recorder | None = None


@contextmanager
def recording(folder: Path | None, worker: int) -> Iterator[None]:
    """Within, each draw of this thread is recorded in `folder`; nothing is if it is None."""
    global _now  # noqa: PLW0603 - Hypothesis' callbacks belong to a thread as well
    if folder is None:
        yield
        return
    from hypothesis.internal import observability

    _now = _Recorder(Rotating(folder, worker))
    lines, observability.OBSERVABILITY_COLLECT_COVERAGE = observability.OBSERVABILITY_COLLECT_COVERAGE, False
    try:
        with observability.with_observability_callback(_now.take):
            yield
    finally:
        observability.OBSERVABILITY_COLLECT_COVERAGE = lines
        _now.out.close()
        _now = None


def observed() -> bool:
    """Whether draws are recorded now."""
    return _now is not None


def watched(job: str, test: Callable[[Problem], bool]) -> Callable[[Problem], bool]:
    """`test`, with its problem in the record of the draw; `job` is what the record calls the property."""
    recorder = _now
    if recorder is None:
        return test
    recorder.job = job

    def noted(problem: Problem) -> bool:
        recorder.problem = problem
        return test(problem)

    return noted


def saw(method: str, law: str, verdict: Verdict, signature: str) -> None:
    """Note how a case on the problem that is being drawn ended."""
    if _now is None or _now.problem is None:
        return
    _now.seen[f"{method} {law}"] = str(verdict)
    if verdict.bad:
        _now.broken.append(f"{method} {verdict} {law} ({signature})")


def kind(problem: Problem) -> dict[str, str | int]:
    """What a chart would sort problems by."""
    spec = problem.spec
    return {
        "op": problem.op,
        "dtype": problem.dtype,
        "layout": problem.layout,
        "fill": problem.fill,
        "axes": spec.ndim,
        "groups": spec.groups,
        "channels": spec.in_channels,
        "largest extent": max(spec.extent),
        "largest kernel": max(spec.kernel),
        "largest stride": max(spec.stride),
        "largest dilation": max(spec.dilation),
        "transposed": int(spec.transposed),
    }


def plain(value: Any) -> Any:
    """`value` as JSON has it: numbers that JSON lacks become texts, and a text is not endless."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str):
        return value if len(value) <= MOST_TEXT else f"{value[:MOST_TEXT]}... ({len(value) - MOST_TEXT:,} more characters)"
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list | tuple) else value
