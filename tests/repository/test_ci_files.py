"""The workflow and the docs of CI: they parse, and each command in them is one that convlaws has, with its options."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from commands import typed

from convlaws.cli.app import cli
from convlaws.problem.files import read_problems

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "convlaws.yml"
DOCS = ROOT / "docs" / "ci.md"


def snippets() -> dict[str, dict]:
    """Every YAML document there is, parsed."""
    blocks = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    return {"workflow": yaml.safe_load(WORKFLOW.read_text())} | {f"docs {n}": yaml.safe_load(b) for n, b in enumerate(blocks)}


def scripts() -> list[str]:
    """Shell text: what jobs run, and what the docs show."""
    jobs = list(snippets()["workflow"]["jobs"].values())
    found = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    found += [line for snippet in list(snippets().values())[1:] for job in snippet.values() for line in job["script"]]
    text = re.sub(r"```yaml\n.*?```", "", DOCS.read_text(), flags=re.DOTALL)
    return found + re.findall(r"```\n(.*?)```", text, re.DOTALL) + re.findall(r"`(convlaws [^`]+)`", text)


def commands() -> list[list[str]]:
    """The words of each call of convlaws."""
    lines = [line.strip() for script in scripts() for line in script.splitlines()]
    calls = [
        m[1]
        for line in lines
        if not line.startswith("#")
        for m in re.finditer(r"(?:^|/|\s)convlaws ((?:'[^']*'|\"[^\"]*\"|[^|>;&])*)", line)
    ]
    return [shlex.split(call) for call in calls]


COMMANDS = {" ".join(words): words for words in commands()}


def test_the_commands_were_found():
    assert {words[0] for words in COMMANDS.values()} >= {"check", "merge", "summary", "report", "schema"}
    assert len(COMMANDS) > 15


def resolved(words: list[str]) -> tuple[list[str], click.Command, list[str]]:
    """The names of a command, as `known add` has two, the command, and its words."""
    command, names = cli, []
    while isinstance(command, click.Group) and words and (inner := command.get_command(click.Context(command), words[0])):
        command, (name, *words) = inner, words
        names.append(name)
    return names, command, words


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_a_command_is_one_that_there_is_with_options_that_it_has(words):
    names, command, rest = resolved(words)
    options = [word.partition("=")[0] for word in rest if word.startswith("-") and word != "-"]

    done = typed(*names, "--help")

    assert names, f"no such command: {words[0]}"
    assert done.returncode == 0, done.stderr
    known = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", done.stdout))
    assert set(options) <= known, f"{set(options) - known} in: convlaws {' '.join(words)}"
    command.make_parser(click.Context(command, resilient_parsing=True)).parse_args(list(rest))


def test_a_wrong_option_would_be_seen():
    with pytest.raises(AssertionError, match="--budgets"):
        test_a_command_is_one_that_there_is_with_options_that_it_has(["check", "*", "--budgets", "3"])


def test_each_job_is_a_job_with_pinned_actions():
    workflow = snippets()["workflow"]

    assert set(workflow["jobs"]) == {"quick", "nightly"}
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 360
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            assert re.fullmatch(r"actions/[a-z/-]+@v\d+", step.get("uses", "actions/x@v1"))


def test_no_text_of_others_is_put_into_a_script():
    for script in scripts():
        assert "${{" not in script, f"an expression becomes part of the shell's text: {script}"


def test_makes_targets_are_there():
    targets = set(re.findall(r"make (\S+)", "\n".join(scripts())))
    makefile = (ROOT / "Makefile").read_text().replace("$(VENV)", ".venv")

    assert targets == {"test", ".venv/installed"}
    assert all(re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE) for target in targets)


@pytest.mark.parametrize(("schema", "number"), [("github-workflows", 0), ("gitlab-ci", 1)])
def test_a_linter_accepts_it(schema, number, tmp_path):
    pytest.importorskip("check_jsonschema")
    path = tmp_path / "it.yml"
    path.write_text(WORKFLOW.read_text() if number == 0 else re.findall(r"```yaml\n(.*?)```", DOCS.read_text(), re.DOTALL)[0])
    words = ["--builtin-schema", f"vendor.{schema}", *(["--data-transform", "gitlab-ci"] if number else []), path]

    done = subprocess.run([sys.executable, "-m", "check_jsonschema", *words], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def step(name: str) -> str:
    return next(s["run"] for s in snippets()["workflow"]["jobs"]["nightly"]["steps"] if s.get("name") == name)


@pytest.mark.long
def test_the_nightly_steps_do_what_they_say(tmp_path):
    """Run two nights of them for real, with the search and the page left out: findings come from two short runs."""
    repo = tmp_path / "repo"
    (repo / "harness" / "convlaws" / "problem" / "catalogues").mkdir(parents=True)
    bin_ = repo / "bin"
    bin_.mkdir()
    (bin_ / "convlaws").write_text(f'#!/bin/sh\nexec {sys.executable} -m convlaws "$@"\n')
    (bin_ / "convlaws").chmod(0o755)
    environment = {**os.environ, "PATH": f"{bin_}:{os.environ['PATH']}", "GITHUB_STEP_SUMMARY": str(repo / "summary.md")}

    def sh(script: str) -> None:
        done = subprocess.run(
            ["bash", "-e", "-c", script], cwd=repo, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode in (0, 1), done.stdout + done.stderr

    sh("git init -q . && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m none")
    names = {"one": "mutant-forgotten-dilation", "two": "mutant-forgotten-dilation mutant-flipped-kernel"}
    for night, targets in names.items():
        sh("git reset -q; rm -rf build/report harness/convlaws/problem/catalogues/*")
        sh(step("Make place"))
        lines_before = (repo / "build/kept/lines.txt").read_text()
        sh(step("The failing lines of earlier nights").replace("'*'", "mutant-forgotten-dilation"))
        sh(f"convlaws check {targets} --law equals-the-definition --op fprop --dtype float32 --examples 20 "
           "--workers 1 --json build/report/searched.jsonl")  # fmt: skip
        sh(step("Put together"))
        sh(step("New failing lines as a patch"))
        patch = (repo / "build/report/new-lines.patch").read_text()
        if night == "one":
            assert lines_before == ""
            assert "+# broken: mutant-forgotten-dilation equals-the-definition" in patch
        else:
            assert "n1c1k1" in lines_before
            assert (repo / "build/report/repeated.jsonl").exists()
            assert "+# broken: mutant-flipped-kernel equals-the-definition" in patch
            assert "mutant-forgotten-dilation equals-the-definition" not in patch
    summary = (repo / "summary.md").read_text()
    assert summary.count("## convlaws: ") == 2
    assert "Since the earlier findings: " in summary
    sh("mkdir clean && cd clean && git init -q . && git apply ../build/report/new-lines.patch")
    assert len(read_problems(repo / "clean/harness/convlaws/problem/catalogues/found.txt")) > 1
