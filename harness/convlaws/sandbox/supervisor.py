"""Supervisor of one process spec: its fork server, its child, and how each call ended."""

from __future__ import annotations

import json
import os
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from convlaws.errors import UsageError
from convlaws.problem.request import Ending, Reply, Request
from convlaws.sandbox.decode import reply_from
from convlaws.sandbox.interrupt import Interrupted, overdue
from convlaws.sandbox.pending import Pending
from convlaws.sandbox.processes import Child, ForkServer, HomeLost, Processes, ZygoteGone
from convlaws.sandbox.request_queue import RequestQueue, Submitted
from convlaws.sandbox.shared_memory import layout_of
from convlaws.sandbox.worker import ProtocolError

OPENING = 30.0  # seconds beyond the time limit for the call that opens a target: it may import torch extensions
GLANCE = 0.02  # seconds between two checks of the child's memory and output
OUTPUT_LIMIT = 64 << 20  # bytes on the child's standard output and error in one call
GRACE = 2.0  # seconds for a child to exit after it has closed its socket
CHECKED = 64  # least number of calls between two checks of the memory of a child that answers quickly
TARGETS = 1024  # whose JSON is kept
TRIES = 3  # attempts to get a child when the zygote ends


@dataclass
class Limits:
    """The limits of one call: seconds, and bytes of resident memory."""

    seconds: float = 20.0
    memory: int = 4 << 30


class Supervisor:
    """Runs the methods of one process spec in a child, and in a fresh one after each exit.

    Requests may be submitted ahead: the child works on one while the replies to earlier ones are judged. If it ends, the
    request that it was at work on is to blame, and what it had not begun is sent to a fresh child.
    `deaths` counts the children that ended in a call. `lost` is the reason why its fork server
    cannot be started, once that has failed. Not for several threads at once.
    """

    def __init__(self, host: str, home: Mapping[str, Any], limits: Limits):
        self.host, self.home, self.limits = host, home, limits
        self.deaths, self.lost = 0, ""
        self._check_at, self._opening = 0, False
        self._queue = RequestQueue()
        self._keys: dict[int, tuple[Mapping[str, object] | None, str]] = {}  # by the id of a target, which is kept with it
        self._processes = Processes()
        self._end = weakref.finalize(self, self._processes.close)

    def refresh(self) -> None:
        """Kill the child: the next call gets a fresh one. What was submitted before is collected first."""
        while self.busy:
            self.collect()
        self._processes.drop()

    def close(self) -> None:
        """End the child and the fork server; a later call starts new ones. What was submitted is forgotten."""
        self._queue.forget()
        self._processes.close()

    def abandon(self) -> None:
        """Forget what was submitted; a child that is at work on it is killed."""
        busy = bool(self._queue.sent)
        self._queue.forget()
        if busy:
            self._processes.drop()

    @property
    def busy(self) -> bool:
        """True while a request that was submitted has no reply."""
        return len(self._queue) > 0

    def awaited(self) -> int | None:
        """Send what waits, and return the file descriptor on which the next message arrives; None if `collect` need not wait."""
        self._guarded(self._send_waiting)
        self._queue.flush(self._processes.child)
        child = self._processes.child
        if not child or not self._queue.sent or child.link.pending or child.done >= self._queue.sent[0].number:
            return None
        return child.link.sock.fileno()

    def call(self, target: Mapping[str, object], request: Request) -> Reply:
        """Return the reply of `target`; nothing that the target does raises here.

        Raises:
            UsageError: the request's arrays do not agree with the request.
        """
        pending = self.submit(target, request)
        while not pending.done:
            self.collect()
        return pending.taken()

    def submit(self, target: Mapping[str, object], request: Request) -> Pending:
        """Send a request without waiting for its reply; the child works on requests in the order in which they were submitted."""
        pending = Submitted(request, key=self._key(target), plan=layout_of(request))
        self._queue.waiting.append(pending)
        self._guarded(self._send_waiting)
        return pending

    def _key(self, target: Mapping[str, object]) -> str:
        """Return a target as JSON; an object that comes again is not encoded again."""
        kept, key = self._keys.get(id(target), (None, ""))
        if kept is target:
            return key
        if len(self._keys) >= TARGETS:
            self._keys.clear()
        key = json.dumps(target, sort_keys=True)
        self._keys[id(target)] = target, key
        return key

    def collect(self) -> None:
        """Wait until the oldest request has its reply; it is in its `Pending` then."""
        self._guarded(self._collect)

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except HomeLost as error:
            self.lost = str(error)
            self._refuse_all()
        except BaseException:  # Ctrl-C in the middle of a call: its answer must not be taken for that of the next call
            self._queue.forget()
            self._processes.drop()
            raise

    def _refuse_all(self) -> None:
        """Answer what was submitted with the reason why the fork server cannot be started."""
        for pending in self._queue.forget():
            pending.resolve(Reply(ending=Ending.NOT_LOADED, message=self.lost, signature="home"))

    # --- sending ------------------------------------------------------------
    def _send_waiting(self) -> None:
        """Send what waits, as far as the shared memory has room; once nothing is under way, all of it is free again."""
        if self.lost:
            self._refuse_all()
            return
        if self._processes.fork_server and self._processes.fork_server.owner != os.getpid():
            self._processes.close()  # this process is a fork: the child belongs to the one that it was forked from
        while self._queue.open:
            if not self._queue.sent and not self._begin():
                continue
            assert self._processes.child is not None
            if not self._queue.send_next(self._processes.child):
                return

    def _begin(self) -> bool:
        """Prepare a child that is at work on nothing; False if the end of the last one is the reply to the next request."""
        if overdue():  # quick calls do not reach the check in `_over`
            raise Interrupted
        self._opening = False
        if died := self._exited_meanwhile(self._queue.waiting[0].key):
            self._queue.waiting.popleft().resolve(died)
            return False
        child = self._ready()
        if child.segment is not None:
            child.segment.clear()
        return True

    # --- replies ------------------------------------------------------------
    def _collect(self) -> None:
        self._send_waiting()
        self._queue.flush(self._processes.child)
        if not self._queue.sent:
            return
        pending, child = self._queue.sent[0], self._processes.child
        assert child is not None
        began = time.perf_counter()
        try:
            message = self._await(child, pending)
            reply = message if isinstance(message, Reply) else self._reply(child, pending, message)
        except ProtocolError as error:
            reply = self._end_child(Ending.DIED, f"protocol: {error}", "protocol")
        except (EOFError, ConnectionError):
            reply = self._left(child, pending) or self._child_exited()
        self._queue.sent.popleft()
        if self._processes.child is not child:  # what it had not begun is sent to the next one
            self._queue.send_again()
        pending.resolve(replace(reply, seconds=time.perf_counter() - began))
        self._send_waiting()

    def _reply(self, child: Child, pending: Submitted, message: dict) -> Reply:
        assert child.segment is not None
        assert pending.snapshot is not None
        return reply_from(message, pending.plan, child.segment, pending.snapshot, pending.base)

    def _left(self, child: Child, pending: Submitted) -> Reply | None:
        """Return the reply that a child left before it ended at work on the next request, or None if it is to blame itself."""
        if len(self._queue.sent) == 1:
            return None
        try:
            message = self._there(child, pending)
            return self._reply(child, pending, message) if message else None
        except ProtocolError:
            return None

    def _there(self, child: Child, pending: Submitted) -> dict | None:
        """Return the message that the child has left in the shared memory, or None."""
        assert child.segment is not None
        return child.segment.reply(pending.plan, pending.base)

    def _ready(self) -> Child:
        """Return a child that waits for a request: the current one, or a fresh one."""
        processes = self._processes
        if processes.child and self._queue.calls >= self._check_at:
            self._check_at = self._queue.calls + CHECKED
            if (processes.child.resident() or 0) > self.limits.memory:
                processes.drop()  # it has grown over many calls, no single one is to blame
        for _ in range(TRIES):
            if processes.child:
                return processes.child
            processes.fork_server = processes.fork_server or ForkServer(self.host, self.home)
            try:
                processes.child = processes.fork_server.fork()
            except ZygoteGone:
                processes.close()
        if processes.child:
            return processes.child
        raise UsageError(f"the sandbox's zygote for {self.host} ended {TRIES} times when it should fork")

    def _await(self, child: Child, pending: Submitted) -> dict | Reply:
        """Return the child's message, or the reply if it exceeded a limit or ended."""
        self._opening = pending.key not in child.opened
        limit = self.limits.seconds + OPENING * self._opening
        until = time.monotonic() + limit
        while child.done < pending.number:
            child.link.sock.settimeout(max(1e-3, min(GLANCE, until - time.monotonic())))
            try:
                message = child.link.receive()
            except TimeoutError:
                if found := self._there(child, pending):  # the child has not said so yet: it is at work on the next request
                    child.found(pending.number, pending.key)
                    return self._accept(child, pending, found)
                if reply := self._over(child, until, limit):
                    return reply
                continue
            if "id" in message:  # a reply that is too long for the shared memory
                return self._accept(child, pending, message)
            self._hear(child, message)
            if self._opening and pending.key in child.opened:
                self._opening, limit = False, self.limits.seconds
                until = time.monotonic() + limit
        return self._accept(child, pending, self._there(child, pending) or {})

    def _hear(self, child: Child, message: dict) -> None:
        """Take a message that is no reply: a target was opened, or replies are there.

        Raises:
            ProtocolError: it is not about a request under way.
        """
        if child.late(message):
            return
        ((kind, number),) = message.items() if len(message) == 1 else (("", 0),)
        under_way = {pending.number: pending.key for pending in self._queue.sent}
        if type(number) is int and kind == "opened" and under_way.get(number, "") not in ("", *child.opened):
            child.opened.add(under_way[number])
        elif type(number) is int and kind == "done" and number in under_way and number > child.done:
            child.done = child.told = number
        else:  # each is accepted once: a child that repeats one could keep this process listening for ever
            raise ProtocolError("bytes that answer no request")

    def _accept(self, child: Child, pending: Submitted, message: dict) -> dict | Reply:
        if message.get("id") != pending.number or (child.link.pending and len(self._queue.sent) == 1):
            raise ProtocolError("bytes that answer no request")
        if child.written() > OUTPUT_LIMIT:
            return self._over_output_limit(child)
        child.hush()
        child.last = pending.key
        return message

    def _over(self, child: Child, until: float, limit: float) -> Reply | None:
        """Return a reply if the child is over a limit or has ended without closing its socket, else None.

        Raises:
            Interrupted: Ctrl-C was pressed a moment ago.
        """
        if overdue():
            raise Interrupted
        resident = child.resident()
        if resident is None:
            return None if child.spoke() else self._child_exited()
        if resident > self.limits.memory:
            message = f"{resident >> 20} MiB of memory are resident, the limit is {self.limits.memory >> 20}"
            return self._end_child(Ending.OVER_LIMIT, message, "memory")
        if child.written() > OUTPUT_LIMIT:
            return self._over_output_limit(child)
        if time.monotonic() >= until:
            return self._end_child(Ending.HUNG, f"no answer within {limit:g} s", "time")
        return None

    def _over_output_limit(self, child: Child) -> Reply:
        size = child.written() >> 20
        return self._end_child(Ending.OVER_LIMIT, f"wrote {size} MiB to its output, the limit is {OUTPUT_LIMIT >> 20}", "output")

    # --- exits ------------------------------------------------------------
    def _exited_meanwhile(self, key: str) -> Reply | None:
        """Return a reply if the child ended or sent unrequested bytes since the call before, else None.

        None too if `key` was not the last target to run in the child.
        """
        child = self._processes.child
        if child is None:
            return None
        try:
            child.link.sock.settimeout(0)
            while child.late(child.link.receive()):
                pass
            heard = True
        except BlockingIOError:
            if not child.link.pending:
                return None
            heard = True
        except ProtocolError:
            heard = True
        except (EOFError, OSError):
            heard = False
        reply = self._end_child(Ending.DIED, "protocol: bytes between two calls", "protocol") if heard else self._child_exited()
        return replace(reply, message=f"since the call before, {reply.message}") if child.last == key else None

    def _child_exited(self) -> Reply:
        """Return the reply for a child that ended by itself."""
        return self._end_child(Ending.DIED, "", "", GRACE)

    def _end_child(self, ending: Ending, message: str, signature: str, grace: float = 0.0) -> Reply:
        """End the child and return the reply; without a message, its exit is the message."""
        self.deaths += 1
        processes = self._processes
        child, fork_server = processes.child, processes.fork_server
        assert child is not None
        assert fork_server is not None
        tail = child.tail()
        try:
            death = fork_server.reap(child, grace)
            if not message and death.killed:
                message, signature = "protocol: it closed its connection and went on", "protocol"
            processes.child = None
            child.close()
        except ZygoteGone:
            processes.close()
            message, signature = message or "the process and the zygote that made it died", signature or "zygote"
        else:
            message, signature = message or death.sentence, signature or death.name
        last = f"; its last output: {tail}" if tail else ""
        if self._opening:  # its import did this, so there is no function to judge
            ending, message = Ending.NOT_LOADED, f"it cannot be opened: {message}"
        return Reply(ending=ending, message=message + last, signature=signature)
