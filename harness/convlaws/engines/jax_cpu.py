"""JAX's convolutions, compiled by XLA for the CPU.

Each new shape is compiled, which takes some 50 ms. The scopes are what `jax.lax` takes: always a batch
axis, zeros for padding, no bias. A subnormal number may be flushed anywhere: XLA documents that for its
CPU (`xla_cpu_ftz`, on by default). Half types are computed in float32, in which products of
float16 are never subnormal, so there the plain contract holds.

Nothing within the scopes is refused by JAX 0.10 (tried), so no exception is caught.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from convlaws.engines import kernel_log
from convlaws.problem.fills import FILLS
from convlaws.problem.problem import OPS, ROLES, shape_of
from convlaws.problem.request import SECOND
from convlaws.problem.scope import WIDE, Scope
from convlaws.problem.spec import ConvSpec
from convlaws.targets.process_spec import ProcessSpec
from convlaws.targets.registry import ContractRule, Method, Package, register

Arrays = Mapping[str, np.ndarray]
PACKAGE = Package(name="jax", module="jax", switches=("xla",))
# importing jax starts no backend and no thread, so the child may fork (tried: its children compile and compute)
CPU = (("JAX_PLATFORMS", "cpu"), ("JAX_ENABLE_X64", "1"))
HOME = ProcessSpec(modules=("jax",), variables=CPU)
# the loops around a convolution (transpositions, sums) without LLVM's optimisation: an eighth of the time to compile.
# The convolution is the same routine of Eigen or YNNPACK; only code that XLA generates itself is slower
QUICK = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
HASTY = replace(HOME, variables=(*CPU, ("XLA_FLAGS", QUICK)))
# YNNPACK runs 2-D convolutions of many channels; without it they run in Eigen, as do all the others
EIGEN = replace(HOME, variables=(*CPU, ("XLA_FLAGS", f"{QUICK} --xla_cpu_experimental_ynn_fusion_type=")))

KEPT = 64  # compiled maps that are cached; each holds about 1.5 MB
BATCHED = ("empty", "one", "many")
SCOPE = Scope(transposed=(False,), bias=(False,), batch=BATCHED, padding_mode=("zeros",), ops=("fprop", "dgrad", "wgrad"))
WORDS = {"same": "SAME", "valid": "VALID", "sameupper": "SAME", "samelower": "SAME_LOWER"}
AXES = {1: "W", 2: "HW", 3: "DHW"}
Maps = Callable[..., Any]


# --- calls of JAX -----------------------------------------------------------------------
def _numbers(spec: ConvSpec, last: bool) -> tuple[str, str, str]:
    """The dimension numbers: channels first as torch has them, or channels last and the kernel as (*kernel, in, out)."""
    axes = AXES[spec.ndim]
    return (f"N{axes}C", f"{axes}IO", f"N{axes}C") if last else (f"NC{axes}", f"OI{axes}", f"NC{axes}")


def _convolve(spec: ConvSpec, last: bool) -> Maps:
    """(x, w) -> y by jax.lax.conv_general_dilated."""
    from jax import lax

    return partial(
        lax.conv_general_dilated,
        window_strides=spec.stride,
        padding=WORDS[spec.padding] if isinstance(spec.padding, str) else spec.padding,
        lhs_dilation=spec.input_dilation,
        rhs_dilation=spec.dilation,
        dimension_numbers=_numbers(spec, last),
        feature_group_count=spec.groups,
        precision=lax.Precision.HIGHEST,
    )


def _transpose(spec: ConvSpec, last: bool) -> Maps:
    """(x, w) -> y by jax.lax.conv_transpose, with torch's padding; output_padding is subtracted from the high side."""
    from jax import lax

    sides = zip(spec.sides, spec.output_padding, strict=True)
    return partial(
        lax.conv_transpose,
        strides=spec.stride,
        padding=[(low, high - extra) for (low, high), extra in sides],
        rhs_dilation=spec.dilation,
        dimension_numbers=_numbers(spec, last),
        transpose_kernel=True,
        use_consistent_padding=True,
        precision=lax.Precision.HIGHEST,
    )


def _operand(spec: ConvSpec, last: bool, role: str, like: Any) -> Any:
    """Zeros in place of the operand that a derivative does not read."""
    import jax.numpy as jnp

    return _turned(jnp.zeros(shape_of(spec, role), like.dtype), role, last)


def _map(spec: ConvSpec, op: str, last: bool) -> Maps:
    """`op` as a function of its operands in the order of their roles."""
    import jax

    convolve = (_transpose if spec.transposed else _convolve)(spec, last)

    def forward(x, w, b=None):
        return convolve(x, w) if b is None else convolve(x, w) + b.reshape(-1, *(1,) * (0 if last else spec.ndim))

    def derivatives(x, w, gy):
        return jax.vjp(convolve, x, w)[1](gy)

    zeros = partial(_operand, spec, last)
    maps: dict[str, Maps] = {
        "fprop": forward,
        "dgrad": lambda gy, w: jax.vjp(lambda x: convolve(x, w), zeros("x", w))[1](gy)[0],
        "wgrad": lambda x, gy: jax.vjp(lambda w: convolve(x, w), zeros("w", x))[1](gy)[0],
        "bgrad": lambda gy: jax.vjp(lambda b: forward(zeros("x", gy), zeros("w", gy), b), zeros("b", gy))[1](gy)[0],
        **{f"second_{r}": partial(_second, derivatives, at) for at, r in enumerate(("x", "w", "gy"))},
    }
    return maps[op]


def _second(derivatives: Maps, at: int, x, w, gy, v, u):
    """The derivative of <v, dgrad> + <u, wgrad> by the operand number `at` of x, w, gy."""
    import jax

    return jax.vjp(derivatives, x, w, gy)[1]((v, u))[at]


def _turned(array: Any, role: str, last: bool, back: bool = False) -> Any:
    """A view with the axes in the order of the dimension numbers, or with `back` the reverse."""
    if not last or role == "b":
        return array
    ndim = array.ndim
    order = (*range(2, ndim), 1, 0) if role in ("w", "u") else (0, *range(2, ndim), 1)
    return array.transpose(np.argsort(order) if back else order)


# --- the adapters -----------------------------------------------------------------------
def jitted(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    """The op as one XLA program."""
    operands, last = _operands(op, arrays, options), options["last"]
    compiled = _compiled(spec, op, last, tuple((a.shape, a.dtype) for a in operands))
    if kernel_log.wanted():
        kernel_log.ran(_ran(compiled.as_text()))
    return _turned(np.asarray(compiled(*operands)), _result(op), last, back=True)


def eager(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    """The op primitive by primitive, each compiled as its own program."""
    _make_room(spec, op)
    operands, last = _operands(op, arrays, options), options["last"]
    return _turned(np.asarray(_map(spec, op, last)(*operands)), _result(op), last, back=True)


def _operands(op: str, arrays: Arrays, options: Mapping[str, Any]) -> list[np.ndarray]:
    order = ("x", "w", "gy", "v", "u") if op in SECOND else ROLES[op]
    return [_turned(arrays[role], role, options["last"]) for role in order if role in arrays]


def _result(op: str) -> str:
    return {"wgrad": "w", "second_w": "w", "bgrad": "b"}.get(op, "x")


@lru_cache(maxsize=KEPT)
def _compiled(spec: ConvSpec, op: str, last: bool, arguments: tuple) -> Any:
    import jax

    _make_room(spec, op)
    shapes = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in arguments]
    return jax.jit(_map(spec, op, last)).lower(*shapes).compile()


_SEEN: set[tuple[ConvSpec, str]] = set()


def _make_room(spec: ConvSpec, op: str) -> None:
    """Clear JAX's caches after every KEPT problems; they would grow without end."""
    import jax

    _SEEN.add((spec, op))
    if len(_SEEN) > KEPT:
        _SEEN.clear()
        jax.clear_caches()


def _ran(program: str) -> str:
    """The library that computes the convolutions of an optimised program: "YNNPACK", or "XLA" (with Eigen)."""
    return "YNNPACK" if "ynn_fusion" in program else "XLA"


# --- the rows -----------------------------------------------------------------------------
def _flushing(spec: ConvSpec, op: str, dtype: str) -> str:
    return "plain" if dtype == "float16" else "ftz"


def _with_bias(spec: ConvSpec, op: str, dtype: str) -> str:
    """Contract for y + b: y is rounded to storage before the sum of half types, as lax's convolutions take no bias."""
    return "storage" if dtype in ("float16", "bfloat16") and op in ("fprop", "bgrad") else _flushing(spec, op, dtype)


def _row(
    name: str, says: str, code: str, scope: Scope, *, contract: ContractRule = _flushing, home: ProcessSpec = HOME, **options
):
    register(
        Method(
            name=name,
            says=says,
            address=f"{__name__}:{code}",
            scope=scope,
            contract=contract,
            kind="engine",
            can=frozenset({"second"}),
            options={"last": False, **options},
            home=home,
            package=PACKAGE,
        )
    )


LAST = replace(SCOPE, layouts=("channels_last",))
# conv_transpose is documented as a convolution of an input with zeros between and around it: an Inf or NaN times zero is NaN
NUMBERS = tuple(f for f in FILLS if f != "special")
TRANSPOSED = replace(
    SCOPE, transposed=(True,), padding=("none", "even", "uneven"), grouping=("one",), layouts=("contiguous",), fills=NUMBERS
)
OWN = replace(SCOPE, layouts=("contiguous",), **WIDE)
CONTIGUOUS = replace(SCOPE, layouts=("contiguous",))
# a bfloat16 sum is rounded to storage and flushed as well, and there is no contract for both
BIAS = replace(CONTIGUOUS, ops=OPS, bias=(True,), fills=tuple(f for f in FILLS if f != "tiny"))
_row("jax", "jax.lax.conv_general_dilated under jit", "jitted", SCOPE)
_row("jax-eager", "jax.lax.conv_general_dilated, one primitive after the other", "eager", CONTIGUOUS, home=HASTY)
_row("jax-hasty", "jax.lax.conv_general_dilated under jit, compiled without optimisation", "jitted", SCOPE, home=HASTY)
_row("jax-wide", "jax-hasty where torch has no argument: cropping, input dilation, SAME with strides", "jitted", OWN, home=HASTY)
_row("jax-channels-last", "the same with NHWC and HWIO", "jitted", LAST, home=HASTY, last=True)
_row("jax-eigen", "jax-hasty with YNNPACK off", "jitted", CONTIGUOUS, home=EIGEN)
_row("jax-transpose", "jax.lax.conv_transpose under jit", "jitted", TRANSPOSED, home=HASTY)
_row("jax-bias", "jax.lax.conv_general_dilated + b under jit", "jitted", BIAS, contract=_with_bias, home=HASTY)
