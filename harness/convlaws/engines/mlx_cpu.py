"""MLX on the CPU: channels last, evaluated lazily when the result is read.

Its convolutions have no bias and take padding in numbers only. In float64 it supports those that become matrix products,
and raises for the others; it supports groups along one and two axes, and in transposed
convolutions, as its documentation says, not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from convlaws.errors import Refusal
from convlaws.problem.problem import OPS, ROLES, shape_of
from convlaws.problem.request import SECOND
from convlaws.problem.scope import Scope
from convlaws.problem.spec import ConvSpec
from convlaws.targets.process_spec import ProcessSpec
from convlaws.targets.registry import ContractRule, Method, Package, always, register

Arrays = Mapping[str, np.ndarray]
PACKAGE = Package(name="mlx", module="mlx", beside=("mlx[cpu]", "ml_dtypes"))
# its matrix products use OpenBLAS, whose threads do not survive a fork
HOME = ProcessSpec(modules=("mlx.core", "mlx.nn"), variables=(("OPENBLAS_NUM_THREADS", "1"),))
UNSUPPORTED = ("got unsupported data type", "Can only handle groups != 1 in 1D or 2D convolutions")
KERNELS = ("w", "u")  # operands that are kernels
Forward = Callable[..., Any]


# --- arrays ----------------------------------------------------------------------------
def _order(role: str, ndim: int, transposed: bool) -> tuple[int, ...]:
    """The order of axes with channels last: (batch, *extent, channels), or (outputs, *kernel, inputs)."""
    swapped = transposed and role in KERNELS
    return (int(swapped), *range(2, ndim), 1 - int(swapped))


def _given(array: np.ndarray, role: str, spec: ConvSpec, viewed: bool) -> Any:
    """An operand as an MLX array: transposed by MLX, where it is a view, or by NumPy beforehand."""
    import mlx.core as mx

    turned = _order(role, array.ndim, spec.transposed) if role != "b" else (0,)
    bits = array.view(np.uint16) if array.dtype.name == "bfloat16" else array
    name = "uint16" if bits is not array else array.dtype.name  # without a dtype, float64 would become float32
    made = mx.array(bits if viewed else bits.transpose(turned), dtype=getattr(mx, name))
    made = made if bits is array else made.view(mx.bfloat16)
    return made.transpose(turned) if viewed else made


def _taken(array: Any, role: str, spec: ConvSpec, dtype: np.dtype) -> np.ndarray:
    """A result as a NumPy array."""
    import mlx.core as mx

    result = np.array(array.view(mx.uint16)).view(dtype) if array.dtype == mx.bfloat16 else np.array(array)
    return result if role == "b" else result.transpose(np.argsort(_order(role, result.ndim, spec.transposed)))


# --- calls of MLX ----------------------------------------------------------------------
def _convolve(spec: ConvSpec) -> Forward:
    """(x, w) -> y by mlx.core.conv_general, or conv_transpose1d and so on."""
    import mlx.core as mx

    low, high = zip(*spec.sides, strict=True)
    if not spec.transposed:
        sides = list(low) if low == high else (list(low), list(high))
        return partial(mx.conv_general, stride=spec.stride, padding=sides, kernel_dilation=spec.dilation, groups=spec.groups)
    given = (_one(v) for v in (spec.stride, low, spec.dilation, spec.output_padding))
    stride, padding, dilation, extra = given
    transpose = getattr(mx, f"conv_transpose{spec.ndim}d")
    return partial(transpose, stride=stride, padding=padding, dilation=dilation, output_padding=extra, groups=spec.groups)


def _one(values: tuple[int, ...]) -> Any:
    """The number itself for one axis, else the tuple."""
    return values[0] if len(values) == 1 else values


def _layer(spec: ConvSpec) -> Forward:
    """(x, w, b) -> y by mlx.nn.Conv1d, ConvTranspose1d, and so on."""
    from mlx import nn

    kind = getattr(nn, f"Conv{'Transpose' if spec.transposed else ''}{spec.ndim}d")
    low = tuple(side for side, _ in spec.sides)
    sizes = {"stride": _one(spec.stride), "padding": _one(low), "dilation": _one(spec.dilation), "bias": spec.bias}
    extra = {"output_padding": _one(spec.output_padding)} if spec.transposed else {"groups": spec.groups} if spec.ndim < 3 else {}
    if spec.groups > 1 and spec.ndim == 3:
        raise Refusal("mlx.nn.Conv3d has no groups")
    layer = kind(spec.in_channels, spec.out_channels, _one(spec.kernel), **sizes, **extra)

    def forward(x, w, b=None):
        layer.update({"weight": w} if b is None else {"weight": w, "bias": b})
        return layer(x)

    return forward


FORWARDS = {"function": _convolve, "layer": _layer}


def _derivative(forward: Forward, at: int, primals: list[Any], gy: Any) -> Any:
    import mlx.core as mx

    def of_one(value):
        return forward(*primals[:at], value, *primals[at + 1 :])

    return mx.vjp(of_one, [primals[at]], [gy])[1][0]


def _second(forward: Forward, at: int, x: Any, w: Any, gy: Any, v: Any, u: Any) -> Any:
    """The derivative of <v, dgrad> + <u, wgrad> by the operand number `at` of x, w, gy."""
    import mlx.core as mx

    def paired(x, w, gy):
        dgrad, wgrad = mx.vjp(forward, [x, w], [gy])[1]
        return (v * dgrad).sum() + (u * wgrad).sum()

    return mx.grad(paired, argnums=at)(x, w, gy)


def _answered(spec: ConvSpec, op: str, given: Mapping[str, Any], kind: str) -> Any:
    import mlx.core as mx

    forward = FORWARDS[kind](spec)
    if op in SECOND:
        return _second(forward, SECOND.index(op), *(given[r] for r in ("x", "w", "gy", "v", "u")))
    like = next(iter(given.values())).dtype
    roles = ("x", "w", "b") if spec.bias else ("x", "w")
    turned = {r: _turned_shape(spec, r) for r in roles}
    primals = [given[r] if r in given else mx.zeros(turned[r], dtype=like) for r in roles]
    if op == "fprop":
        return forward(*primals)
    return _derivative(forward, ("dgrad", "wgrad", "bgrad").index(op), primals, given["gy"])


def _turned_shape(spec: ConvSpec, role: str) -> tuple[int, ...]:
    shape = shape_of(spec, role)
    return shape if role == "b" else tuple(shape[axis] for axis in _order(role, len(shape), spec.transposed))


def answered(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    """Compute the op; derivatives by mlx.core.vjp.

    Raises:
        Refusal: MLX reports that it does not support the request.
    """
    import mlx.core as mx

    order = [r for r in (("x", "w", "gy", "v", "u") if op in SECOND else ROLES[op]) if r in arrays]
    with mx.stream(mx.cpu):
        given = {role: _given(arrays[role], role, spec, options["viewed"]) for role in order}
        try:
            result = _answered(spec, op, given, options["kind"])
            mx.eval(result)
        except ValueError as error:
            if any(words in str(error) for words in UNSUPPORTED):
                raise Refusal(str(error)) from None
            raise
        role = {"wgrad": "w", "second_w": "w", "bgrad": "b"}.get(op, "x")
        return _taken(result, role, spec, arrays[order[0]].dtype)


# --- the rows ----------------------------------------------------------------------------
PLAIN = always("plain")


def _with_bias(spec: ConvSpec, op: str, dtype: str) -> str:
    """Contract for y + b: y is rounded before the sum, as MLX's convolutions take no bias."""
    return "storage" if dtype in ("float16", "bfloat16") and op in ("fprop", "bgrad") and spec.bias else "plain"


def _row(name: str, says: str, scope: Scope, *, contract: ContractRule = PLAIN, viewed: bool = False, kind: str = "function"):
    register(
        Method(
            name=name,
            says=says,
            address=f"{__name__}:answered",
            scope=scope,
            contract=contract,
            kind="engine",
            can=frozenset({"second"}) if kind == "function" else frozenset(),
            options={"viewed": viewed, "kind": kind},
            home=HOME,
            package=PACKAGE,
        )
    )


SCOPE = Scope(
    ops=("fprop", "dgrad", "wgrad"),
    dtypes=("float32", "float16", "bfloat16"),
    transposed=(False,),
    bias=(False,),
    layouts=("contiguous",),  # its binding copies everything else
    batch=("empty", "one", "many"),
    padding=("none", "even", "uneven"),
    padding_mode=("zeros",),
)
LAST = replace(SCOPE, layouts=("channels_last",))
TRANSPOSED = replace(SCOPE, transposed=(True,), padding=("none", "even"), grouping=("one",))
LAYER = replace(SCOPE, ops=OPS, bias=(False, True), padding=("none", "even"))
_row("mlx", "mlx.core.conv_general on the CPU, on a view of channels first", SCOPE, viewed=True)
_row("mlx-float64", "mlx.core.conv_general on the CPU in float64", replace(SCOPE, dtypes=("float64",)))
_row("mlx-channels-last", "mlx.core.conv_general on the CPU", LAST)
_row("mlx-transpose", "mlx.core.conv_transpose1d to 3d on the CPU", TRANSPOSED)
_row("mlx-layer", "mlx.nn.Conv1d to Conv3d on the CPU", LAYER, contract=_with_bias, kind="layer")
