"""`convlaws compare`: time methods on problems and rank them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path
from textwrap import fill
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from convlaws.cli import settings
from convlaws.cli.options import DTYPES, LAYOUTS, OPS, calling, many
from convlaws.cli.outputs import OutputFile
from convlaws.cli.progress import tidied
from convlaws.cli.settings import FOUND, KEPT, NOTHING, warn
from convlaws.errors import LineError, UsageError
from convlaws.problem.catalogues import catalogue, names
from convlaws.problem.files import Named, read_problems
from convlaws.problem.problem import Problem
from convlaws.records import environment
from convlaws.records.timing_file import Times, Timing, to_text
from convlaws.reports.page.page import standalone
from convlaws.reports.ranking import LEGEND, refusals, table, together_text, unrest
from convlaws.sandbox.settings import running
from convlaws.targets.registry import Method, rows
from convlaws.targets.resolve import resolve
from convlaws.targets.torch_model import layers
from convlaws.timing.roofline import Machine
from convlaws.timing.rounds import Comparison

BUDGET = 5.0  # seconds of timing per problem
MOST = 5  # maximum of methods shown per problem, if there are several problems
DEARER = 50  # factor on a method's limit of multiply-adds in a search: a comparison makes a few calls, not thousands
WIDEST = 120  # columns
FILL = "normal"  # values as in networks; sums of small integers would be exact, and errors all 0


@click.command()
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
def command(targets, **options) -> None:
    """Which one should I use? Times every method that can do TARGET, verified, and ranks them.

    A TARGET is a problem line, a catalogue ('convlaws list catalogues'), a file of lines, or a torch model (package.module:Model,
    file.py:Model), each of whose convolutions is timed with the input that it gets.
    """
    raise SystemExit(run(targets, **options))


def run(targets: tuple[str, ...], **o: Any) -> int:
    """Time and print; return the exit code: 0 some method has a time, 1 one is wrong or crashed, 5 none has a time."""
    warn()
    problems = [variant for target in targets for named in _problems(target, o) for variant in _variants(named, o)]
    methods = _methods(o)
    machine = Machine(o["threads"])
    parts = _parts(o, machine)
    try:
        with _pinned(o["threads"]):
            tables = _timed(problems, methods, machine, parts, o)
        flat = [replace(t, bound=machine.bound(Problem.parse(t.problem))) for timings in tables for t in timings]
        for part in parts:
            part.write(flat, done=True)
    except BaseException:
        left = "".join(part.forget() for part in parts if part.part.exists())
        if left:
            click.echo(f"convlaws: it ended early{left}", err=True)
        raise
    if any(t.verdict.bad for t in flat):
        return FOUND
    return KEPT if any(t.seconds for t in flat) else NOTHING


def _parts(o: dict[str, Any], machine: Machine) -> list[OutputFile[Timing]]:
    """The output files asked for: partial results are in a file beside the target, which is replaced at the end."""

    def facts() -> dict[str, Any]:
        rates = {"threads": machine.threads, "products": machine.products, "copying": machine.copying}
        return {**rates, "environment": environment.facts()}

    renders = {
        "json_path": lambda found, done: to_text(found, facts() if done else {}),
        "report_path": lambda found, done: standalone(Times(found, facts())) if done else "",
    }
    return [OutputFile(o[name], render) for name, render in renders.items() if o[name]]


def _problems(target: str, o: dict[str, Any]) -> list[Named]:
    """The problems of a target: a catalogue, a file of lines, a torch model, or one line."""
    if target in names():
        return [(name, replace(p, fill=FILL)) for name, p in catalogue(target)]
    if Path(target).is_file():
        return read_problems(target)
    if ":" in target and "_x" not in target:
        return _layers(target, o["input"])
    try:
        problem = Problem.parse(target)
    except LineError as error:
        known = f"; nor is it a catalogue ({', '.join(names())}), a file, or a model (MODULE:MODEL)"
        raise UsageError(f"{error}{known if '_' not in target else ''}") from None
    return [(target, problem if problem.fill in target.split() else replace(problem, fill=FILL))]


def _layers(address: str, shape: str | None) -> list[Named]:
    if not shape:
        raise UsageError(f"{address} is a model: say the shape of its input, as --input 1x3x224x224")
    try:
        sizes = tuple(int(part) for part in shape.split("x"))
    except ValueError:
        raise UsageError(f"--input {shape!r} should be numbers with 'x' between them, as 1x3x224x224") from None
    problems, others = layers(address, sizes)
    if others:
        click.echo(f"convlaws: {address} calls {others} convolutions that are no layers; they are left out", err=True)
    return [(name, replace(p, fill=FILL)) for name, p in problems]


def _variants(named: Named, o: dict[str, Any]) -> list[Named]:
    """The problem with each requested op, dtype and layout."""
    name, problem = named
    asked = (o["op"] or (problem.op,), o["dtype"] or (problem.dtype,), o["layout"] or (problem.layout,))
    return [(name, replace(problem, op=op, dtype=dtype, layout=layout)) for op, dtype, layout in product(*asked)]


def _methods(o: dict[str, Any]) -> list[Method]:
    """The requested methods, or all that run here, with scopes that allow larger problems than in a search."""
    patterns = [word for text in o["methods"] for word in text.replace(",", " ").split()]
    chosen = resolve(patterns, settings.calling(o)) if patterns else [m for m in rows() if not m.absent]
    return [replace(m, scope=replace(m.scope, macs=DEARER * m.scope.macs)) for m in chosen]


@contextmanager
def _pinned(threads: int) -> Iterator[None]:
    """Pin this process and its children to `threads` CPUs: the last ones, as other programs often use the first.

    Not every library has an option for the number of threads.
    """
    cpus = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else set()
    if cpus and threads > len(cpus):
        raise UsageError(f"--threads {threads}: this process may use {len(cpus)} CPUs")
    try:
        if cpus:
            os.sched_setaffinity(0, sorted(cpus)[-threads:])
        yield
    finally:
        if cpus:
            os.sched_setaffinity(0, cpus)


def _timed(
    problems: Sequence[Named], methods: Sequence[Method], machine: Machine, parts: list[OutputFile[Timing]], o: dict[str, Any]
) -> list[list[Timing]]:
    """The timings of each problem, printed as soon as they are measured."""
    width = min(shutil.get_terminal_size((100, 24)).columns, WIDEST)
    most = MOST if len(problems) > 1 and not o["all"] else None
    tables: list[list[Timing]] = []
    with running(settings.setting(o)) as runner, _watched() as notify:
        course = Comparison(methods, runner, o["budget"] or BUDGET * len(problems), machine.threads, notify)
        for timings in course.run(problems, machine):
            notify("")
            tables.append(timings)
            click.echo(table(timings, width=width, most=most) + "\n")
            for part in parts:
                part.write([t for each in tables for t in each])
    _print_end(tables, width)
    return tables


@contextmanager
def _watched() -> Iterator[Callable[[str], None]]:
    """Yield a function that shows on a terminal what is being timed; an empty text clears it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda text: None
        return
    status = console.status("")

    def show(text: str) -> None:
        (status.start if text else status.stop)()
        status.update(escape(text))

    try:
        with tidied(console):
            yield show
    finally:
        status.stop()


def _print_end(found: list[list[Timing]], width: int) -> None:
    if len(found) > 1:
        click.echo(f"all {len(found)} problems, each as often as it is there\n{together_text(found, width)}\n")
    elif refused := refusals(found, width):
        click.echo(f"not asked\n{refused}\n")
    click.echo(fill(LEGEND, width))
    if warning := unrest([t for timings in found for t in timings]):
        click.echo("\n" + fill(warning, width))
