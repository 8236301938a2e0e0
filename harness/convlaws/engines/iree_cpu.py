"""IREE on the CPU: a module with one linalg convolution, compiled for the exact sizes of each problem.

Its rows are of the kind "compiled", like those of Inductor: a compilation takes 0.3 to 0.8 s (measured 2026-11-21), so name
them: `convlaws check 'compiled-iree*' --law equals-the-definition`. A linalg convolution has neither padding nor
bias, adds to its output tensor (which the module fills with zeros), and has groups along two axes only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from convlaws.engines import kernel_log
from convlaws.problem.scope import Scope
from convlaws.problem.spec import ConvSpec
from convlaws.targets.process_spec import ProcessSpec
from convlaws.targets.registry import Method, Package, always, register

PACKAGE = Package(name="iree-base-compiler", module="iree.compiler", beside=("iree-base-runtime=={version}",))
HOME = ProcessSpec(modules=("iree.compiler", "iree.runtime"))
KEPT = 64  # compiled modules that a child keeps
MOST = 1 << 16  # bytes of the compiler's diagnostics that are read
OPS = {1: "conv_1d_ncw_fcw", 2: "conv_2d_nchw_fchw", 3: "conv_3d_ncdhw_fcdhw"}
GROUPED = "conv_2d_ngchw_gfchw"
TYPES = {"float32": "f32", "float64": "f64"}
# compile for this very processor instead of its family; keep float64, which by default becomes float32
FLAGS = ("--iree-hal-target-backends=llvm-cpu", "--iree-llvmcpu-target-cpu=host", "--iree-input-demote-f64-to-f32=false")
TEXT = """
func.func @conv(%x: {x}, %w: {w}) -> {y} {{
  %zero = arith.constant 0.0 : {type}
  %empty = tensor.empty() : {y}
  %zeros = linalg.fill ins(%zero : {type}) outs(%empty : {y}) -> {y}
  %y = linalg.{op} {{strides = {strides}, dilations = {dilations}}} ins(%x, %w : {x}, {w}) outs(%zeros : {y}) -> {y}
  return %y : {y}
}}
"""


class CompileError(RuntimeError):
    """IREE does not compile a valid module."""


# --- the module ------------------------------------------------------------------------
def _shapes(spec: ConvSpec) -> dict[str, tuple[int, ...]]:
    """The shapes of x, w, y; if there are several groups, with an axis for the groups."""
    shapes = {"x": spec.x_shape, "w": spec.w_shape, "y": spec.y_shape}
    if spec.groups == 1:
        return shapes
    at = {"x": 1, "w": 0, "y": 1}  # the axis whose channels the groups share
    return {r: (*s[: at[r]], spec.groups, s[at[r]] // spec.groups, *s[at[r] + 1 :]) for r, s in shapes.items()}


def module_of(spec: ConvSpec, dtype: str) -> str:
    """The MLIR of y = x * w."""
    kind = TYPES[dtype]
    tensors = {role: f"tensor<{'x'.join(map(str, shape))}x{kind}>" for role, shape in _shapes(spec).items()}
    strides, dilations = (f"dense<{list(v)}> : tensor<{spec.ndim}xi64>" for v in (spec.stride, spec.dilation))
    op = OPS[spec.ndim] if spec.groups == 1 else GROUPED
    return TEXT.format(**tensors, type=kind, op=op, strides=strides, dilations=dilations)


@contextmanager
def _stderr() -> Iterator[Callable[[], str]]:
    """Redirect the standard error of this process, where the compiler writes; yields a function that returns the text."""
    kept = os.dup(2)
    with TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield lambda: os.pread(file.fileno(), MOST, 0).decode(errors="replace")
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _bytecode(text: str, flags: tuple[str, ...]) -> bytes:
    """The module's bytecode, compiled in this process: a compiler in a process of its own would outlive it."""
    from iree.compiler.api import Output, Session, Source

    with Session() as session:
        session.set_flags(*FLAGS, *flags)
        with _stderr() as said, session.invocation() as run, Output.open_membuffer() as output:
            run.enable_console_diagnostics()
            if not run.parse_source(Source.wrap_buffer(session, text.encode() + b"\0")) or not run.execute():
                raise CompileError(next((line for line in said().splitlines() if "error:" in line), "no reason was given"))
            run.output_vm_bytecode(output)
            return bytes(output.map_memory())


@lru_cache(maxsize=KEPT)
def _compiled(text: str, flags: tuple[str, ...]) -> Callable[..., Any]:
    """(x, w) -> y, run on the calling thread."""
    from iree import runtime

    context = runtime.SystemContext(config=runtime.Config("local-sync"))
    context.add_vm_module(runtime.VmModule.copy_buffer(context.instance, _bytecode(text, flags)))
    return context.modules.module.conv


def convolve(spec: ConvSpec, op: str, arrays: Mapping[str, np.ndarray], options: Mapping[str, Any]) -> np.ndarray:
    """Run the linalg convolution for the spec's number of axes and groups."""
    from iree.compiler.version import VERSION

    x, w = arrays["x"], arrays["w"]
    shapes = _shapes(spec)
    run = _compiled(module_of(spec, x.dtype.name), tuple(options["flags"]))
    y = run(x.reshape(shapes["x"]), w.reshape(shapes["w"])).to_host()
    kernel_log.ran(f"llvm-cpu of IREE {VERSION}, local-sync")
    return y.reshape(spec.y_shape) if spec.groups > 1 else y


# --- the rows ----------------------------------------------------------------------------
FLUSHING = always("ftz")  # its devices flush subnormal numbers to zero, in float64 too


def _row(name: str, says: str, scope: Scope, *flags: str) -> None:
    register(
        Method(
            name=name,
            says=says,
            address=f"{__name__}:convolve",
            scope=scope,
            contract=FLUSHING,
            kind="compiled",
            options={"flags": flags},
            home=HOME,
            package=PACKAGE,
        )
    )


SCOPE = Scope(
    ops=("fprop",),
    dtypes=tuple(TYPES),
    transposed=(False,),
    bias=(False,),
    layouts=("contiguous",),  # its binding copies everything else
    batch=("empty", "one", "many"),
    padding=("none",),
    padding_mode=("zeros",),
    grouping=("one",),
)
_row("compiled-iree", "linalg.conv_1d_ncw_fcw to 3d, compiled by IREE", SCOPE)
_row("compiled-iree-o3", "the same with all of IREE's optimizations", SCOPE, "--iree-opt-level=O3")
_row(
    "compiled-iree-grouped",
    "linalg.conv_2d_ngchw_gfchw, compiled by IREE",
    replace(SCOPE, ndim=(2,), grouping=("some", "depthwise")),
)
