"""Findings as a run would record them, and files of runs, for tests of the reports."""

from __future__ import annotations

from pathlib import Path

from convlaws.records.finding import Finding, Verdict, summary_line

LINE = "n1c1k1_x3_r2_s1_p0_d2_g1 fprop float32 contiguous integers seed=0"
OTHER = "n1c1k1_x5_r3_s1_p0_d1_g1 fprop float32 contiguous integers seed=0"

# hostile texts that code under test might put into a name or a message; reports must treat them as plain text
HOSTILE = {
    "script": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "megabyte": "A" * 2**20,
    "control": "\x00\x01\x1b[31mred\x1b[0m\x07\r\x85",
    "cdata": "]]>--><!--",
    "fake tag": "</failure></testcase></testsuite><testcase name='x'/>",
    "backticks": "`````` ``` `",
    "pipes": "| a | b |\n|---|---|\n\\| c |",
    "markdown": "# head\n* [x](javascript:alert(1)) ![i](http://e.invalid) http://e.invalid @user #1 **b**",
    "surrogate": "\ud800 and \ufffe\uffff",
    "direction": "\u202egnp.exe\u2066",
    "newlines": "\n\n\r\n\u2028\u2029",
    "nothing": "",
}
FIELDS = ("method", "law", "message", "says", "problem", "known", "signature", "family", "flaky", "contract")


def made(verdict: Verdict = Verdict.KEPT, **changed) -> Finding:
    """Return a finding with a family, 30 examples, and a problem line if it is a failure."""
    bad = {"problem": LINE, "message": "got is 1, the definition 2", "signature": "value"} if verdict.bad else {}
    plain = {"method": "m", "law": "law-a", "op": "fprop", "verdict": verdict, "family": "algebra", "examples": 30, "drawn": 30}
    return Finding(**{**plain, **bad, **changed})


def written(path: Path, *findings: Finding, summary: dict | None = None) -> Path:
    """Write a findings file; without a summary, it is that of a run that was killed."""
    lines = [f.to_line() for f in findings] + ([summary_line(**summary)] if summary is not None else [])
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def told(run: str = "run-1", environment: str = "place-1", torch: str = "2.13.0", **more) -> dict:
    """Return the fields of a run's summary."""
    return {"run": run, "environment": {"id": environment, "cpu": "a cpu", "versions": {"torch": torch}}, "seed": 0, **more}
