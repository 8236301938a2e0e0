"""OpenVINO's CPU plugin: a graph of one convolution from its own operation set, compiled for each call.

It is told to compute in float32 (by default it uses bfloat16 where the processor has AMX). float64 is out of scope:
the plugin computes it in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from convlaws.engines import kernel_log
from convlaws.engines.onnx_models import AUTO_PAD, PADDINGS
from convlaws.problem.formats import FORMATS
from convlaws.problem.scope import Scope
from convlaws.problem.spec import ConvSpec
from convlaws.targets.process_spec import ProcessSpec
from convlaws.targets.registry import Method, Package, always, register

Arrays = Mapping[str, np.ndarray]
TYPES = {"float32": "f32", "float16": "f16", "bfloat16": "bf16"}
SCOPE = Scope(
    ops=("fprop",),
    dtypes=tuple(TYPES),
    layouts=("contiguous",),
    batch=("empty", "one", "many"),
    padding=PADDINGS,
    padding_mode=("zeros",),
)
SHAPED = replace(SCOPE, dtypes=("float32",), transposed=(True,), padding=("none", "even"))


def _library(part: str = "") -> Any:
    """OpenVINO's package or a module of it: before release 2024 they are in `openvino.runtime`."""
    floor = "openvino" if find_spec("openvino.opset8") else "openvino.runtime"
    return import_module(f"{floor}.{part}" if part else floor)


# --- the graph --------------------------------------------------------------------------
def _grouped(spec: ConvSpec) -> tuple[int, ...]:
    """The shape of the weights for OpenVINO: several groups are an axis of their own."""
    if spec.groups == 1:
        return spec.w_shape
    rows, *rest = spec.w_shape
    return (spec.groups, rows // spec.groups, *rest)


def _padding(spec: ConvSpec, shaped: bool) -> dict[str, Any]:
    """The padding arguments. If the output shape is given the padding must not be: the engine derives it."""
    words = "SAME_UPPER" if shaped else AUTO_PAD.get(str(spec.padding), "EXPLICIT")
    low, high = ([0] * spec.ndim,) * 2 if words != "EXPLICIT" else map(list, zip(*spec.sides, strict=True))
    return {"auto_pad": words, "pads_begin": low, "pads_end": high}


def _convolved(spec: ConvSpec, x: Any, w: Any, shaped: bool) -> Any:
    """The node of one of the four operations."""
    operations = _library("opset8")
    sizes = {"strides": list(spec.stride), "dilations": list(spec.dilation), **_padding(spec, shaped)}
    if not spec.transposed:
        return (operations.convolution if spec.groups == 1 else operations.group_convolution)(x, w, **sizes)
    build = operations.convolution_backprop_data if spec.groups == 1 else operations.group_convolution_backprop_data
    extents = operations.constant(np.array(spec.output, np.int64)) if shaped else None
    return build(x, w, output_shape=extents, output_padding=list(spec.output_padding), **sizes)


def _compiled(spec: ConvSpec, dtype: str, arrays: Arrays, options: Mapping[str, Any]) -> Any:
    """The compiled model; roles that are not in `arrays` are its inputs."""
    openvino, operations = _library(), _library("opset8")
    constant = _library("op").Constant  # opset8's own does not accept bfloat16
    kind = getattr(openvino.Type, TYPES[dtype])
    shapes = {"x": spec.x_shape, "w": _grouped(spec)} | ({"b": (1, spec.out_channels, *[1] * spec.ndim)} if spec.bias else {})
    nodes = {
        role: constant(_tensor(arrays[role], shape)) if role in arrays else operations.parameter(shape, kind, role)
        for role, shape in shapes.items()
    }
    y = _convolved(spec, nodes["x"], nodes["w"], options["shaped"])
    result = operations.add(y, nodes["b"]) if spec.bias else y
    graph = openvino.Model([result], [nodes[role] for role in shapes if role not in arrays], "convolution")
    return _core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": options["precision"]})


@lru_cache(maxsize=1)
def _core() -> Any:
    core = _library().Core()
    core.set_property("CPU", {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1})
    return core


def _tensor(array: np.ndarray, shape: tuple[int, ...]) -> Any:
    """A tensor with the array's numbers; NumPy has no bfloat16, so its bits are passed."""
    openvino = _library()
    kind = getattr(openvino.Type, TYPES[array.dtype.name])
    if array.dtype.name != "bfloat16":
        return openvino.Tensor(array.reshape(shape))
    return openvino.Tensor(array.view(np.uint16).reshape(shape), openvino.Shape(shape), kind)


# --- the adapters -------------------------------------------------------------------------
def held(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    """Run with the weights and the bias as constants: the plugin reorders them for its kernels."""
    dtype = arrays["x"].dtype.name
    constants = {role: a for role, a in arrays.items() if role != "x"}
    return _run(_compiled(spec, dtype, constants, options), spec, {"x": arrays["x"]})


def _ready(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> Iterator[Callable[[], np.ndarray]]:
    constants = {role: a for role, a in arrays.items() if role != "x"}
    compiled = _compiled(spec, arrays["x"].dtype.name, constants, options)
    yield lambda: _run(compiled, spec, {"x": arrays["x"]})


READY = {"held": _ready}


def fed(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    """Run with every operand as an input of the graph, and one compiled model for all calls of the same sizes."""
    compiled = _fed_model(spec, arrays["x"].dtype.name, tuple(options.items()))
    return _run(compiled, spec, arrays)


@lru_cache(maxsize=64)
def _fed_model(spec: ConvSpec, dtype: str, options: tuple[tuple[str, Any], ...]) -> Any:
    return _compiled(spec, dtype, {}, dict(options))


def _run(compiled: Any, spec: ConvSpec, arrays: Arrays) -> np.ndarray:
    request = compiled.create_infer_request()
    inputs = [_tensor(a, tuple(port.shape)) for a, port in zip(arrays.values(), compiled.inputs, strict=True)]
    request.infer(inputs)
    if kernel_log.wanted():
        kernel_log.ran(_primitives(compiled))
    y = request.get_output_tensor(0)
    if y.element_type.get_type_name() == "bf16":
        bits = np.ndarray(tuple(y.shape), np.uint16, y.data.tobytes())
        return bits.view(FORMATS["bfloat16"].dtype)
    return np.array(y.data)


def _primitives(compiled: Any) -> str:
    """The kernels of the computing nodes in the compiled graph."""
    kernels = []
    for node in compiled.get_runtime_model().get_ordered_ops():
        told = {key: str(value.astype(str) if hasattr(value, "astype") else value) for key, value in node.get_rt_info().items()}
        if told.get("layerType") not in ("Input", "Output", "Const", "Reorder"):
            kernels.append(f"{told.get('layerType')}: {told.get('primitiveType')}")
    return ", ".join(kernels)


# --- the rows -----------------------------------------------------------------------------
# only the word "true" turns its telemetry off: it checks if it runs on a build server
HOME = ProcessSpec(modules=("openvino",), variables=(("CI", "true"),))
PACKAGE = Package(name="openvino", module="openvino", pins=(("<2024.4", "numpy<2"),), switches=("onednn",))


def _row(
    name: str, says: str, code: str, scope: Scope, *, contract: str = "plain", precision: str = "f32", shaped: bool = False
) -> None:
    register(
        Method(
            name=name,
            says=says,
            address=f"{__name__}:{code}",
            scope=scope,
            contract=always(contract),
            kind="engine",
            can=frozenset({"mirrors"}) if len(scope.transposed) == 2 else frozenset(),
            options={"precision": precision, "shaped": shaped},
            home=HOME,
            package=PACKAGE,
        )
    )


_row("openvino", "OpenVINO's CPU plugin, constant weights, float32 arithmetic", "held", SCOPE)
_row("openvino-fed", "OpenVINO's CPU plugin, weights as inputs, one compiled model for many calls", "fed", SCOPE)
_row("openvino-output-shape", "OpenVINO's CPU plugin, ConvolutionBackpropData by output_shape", "held", SHAPED, shaped=True)
