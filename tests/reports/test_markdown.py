"""The Markdown summary: read by a Markdown parser, whatever code under test puts into its names and messages."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from commands import typed
from findings_made import FIELDS, HOSTILE, LINE, OTHER, made, told, written
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from convlaws.problem.files import read_problems
from convlaws.records.finding import Verdict
from convlaws.reports.markdown import LIMIT, block, markdown, span
from convlaws.reports.wording import unseen

ALLOWED = {
    "heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "fence",
    "blockquote_open", "blockquote_close",
    "table_open", "table_close", "thead_open", "thead_close", "tbody_open", "tbody_close", "tr_open", "tr_close",
    "th_open", "th_close", "td_open", "td_close",
}  # fmt: skip


def tokens(text: str) -> list:
    return MarkdownIt("commonmark").enable("table").parse(text)


def inline(parsed) -> list:
    return [child for token in parsed for child in token.children or ()]


def tables(parsed) -> list[list[str]]:
    """The cells of each row."""
    rows: list[list[str]] = []
    for before, token in pairwise(parsed):
        rows += [[]] if token.type == "tr_open" else []
        if token.type == "inline" and before.type in ("td_open", "th_open"):
            rows[-1].append(token.content)
    return rows


def harmless(text: str) -> None:
    """Nothing but headings, tables, paragraphs and code; no HTML but the code elements of our own; no link, no image."""
    parsed = tokens(text)
    assert {t.type for t in parsed} <= ALLOWED
    assert {t.type for t in inline(parsed)} <= {"text", "code_inline", "softbreak", "html_inline", "text_special"}
    assert {t.content for t in inline(parsed) if t.type == "html_inline"} <= {"<code>", "</code>"}
    shown = [t.content for t in inline(parsed) if t.type == "text"]
    assert not any(mark in piece for piece in shown for mark in ("http://", "@user", "javascript:")), shown
    assert not set(text) & {chr(n) for n in range(32) if chr(n) != "\n"}


def test_it_says_the_verdict_the_matrix_and_the_first_failures():
    rows = [
        made(), made(law="law-b", family="symmetry"), made(method="n"),
        made(Verdict.BROKEN, method="n", law="law-b", family="symmetry", says="A says B.", specific=2, history=[OTHER]),
        made(Verdict.BROKEN, method="n", law="law-c", family="symmetry", problem=LINE),
        made(Verdict.CRASHED, method="n", law="law-d", family="symmetry", known="torch-7"),
        made(Verdict.REFUSED, method="n", law="law-e", family="symmetry"),
    ]  # fmt: skip

    text = markdown(rows)

    harmless(text)
    assert text.splitlines()[0] == (
        "## convlaws: 2 new failures in 1 method; 3 (method, law, op) kept on 210 examples, 1 known failure, 0 vacuous, 1 refused"
    )
    assert tables(tokens(text)) == [
        ["method", "algebra", "symmetry"],
        ["`m`", "✓ 1 kept", "✓ 1 kept"],
        ["`n`", "✓ 1 kept", "✗ 2 broken of 4"],
    ]
    [fence] = [t for t in tokens(text) if t.type == "fence"]
    assert fence.content.splitlines() == ["A says B.", "got is 1, the definition 2", "repeat:", OTHER, LINE]
    assert "The same line also breaks `law-c`." in text
    assert "Known failures: `torch-7` (1)" in text


def test_known_refused_and_vacuous_are_not_shown_like_kept():
    rows = [
        made(Verdict.BROKEN, method="a", known="k#1"),
        made(Verdict.REFUSED, method="b"),
        made(Verdict.VACUOUS, method="c"),
        made(),
    ]

    cells = {row[0]: row[1] for row in tables(tokens(markdown(rows)))[1:]}

    assert cells == {"`a`": "k 1 known", "`b`": "– 1 refused", "`c`": "? 1 vacuous", "`m`": "✓ 1 kept"}


def test_nothing_verified_is_not_called_good():
    for rows in ([], [made(Verdict.REFUSED)], [made(Verdict.VACUOUS)]):
        assert markdown(rows).startswith("## convlaws: nothing was verified")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("field", FIELDS)
def test_hostile_text_changes_nothing_but_its_own_cell(field, text):
    rows = [made(Verdict.BROKEN, **{"method": "first", field: text}), made(method="second", family="symmetry")]

    shown = markdown(rows, notes=[text])

    harmless(shown)
    shape = [len(row) for row in tables(tokens(shown))]
    assert shape == [len({f.family or "laws" for f in rows}) + 1] * 3
    assert tables(tokens(shown))[2][0] == "`second`"
    assert len([t for t in tokens(shown) if t.type == "fence"]) == (field != "known" or not text)
    assert len(shown) < 20_000


@given(text=st.text())
def test_a_name_is_one_cell_whatever_it_is(text):
    parsed = tokens(f"| a | b |\n|---|---|\n| {span(text)} | end |")

    assert tables(parsed)[1][1] == "end"
    assert len(tables(parsed)) == 2


@given(text=st.text().map(lambda t: t.replace("\r", "?").replace("\x00", "?")))
def test_a_block_holds_its_text_and_nothing_after_it(text):
    parsed = tokens(f"{block(text)}\n\nend")

    assert [t.type for t in parsed] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert parsed[0].content == f"{text}\n"


@pytest.mark.parametrize("room", [3_000, 50_000, LIMIT])
def test_it_stays_under_its_limit_and_says_what_it_left_out(room):
    rows = [
        made(Verdict.BROKEN, method=f"method-{n}", family=f"family-{n % 8}", problem=f"LINE-{n}", message="\u2260" * 10**4)
        for n in range(3_000)
    ]

    text = markdown(rows, room=room)

    assert len(text.encode()) <= room < 2**20
    harmless(text)
    told = text.splitlines()[-1]
    assert told.startswith("Left out here: ")
    blocks = sum(t.type == "fence" for t in tokens(text))
    assert f"{3_000 - blocks} of 3000 failing lines" in told
    methods = len(tables(tokens(text))) - 1
    assert (f"{3_000 - methods} methods of the matrix" in told) == (methods < 3_000)
    assert methods >= 5


def test_nothing_is_left_out_of_a_small_one():
    assert "Left out" not in markdown([made(Verdict.BROKEN), made(method="n")])


def test_what_changed_is_by_kind_of_failure_not_by_line():
    before = [made(Verdict.BROKEN, problem=OTHER), made(Verdict.BROKEN, law="law-b"), made(law="law-c")]
    now = [made(Verdict.BROKEN, problem=LINE), made(law="law-b"), made(Verdict.CRASHED, law="law-c", signature="SIGSEGV")]

    text = markdown(now, earlier=before)

    assert "Since the earlier findings: 1 failure appeared, 1 no longer show." in text
    assert [f.law for f in unseen(now, before)] == ["law-c"]


# --- the commands ---------------------------------------------------------------------------
def convlaws(*words, code: int = 0, cwd: Path | None = None) -> str:
    done = typed(*words, cwd=cwd)
    assert done.returncode == code, done.stderr
    return done.stderr if code == 2 else done.stdout


def test_check_appends_its_summary_to_what_is_there(tmp_path):
    path = tmp_path / "new" / "summary.md"
    words = (
        "check",
        "mutant-forgotten-dilation",
        "--law",
        "equals-the-definition",
        "--op",
        "fprop",
        "--examples",
        "20",
        "--summary",
        path,
    )

    convlaws(*words, code=1)
    first = path.read_text()
    convlaws(*words, code=1)

    harmless(first)
    assert first.startswith("## convlaws: ")
    assert "n1c1k1_x3_r2_s1_p0_d2_g1 fprop" in first
    assert path.read_text().startswith(first)
    assert path.read_text().count("## convlaws: ") == 2


def test_a_summary_file_that_is_full_is_said_and_keeps_the_findings(tmp_path):
    path, out = tmp_path / "summary.md", tmp_path / "out.jsonl"
    path.write_text("x" * (LIMIT - 10))

    err = convlaws(
        "check", "im2col", "--law", "homogeneous", "--op", "fprop", "--examples", "20", "--summary", path, "--json", out, code=2
    )

    assert "there is no room for a summary" in err
    assert out.exists()


@pytest.fixture
def files(tmp_path):
    now = [
        made(Verdict.BROKEN),
        made(Verdict.BROKEN, law="law-b", problem=OTHER),
        made(Verdict.BROKEN, law="law-c", problem=HOSTILE["script"]),
    ]
    return (
        written(tmp_path / "now.jsonl", *now, summary=told("now")),
        written(tmp_path / "before.jsonl", made(Verdict.BROKEN), summary=told("before")),
    )


def test_the_command_prints_each_form(files):
    now, before = files

    assert "Since the earlier findings: 2 failures appeared, 0 no longer show." in convlaws("summary", now, "--since", before)
    harmless(convlaws("summary", now, "-o", "md"))
    assert convlaws("summary", now, "-o", "junit").count("<failure ") == 3


def test_failing_lines_are_a_file_of_problems(files, tmp_path):
    now, before = files
    every, new = tmp_path / "every.txt", tmp_path / "new.txt"
    every.write_text(convlaws("summary", now, "-o", "lines"))
    new.write_text(convlaws("summary", now, "-o", "lines", "--since", before))

    assert [name for name, _ in read_problems(every)] == [LINE, OTHER]
    assert [name for name, _ in read_problems(new)] == [OTHER]
    assert "# broken: m law-b" in new.read_text()
    assert "<" not in every.read_text()


@pytest.mark.parametrize(
    "words", [("summary", "/nowhere"), ("summary", "bad.jsonl"), ("summary", "good.jsonl", "--since", "bad.jsonl")]
)
def test_bad_input_is_one_line(words, tmp_path):
    (tmp_path / "bad.jsonl").write_text("nonsense\n")
    written(tmp_path / "good.jsonl", made(), summary={})

    err = convlaws(*words, code=2, cwd=tmp_path)

    assert err.startswith("convlaws: ")
    assert err.count("\n") == 1
