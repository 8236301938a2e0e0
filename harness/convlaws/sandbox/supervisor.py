"""Supervisor of one process spec: its fork server, its child, and how each call ended."""

from __future__ import annotations

import json
import os
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from convlaws.errors import UsageError
from convlaws.problem.request import Ending, Reply, Request
from convlaws.sandbox.decode import reply_from
from convlaws.sandbox.interrupt import Interrupted, overdue
from convlaws.sandbox.processes import Child, ForkServer, HomeLost, Processes, ZygoteGone
from convlaws.sandbox.shared_memory import MemoryLayout, Segment, Snapshot, layout_of
from convlaws.sandbox.worker import ProtocolError

OPENING = 30.0  # seconds beyond the time limit for the call that opens a target: it may import torch extensions
GLANCE = 0.02  # seconds between two checks of the child's memory and output
OUTPUT_LIMIT = 64 << 20  # bytes on the child's standard output and error in one call
GRACE = 2.0  # seconds for a child to exit after it has closed its socket
CHECKED = 64  # calls between two checks of the memory of a child that answers quickly
TRIES = 3  # attempts to get a child when the zygote ends


@dataclass
class Limits:
    """The limits of one call: seconds, and bytes of resident memory."""

    seconds: float = 20.0
    memory: int = 4 << 30


class Supervisor:
    """Runs the methods of one process spec in a child, and in a fresh one after each exit.

    `deaths` counts the children that ended in a call. `lost` is the reason why its fork server
    cannot be started, once that has failed. Not for several threads at once.
    """

    def __init__(self, host: str, home: Mapping[str, Any], limits: Limits):
        self.host, self.home, self.limits = host, home, limits
        self.deaths, self.lost = 0, ""
        self._calls, self._opening = 0, False
        self._processes = Processes()
        self._end = weakref.finalize(self, self._processes.close)

    def refresh(self) -> None:
        """Kill the child: the next call gets a fresh one."""
        self._processes.drop()

    def close(self) -> None:
        """End the child and the fork server; a later call starts new ones."""
        self._processes.close()

    def call(self, target: Mapping[str, object], request: Request) -> Reply:
        """Return the reply of `target`; nothing that the target does raises here.

        Raises:
            UsageError: the request's arrays do not agree with the request.
        """
        began = time.perf_counter()
        key = json.dumps(target, sort_keys=True)
        if self.lost:
            return Reply(ending=Ending.NOT_LOADED, message=self.lost, signature="home")
        try:
            reply = self._call(key, layout_of(request), request)
        except HomeLost as error:
            self.lost = str(error)
            return Reply(ending=Ending.NOT_LOADED, message=self.lost, signature="home")
        except BaseException:  # Ctrl-C in the middle of a call: its answer must not be taken for that of the next call
            self._processes.drop()
            raise
        return replace(reply, seconds=time.perf_counter() - began)

    def _call(self, key: str, plan: MemoryLayout, request: Request) -> Reply:
        if self._processes.fork_server and self._processes.fork_server.owner != os.getpid():
            self._processes.close()  # this process is a fork: the child belongs to the one that it was forked from
        self._opening = False
        if overdue():  # quick calls do not reach the check in `_over`
            raise Interrupted
        if died := self._exited_meanwhile(key):
            return died
        child = self._ready()
        self._calls += 1
        try:
            snapshot = self._send(child, key, plan, request)
            message = self._await(child, key)
            if isinstance(message, Reply):
                return message
            assert child.segment is not None
            return reply_from(message, plan, child.segment, snapshot)
        except ProtocolError as error:
            return self._end_child(Ending.DIED, f"protocol: {error}", "protocol")
        except (EOFError, ConnectionError):
            return self._child_exited()

    def _ready(self) -> Child:
        """Return a child that waits for a request: the current one, or a fresh one."""
        processes = self._processes
        if processes.child and self._calls % CHECKED == 0 and (processes.child.resident() or 0) > self.limits.memory:
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

    def _send(self, child: Child, key: str, plan: MemoryLayout, request: Request) -> Snapshot:
        fresh = child.segment is None or not child.segment.fits(plan)
        if fresh:
            child.segment = Segment(plan.size)
        segment = child.segment
        assert segment is not None
        snapshot = segment.write(plan, request)
        child.hush()
        size = segment.size if fresh else 0
        how = f'"threads":{request.threads},"note":{json.dumps(request.note)},"measure":{json.dumps(request.measure)}'
        head = f'{{"id":{self._calls},"segment":{size},{how},"target":{json.dumps(key)},'
        child.link.send(head + plan.words + "}", (segment.fd,) if fresh else ())
        segment.drop_fd()
        return snapshot

    def _await(self, child: Child, key: str) -> dict | Reply:
        """Return the child's message, or the reply if it exceeded a limit or ended."""
        self._opening = key not in child.opened
        limit = self.limits.seconds + OPENING * self._opening
        until = time.monotonic() + limit
        while True:
            child.link.sock.settimeout(max(1e-3, min(GLANCE, until - time.monotonic())))
            try:
                message = child.link.receive()
            except TimeoutError:
                if reply := self._over(child, until, limit):
                    return reply
                continue
            if self._opening and message == {"opened": True}:
                child.opened.add(key)
                self._opening, limit = False, self.limits.seconds
                until = time.monotonic() + limit
                continue
            return self._accept(child, key, message)

    def _accept(self, child: Child, key: str, message: dict) -> dict | Reply:
        if message.get("id") != self._calls or child.link.pending:
            raise ProtocolError("bytes that answer no request")
        if child.written() > OUTPUT_LIMIT:
            return self._over_output_limit(child)
        child.last = key
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
            heard = child.link.sock.recv(1)
        except BlockingIOError:
            return None
        except OSError:
            heard = b""
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
