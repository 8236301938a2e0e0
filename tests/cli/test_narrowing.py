"""The options that narrow a search: each is a field of the scope, with all its values, and nothing else is judged."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest
from click.testing import CliRunner

from convlaws.cli import check
from convlaws.cli.app import cli
from convlaws.cli.check import NARROWING
from convlaws.problem.problem import Problem
from convlaws.problem.scope import WHOLE, features

CHOICES = {option.name: option.type for option in check.command.params}


@pytest.mark.parametrize(("option", "field"), NARROWING.items())
def test_an_option_offers_every_value_of_its_field(option, field):
    offered = getattr(CHOICES[option], "choices", None) or range(CHOICES[option].min, CHOICES[option].max + 1)

    assert tuple(offered) == getattr(WHOLE, field)


def test_every_option_that_may_be_repeated_narrows_or_names_laws_or_files():
    repeated = {option.name for option in check.command.params if option.multiple}

    assert repeated == {*NARROWING, "laws", "known"}
    assert set(NARROWING.values()) <= {f.name for f in fields(WHOLE)}


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("--batch", "unbatched"), {"batch": {"unbatched"}}),
        (("--padding", "same", "--padding", "valid"), {"padding": {"same", "valid"}}),
        (("--grouping", "depthwise", "--batch", "one"), {"grouping": {"depthwise"}, "batch": {"one"}}),
    ],
)
def test_only_what_is_chosen_is_judged(words, wanted, tmp_path):
    out = tmp_path / "found.jsonl"
    some = ("--law", "equals-the-definition", "--law", "powers*", "--op", "fprop", "--dtype", "float32", "--examples", "20")

    # a wrong method, so that there are several lines to look at
    done = CliRunner().invoke(
        cli, ["check", "mutant-flipped-kernel", "im2col", *some, *words, "--no-sandbox", "--workers", "1", "--json", str(out)]
    )

    records = [json.loads(line) for line in out.read_text().splitlines()]
    problems = [Problem.parse(r["problem"]) for r in records if r["kind"] == "finding" and r["problem"]]
    assert problems, done.output
    for field, values in wanted.items():
        assert {features(problem)[field] for problem in problems} <= values
