"""Writes the table of docs/findings/README.md from the known findings: `python docs/findings_table.py`."""

from pathlib import Path

from convlaws.known import Known, load

FOLDER = Path(__file__).parent / "findings"
START = "<!-- the table is written by docs/findings_table.py -->\n"


def script_of(entry: Known) -> Path:
    """Where the entry's standalone script is, or would be."""
    return FOLDER / f"{entry.id.replace('-', '_')}.py"


def table() -> str:
    """One row for each known finding: its id, engine and versions, sentence, first line, thread and script."""
    rows = ["| id | engine | what is wrong | problem line | thread | script |", "|---|---|---|---|---|---|"]
    for entry in load().entries:
        script = script_of(entry)
        link = f"[{script.stem}]({script.name})" if script.exists() else "none"
        engine = f"{entry.package} {entry.versions}" + (f", {' and '.join(entry.processor)}" if entry.processor else "")
        thread = entry.thread.replace("|", "\\|") or "none found"
        sentence = entry.sentence.replace("|", "\\|")
        rows.append(f"| {entry.id} | `{engine}` | {sentence} | `{entry.lines[0]}` | {thread} | {link} |")
    return "\n".join(rows) + "\n"


def page(old: str) -> str:
    """The README with the table of today."""
    return old.partition(START)[0] + START + table()


if __name__ == "__main__":
    readme = FOLDER / "README.md"
    readme.write_text(page(readme.read_text(encoding="utf-8")), encoding="utf-8")
