"""The pictures of this folder, taken of its pages: `make gallery` runs it. Needs playwright and a Chromium."""

from __future__ import annotations

import shutil
from pathlib import Path

HERE = Path(__file__).parent
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPENED = "e => { for (let d = e; d; d = d.parentElement) if (d.tagName === 'DETAILS') d.open = true; e.scrollIntoView() }"
# picture: page, colour scheme, (width, height), what is scrolled to and opened
SHOTS = {
    "page": ("all.html", "light", (1280, 1000), None),
    "finding": ("mutants.html", "light", (1280, 700), ".explained:has(figure svg .hole) .card:has(figure svg .hole)"),
    "dark": ("all.html", "dark", (1280, 1000), "table.grid"),
    "phone": ("mutants.html", "dark", (390, 844), ".explained:has(figure svg .hole) .card:has(figure svg .hole)"),
}


def main() -> None:
    """Take them all; a page that is not there is an error."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, (page, scheme, (width, height), selector) in SHOTS.items():
            tab = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme).new_page()
            tab.goto((HERE / page).resolve(strict=True).as_uri())
            if selector:
                tab.locator(selector).first.evaluate(OPENED)
            tab.screenshot(path=HERE / f"{name}.png")
            print(f"wrote {HERE / name}.png")
        browser.close()


if __name__ == "__main__":
    main()
