"""Known findings: which failures they explain, and that a misspelt one explains none."""

from __future__ import annotations

import json
from importlib import metadata

import pytest

from convlaws import known
from convlaws.errors import SchemaError, UnknownName
from convlaws.known import Known, Ledger
from convlaws.laws.registry import laws
from convlaws.problem.problem import Problem
from convlaws.targets import registry
from convlaws.targets.registry import get

LINE = "n1c1k1_x4_r2_s1_p0_d1_g1 dgrad float16 contiguous integers seed=0"
P, OTHER = Problem.parse(LINE), Problem.parse("n1c1k1_x5_r3 wgrad float32")
LOOP = get("loop")


def always(contract: str) -> bool:
    return True


def never(contract: str) -> bool:
    return False


def explained(problem: Problem, law: str = "homogeneous", holds=always, **fields) -> bool:
    entry = Known(**{"id": "k", "methods": ("loop",), **fields})
    return Ledger([entry]).explains(LOOP, law, problem, holds) == "k"


# --- what an entry covers -------------------------------------------------------------
def test_an_entry_without_regions_covers_its_lines_only():
    assert explained(P, lines=(LINE,))
    assert not explained(OTHER, lines=(LINE,))


def test_a_region_covers_what_its_scope_accepts():
    region = ({"ops": ("dgrad",), "dtypes": ("float16",)},)

    assert explained(P, regions=region)
    assert not explained(OTHER, regions=region)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"methods": ("lo*",)}, True),
        ({"methods": ("unfold",)}, False),
        ({"laws": ("homo*",)}, True),
        ({"laws": ("additive*",)}, False),
    ],
)
def test_methods_and_laws_are_globs(fields, expected):
    assert explained(P, lines=(LINE,), **fields) == expected


def test_an_entry_with_contracts_explains_only_what_keeps_one_of_them():
    assert explained(P, lines=(LINE,), contracts=("storage",), holds=lambda name: name == "storage")
    assert not explained(P, lines=(LINE,), contracts=("storage",), holds=never)
    assert explained(P, lines=(LINE,), holds=never)


def test_a_condition_narrows_a_region():
    many, one = (Problem.parse(f"n{n}c1k1_x5_r3 wgrad") for n in (16, 1))
    fields = {"regions": ({"ops": ("wgrad",)},), "where": ("16 images or channels",)}

    assert explained(many, **fields)
    assert not explained(one, **fields)


# --- versions ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("package", "versions", "expected"),
    [
        ("", "", True),
        ("numpy", "", True),
        ("numpy", f"=={metadata.version('numpy')}", True),
        ("numpy", "<1", False),
        ("a-package-that-is-not-installed", "", False),
    ],
)
def test_an_entry_is_about_the_installed_version(package, versions, expected):
    assert explained(P, lines=(LINE,), package=package, versions=versions) == expected


def test_a_local_version_is_the_version_that_it_is_built_from(monkeypatch):
    monkeypatch.setattr(known.metadata, "version", lambda name: "2.13.0+cpu")
    known.installed.cache_clear()

    assert explained(P, lines=(LINE,), package="torch", versions="==2.13.0")
    known.installed.cache_clear()


# --- where nothing is drawn -------------------------------------------------------------
def test_only_marked_regions_are_avoided_and_their_lines_are_still_asked():
    region = ({"ops": ("dgrad",)},)
    near = Problem.parse("n1c1k1_x9_r2 dgrad")
    marked, plain = (Ledger([Known(id="k", methods=("*",), regions=region, lines=(LINE,), avoid=a)]) for a in (True, False))

    assert marked.avoids(LOOP, "homogeneous", near) == "k"
    assert marked.avoids(LOOP, "homogeneous", P) == ""
    assert marked.avoids(LOOP, "homogeneous", OTHER) == ""
    assert plain.avoids(LOOP, "homogeneous", near) == ""


# --- mistakes in an entry ---------------------------------------------------------------
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"methods": ("lopo",)}, "names method 'lopo', which matches nothing"),
        ({"methods": ("*",), "laws": ("adjoint",)}, "names law 'adjoint', which matches nothing"),
    ],
)
def test_an_entry_with_an_unknown_name_is_an_error(fields, reason):
    ledger = Ledger([Known(id="mine#1", **fields)])

    with pytest.raises(UnknownName) as caught:
        ledger.check_names(["loop", "unfold"], ["homogeneous"])

    assert reason in str(caught.value)
    assert "mine#1" in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"id": "k"}, "methods"),
        ({"id": "k", "methods": ["*"], "colour": "red"}, "colour"),
        ({"id": "k", "methods": ["*"], "lines": ["n1c1"]}, "'n1c1' does not begin"),
        ({"id": "k", "methods": ["*"], "regions": [{"shape": [1]}]}, "shape"),
        ({"id": "k", "methods": ["*"], "where": ["it rains"]}, "it rains"),
        ({"id": "k", "methods": ["*"], "versions": "about 2"}, "about 2"),
    ],
)
def test_an_entry_that_is_not_well_formed_is_an_error_that_names_the_file(entry, reason):
    with pytest.raises(SchemaError) as caught:
        known.parsed("mine.json", json.dumps([entry]))

    assert str(caught.value).startswith("mine.json: ")
    assert reason in str(caught.value)


# --- the entries that are there -----------------------------------------------------------
def test_the_entries_of_the_package_name_methods_and_laws_that_exist():
    methods = [row.name for row in registry.rows(*registry.KINDS, absent=True)]

    known.load().check_names(methods, [law.name for law in laws()])


def test_each_entry_of_the_package_says_what_is_wrong_and_covers_its_lines():
    entries = known.load().entries

    assert entries
    for entry in entries:
        assert entry.sentence.endswith("."), entry.id
        assert entry.lines, entry.id
        assert all(map(entry.covers, entry.problems)), entry.id
    assert len({entry.id for entry in entries}) == len(entries)


def test_the_lines_of_an_entry_with_regions_lie_in_them():
    for entry in known.load().entries:
        if entry.scopes:
            outside = [str(p) for p in entry.problems if all(s.refuses(p) for s in entry.scopes)]
            assert not outside, entry.id
