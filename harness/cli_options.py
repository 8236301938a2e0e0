"""Options that several commands share. Names are written out here: `--help` must not import what they come from."""

from __future__ import annotations

import click

OPS = ("fprop", "dgrad", "wgrad", "bgrad")
DTYPES = ("float64", "float32", "float16", "bfloat16")
LAYOUTS = ("contiguous", "channels_last", "sliced", "expanded")
BATCHES = ("unbatched", "empty", "one", "many")
PADDINGS = ("none", "even", "uneven", "same", "valid", "sameupper", "samelower", "negative")
GROUPINGS = ("one", "some", "depthwise")
SIGNATURES = ("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")


def many(name: str, choices: tuple[str, ...], what: str):
    """An option that narrows the space to some of the choices."""
    return click.option(name, multiple=True, type=click.Choice(choices), help=f"Only this {what}; may be repeated.")


# the options that say how a user's function is called and run
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
    """A command with these options."""
    for option in CALLING:
        command = option(command)
    return command
