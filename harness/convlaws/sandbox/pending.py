"""Pending: a request on its way, and who waits for its reply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from convlaws.problem.request import Reply, Request


@dataclass(eq=False)
class Pending:
    """A request that was submitted; `reply` is None until it was collected.

    `waiters` are called once, when the reply or the error is there.
    """

    request: Request
    reply: Reply | None = None
    error: Exception | None = None
    waiters: list[Callable[[], object]] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """True once the reply or the error is there."""
        return self.reply is not None or self.error is not None

    def resolve(self, reply: Reply | None, error: Exception | None = None) -> None:
        """Take the reply, or the error in place of it, and call those who wait."""
        self.reply, self.error = reply, error
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            waiter()

    def taken(self) -> Reply:
        """Return the reply.

        Raises:
            UsageError: the request's arrays do not agree with the request.
        """
        if self.error is not None:
            raise self.error
        assert self.reply is not None
        return self.reply
