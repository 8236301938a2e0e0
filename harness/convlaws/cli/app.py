"""The command line.

Exit codes: 0 every law kept, 1 a new failure, 2 usage, 5 nothing verified, 130 interrupted.
"""

from __future__ import annotations

from importlib import import_module

import click

from convlaws.errors import HarnessError

# name -> (module of this folder, its text in `convlaws --help`): a command is imported when it is named
COMMANDS = {
    "check": ("check", "Judge convolutions: methods, engines, or functions of yours."),
    "campaign": ("campaign", "Judge for hours, on many processes or machines."),
    "repeat": ("repeat", "Judge one problem line again, in a fresh process."),
    "bisect": ("bisect", "Find the release of an engine that broke or fixed a line."),
    "compare": ("compare", "Time every method that can do a problem, and rank them."),
    "known": ("known", "List the known findings, run them again, record your own."),
    "diff": ("diff", "Say what broke or was fixed between two findings files."),
    "report": ("report", "Make one self-contained HTML page of findings files."),
    "list": ("listing", "Show the rows of a table."),
    "merge": ("merge", "Join findings files and campaign folders into one file."),
    "summary": ("summary", "Summarise findings files: Markdown, JUnit XML or lines."),
    "schema": ("schema", "Print the JSON Schema of findings or timings."),
    "mutants": ("mutants", "Measure which laws find which mutants, and how soon."),
}


class Lazy(click.Group):
    """Click group that imports commands on demand; each HarnessError becomes one line on stderr and exit code 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The imported command; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"convlaws.cli.{COMMANDS[cmd_name][0]}").command
        command.name = cmd_name
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands into `--help` from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> object:
        """Run the named command."""
        try:
            return super().invoke(ctx)
        except HarnessError as error:
            click.echo(f"convlaws: {error}", err=True)
            ctx.exit(2)
        except KeyboardInterrupt:
            click.echo("convlaws: interrupted", err=True)
            ctx.exit(130)


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="convlaws")
def cli() -> None:
    """Verify and time convolutions: problems are drawn, an oracle and laws judge the answers, failures are made small."""
