"""Kin: the processes of a household."""

from __future__ import annotations

from convlaws.sandbox.processes import Child, Nursery, ZygoteGone


class Kin:
    """What must not outlive a household: its zygote and its child."""

    def __init__(self) -> None:
        self.nursery: Nursery | None = None
        self.child: Child | None = None

    def drop(self) -> None:
        """Kill the child."""
        if not self.child or not self.nursery:
            return
        try:
            self.nursery.bury(self.child)
        except ZygoteGone:
            self.close()
        else:
            self.child.close()
            self.child = None

    def close(self) -> None:
        """End child and zygote."""
        child, self.child = self.child, None
        nursery, self.nursery = self.nursery, None
        if nursery:
            nursery.close()
        if child:
            child.close()
