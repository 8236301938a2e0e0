"""The commands that read: findings files, the tables, the ledger."""

from __future__ import annotations

from pathlib import Path

import click

from convlaws.cli.options import calling, isa

TABLES = ("methods", "engines", "compiled", "cuda", "cudnn", "laws", "contracts", "mutants", "known", "catalogues", "levels")
_PATH = click.Path(path_type=Path, dir_okay=False)
_FILES = click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))


class _ShowFirst(click.Group):
    """A group whose first command is meant where none is named: 'known torch*' is 'known show torch*'."""

    def parse_args(self, ctx, args):
        """The arguments, with the command that is meant."""
        named = args and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named else ["show", *args])


@click.group(cls=_ShowFirst)
def known() -> None:
    """The known findings: what is wrong in which versions ('known [ID]...'), do they show here, and a ledger of your own."""


@known.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--check", "check_", is_flag=True, help="Run the exact lines of each on what is installed: does it still show?")
@click.option("--known", "files", multiple=True, type=_PATH, metavar="FILE", help="Known findings of yours too; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON array.")
@isa
def show(ids, check_, files, as_json, isa) -> None:
    """The known findings (all, or those whose IDs or globs are given): what is wrong, in which versions, how much they hide.

    With --check the exit code is 1 if one is fixed within its versions, or shows outside of them.
    """
    from convlaws.cli import known as command

    raise SystemExit(command.run(ids, check=check_, as_json=as_json, files=files, levels=isa))


@known.command()
@click.argument("findings", type=_PATH, metavar="FINDINGS.jsonl")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("-o", "--output", type=_PATH, required=True, metavar="FILE", help="The ledger to write; what is there stays.")
def add(findings, ids, output) -> None:
    """Record the new failures of a run (all, or those of these IDs) in a ledger of your own, for 'check --known FILE'."""
    from convlaws.cli import known_add as command

    raise SystemExit(command.run(findings, ids, output))


@click.command()
@click.argument("old", type=click.Path(path_type=Path), metavar="OLD.jsonl")
@click.argument("new", type=click.Path(path_type=Path), metavar="NEW.jsonl")
@click.option("--recheck", is_flag=True, help="Run the failing lines of OLD again, on what is installed here.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
@calling
def diff(old, new, **options) -> None:
    """What broke and what got fixed from one file of 'check --json' to another: two versions of an engine, or two machines.

    A method is compared with the one of its name, or of its name before '@'. The exit code is 1 if something broke.
    """
    from convlaws.cli import diff as command

    raise SystemExit(command.run(old, new, **options))


@click.command()
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
    from convlaws.cli import report as command

    command.run(files, output, since, speed, times)


@click.command("list")
@click.argument(
    "what",
    type=click.Choice(
        ("methods", "engines", "compiled", "cuda", "cudnn", "laws", "contracts", "mutants", "known", "catalogues", "levels")
    ),
)
@click.option("--json", "as_json", is_flag=True, help="As a JSON array.")
def list_(what, as_json) -> None:
    """Show the rows of a table."""
    from convlaws.cli import listing

    listing.run(what, as_json)


@click.command()
@_FILES
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="OUT.jsonl", help="Where to write them.")
def merge(files, output) -> None:
    """Put findings files and folders of campaigns into one file: nothing is lost, nothing is counted twice."""
    from convlaws.cli import merge as command

    command.run(files, output)


@click.command()
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
    from convlaws.cli import summary as command

    command.run(files, form, since)


@click.command()
@click.argument("what", type=click.Choice(("findings", "timings")), default="findings")
def schema(what) -> None:
    """Print the JSON Schema of the records of a findings file, or of the timings of 'compare --json'."""
    from importlib import resources

    click.echo(resources.files("convlaws.reports").joinpath(f"{what}.schema.json").read_text(encoding="utf-8"), nl=False)


COMMANDS = (known, diff, report, list_, merge, summary, schema)
