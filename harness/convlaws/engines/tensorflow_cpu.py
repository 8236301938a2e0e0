"""TensorFlow on the CPU, channels last: oneDNN's kernels, and those of Eigen where oneDNN is off.

On the CPU its Eigen kernels have no gradients of groups or dilations and no dilated Conv3D; where oneDNN is on, it
has them in float32 and bfloat16. Only Conv2D takes padding in numbers: the others take a word.
TensorFlow makes the processor flush subnormal numbers to zero in all of its threads.
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
from convlaws.targets.registry import Method, Package, always, register

Arrays = Mapping[str, np.ndarray]
Forward = Callable[..., Any]
PACKAGE = Package(name="tensorflow-cpu", module="tensorflow", switches=("onednn",))
# two threads, so that work is divided, and among as many on every machine
QUIET = (("TF_CPP_MIN_LOG_LEVEL", "3"), ("TF_NUM_INTRAOP_THREADS", "2"), ("TF_NUM_INTEROP_THREADS", "1"))
# its threads start with its first op, not on import, so its children may fork (tried: they compute)
HOME = ProcessSpec(modules=("tensorflow",), variables=(*QUIET, ("TF_ENABLE_ONEDNN_OPTS", "1")))
EIGEN = replace(HOME, variables=(*QUIET, ("TF_ENABLE_ONEDNN_OPTS", "0")))
UNSUPPORTED = (
    "Current CPU implementations do not yet support dilation rates larger than 1",
    "Current CPU implementation does not yet support dilation rates larger than 1",
    "CPU implementation of Conv3D currently only supports dilated rates of 1",
    "Gradients for grouped convolutions are not supported on CPU",
)
WORDS = {"same": "SAME", "sameupper": "SAME", "valid": "VALID"}
KERNELS = ("w", "u")  # operands that are kernels
KIND = {"wgrad": "w", "second_w": "w", "bgrad": "b"}  # the role whose shape the result has; for other ops it has that of an image


# --- arrays ----------------------------------------------------------------------------
def _order(role: str, ndim: int) -> tuple[int, ...]:
    """The order of axes with channels last: (batch, *extent, channels), or (*kernel, in, out), transposed (*kernel, out, in)."""
    return (*range(2, ndim), 1, 0) if role in KERNELS else (0, *range(2, ndim), 1)


def _given(array: np.ndarray, role: str) -> Any:
    import tensorflow as tf

    return tf.constant(array if role == "b" else array.transpose(_order(role, array.ndim)))


def _taken(found: np.ndarray, role: str) -> np.ndarray:
    return found if role == "b" else found.transpose(np.argsort(_order(role, found.ndim)))


def _shape(spec: ConvSpec, role: str) -> tuple[int, ...]:
    shape = shape_of(spec, role)
    return shape if role == "b" else tuple(shape[axis] for axis in _order(role, len(shape)))


# --- calls of TensorFlow -------------------------------------------------------------------
def _padding(spec: ConvSpec) -> Any:
    """The padding argument: a word, or (low, high) of all axes."""
    if isinstance(spec.padding, str):
        return WORDS[spec.padding]
    return [[0, 0], *map(list, spec.sides), [0, 0]] if any(map(any, spec.sides)) else "VALID"


def _all_axes(spec: ConvSpec, values: tuple[int, ...]) -> Any:
    """Values for all axes as conv2d and conv3d take them; for conv1d, of its only axis."""
    return list(values) if spec.ndim == 1 else [1, *values, 1]


def _forward(spec: ConvSpec) -> Forward:
    """(x, w) -> y by tf.nn.conv2d, tf.nn.conv2d_transpose, and so on."""
    import tensorflow as tf

    steps = {"stride" if spec.ndim == 1 else "strides": _all_axes(spec, spec.stride)}
    words: dict[str, Any] = {"padding": _padding(spec), "dilations": _all_axes(spec, spec.dilation), **steps}
    if not spec.transposed:
        return partial(getattr(tf.nn, f"conv{spec.ndim}d"), **words)
    return partial(getattr(tf.nn, f"conv{spec.ndim}d_transpose"), output_shape=_shape(spec, "y"), **words)


def _biased(forward: Forward, x: Any, w: Any, b: Any) -> Any:
    import tensorflow as tf

    return tf.nn.bias_add(forward(x, w), b)


def _second(forward: Forward, at: int, x: Any, w: Any, gy: Any, v: Any, u: Any) -> Any:
    """The derivative of <v, dgrad> + <u, wgrad> by the operand number `at` of x, w, gy."""
    import tensorflow as tf

    with tf.GradientTape() as outer:
        outer.watch([x, w, gy])
        with tf.GradientTape() as inner:
            inner.watch([x, w])
            y = forward(x, w)
        derivatives = inner.gradient(y, [x, w], output_gradients=gy)
    return outer.gradient(derivatives, (x, w, gy)[at], output_gradients=[v, u])


def _answered(spec: ConvSpec, op: str, given: Mapping[str, Any]) -> Any:
    import tensorflow as tf

    forward = _forward(spec)
    if op in SECOND:
        return _second(forward, SECOND.index(op), *(given[r] for r in ("x", "w", "gy", "v", "u")))
    dtype = next(iter(given.values())).dtype
    roles = ("x", "w", "b") if spec.bias else ("x", "w")
    primals = [given[r] if r in given else tf.zeros(_shape(spec, r), dtype) for r in roles]
    with tf.GradientTape() as tape:
        tape.watch(primals)
        y = _biased(forward, *primals) if spec.bias else forward(*primals)
    if op == "fprop":
        return y
    return tape.gradient(y, primals[("dgrad", "wgrad", "bgrad").index(op)], output_gradients=given["gy"])


def answered(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    """Compute the op; derivatives by a tf.GradientTape, with `graph` as one tf.function.

    Raises:
        Refusal: TensorFlow reports that it does not support this on a CPU.
    """
    import tensorflow as tf

    order = [r for r in (("x", "w", "gy", "v", "u") if op in SECOND else ROLES[op]) if r in arrays]
    given = {role: _given(arrays[role], role) for role in order}
    asked = partial(_answered, spec, op)
    try:
        result = (tf.function(asked, autograph=False) if options["graph"] else asked)(given)
    except tf.errors.InvalidArgumentError as error:
        said = next((words for words in UNSUPPORTED if words in str(error)), "")
        if said:
            raise Refusal(said) from None
        raise
    return _taken(result.numpy(), KIND.get(op, "x"))


# --- the rows ----------------------------------------------------------------------------
def _row(name: str, says: str, scope: Scope, *, graph: bool = False, home: ProcessSpec = HOME):
    register(
        Method(
            name=name,
            says=says,
            address=f"{__name__}:answered",
            scope=scope,
            contract=always("ftz"),
            kind="engine",
            can=frozenset({"second"}),
            options={"graph": graph},
            home=home,
            package=PACKAGE,
        )
    )


WORDED = ("none", "same", "valid", "sameupper")
NUMBERED = ("none", "even", "uneven")
WIDER = ("float64", "float32")
SCOPE = Scope(
    ops=("fprop", "dgrad", "wgrad"),
    ndim=(2,),
    dtypes=("float32",),  # float16 runs in Eigen, which sums it in float16: no contract is that wide
    transposed=(False,),
    bias=(False,),
    layouts=("channels_last",),  # its CPU kernels support no other
    batch=("empty", "one", "many"),
    padding=WORDED,
    padding_mode=("zeros",),
)
LINE = replace(SCOPE, ndim=(1,), dtypes=(*WIDER, "bfloat16"))
VOLUME = replace(LINE, ndim=(3,), grouping=("one",))
# gradients of a convolution padded by numbers run in Eigen, even with oneDNN on
DENSE = replace(SCOPE, dtypes=WIDER, grouping=("one",), dilated=(False,))
ANY = (*WORDED, "even", "uneven")
# in a graph the weight gradient of groups raises an error that does not mention the groups
BIAS = replace(SCOPE, ops=OPS, bias=(True,), padding=ANY, grouping=("one",))
_row("tensorflow", "tf.nn.conv2d", SCOPE)
_row("tensorflow-bfloat16", "tf.nn.conv2d in bfloat16", replace(SCOPE, dtypes=("bfloat16",)))
_row("tensorflow-explicit", "tf.nn.conv2d padded by numbers", replace(DENSE, padding=NUMBERED))
_row("tensorflow-no-onednn", "tf.nn.conv2d with oneDNN off", replace(DENSE, padding=ANY), home=EIGEN)
FORWARD = replace(SCOPE, ops=("fprop",), dtypes=WIDER, padding=ANY)
_row("tensorflow-forward", "tf.nn.conv2d with oneDNN off: groups and dilations, which have no gradients", FORWARD, home=EIGEN)
_row("tensorflow-conv1d", "tf.nn.conv1d", LINE)
_row("tensorflow-conv3d", "tf.nn.conv3d", VOLUME)
_row("tensorflow-bias", "tf.nn.bias_add of tf.nn.conv2d in a tf.function, which makes one op of them", BIAS, graph=True)
_row("tensorflow-transpose", "tf.nn.conv2d_transpose", replace(DENSE, transposed=(True,), padding=NUMBERED))
