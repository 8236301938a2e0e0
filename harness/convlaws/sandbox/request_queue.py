"""RequestQueue: the requests to one child, from waiting for room in the shared memory to being under way."""

from __future__ import annotations

import json
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from socket import send_fds

from convlaws.errors import UsageError
from convlaws.sandbox.pending import Pending
from convlaws.sandbox.processes import Child
from convlaws.sandbox.shared_memory import MemoryLayout, Segment, Snapshot
from convlaws.sandbox.worker import framed

MOST_SENT = 32  # requests under way in one child: their messages must fit into the buffer of its socket
TOGETHER = 8  # messages that are sent at once
SENDING = 1.0  # seconds until a message is taken to be unsendable


@dataclass(eq=False)
class Submitted(Pending):
    """A request to one child: its target as JSON, its layout, and, once it is sent, its place in the shared memory."""

    key: str = ""
    plan: MemoryLayout = None  # type: ignore[assignment]
    number: int = 0
    base: int = 0
    snapshot: Snapshot | None = None

    def message(self, size: int) -> bytes:
        """Return the message to the child; `size` is that of a segment whose file descriptor comes with it, or 0."""
        request = self.request
        how = f'"threads":{request.threads},"note":{json.dumps(request.note)},"measure":{json.dumps(request.measure)}'
        head = f'{{"id":{self.number},"segment":{size},"base":{self.base},{how},"target":{_quoted(self.key)},'
        return framed(head + self.plan.words + "}")


@lru_cache(maxsize=1024)
def _quoted(text: str) -> str:
    return json.dumps(text)


class RequestQueue:
    """`waiting` are not in the shared memory yet; `sent` are, and have no reply. Their messages go out several at a time."""

    def __init__(self) -> None:
        self.waiting: deque[Submitted] = deque()
        self.sent: deque[Submitted] = deque()
        self.calls = 0  # requests that were ever sent
        self._messages: list[bytes] = []  # of the last of those sent: they have not gone out yet

    def __len__(self) -> int:
        return len(self.waiting) + len(self.sent)

    @property
    def open(self) -> bool:
        """True if another request may be sent."""
        return bool(self.waiting) and len(self.sent) < MOST_SENT

    def forget(self) -> list[Submitted]:
        """Remove and return every request."""
        left = [*self.sent, *self.waiting]
        self.waiting.clear()
        self.sent.clear()
        self._messages.clear()
        return left

    def send_again(self) -> None:
        """Let the requests under way wait again: their child is gone."""
        self.waiting.extendleft(reversed(self.sent))
        self.sent.clear()
        self._messages.clear()

    def send_next(self, child: Child) -> bool:
        """Put the next request into the shared memory; False if there is no room for it before others have their replies."""
        pending = self.waiting[0]
        fresh = child.segment is None or not child.segment.fits(pending.plan)
        if fresh and self.sent:
            return False
        if fresh:
            child.segment = Segment(pending.plan.size)
        assert child.segment is not None
        base = child.segment.part(pending.plan)
        if base is None:
            return False
        self.waiting.popleft()
        try:
            pending.snapshot = child.segment.write(pending.plan, pending.request, base)
        except UsageError as error:
            pending.resolve(None, error)
            return True
        self._message(child, pending, base, fresh=fresh)
        return True

    def _message(self, child: Child, pending: Submitted, base: int, *, fresh: bool) -> None:
        segment = child.segment
        assert segment is not None
        self.calls += 1
        pending.number, pending.base = self.calls, base
        self.sent.append(pending)
        self._messages.append(pending.message(segment.size if fresh else 0))
        if fresh or len(self._messages) >= TOGETHER:
            self.flush(child, (segment.fd,) if fresh else ())
            segment.drop_fd()

    def flush(self, child: Child | None, fds: tuple[int, ...] = ()) -> None:
        """Let the messages go out: a child that is woken for each would go back to sleep after each."""
        if not self._messages or child is None:
            return
        data = b"".join(self._messages)
        self._messages.clear()
        child.link.sock.settimeout(SENDING)
        with suppress(TimeoutError, ConnectionError):  # a child that takes nothing: the wait for its replies tells why
            if fds:
                send_fds(child.link.sock, [data], fds)
            else:
                child.link.sock.sendall(data)
