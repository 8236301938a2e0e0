"""The page on the time to find a mutant: the laws compared with two baselines."""

from __future__ import annotations

from collections.abc import Sequence

from convlaws.reports.mutation.records import JUDGES, Runs, Seen, Sight
from convlaws.reports.mutation.text import NOTE, by_difficulty, machine, number, share, table

HOW = """\
- **convlaws**: `convlaws check mutant-NAME` with all laws, until the first failure. Asked: problems, each under one law.
- **uniform random**: configurations drawn uniformly (at most 4 groups of 4 channels, extents to 16, kernels to 5, stride and
  dilation to 3, padding to 3), standard normal numbers, contiguous, dtypes in turn, compared by `torch.testing.assert_close` with
  its default tolerances. It is given more than such a loop usually has: every op, size field and kind of padding that the
  mutant's scope has.
- **PyTorch's samples**: those of the OpInfo of its six convolutions, in four dtypes, contiguous and not, output and all gradients
  (in float64 the second derivatives too, where there are any); rtol and atol 1e-3 in float32 and float64, as `test_compare_cpu`
  has them, the defaults of `assert_close` in the half types. They are finite: without a find they end before the budget does.

Every sixth mutant that counts was put to the baselines, in the order of registration, with one seed each; convlaws has the
median of its seeds.

The reference of both baselines is torch in float64, rounded once. All three ask through the same sandbox, in which a call that
raises, dies or takes over 2 s is a failure like a wrong number: without it a crash would end the baseline, which tells as much.
An alarm of a baseline that the right method (`im2col`) raises on the same question too is no find: it counts among the
false alarms below. The clock starts when libraries are loaded and runs on one core; drawing and references are on it."""


def page(sight: Sight) -> str:
    """Return the page as Markdown."""
    compared = [m for m in sight.counted if set(JUDGES) <= m.runs.keys()]
    parts = ["# Time to find, beside two baselines", NOTE]
    if not compared:
        return "\n\n".join([*parts, "No mutant was put to the baselines in this run."]) + "\n"
    parts += [HOW, machine(sight), "## How many are found", _totals(compared), *_sentences(compared)]
    return "\n\n".join([*parts, *_healthy(sight), *_each(compared)]) + "\n"


def _totals(compared: Sequence[Seen]) -> str:
    rows = [
        (
            word,
            str(len(some)),
            *(f"{sum(m.runs[j].found for m in some)} ({share(sum(m.runs[j].found for m in some), len(some))})" for j in JUDGES),
        )
        for word, some in by_difficulty(compared)
    ]
    return table(("difficulty", "mutants", *JUDGES.values()), rows)


def _sentences(compared: Sequence[Seen]) -> list[str]:
    """List the mutants that only one judge finds, and those that a baseline finds faster than convlaws."""
    sentences = []
    for judge, title in JUDGES.items():
        others = [j for j in JUDGES if j != judge]
        alone = [m.name for m in compared if m.runs[judge].found and not any(m.runs[o].found for o in others)]
        sentences.append(f"Found by {title} alone ({len(alone)}): {_names(alone)}")
    for judge in [j for j in JUDGES if j != "quest"]:
        quicker = [m.name for m in compared if m.runs[judge].seconds < m.runs["quest"].seconds]
        both = sum(m.runs[judge].found and m.runs["quest"].found for m in compared)
        title = JUDGES[judge][0].upper() + JUDGES[judge][1:]
        sentences.append(f"{title}: quicker than convlaws on {len(quicker)} (both find {both}): {_names(quicker)}")
    return sentences


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) + "." if names else "none."


def _healthy(sight: Sight) -> list[str]:
    """Return the false alarms on correct methods."""
    by: dict[str, dict[str, dict]] = {}
    for record in sight.healthy:
        by.setdefault(record["method"], {})[record["judge"]] = record
    rows = [(f"`{name}`", *(_alarms(some.get(judge)) for judge in ("laws", "uniform", "opinfo"))) for name, some in by.items()]
    sums = [_summed([some.get(judge) for some in by.values()]) for judge in ("laws", "uniform", "opinfo")]
    said = "Alarms on right methods, of so many cases or questions; each had the same seconds, PyTorch's samples may end earlier."
    return ["## False alarms", said, table(("right method", *JUDGES.values()), [*rows, ("all", *sums)])]


def _alarms(record: dict | None) -> str:
    return f"{record['alarms']:,} of {record['examples']:,}" if record else "-"


def _summed(some: Sequence[dict | None]) -> str:
    there = [r for r in some if r]
    return _alarms({name: sum(r[name] for r in there) for name in ("alarms", "examples")}) if there else "-"


def _each(compared: Sequence[Seen]) -> list[str]:
    head = ["mutant", "difficulty"] + [f"{title}: {what}" for title in JUDGES.values() for what in ("seeds", "asked", "seconds")]
    rows = [(f"`{m.name}`", m.about["difficulty"], *(text for j in JUDGES for text in _run(m.runs[j]))) for m in compared]
    return ["## Each mutant", "Medians over the seeds; `-` where most seeds found nothing.", table(head, rows)]


def _run(runs: Runs) -> tuple[str, str, str]:
    return runs.times, number(runs.examples), number(runs.seconds)
