"""Our own table, method x law: a few problems each; `make verify` draws more. All laws of three methods in the short run.

Half types of the engines are left to `make verify`: their failures are known findings, told there.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest

from convlaws import known
from convlaws.laws.registry import laws
from convlaws.problem.scope import WHOLE
from convlaws.records.finding import Finding, Verdict
from convlaws.reports import console
from convlaws.sandbox.sandbox import Sandbox
from convlaws.search.plan import Plan
from convlaws.search.search import Search
from convlaws.targets.registry import Method, rows

EXAMPLES = 2  # of each (method, law, op)
FEW = ("im2col", "winograd2", "sparse-csr")  # of the short run: with a plain contract and with one of their own
LAWS = {law.name: law for law in laws()}
SCOPES = {"method": WHOLE, "engine": replace(WHOLE, dtypes=("float32", "float64"))}
# laws first, so that neighbours share one search
TABLE = [pytest.param(m, law, id=f"{m.name}-{law}") for law in LAWS for m in rows()]


@pytest.fixture(scope="module")
def box():
    with Sandbox() as sandbox:
        yield sandbox


@lru_cache
def searched(law: str, kind: str, box: Sandbox) -> list[Finding]:
    """The findings of all methods of a kind under a law: they are put to the same problems."""
    plan = Plan(rows(kind), [LAWS[law]], SCOPES[kind], examples=EXAMPLES)
    return Search(plan, box, known.load()).run()


@pytest.mark.long
@pytest.mark.parametrize(("method", "law"), TABLE)
def test_method_keeps_law(method: Method, law: str, box: Sandbox):
    found = [f for f in searched(law, method.kind, box) if f.method == method.name]

    bad = [f for f in found if f.verdict.bad]
    new = [console.failure(f) for f in bad if not f.known]
    assert not new, "\n\n".join(new)
    if bad:
        pytest.xfail(f"known finding {', '.join(sorted({f.known for f in bad}))}")
    if all(f.verdict is Verdict.REFUSED for f in found):
        pytest.skip(found[0].message if found else "no op, dtype or layout in common")
    if all(f.verdict is Verdict.REFUSED or "the law claims nothing here" in f.vacuous for f in found):
        pytest.skip("vacuous: the law claims nothing in this method's scope")
    assert any(f.examples for f in found), f"nothing was judged: {[f.message for f in found]}"


@pytest.mark.long
@pytest.mark.parametrize("law", LAWS)
def test_no_law_is_refused_by_every_row(law: str, box: Sandbox):
    found = [f for kind in SCOPES for f in searched(law, kind, box)]

    assert any(f.examples for f in found)


# --- the slice of the short run ----------------------------------------------------------
@pytest.fixture(scope="module")
def few(box) -> list[Finding]:
    """The findings of three methods under all laws."""
    plan = Plan([row for row in rows("method") if row.name in FEW], [*LAWS.values()], examples=EXAMPLES)
    return Search(plan, box, known.load()).run()


@pytest.mark.parametrize("law", LAWS)
def test_a_few_methods_keep_every_law_that_is_about_them(few, law):
    found = [f for f in few if f.law == law]

    new = [console.failure(f) for f in found if f.verdict.bad and not f.known]
    assert not new, "\n\n".join(new)
    assert {f.method for f in found} == {*FEW}
    if not LAWS[law].needs:  # threads and double backward: only engines have them
        assert any(f.examples for f in found), f"nothing was judged: {[f.message for f in found]}"
