"""Every command of ours that the README, a page of docs/ or an example prints is one that the command line takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from convlaws.cli.app import COMMANDS, cli

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").glob("*.py"))]
PRINTED = re.compile(r"(?:^|`)(?:\$ )?(?:\.venv/bin/)?(convlaws [a-z]+ [^`\n]*)", re.MULTILINE)


def commands():
    """(file, command) of all that are printed; what stands for something else is spelt out."""
    for path in FILES:
        for text in PRINTED.findall(path.read_text(encoding="utf-8")):
            text = re.sub(r"\$\{\{.*?\}\}|\$\{?\w+\}?", "1", text)  # a variable
            plain = re.sub(r"\s#.*|[\[\]]|\.\.\.|…", " ", text)  # a comment, what may be left out, what goes on
            plain = re.sub(r"(\w+)(\|\w+)+", r"\1", plain)  # one of several
            if not text.endswith("."):  # a sentence that begins with our name
                yield path.relative_to(ROOT), plain.rstrip(" \\")


@pytest.mark.parametrize(("file", "text"), [pytest.param(*pair, id=f"{pair[0].name}: {pair[1]}") for pair in commands()])
def test_a_printed_command_is_taken(file, text):
    _, name, *words = shlex.split(text)

    assert name in COMMANDS, f"{file}: there is no command {name!r}"
    assert _refusal(name, words) in ("", "does not exist"), f"{file}: {text}"


def _refusal(name: str, words: list[str]) -> str:
    """Why the command line does not take these words; a file that stands for the reader's own need not exist."""
    try:
        cli.get_command(click.Context(cli), name).make_context(name, words)
    except click.BadParameter as error:
        return "does not exist" if "does not exist" in str(error) else str(error)
    return ""
