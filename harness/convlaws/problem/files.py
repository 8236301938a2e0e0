"""Read files of problems: one per line, in the format of convlaws or of oneDNN's benchdnn."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from os import PathLike
from pathlib import Path

from convlaws.errors import HarnessError, LineError, UsageError
from convlaws.problem.problem import Problem
from convlaws.problem.spec import ConvSpec
from convlaws.problem.spec_rules import why_empty

Named = tuple[str, Problem]


def read_problems(path: str | PathLike[str]) -> list[Named]:
    """Return (name, problem) of each line: `n1c4k6_x8x5_r3x3 wgrad  # name`; the default name is the line itself.

    Blank lines and lines that begin with # are skipped. Options of benchdnn (`--dir`, `--dt`, `--mb`) apply to
    the descriptors after them, on the same line or below, until `--reset`. A descriptor without
    `--dir` is fprop without bias, as only its sizes are given.

    Raises:
        UsageError: the file cannot be read, or a line is not a problem; the message has FILE:LINE.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
        raise UsageError(f"{path} cannot be read: {reason}") from error
    return parse_problems(lines, str(path))


def parse_problems(lines: Iterable[str], where: str) -> list[Named]:
    """Parse lines as `read_problems` does; messages name their source `where`."""
    problems: list[Named] = []
    options: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        try:
            problems += _of_line(line.strip(), options)
        except HarnessError as error:
            raise UsageError(f"{where}:{number}: {error}") from error
    return problems


def _of_line(line: str, options: dict[str, str]) -> Iterator[Named]:
    if not line or line.startswith("#"):
        return
    if not line.startswith("--") and not _is_descriptor(line):
        text, _, name = line.partition("#")
        problem = Problem.parse(text)
        yield name.strip() or str(problem), problem
        return
    for word in _words(line):
        if word.startswith("--"):
            _set(word, options)
        else:
            yield _named(word, options)


def _words(line: str) -> list[str]:
    """Split at blanks outside of quotes, up to a comment."""
    return re.findall(r'(?:"[^"]*"|[^\s"])+', re.split(r"\s#", line)[0])


# --- benchdnn's options ----------------------------------------------------------
# (op, bias); BWD_WB computes the weight's gradient too, which is the op of BWD_W
_DIRECTIONS = {
    "FWD_B": ("fprop", True),
    "FWD_D": ("fprop", False),
    "FWD_I": ("fprop", False),
    "BWD_D": ("dgrad", False),
    "BWD_W": ("wgrad", False),
    "BWD_WB": ("bgrad", True),
}
_DTYPES = {"f64": "float64", "f32": "float32", "f16": "float16", "bf16": "bfloat16"}
_VALUES: dict[str, Collection[str]] = {"dir": _DIRECTIONS, "dt": _DTYPES}


def _set(word: str, options: dict[str, str]) -> None:
    """Store an option for the descriptors that follow."""
    name, _, value = word.removeprefix("--").partition("=")
    if name == "reset":
        options.clear()
    elif name == "mb" and value.isascii() and value.isdigit():
        options["mb"] = value
    elif name in _VALUES:
        # f32:f32:f32 is source, weights and destination
        value = value.upper() if name == "dir" else "".join({*value.split(":")})
        if value not in _VALUES[name]:
            raise LineError(f"{word!r} is not supported; --{name} is one of {', '.join(_VALUES[name])}")
        options[name] = value
    elif name != "conv":
        raise LineError(f"{word!r} is not supported; there are --dir, --dt, --mb=N, --conv and --reset")


def _named(word: str, options: dict[str, str]) -> Named:
    numbers, name = _numbers(word)
    if int(options.get("mb", 0)):
        numbers["mb"] = int(options["mb"])
    op, bias = _DIRECTIONS[options.get("dir", "FWD_D")]
    problem = Problem(spec=_spec(numbers, bias, word), op=op, dtype=_DTYPES[options.get("dt", "f32")])
    return name or word, problem


# --- benchdnn's descriptors --------------------------------------------------------
_ENTRY = re.compile(r"(g|mb|ic|oc|[iokspd][dhw])(\d+)_*")
_AXES = "dhw"


def _is_descriptor(line: str) -> bool:
    return bool(_ENTRY.match(line))


def _numbers(word: str) -> tuple[dict[str, int], str]:
    """Return the entries of a descriptor and its name."""
    entries: dict[str, int] = {}
    at = 0
    while at < len(word) and word[at] != "n":
        entry = _ENTRY.match(word, at)
        if not entry:
            raise LineError(f"{word[at:]!r} begins with no entry of a descriptor, in {word}")
        entries[entry[1]] = int(entry[2])
        at = entry.end()
    return entries, word[at + 1 :].strip('"')


def _spec(found: dict[str, int], bias: bool, word: str) -> ConvSpec:
    """Return the spec of a descriptor; missing entries are deduced as benchdnn does.

    Defaults: mb 2, g and s 1, dilation (counted from 0 there) 0. Without an output the padding is 0, without
    a padding it is what the output needs, the smaller half first. Axes: w; h and w; d, h and w; with
    h alone square, with d alone a cube.

    References:
        oneDNN, tests/benchdnn/conv/conv_aux.cpp, str2desc; utils, sanitize_desc.
    """
    for name in ("ic", "oc"):
        if not found.get(name):
            raise LineError(f"{name} is missing or 0 in {word}")
    axes = [_axis(found, letter, word) for letter in _letters(found, word)]
    extent, kernel, stride, dilation, padding = zip(*axes, strict=True)
    spec = ConvSpec(
        batch=found.get("mb", 2),
        in_channels=found["ic"],
        out_channels=found["oc"],
        extent=extent,
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=found.get("g", 1),
        bias=bias,
    )
    if reason := why_empty(spec):
        raise LineError(f"{reason}, in {word}")
    return spec


def _letters(found: dict[str, int], word: str) -> str:
    """Return the letters of the axes that are given."""
    given = "".join(a for a in _AXES if f"i{a}" in found or f"k{a}" in found or f"o{a}" in found)
    table = {"w": "w", "h": "hh", "hw": "hw", "d": "ddd", "dhw": "dhw"}
    if given not in table:
        raise LineError(f"the axes {' and '.join(given) or 'none'} are given; give w, h, hw, d or dhw, in {word}")
    return table[given]


def _axis(found: dict[str, int], a: str, word: str) -> tuple[int, int, int, int, tuple[int, int]]:
    """Return extent, kernel, stride, dilation and padding of an axis."""
    for name in (f"i{a}", f"k{a}"):
        if not found.get(name):
            raise LineError(f"{name} is missing or 0 in {word}")
    extent, kernel = found[f"i{a}"], found[f"k{a}"]
    stride, dilation = found.get(f"s{a}", 1), found.get(f"d{a}", 0) + 1
    if stride < 1:
        raise LineError(f"s{a} is 0, the least is 1, in {word}")
    reach, output = dilation * (kernel - 1) + 1, found.get(f"o{a}", 0)
    low = found.get(f"p{a}")
    if not output:
        return extent, kernel, stride, dilation, (low or 0, low or 0)
    total = (output - 1) * stride + reach - extent
    low = max(0, total // 2) if low is None else low
    # the high padding follows from the output: a negative one means a tail that no window reaches
    for high in (low, max(0, total - low)):
        if (extent + low + high - reach) // stride + 1 == output:
            return extent, kernel, stride, dilation, (low, high)
    raise LineError(f"o{a} is {output}, which cuts the end of the input off (padding {total - low} behind), in {word}")


# --- conversion to benchdnn --------------------------------------------------------
def to_benchdnn(spec: ConvSpec) -> str | None:
    """Return the words that ask benchdnn --conv for fprop of `spec`; None if it cannot express the spec.

    benchdnn has no padding modes, no transposed convolution (that is --deconv), no input without a
    batch axis, no input dilation, no cropping, and nothing empty but a batch.

    >>> to_benchdnn(ConvSpec.parse("n1c4k6_x8x5_r3x3_s2x1_p1x0_d1x2_g2"))
    '--dir=FWD_D g2mb1ic4ih8iw5oc6oh4ow1kh3kw3sh2sw1ph1pw0dh0dw1'
    """
    if spec.batch is None or spec.transposed or spec.padding_mode != "zeros":
        return None
    if max(spec.input_dilation) > 1 or min(map(min, spec.sides)) < 0 or 0 in (*spec.extent, *spec.output):
        return None
    letters = _AXES[-spec.ndim :]
    lows = [low for low, _ in spec.sides]
    holes = [d - 1 for d in spec.dilation]
    rows = {"o": spec.output, "k": spec.kernel, "s": spec.stride, "p": lows, "d": holes}
    entries = {n: "".join(f"{n}{a}{v}" for a, v in zip(letters, values, strict=True)) for n, values in rows.items()}
    inputs = "".join(f"i{a}{v}" for a, v in zip(letters, spec.extent, strict=True))
    direction = "FWD_B" if spec.bias else "FWD_D"
    sizes = f"g{spec.groups}mb{spec.batch}ic{spec.in_channels}{inputs}oc{spec.out_channels}{''.join(entries.values())}"
    return f"--dir={direction} {sizes}"
