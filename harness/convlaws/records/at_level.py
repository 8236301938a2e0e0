"""AtLevel: the results of a row at one ISA level, compared with another level."""

from __future__ import annotations

from dataclasses import dataclass, field

from convlaws.records.finding import counted


@dataclass
class AtLevel:
    """A row at one ISA level, compared with `beside`, the same row at another level.

    `asked` counts the problems answered at both, by dtype; `differ` counts those whose bits differ, and `lines` has the one with
    the fewest multiply-adds. `ended` counts those that were not answered at this level.
    """

    method: str
    level: str
    variables: dict[str, str]
    flags: tuple[str, ...]
    beside: str = ""
    asked: dict[str, int] = field(default_factory=dict)
    differ: dict[str, int] = field(default_factory=dict)
    lines: dict[str, str] = field(default_factory=dict)
    ended: int = 0

    def said(self) -> list[str]:
        """Sentences on where its bits differ."""
        if not self.beside:
            return []
        unlike = [
            f"{dtype}: other bits than {self.beside} in {count} of {counted(self.asked[dtype], 'problem')}, as {line}"
            for dtype, count in self.differ.items()
            if (line := self.lines[dtype])
        ]
        died = [f"{counted(self.ended, 'problem')} not answered"] * bool(self.ended)
        total = sum(self.asked.values())
        same = [f"the same bits as {self.beside} in all of {counted(total, 'problem')}"] * (not unlike and total > 0)
        return [*unlike, *same, *died]

    def record(self) -> dict:
        """The record for the summary of a run."""
        told = {"beside": self.beside, "asked": self.asked, "differ": self.differ, "lines": self.lines, "ended": self.ended}
        return {"level": self.level, "variables": self.variables, "flags": list(self.flags), **told}
