"""The commands that reproduce a failure, for a reader to copy."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from convlaws.problem.files import to_benchdnn
from convlaws.records.finding import Finding
from convlaws.reports.page.geometry import parsed
from convlaws.reports.sanitize import LINE, one_line, plain

_DIRECTION = {"fprop": None, "dgrad": "BWD_D", "wgrad": "BWD_W", "bgrad": "BWD_WB"}
_DT = {"float64": "f64", "float32": "f32", "float16": "f16", "bfloat16": "bf16"}
MOST_HISTORY = 20
_PASSED_ON = ("--signature", "--arrays", "--contract")  # options of `check` that a repeat must have to be the same case


@dataclass(frozen=True)
class Repeating:
    """What a repeat command needs besides the finding: options of the run, and what was appended to the names of methods."""

    options: Sequence[str] = ()
    places: Sequence[str] = ()

    def target(self, f: Finding) -> str:
        """Return the method as `convlaws repeat` takes it."""
        name = f.method
        for words in self.places:
            name = name.removesuffix(f" ({words})")
        return plain(name, 200)


def lines(f: Finding) -> list[str]:
    """Return the lines to run, in order; the last one is judged."""
    return [one_line(line, LINE) for line in (*f.history[-MOST_HISTORY:], f.problem)]


def commands(f: Finding, repeating: Repeating) -> list[tuple[str, str]]:
    """Return (what it does, command) pairs."""
    how = " ".join(shlex.quote(w) for w in (*lines(f), repeating.target(f), *repeating.options, "--law", plain(f.law)))
    pairs = [
        ("Repeat it", f"convlaws repeat {how}"),
        ("Write a script that needs no convlaws", f"convlaws repeat {how} --script show.py"),
    ]
    problem = parsed(f.problem)
    words = to_benchdnn(problem.spec) if problem else None
    if problem and words:
        direction = _DIRECTION[problem.op]
        words = f"--dir={direction} {words.partition(' ')[2]}" if direction else words
        pairs.append(
            ("The same sizes in oneDNN's benchdnn, on numbers of its own", f"benchdnn --conv --dt={_DT[problem.dtype]} {words}")
        )
    return pairs


def passed_on(words: Sequence[str]) -> list[str]:
    """Return the options of a `check` command that a repeat needs too.

    >>> passed_on(["check", "mine.py:conv", "--arrays", "numpy", "--budget=9", "--signature=conv1d"])
    ['--arrays', 'numpy', '--signature=conv1d']
    """
    options: list[str] = []
    for word, value in zip_longest(words, words[1:], fillvalue=""):
        if word in _PASSED_ON:
            options += [word, value]
        elif word.partition("=")[0] in _PASSED_ON:
            options.append(word)
    return options
