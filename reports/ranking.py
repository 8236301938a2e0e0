"""Timings as text: one table per problem, the fastest first, and one line per method for all problems together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from textwrap import fill

from convlaws.records.finding import Verdict, counted
from convlaws.records.timing_file import Timing

RESTLESS = 0.3  # a median spread of at least this means that another load ran on these CPUs
CLOSE = 1.1  # a method within this factor of the fastest time counts as close
_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def amount(seconds: float) -> str:
    """Format a time with three digits and its unit.

    >>> amount(0.0026571), amount(12.0), amount(0.9e-6), amount(0.1)
    ('2.66 ms', '12.0 s', '900 ns', '100 ms')
    """
    scale, unit = next((row for row in _UNITS if seconds >= row[0]), _UNITS[-1])
    value = seconds / scale
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} {unit}"


def mebibytes(size: int | None) -> str:
    """Format a size in MiB, '<1' below one (not measured accurately); '' if unknown.

    >>> mebibytes(300_000), mebibytes(3 << 20), mebibytes(200 << 20), mebibytes(None)
    ('<1', '3.0', '200', '')
    """
    if size is None:
        return ""
    return "<1" if size < 1 << 20 else f"{size / 2**20:.1f}" if size < 100 << 20 else f"{size >> 20:,}"


def error(ratio: float | None) -> str:
    """Format an error over its slack."""
    return "" if ratio is None else "0" if ratio == 0 else f"{ratio:.2g}"


@dataclass(frozen=True)
class RankingColumn:
    """A column; with `needed` 0 it is always shown, else the highest number is dropped first on a narrow terminal."""

    head: str
    cell: Callable[[Timing, Timing], str]  # called with a timing and the fastest one
    needed: int = 0


def behind(timing: Timing, first: Timing) -> str:
    """Return the time relative to the fastest; ~ if their quartiles overlap, so that either may be the faster."""
    assert timing.seconds
    assert first.seconds
    tie = timing is not first and (timing.low or 0) <= (first.high or 0)
    return f"{'~' if tie else ''}{timing.seconds / first.seconds:.2f}"


COLUMNS = (
    RankingColumn("method", lambda t, first: t.method),
    RankingColumn("median", lambda t, first: amount(t.seconds or 0)),
    RankingColumn("x fastest", behind),
    RankingColumn("spread", lambda t, first: f"{t.spread:.0%}", 1),
    RankingColumn("roofline", lambda t, first: f"{t.share:.0%}" if t.bound else "", 3),
    RankingColumn("GFLOP/s", lambda t, first: f"{t.rate / 1e9:.1f}", 4),
    RankingColumn("MiB", lambda t, first: mebibytes(t.memory), 2),
    RankingColumn("error/slack", lambda t, first: error(t.ratio), 5),
)
LEGEND = (
    "median and spread (distance of the quartiles) are of blocks of calls; ~ overlaps the fastest; roofline is the share of "
    "the speed at which this machine multiplies matrices or copies memory; MiB is the growth of a fresh process in its first "
    "call; an answer with error/slack up to 1 is right"
)


def table(timings: Sequence[Timing], *, width: int, most: int | None = None) -> str:
    """Return the table of one problem; methods without a time come last, with the reason."""
    timed = [t for t in timings if t.seconds]
    lines = [heading(timings[0], width)]
    if timed:
        rows = [[c.head for c in COLUMNS], *([c.cell(t, timed[0]) for c in COLUMNS] for t in timed[:most])]
        lines += _aligned(rows, width, [c.needed for c in COLUMNS])
    if most and len(timed) > most:
        lines.append(f"  and {len(timed) - most} slower: {_named(timed[most:])}")
    lines += (f"  no time: {t.method} {failed(t)}: {' '.join(t.message.split())}" for t in timings if t.verdict.bad)
    if not timed:
        lines.append("  no method has a time")
    return "\n".join(_cut(line, width) if line.startswith("  no time") else line for line in lines)


def heading(t: Timing, width: int) -> str:
    """Return the problem of a timing and what it needs."""
    name = [] if t.name == t.problem else [t.name]
    return "\n".join(fill(text, width) for text in (*name, t.problem.partition(" seed=")[0], needs(t)))


def needs(t: Timing) -> str:
    """Return the least flops and bytes that the problem needs, and the number of threads."""
    bound = f", at best {amount(t.bound)} here" if t.bound else ""
    judged = f"; judged on {t.judged:.0%} of the result's channels" if t.judged < 1 else ""
    return f"{t.flops / 1e6:,.4g} MFLOP, {t.traffic / 1e6:,.3g} MB{bound}, {counted(t.threads, 'thread')}{judged}"


def _named(timings: Sequence[Timing]) -> str:
    return ", ".join(t.method for t in timings)


def failed(t: Timing) -> str:
    """Return a word for how a method failed."""
    return {Verdict.BROKEN: "wrong", Verdict.CRASHED: "crashed", Verdict.HUNG: "hung"}[t.verdict]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."


def _aligned(rows: list[list[str]], width: int, needed: Sequence[int]) -> list[str]:
    """Align the first column left and the others right; drop columns until the rest fits."""
    size = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    kept = list(range(len(size)))
    while sum(size[i] + 2 for i in kept) > width and any(needed[i] for i in kept):
        kept.remove(max(kept, key=lambda i: needed[i]))
    told = ("  ".join(f"{row[i]:<{size[i]}}" if i == 0 else f"{row[i]:>{size[i]}}" for i in kept) for row in rows)
    return [f"  {line}".rstrip() for line in told]


def refusals(tables: Iterable[Sequence[Timing]], width: int) -> str:
    """Return a line per refusal reason with the methods refused, wrapped to `width`."""
    refused = [t for timings in tables for t in timings if t.verdict is Verdict.REFUSED]
    reasons: dict[str, list[str]] = {}
    for t in refused:
        reasons.setdefault(t.message, []).append(t.method)
    lines = [f"{', '.join(dict.fromkeys(names))}: {reason}" for reason, names in reasons.items()]
    return "\n".join(fill(line, width, initial_indent="  ", subsequent_indent="    ") for line in lines)


def together(tables: Sequence[Sequence[Timing]]) -> list[list[str]]:
    """Return one row of cells per method: the total time, weighted by how often the network has each problem, and wins.

    The first row has the heads, the last is the fastest of each.
    """
    best = [min((t.seconds for t in timings if t.seconds), default=0.0) for timings in tables]
    methods = dict.fromkeys(t.method for timings in tables for t in timings if t.seconds)
    rows = sorted((_sum(method, tables, best) for method in methods), key=lambda row: (row[0], row[1]))
    heads = ["method", "all together", "fastest", f"within {CLOSE - 1:.0%}", "without a time"]
    whole = sum(t.seconds * t.times for timings in tables for t in [min(timings, key=_or_last)] if t.seconds)
    told = [[name, amount(total) if not missing else "", str(wins), str(close), str(missing or "")]
            for missing, total, wins, close, name in rows]  # fmt: skip
    told.append(["the fastest of each", amount(whole), "", "", ""])
    return [heads, *told]


def together_text(tables: Sequence[Sequence[Timing]], width: int) -> str:
    """Return the rows of `together` as text."""
    return "\n".join(_aligned(together(tables), width, (0, 0, 1, 2, 3)))


def unrest(timings: Sequence[Timing]) -> str:
    """Return a warning if the spread of the times shows that another load ran on the CPUs; else ''."""
    spreads = [t.spread for t in timings if t.blocks > 1]
    if not spreads or median(spreads) < RESTLESS:
        return ""
    return (
        f"these times are unreliable: half of them are spread by {median(spreads):.0%} and more, so something else "
        "ran on these CPUs; repeat it on a quiet machine"
    )


def _or_last(t: Timing) -> float:
    return t.seconds or float("inf")


def _sum(method: str, tables: Sequence[Sequence[Timing]], best: Sequence[float]) -> tuple[int, float, int, int, str]:
    """Return (problems without a time, total seconds of the others, times the fastest, times close to it, method)."""
    mine = [next((t for t in timings if t.method == method and t.seconds), None) for timings in tables]
    timed = [(t, least) for t, least in zip(mine, best, strict=True) if t]
    total = sum((t.seconds or 0) * t.times for t, _ in timed)
    near = [sum((t.seconds or 0) <= factor * least for t, least in timed) for factor in (1.0, CLOSE)]
    return len(mine) - len(timed), total, near[0], near[1], method
