"""Options that several commands share. Choices are listed here, as `--help` must not import the modules that define them."""

from __future__ import annotations

from pathlib import Path

import click

OPS = ("fprop", "dgrad", "wgrad", "bgrad")
DTYPES = ("float64", "float32", "float16", "bfloat16")
LAYOUTS = ("contiguous", "channels_last", "sliced", "expanded")
BATCHES = ("unbatched", "empty", "one", "many")
PADDINGS = ("none", "even", "uneven", "same", "valid", "sameupper", "samelower", "negative")
GROUPINGS = ("one", "some", "depthwise")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
SIGNATURES = ("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")


FILE = click.Path(path_type=Path, dir_okay=False)
FILES = click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))


def many(name: str, choices: tuple[str, ...], what: str):
    """An option that narrows the space to some of the choices."""
    return click.option(name, multiple=True, type=click.Choice(choices), help=f"Only this {what}; may be repeated.")


# the options that narrow the space of problems and laws
NARROWING = (
    many("--op", OPS, "op"),
    click.option("--ndim", multiple=True, type=click.IntRange(1, 3), help="Only this number of spatial axes; may be repeated."),
    many("--dtype", DTYPES, "dtype"),
    many("--layout", LAYOUTS, "memory layout"),
    many("--batch", BATCHES, "kind of batch"),
    many("--padding", PADDINGS, "kind of padding"),
    many("--grouping", GROUPINGS, "kind of grouping"),
    click.option("--law", "laws", multiple=True, metavar="NAME", help="Only this law (a name or a glob); may be repeated."),
)

known_as = click.option(
    "--known-as", default="", metavar="ROW", help="The known findings about this row explain failures of every target too."
)


class Levels(click.ParamType):
    """Names of ISA levels, separated by commas; later code checks that the levels exist."""

    name = "levels"

    def convert(self, value, param, ctx) -> tuple[str, ...]:
        """The names without duplicates."""
        if isinstance(value, tuple):
            return value
        names = tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
        return names or self.fail(f"{value!r} names no level", param, ctx)


isa = click.option(
    "--isa",
    type=Levels(),
    default=(),
    metavar="LEVEL,...|all",
    help="Run each target at these levels, each in a process of its own ('convlaws list levels'); also TARGET%LEVEL.",
)

# the options for how a user's function is called and run
CALLING = (
    click.option(
        "--signature",
        type=click.Choice(SIGNATURES),
        default=None,
        help="Whose call signature a function of yours has (torch.nn.functional); default: as it declares, else conv2d.",
    ),
    click.option(
        "--arrays",
        type=click.Choice(("torch", "numpy")),
        default=None,
        help="What a function of yours takes and returns; default: as it declares, else torch.",
    ),
    click.option("--contract", default="", help="Hold every target to this contract; see 'convlaws list contracts'."),
    click.option("--no-sandbox", is_flag=True, help="Run the code in this process (for debugging)."),
    click.option(
        "--time-limit",
        type=click.FloatRange(min=0.01),
        default=20.0,
        show_default=True,
        help="Seconds that one call may take.",
    ),
    click.option(
        "--memory-limit",
        type=click.IntRange(min=64),
        default=4096,
        show_default=True,
        help="MiB that the process of the code may hold.",
    ),
    click.option("--allow-large", is_flag=True, help="Let the environment of an ENGINE@VERSION fetch more than 1 GB."),
)


def calling(command):
    """Add the options for how a user's function is called and run to a command."""
    for option in CALLING:
        command = option(command)
    return command


def narrowing(command):
    """Add the options that narrow what is judged to a command."""
    for option in reversed(NARROWING):
        command = option(command)
    return command


class Duration(click.ParamType):
    """A duration: 90s, 30m, 2h, 7d; a bare number is seconds."""

    name = "time"

    def convert(self, value, param, ctx) -> float:
        """The duration in seconds."""
        if isinstance(value, float):
            return value
        number, unit = (value[:-1], value[-1]) if value[-1:] in UNITS else (value, "s")
        try:
            seconds = float(number) * UNITS[unit]
        except ValueError:
            seconds = 0.0
        if not 0 < seconds < float("inf"):
            self.fail(f"{value!r} is no time: write 90s, 30m, 2h or 7d", param, ctx)
        return seconds


class PartOption(click.ParamType):
    """i/n: the i-th of n parts, counted from 1."""

    name = "part"

    def convert(self, value, param, ctx) -> tuple[int, int]:
        """(i, n)."""
        if isinstance(value, tuple):
            return value
        part, _, parts = value.partition("/")
        if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
            self.fail(f"{value!r} is no part: the second of four is 2/4", param, ctx)
        return int(part), int(parts)
