"""The page as a browser shows it: no error, no request, nothing lost without JavaScript or style, whatever is written in it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from many_findings import LINES, evidence, finding, many, of_each_state

from convlaws.records.finding import Verdict
from convlaws.records.merge import Run
from convlaws.reports.page.page import Beside, render

HOSTILE = (
    "<script>document.title = 'owned'; fetch('http://127.0.0.1:9/')</script>",
    "</script></style></svg></td></table></details><h1 id=owned>owned</h1>",
    "<img src=http://127.0.0.1:9/x onerror=\"document.title='owned'\">",
    '" onmouseover="document.title=\'owned\'" x="',
    "javascript:document.title='owned'",
    "{{ 7 * 7 }} {% raw %} {#",
    "]]><!-- --!><![CDATA[",
    "\x00\x01\x1b[31mred\x1b[0m \u202eright to left \ud800 \uffff Z\u0336\u0321\u0322\u0327\u0328\u0337",
    "long " * 200_000,
    "x" * 1_000_000,
)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


# --- a browser ---------------------------------------------------------------------
@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as p:
        try:
            started = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(f"no Chromium starts: {str(error).splitlines()[0]}")
        yield started
        started.close()


class Opened:
    """A page in a tab of its own, and what it did that it must not do: errors on the console, requests."""

    def __init__(self, browser, path: Path, *, javascript: bool = True, width: int = 1280, scheme: str = "light"):
        size = {"width": width, "height": 900}
        self.tab = browser.new_context(java_script_enabled=javascript, viewport=size, color_scheme=scheme).new_page()
        self.faults: list[str] = []
        self.tab.on("console", lambda message: self.faults.append(f"console {message.type}: {message.text}"))
        self.tab.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.tab.on(
            "request", lambda request: self.faults.append(f"request: {request.url}") if request.url != path.as_uri() else None
        )
        self.tab.goto(path.as_uri())


def test_a_page_that_does_what_it_must_not_is_noticed(browser, tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text("<script>console.error('x'); nothing.here</script><img src='http://127.0.0.1:9/x.png'>")

    faults = Opened(browser, bad).faults

    assert {fault.split()[0] for fault in faults} >= {"console", "error:", "request:"}


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Path:
    """The page of a run of `convlaws check` with two right methods and two mutants."""
    folder = tmp_path_factory.mktemp("page")
    targets = ("im2col", "windows", "mutant-forgotten-dilation", "mutant-wrong-dtype")
    words = (
        "--law",
        "equals-the-definition",
        "--law",
        "dilation-is-zeros-between-taps",
        "--dtype",
        "float32",
        "--examples",
        "20",
    )
    command = (sys.executable, "-m", "convlaws", "check", *targets, *words, "--workers", "1", "--report", folder / "page.html")
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return folder / "page.html"


@pytest.fixture(scope="module")
def every_state(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("states") / "page.html"
    path.write_text(render(Run(list(of_each_state())), Beside(known={"a-known-one": "It is known."})), encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("which", ["real", "every_state"])
def test_the_page_opens_without_error_and_asks_nothing_of_a_network(browser, request, which, width, scheme):
    opened = Opened(browser, request.getfixturevalue(which), width=width, scheme=scheme)

    assert opened.faults == []
    assert opened.tab.evaluate("document.documentElement.scrollWidth") <= width, "the page itself scrolls sideways"


@pytest.mark.parametrize("javascript", [True, False])
def test_matrix_and_findings_are_there_with_and_without_javascript(browser, real, javascript):
    tab = Opened(browser, real, javascript=javascript).tab

    assert tab.locator("h1").inner_text().endswith("2 of 2 mutants were found.")
    assert tab.locator("#matrix table.grid tbody th[scope=row]").count() >= 2
    assert tab.locator("#matrix").get_by_role("link", name="im2col").count() >= 1
    card = tab.locator("details.card[open]").first
    assert card.locator("figure svg").count() >= 1
    assert "convlaws repeat 'n1c1k1_" in card.locator("pre.copy").nth(1).inner_text()
    for section in ("matrix", "findings", "accuracy", "coverage", "judge", "speed", "environment"):
        assert tab.locator(f"section#{section} h2").is_visible()
    assert tab.locator("pre.copy + button").count() == (tab.locator("pre.copy").count() if javascript else 0)


def test_a_cell_leads_to_its_card_and_opens_it(browser, every_state):
    tab = Opened(browser, every_state, javascript=False).tab
    cell = tab.locator("#matrix table.grid td.b a").first
    card = tab.locator(f"[id='{cell.get_attribute('href')[1:]}']")

    cell.click()

    assert card.locator("pre").first.is_visible()


def test_each_state_has_a_symbol_and_a_word_and_a_look_of_its_own(browser, every_state):
    tab = Opened(browser, every_state).tab
    cells = tab.locator("#matrix table.grid").first.locator("td[class]")
    style = "e => { const s = getComputedStyle(e); return s.backgroundColor + s.backgroundImage + s.boxShadow + s.color }"

    looks = {cell.get_attribute("class"): (cell.text_content()[0], cell.evaluate(style)) for cell in cells.all()}

    assert looks.keys() == {"b", "c", "h", "n", "v", "k", "r"}
    assert len({symbol for symbol, _ in looks.values()}) == 7
    assert len({style for _, style in looks.values()}) == 7
    said = " ".join(cells.all_text_contents())
    for word in ("broken", "crashed", "hung", "known", "vacuous", "kept", "refused"):
        assert word in said


def test_tables_have_captions_and_scopes(browser, real):
    tab = Opened(browser, real).tab

    assert tab.locator("table").count() > 5
    assert tab.locator("table:not(:has(caption))").count() == 0
    assert tab.locator("th:not([scope])").count() == 0
    assert tab.locator("svg:not([aria-label]):not([aria-hidden])").count() == 0


def test_it_is_legible_without_its_style_sheet(browser, every_state, tmp_path):
    whole = every_state.read_text(encoding="utf-8")
    plain = tmp_path / "plain.html"
    plain.write_text(whole[: whole.index("<style>")] + whole[whole.index("</style>") + 8 :], encoding="utf-8")

    said = Opened(browser, plain, javascript=False).tab.locator("body").inner_text()

    assert "✗ broken" in said
    assert "? vacuous" in said


def test_printing_shows_what_the_screen_keeps_closed(browser, every_state):
    tab = Opened(browser, every_state, javascript=False).tab
    closed = tab.locator("details.card:not([open]) pre").first
    assert not closed.is_visible()

    tab.emulate_media(media="print")

    assert closed.bounding_box() is not None
    assert not tab.locator("nav").is_visible()


# --- what code under test may write ----------------------------------------------------
@pytest.mark.parametrize("text", HOSTILE, ids=lambda t: ascii(t)[1:16])
@pytest.mark.parametrize("verdict", [Verdict.BROKEN, Verdict.CRASHED, Verdict.VACUOUS], ids=str)
def test_hostile_text_changes_nothing_but_its_own_cell(browser, tmp_path, text, verdict):
    fields = ("method", "law", "message", "says", "problem", "contract", "signature", "known", "flaky", "dtype")
    victims = [
        finding(verdict, method=f"m{i}", **{name: text}) if name != "method" else finding(verdict, method=text)
        for i, name in enumerate(fields)
    ]
    victims.append(finding(verdict, method="h", history=[text], refused={text: 3}, vacuous={text: 1}))
    shown = evidence(LINES[0])
    shown["elements"][0] = {"at": [text], "got": text, "low": text, "high": text}
    victims.append(finding(verdict, method="e", evidence=shown))
    summary = {"kind": "summary", "command": [text], "seed": text, "environment": {"cpu": text, "versions": {text: text}}}
    good = finding(Verdict.KEPT, method="good")
    path = tmp_path / "page.html"
    html = render(Run([good, *victims], [summary]), Beside(Run([once_kept(v) for v in victims]), known={text: text}))
    path.write_text(html, encoding="utf-8")
    calm = render(Run([good, *(finding(verdict, method=f"m{i}") for i in range(len(victims)))], [{}]))

    opened = Opened(browser, path)

    assert opened.faults == []
    assert opened.tab.title().startswith("convlaws")
    assert opened.tab.locator("#owned, main h1, main img, main script").count() == 0
    assert opened.tab.locator("[onmouseover], [onerror]").count() == 0
    assert opened.tab.locator("a[href]:not([href^='#'])").count() == 0
    assert opened.tab.locator("main > section").count() == 7
    assert opened.tab.locator("#matrix table.grid").first.locator("td").count() >= len(victims)
    assert opened.tab.evaluate("document.documentElement.scrollWidth") <= 1280
    assert len(html.encode()) < 3 * len(calm.encode()) + 100_000
    assert not any(c in html for c in "\x00\x01\x1b\u202e\ud800\uffff")


def once_kept(f):
    return finding(Verdict.KEPT, method=f.method, law=f.law)


def test_evidence_that_is_nonsense_draws_nothing_and_breaks_nothing():
    nonsense = (
        {"shape": [3], "elements": "x", "mask": "!!"},
        {"shape": [10**9, 10**9], "elements": [{"at": [0, 0]}], "mask": ""},
        {"shape": ["a"], "elements": [{}]},
        {"shape": [1, 1, 9], "elements": [{"at": [0, 0, 99]}], "mask": "eJwDAAAAAAE="},
        {"elements": [None, 3]},
        {"shape": [-1], "elements": [{"at": [0]}]},
    )
    lines = (*LINES, "", "n1c1k1_x999999999_r3", "n1c1k1_x5_r3 fprop float32 seed=" + "9" * 5000, "\x00")

    for shown in nonsense:
        for line in lines:
            html = render(Run([finding(evidence=shown, problem=line)]))
            assert "convlaws repeat" in html
            assert len(html) < 60_000


# --- how much it weighs ------------------------------------------------------------------
def test_fifty_methods_forty_laws_and_a_thousand_failures_stay_under_two_megabytes(browser, tmp_path):
    found = many(methods=50, laws_asked=40, failures=1000)
    assert sum(f.verdict.bad for f in found) == 1000
    path = tmp_path / "page.html"

    html = render(Run(found))

    path.write_text(html, encoding="utf-8")
    print(f"{len(html.encode()):,} bytes for {len(found):,} findings")
    assert 1_000_000 < len(html.encode()) < 2_000_000
    opened = Opened(browser, path)
    assert opened.faults == []
    assert opened.tab.locator("details.card").count() == 1000
    assert opened.tab.locator("details.card figure svg").count() > 50


def test_the_same_findings_make_the_same_page():
    found = many(methods=3, laws_asked=10, failures=5)

    assert render(Run(found)) == render(Run(list(found)))
