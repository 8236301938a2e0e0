"""InProcess: the calls of a Sandbox in this process, for --no-sandbox and for debuggers."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module

from convlaws.errors import UsageError
from convlaws.problem.request import Reply, Request
from convlaws.sandbox.decode import reply_from
from convlaws.sandbox.interrupt import Interrupted, overdue
from convlaws.sandbox.pending import Pending
from convlaws.sandbox.shared_memory import Segment, layout_of
from convlaws.sandbox.worker import Worker


class InProcess:
    """Calls methods without a sandbox: an exception becomes a reply, a crash ends this process, no limit is enforced.

    `time_limit` and `deaths` exist so that it can replace a Sandbox.
    """

    def __init__(self, *, host: str = "convlaws.engines.host", time_limit: float = 20.0, memory_limit: int = 4 << 30):
        self.host, self.time_limit, self.memory_limit = host, time_limit, memory_limit
        self.deaths = 0
        self._worker: Worker | None = None
        self._segment: Segment | None = None

    def __enter__(self) -> InProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def refresh(self) -> None:
        """Discard the opened targets; the modules stay imported."""
        self._worker = self._segment = None

    def close(self) -> None:
        """Discard the opened targets."""
        self.refresh()

    def call(self, target: Mapping[str, object], request: Request) -> Reply:
        """Return the reply of `target`.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed, or the method raised it: here the two cannot be told apart.
        """
        if python := dict(target.get("home") or {}).get("python"):  # type: ignore[call-overload]
            raise UsageError(f"{python} is another interpreter: without a sandbox only what is installed here can be run")
        if overdue():
            raise Interrupted
        began = time.perf_counter()
        plan, worker = layout_of(request), self._ready()
        if self._segment is None or not self._segment.fits(plan):
            self._segment = Segment(plan.size, shared=False)
            worker.attach(self._segment.map)
        snapshot = self._segment.write(plan, request, 0)
        how = {"threads": request.threads, "note": request.note, "measure": request.measure}
        asked = {"base": 0, "target": json.dumps(target, sort_keys=True), **how}
        message = worker.answer({**asked, **json.loads(f"{{{plan.words}}}")}, lambda: None)
        if message.get("signature") == "KeyboardInterrupt":
            raise KeyboardInterrupt
        reply = reply_from(message, plan, self._segment, snapshot)
        return replace(reply, seconds=time.perf_counter() - began)

    def submit(self, target: Mapping[str, object], request: Request) -> Pending:
        """Return the request with its reply, as there is nothing to wait for."""
        pending = Pending(request)
        pending.resolve(self.call(target, request))
        return pending

    def collect(self) -> None:
        """Do nothing: every request has its reply."""

    def abandon(self) -> None:
        """Do nothing: every request has its reply."""

    def _ready(self) -> Worker:
        if self._worker is None:
            try:
                host = import_module(self.host)
                host.preload()
            except Exception as error:
                raise UsageError(f"cannot load the host {self.host}: {type(error).__name__}: {error}") from error
            self._worker = Worker(host)
        return self._worker
