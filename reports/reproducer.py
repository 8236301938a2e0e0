"""Write a finding as a standalone script for a bug report: it imports PyTorch and NumPy only, not convlaws.

The script builds the operands bit for bit with their memory layout, calls the function under test,
computes the definition tap by tap, and compares the result with the interval that the contract allows.
It exits with 1 if any element lies outside. Only for a method of this package does it import convlaws.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from string import Template
from textwrap import fill
from typing import Any

import numpy as np

from convlaws.errors import UsageError
from convlaws.problem.layouts import place
from convlaws.problem.problem import RESULT, Problem, shape_of
from convlaws.problem.scope import ORDINARY
from convlaws.problem.spec import ConvSpec
from convlaws.reports.reproducer_text import BIAS_GRADIENT, BITS, CALLS, DEFINITION, JUDGE, LAY_OUT, NUMBERS, PRELUDE, UPDATES

MOST_NUMBERS = 2000  # larger arrays are not readable: they are written as compressed bytes


def script(
    problem: Problem,
    law: str,
    target: Mapping[str, Any] | str,
    message: str,
    low: np.ndarray | None = None,
    high: np.ndarray | None = None,
    *,
    nan: np.ndarray | None = None,
    free: np.ndarray | None = None,
) -> str:
    """The text of a Python script that repeats `problem` on `target` (a row's name, or a target of `engines.host`).

    low and high are the interval of each element of the result, nan and free what a Claim says of it; without
    an interval (a crash, a hang) the script prints how far the result is from the definition and exits with 0.

    Raises:
        UsageError: the problem needs arguments that the target's call has not.
    """
    target = {"row": target} if isinstance(target, str) else target
    definition = BIAS_GRADIENT if problem.op == "bgrad" else DEFINITION
    bounds = {"low": _inward(low, up=True), "high": _inward(high, up=False), "nan": nan, "free": free}
    parts = [
        _prelude(problem, law, message),
        _operands(problem),
        _call(problem, target),
        Template(definition).substitute(_definition(problem)),
        "\n".join(f"{name} = {_array(a)}" if a is not None else f"{name} = None" for name, a in bounds.items()),
        JUDGE,
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _prelude(problem: Problem, law: str, message: str) -> str:
    said = message.replace("\\", "/").replace('"""', "'''")
    return Template(PRELUDE).substitute(
        law=law,
        message=said,
        problem=problem,
        spec=problem.spec,
        dtype=problem.dtype,
        readers=NUMBERS + BITS,
        lay_out=LAY_OUT,
    )


# --- arrays ------------------------------------------------------------------------
def _inward(bound: np.ndarray | None, *, up: bool) -> np.ndarray | None:
    """Round a bound to float64 into the interval, so that it admits the same float64 numbers."""
    if bound is None:
        return None
    with np.errstate(all="ignore"):
        near = np.asarray(bound).astype(np.float64)
        outside = near < bound if up else near > bound
        return np.where(outside, np.nextafter(near, np.inf if up else -np.inf), near)


def _array(a: np.ndarray) -> str:
    """Return an expression that equals `a` exactly, as float64 (float32 holds every half type)."""
    values = np.asarray(a, np.float64)
    if values.size > MOST_NUMBERS:
        packed = base64.b64encode(zlib.compress(values.tobytes(), 9)).decode()
        return f'packed({values.shape}, """\n{fill(packed, 118)}\n""")'
    text = " ".join(_number(v) for v in values.ravel().tolist())
    if len(text) < 80:
        return f'numbers({values.shape}, "{text}")'
    return f'numbers({values.shape}, """\n{fill(text, 118)}\n""")'


def _number(value: float) -> str:
    whole = value.is_integer() and abs(value) < 2**53 and (value != 0 or str(value) == "0.0")
    return str(int(value)) if whole else repr(value)  # repr gives the shortest text that reads back as the same number


def _operands(problem: Problem) -> str:
    lines = []
    for role, a in problem.operands.items():
        where = place(role, a.shape, problem.layout, batched=problem.spec.batch is not None)
        lines.append(f"{role} = {_array(a)}")
        lines.append(f"{role}_there = ({where.strides}, {where.offset}, {where.elements})")
    return "\n".join(lines)


# --- the definition ---------------------------------------------------------------------
def _definition(problem: Problem) -> dict[str, Any]:
    """Return the sizes in the definition, and which of its three arrays is the result."""
    spec, op = problem.spec, problem.op
    wide, narrow = ("y", "x") if spec.transposed else ("x", "y")
    result = RESULT[op]
    update = {wide: "wide", narrow: "narrow", "w": "weight", "b": ""}[result]
    given = {r.removeprefix("g"): r for r in problem.operands if r != "b"}

    def array(role: str) -> str:
        return f"exact({given[role]})" if role in given and role != result else f"zeros({shape_of(spec, role)})"

    return {
        "wide": array(wide),
        "narrow": array(narrow),
        "weight": array("w"),
        "result": {"weight": "w"}.get(update, update),
        "update": UPDATES.get(update, ""),
        "bias": "result = result + exact(b).reshape(-1, *[1] * ndim)" if "b" in problem.operands else "",
        "kind": "longdouble" if problem.dtype == "float64" else "float64",
        "shape": shape_of(spec, result),
        **_sizes(spec),
    }


def _sizes(spec: ConvSpec) -> dict[str, Any]:
    return {
        "batchless": spec.batch is None,
        "wide_extent": spec.output if spec.transposed else spec.extent,
        "narrow_extent": spec.extent if spec.transposed else spec.output,
        "kernel": spec.kernel,
        "stride": spec.stride,
        "dilation": spec.dilation,
        "low": tuple(low for low, _ in spec.sides),
        "between": spec.input_dilation,
        "groups": spec.groups,
        "mode": spec.padding_mode,
        "channel": 0 if spec.batch is None else 1,
    }


# --- the call -----------------------------------------------------------------------------
def _call(problem: Problem, target: Mapping[str, Any]) -> str:
    spec, op = problem.spec, problem.op
    kind, values = _kind(target)
    _reject_beyond(problem, kind)
    padding = spec.padding if isinstance(spec.padding, str) else tuple(low for low, _ in spec.padding)
    rest: tuple[Any, ...] = (spec.stride, padding, spec.dilation, spec.groups)
    if spec.transposed:
        rest = (spec.stride, padding, spec.output_padding, spec.groups, spec.dilation)
    transposed = "_transpose" if spec.transposed else ""
    code = CALLS[kind]
    values |= {
        "function": f"conv{transposed}{spec.ndim}d",
        "layer": f"Conv{'Transpose' if spec.transposed else ''}{spec.ndim}d",
        "arguments": ", ".join(map(repr, rest)),
        "channels": f"{spec.in_channels}, {spec.out_channels}, {spec.kernel}",
        "keywords": _keywords(problem, padding),
        "operands": "\n".join(_operand_lines(problem, numpy=kind == "numpy")),
        "derived": _derived(op),
        "target": dict(target),
        "spec": str(spec),
        "op": op,
        "dtype": problem.dtype,
        "roles": "{" + ", ".join(f'"{r}": as_array({r}, {r}_there)' for r in problem.operands) + "}",
    }
    return Template(code).substitute(values)


def _reject_beyond(problem: Problem, kind: str) -> None:
    if kind != "ours" and (reason := ORDINARY.refuses(problem)):
        raise UsageError(f"a script calls the function as torch calls its own, which has no argument for this: {reason}")


_ENGINES = {
    "torch-onednn": ("functional", True),
    "torch-native": ("functional", False),
    "torch-transpose": ("functional", True),
    "torch-transpose-native": ("functional", False),
    "torch-channels-last": ("functional", True),
    "torch-module": ("module", True),
}


def _kind(target: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    if "function" in target:
        place_, _, name = target["function"].rpartition(":")
        loader = "file" if place_.endswith(".py") else "package"
        place_ = str(Path(place_).resolve()) if loader == "file" else place_  # the script may run in another folder
        return target.get("arrays", "torch"), {"place": repr(place_), "name": name, "load": LOADERS[loader](place_)}
    kind, onednn = _ENGINES.get(target["row"], ("ours", True))
    return kind, {"onednn": onednn}


LOADERS: dict[str, Callable[[str], str]] = {
    "file": lambda place: f"sys.path.insert(0, os.path.dirname({place!r}))\nmodule = runpy.run_path({place!r})",
    "package": lambda place: f"module = vars(importlib.import_module({place!r}))",
}


def _keywords(problem: Problem, padding: Any) -> str:
    spec = problem.spec
    values = {"stride": spec.stride, "padding": padding, "dilation": spec.dilation, "groups": spec.groups}
    values |= {"bias": spec.bias, "padding_mode": spec.padding_mode}
    values |= {"output_padding": spec.output_padding} if spec.transposed else {}
    return ", ".join(f"{k}={v!r}" for k, v in values.items())


def _operand_lines(problem: Problem, *, numpy: bool) -> list[str]:
    """Return one line per argument; an argument that the op does not read is zeros, as a gradient does not depend on it."""
    spec = problem.spec
    make = "as_array" if numpy else "as_tensor"
    lines = []
    for role, name in (("x", "input"), ("w", "weight"), ("b", "bias"), ("gy", "grad")):
        if role in problem.operands:
            lines.append(f"{name} = {make}({role}, {role}_there)")
        elif role == "b" and not spec.bias:
            lines.append("bias = None")
        elif role != "gy":
            lines.append(f"{name} = torch.zeros({shape_of(spec, role)}, dtype=dtype)")
    return lines


def _derived(op: str) -> str:
    if op == "fprop":
        return "got = convolve(input, weight, bias)"
    by = {"dgrad": "input", "wgrad": "weight", "bgrad": "bias"}[op]
    lines = [
        "leaves = [t.requires_grad_() for t in (input, weight, bias) if t is not None]",
        f"got, = torch.autograd.grad(convolve(input, weight, bias), {by}, grad)",
    ]
    return "\n".join(lines)
