"""The command line.

Exit codes: 0 every law kept, 1 a new failure, 2 usage, 5 nothing verified, 130 interrupted.
"""

from __future__ import annotations

from pathlib import Path

import click

from convlaws.cli.cli_mutants import mutants
from convlaws.cli.cli_reading import COMMANDS
from convlaws.cli.defaults import Configured
from convlaws.cli.options import DTYPES, LAYOUTS, OPS, Duration, Part, calling, isa, known_as, many, narrowing
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


@cli.command(cls=Configured)
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@narrowing
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
    "--fail-on",
    type=click.Choice(("new", "own", "never")),
    default="new",
    show_default=True,
    help="Exit with 1 for failures that are not known: of all targets, of those that are no engine, or never.",
)
@click.option(
    "--known",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Known findings of yours ('convlaws known add'); may be repeated. 'none': those of the package explain nothing.",
)
@isa
@known_as
@calling
def check(targets, **options) -> None:
    """Put the laws to TARGETs: registered names, globs ('torch-*'), or functions (package.module:name, file.py:name).

    Any option may stand in [tool.convlaws] of pyproject.toml, as `known = ["known.json"]`; the command line goes before it.

    Exit codes: 0 all that was asked keeps the laws, 1 a failure that is not known (see --fail-on) or a known finding of
    your own files that is repaired, 2 usage, 5 nothing was verified, 130 interrupted.
    """
    from convlaws.cli import check as command

    raise SystemExit(command.run(targets, **options))


@cli.command()
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@narrowing
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Where everything goes.")
@click.option("--resume", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Go on with the campaign in DIR.")
@click.option("--budget", type=Duration(), metavar="TIME", help="How long, as in 90s, 30m, 2h, 7d (default 10m).")
@click.option("--examples", type=click.IntRange(min=1), metavar="N", help="Judge N examples a (method, law, op), no more.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Every draw derives from it.")
@click.option("--plan", is_flag=True, help="Print the plan as JSON, and judge nothing.")
@click.option("--workers", type=click.IntRange(min=1), default=None, help="Processes that judge (default: the CPUs).")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of each worker's libraries (default: CPUs / workers).")
@click.option("--shard", type=Part(), default="1/1", metavar="I/N", help="Judge the I-th of N parts; 'merge DIR...' joins them.")
@click.option("--dask", metavar="ADDRESS", help="Judge on a Dask cluster: tcp://HOST:PORT, or local.")
@click.option("--database", metavar="WHERE", help="Share failing lines: a directory, redis://HOST:PORT, github:OWNER/REPOSITORY.")
@click.option(
    "--since",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="An earlier campaign: its failing lines first, more for engines that changed.",
)
@click.option("--observations", is_flag=True, help="Record each draw in DIR/observations, for Tyche; old files go.")
@known_as
@calling
@click.pass_context
def campaign(context, targets, **options) -> None:
    """Put the laws to TARGETs for hours, on many processes or machines, and lose nothing when they are killed."""
    from convlaws.cli import campaign as command

    given = [name for name in options if context.get_parameter_source(name).name == "COMMANDLINE"]
    raise SystemExit(command.run(targets, given, **options))


@cli.command()
@click.argument("lines", nargs=-1, required=True, metavar='"LINE"... TARGET')
@click.option("--law", "laws", multiple=True, metavar="NAME", help="Only this law; default: all that are about the problem.")
@click.option(
    "--script", type=click.Path(path_type=Path), metavar="FILE.py", help="Also write a script that shows it without convlaws."
)
@calling
def repeat(lines, **options) -> None:
    """Run the LAWs on the problem LINE against TARGET; several lines are run in order in one process, the last is judged."""
    from convlaws.cli import repeat as command

    raise SystemExit(command.run(lines, **options))


@cli.command()
@click.argument("lines", nargs=-1, required=True, metavar='"LINE"... ENGINE')
@click.option("--from", "first", required=True, metavar="VERSION", help="The oldest release to look at.")
@click.option("--to", "last", required=True, metavar="VERSION", help="The newest release to look at.")
@click.option("--law", "laws", multiple=True, metavar="NAME", help="Only this law; default: all that are about the problem.")
@calling
def bisect(lines, **options) -> None:
    """Find the release of ENGINE in which the problem LINE broke or was fixed; each gets an environment of its own."""
    from convlaws.cli import bisect as command

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
    from convlaws.cli import compare as command

    raise SystemExit(command.run(targets, **options))


for _command in (*COMMANDS, mutants):
    cli.add_command(_command)
