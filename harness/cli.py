"""The command line.

Exit codes: 0 every law kept, 1 a finding, 2 usage, 5 nothing verified, 130 interrupted.
"""

from __future__ import annotations

from pathlib import Path

import click

from convlaws.cli_mutants import mutants
from convlaws.cli_options import BATCHES, DTYPES, GROUPINGS, LAYOUTS, OPS, PADDINGS, calling, many
from convlaws.errors import HarnessError


class _Group(click.Group):
    """Every refusal of ours is one line on stderr and exit code 2."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except HarnessError as error:
            click.echo(f"convlaws: {error}", err=True)
            ctx.exit(2)
        except KeyboardInterrupt:
            click.echo("convlaws: interrupted", err=True)
            ctx.exit(130)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="convlaws")
def cli() -> None:
    """Is this convolution one? Problems are drawn, an oracle and laws judge, failures are shrunk."""


@cli.command()
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@many("--op", OPS, "op")
@click.option("--ndim", multiple=True, type=click.IntRange(1, 3), help="Only this number of spatial axes; may be repeated.")
@many("--dtype", DTYPES, "dtype")
@many("--layout", LAYOUTS, "memory layout")
@many("--batch", BATCHES, "kind of batch")
@many("--padding", PADDINGS, "kind of padding")
@many("--grouping", GROUPINGS, "kind of grouping")
@click.option("--law", "laws", multiple=True, metavar="NAME", help="Only this law (a name or a glob); may be repeated.")
@click.option("--budget", type=click.FloatRange(min=0.1), metavar="SECONDS", help="Draw until this time has passed (default 60).")
@click.option(
    "--examples", type=click.IntRange(min=1), metavar="N", help="Judge N examples a (method, law, op), however long it takes."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Every draw derives from it.")
@click.option(
    "--problems",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Judge the problems of this file, one line each, instead of drawing.",
)
@click.option("--json", "json_path", type=click.Path(path_type=Path), metavar="FILE", help="Write the records as JSON lines.")
@click.option("--junit", "junit_path", type=click.Path(path_type=Path), metavar="FILE", help="Write JUnit XML.")
@click.option(
    "--summary",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Append a summary in Markdown; for $GITHUB_STEP_SUMMARY.",
)
@click.option(
    "--observations",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Record each draw there, as Hypothesis observes it; for Tyche.",
)
@click.option("--report", "report_path", type=click.Path(path_type=Path), metavar="FILE.html", help="Write the page of findings.")
@click.option("--workers", type=click.IntRange(min=1), default=None, help="Processes that search (default: the CPUs, at most 8).")
@click.option(
    "--known-as", default="", metavar="ROW", help="The known findings about this row explain failures of every target too."
)
@calling
def check(targets, **options) -> None:
    """Put the laws to TARGETs: registered names, globs ('torch-*'), or functions (package.module:name, file.py:name)."""
    from convlaws.commands import check as command

    raise SystemExit(command.run(targets, **options))


@cli.command()
@click.argument("lines", nargs=-1, required=True, metavar='"LINE"... TARGET')
@click.option("--law", "laws", multiple=True, metavar="NAME", help="Only this law; default: all that are about the problem.")
@click.option(
    "--script", type=click.Path(path_type=Path), metavar="FILE.py", help="Also write a script that shows it without convlaws."
)
@calling
def repeat(lines, **options) -> None:
    """Run the LAWs on the problem LINE against TARGET; several lines are run in order in one process, the last is judged."""
    from convlaws.commands import repeat as command

    raise SystemExit(command.run(lines, **options))


@cli.command()
@click.argument("lines", nargs=-1, required=True, metavar='"LINE"... ENGINE')
@click.option("--from", "first", required=True, metavar="VERSION", help="The oldest release to look at.")
@click.option("--to", "last", required=True, metavar="VERSION", help="The newest release to look at.")
@click.option("--law", "laws", multiple=True, metavar="NAME", help="Only this law; default: all that are about the problem.")
@calling
def bisect(lines, **options) -> None:
    """Find the release of ENGINE in which the problem LINE broke or was fixed; each gets an environment of its own."""
    from convlaws.commands import bisect as command

    raise SystemExit(command.run(lines, **options))


@cli.command()
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@click.option(
    "--methods",
    multiple=True,
    metavar="NAMES",
    help="Names, globs or functions of yours, with commas between them; may be repeated. Default: all that are installed.",
)
@click.option("--input", metavar="SIZES", help="The shape of a model's input, as 1x3x224x224.")
@many("--op", OPS, "op")
@many("--dtype", DTYPES, "dtype")
@many("--layout", LAYOUTS, "memory layout")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="CPUs that each method may use.")
@click.option(
    "--budget", type=click.FloatRange(min=0.1), metavar="SECONDS", help="Time calls for so long in all (default: 5 a problem)."
)
@click.option("--all", is_flag=True, help="Of several problems too, show every method and not the first five.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), metavar="FILE", help="Write the timings as JSON lines.")
@click.option("--report", "report_path", type=click.Path(path_type=Path), metavar="FILE.html", help="Write them as a page.")
@calling
def compare(targets, **options) -> None:
    """Which one should I use? Times every method that can do TARGET, verified, and ranks them.

    A TARGET is a problem line, a catalogue ('convlaws list catalogues'), a file of lines, or a torch model (package.module:Model,
    file.py:Model), each of whose convolutions is timed with the input that it gets.
    """
    from convlaws.commands import compare as command

    raise SystemExit(command.run(targets, **options))


@cli.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--check", "check_", is_flag=True, help="Run the exact lines of each on what is installed: does it still show?")
@click.option("--json", "as_json", is_flag=True, help="As a JSON array.")
def known(ids, check_, as_json) -> None:
    """The known findings (all, or those whose IDs or globs are given): what is wrong, in which versions, how much they hide.

    With --check the exit code is 1 if one is fixed within its versions, or shows outside of them.
    """
    from convlaws.commands import known as command

    raise SystemExit(command.run(ids, check=check_, as_json=as_json))


@cli.command()
@click.argument("old", type=click.Path(path_type=Path), metavar="OLD.jsonl")
@click.argument("new", type=click.Path(path_type=Path), metavar="NEW.jsonl")
@click.option("--recheck", is_flag=True, help="Run the failing lines of OLD again, on what is installed here.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
@calling
def diff(old, new, **options) -> None:
    """What broke and what got fixed from one file of 'check --json' to another: two versions of an engine, or two machines.

    A method is compared with the one of its name, or of its name before '@'. The exit code is 1 if something broke.
    """
    from convlaws.commands import diff as command

    raise SystemExit(command.run(old, new, **options))


@cli.command()
@click.argument("files", nargs=-1, required=True, metavar="FINDINGS.jsonl...", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE.html", help="Where to write the page."
)
@click.option(
    "--since",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="OLD.jsonl",
    help="Also say what changed since this earlier file; may be repeated.",
)
@click.option("--speed", type=click.Path(path_type=Path), metavar="PATH", help="Results of asv: .asv/results, or one file of it.")
@click.option(
    "--times", type=click.Path(path_type=Path), metavar="FILE", help="What 'compare --json' wrote: which one should I use?"
)
def report(files, output, since, speed, times) -> None:
    """Make one self-contained HTML page of findings files."""
    from convlaws.commands import report as command

    command.run(files, output, since, speed, times)


@cli.command("list")
@click.argument(
    "what",
    type=click.Choice(("methods", "engines", "compiled", "cuda", "cudnn", "laws", "contracts", "mutants", "known", "catalogues")),
)
@click.option("--json", "as_json", is_flag=True, help="As a JSON array.")
def list_(what, as_json) -> None:
    """Show the rows of a table."""
    from convlaws.commands import listing

    listing.run(what, as_json)


_FILES = click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))


@cli.command()
@_FILES
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="OUT.jsonl", help="Where to write them.")
def merge(files, output) -> None:
    """Put the findings files of shards, machines and engines into one: nothing is lost, nothing is counted twice."""
    from convlaws.commands import merge as command

    command.run(files, output)


@cli.command()
@_FILES
@click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(("md", "junit", "lines")),
    default="md",
    show_default=True,
    help="Markdown, JUnit XML, or the failing problem lines as a file that 'check --problems' takes.",
)
@click.option(
    "--since", type=click.Path(path_type=Path), multiple=True, metavar="FILE",
    help="Earlier findings: say what changed; of lines, only new ones. May be repeated.",
)  # fmt: skip
def summary(files, form, since) -> None:
    """Print a summary of findings files, added up."""
    from convlaws.commands import summary as command

    command.run(files, form, since)


@cli.command()
@click.argument("what", type=click.Choice(("findings", "timings")), default="findings")
def schema(what) -> None:
    """Print the JSON Schema of the records of a findings file, or of the timings of 'compare --json'."""
    from importlib import resources

    click.echo(resources.files("convlaws.reports").joinpath(f"{what}.schema.json").read_text(encoding="utf-8"), nl=False)


cli.add_command(mutants)
