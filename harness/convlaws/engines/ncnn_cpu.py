"""ncnn on the CPU: a network of one layer, built for each call, with its weights in an in-memory file.

Its layers have no gradients, and its arrays had no batch axis until 2026. It flushes subnormal numbers while
a layer runs, by default and without a switch in Python. The options named in the rows say which of its kernels
may run; it does not report which one did.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from convlaws.errors import Refusal
from convlaws.problem.fills import FILLS
from convlaws.problem.scope import Scope
from convlaws.problem.spec import ConvSpec
from convlaws.targets.process_spec import ProcessSpec
from convlaws.targets.registry import Method, Package, always, register

Arrays = Mapping[str, np.ndarray]
HOME = ProcessSpec(modules=("ncnn",))
PACKAGE = Package(name="ncnn", module="ncnn", beside=("ml_dtypes",))  # its arrays of bfloat16 are ml_dtypes
MAGIC = 7767517  # the first line of a network description
RAW = bytes(4)  # the tag before float32 weights
SAME = -233  # a padding of -233 is ONNX's SAME_UPPER: the odd one high, as in torch
AS_IT_IS = 1  # extraction mode: the result without conversion to float32
# parameter ids along the axes x, y, z, from which all network descriptions are written
KERNEL, DILATION, STRIDE = (1, 11, 21), (2, 12, 22), (3, 13, 23)
LOW, HIGH, EXTRA = (4, 14, 24), (15, 16, 17), (18, 19, 20)


# --- calls of ncnn -------------------------------------------------------------------
def _parameters(spec: ConvSpec, dynamic: bool) -> dict[int, int]:
    """The layer's parameters by their ids."""
    parameters = {0: spec.out_channels, 5: int(spec.bias), 6: int(np.prod(spec.w_shape))}
    for ids, values in ((KERNEL, spec.kernel), (DILATION, spec.dilation), (STRIDE, spec.stride)):
        parameters |= _by_axis(ids, values)
    low, high = zip(*spec.sides, strict=True)
    parameters |= dict.fromkeys(LOW[: spec.ndim], SAME) if spec.padding == "same" else _by_axis(LOW, low) | _by_axis(HIGH, high)
    if spec.transposed:
        parameters |= _by_axis(EXTRA, spec.output_padding)
    if spec.groups > 1:
        parameters[7] = spec.groups
    return parameters | ({28 if spec.transposed else 19: 1} if dynamic else {})


def _by_axis(ids: tuple[int, ...], values: tuple[int, ...]) -> dict[int, int]:
    """Parameters by id for values by axis; ncnn counts axes from the last."""
    return dict(zip(ids, reversed(values), strict=False))


def _kind(spec: ConvSpec) -> str:
    """The name of the layer: Convolution, ConvolutionDepthWise1D, Deconvolution3D, and so on."""
    grouped, axes = "DepthWise" if spec.groups > 1 else "", "" if spec.ndim == 2 else f"{spec.ndim}D"
    return f"{'Deconvolution' if spec.transposed else 'Convolution'}{grouped}{axes}"


def _description(spec: ConvSpec, fed: tuple[str, ...]) -> str:
    """The network as text: an Input for each array that is `fed`, and the layer."""
    parameters = " ".join(f"{key}={value}" for key, value in _parameters(spec, len(fed) > 1).items())
    inputs = [f"Input {role} 0 1 {role}" for role in fed]
    layer = f"{_kind(spec)} layer {len(fed)} 1 {' '.join(fed)} y {parameters}"
    return "\n".join((str(MAGIC), f"{len(fed) + 1} {len(fed) + 1}", *inputs, layer, ""))


def _weights(spec: ConvSpec, w: np.ndarray) -> np.ndarray:
    """w in ncnn's order (groups, outputs, inputs, *kernel); in torch's transposed convolutions inputs come before outputs."""
    return w.reshape(spec.groups, -1, *w.shape[1:]).swapaxes(1, 2) if spec.transposed else w


def _stored(spec: ConvSpec, arrays: Arrays) -> bytes:
    """The file of weights; a bfloat16 number is written as float32, which is exact."""
    bias = [arrays["b"].astype(np.float32).tobytes()] if spec.bias else []
    return b"".join((RAW, _weights(spec, arrays["w"]).astype(np.float32).tobytes(), *bias))


def _network(spec: ConvSpec, fed: tuple[str, ...], weights: bytes, options: Mapping[str, Any]) -> Any:
    import ncnn

    net = ncnn.Net()
    for name, value in options.items():
        if hasattr(net.opt, name):  # older versions have fewer
            setattr(net.opt, name, value)
    _load(net, "load_param", _description(spec, fed).encode())
    _load(net, "load_model", weights)
    return net


def _load(net: Any, call: str, content: bytes) -> None:
    """Load an in-memory file into ncnn by its path, the only way that every version supports."""
    file = os.memfd_create(call)
    try:
        os.write(file, content)
        _check(getattr(net, call)(f"/proc/self/fd/{file}"), call)
    finally:
        os.close(file)


def _check(code: int, call: str) -> None:
    if code:
        raise RuntimeError(f"ncnn's {call} returned {code}")


def _run(net: Any, inputs: Mapping[str, Any], extraction: int = 0) -> Any:
    extractor = net.create_extractor()
    for name, mat in inputs.items():
        _check(extractor.input(name, mat), f"input of {name}")
    code, result = extractor.extract("y", extraction)
    _check(code, "extract")
    return result


def _shared(array: np.ndarray) -> Any:
    """A Mat that shares the array's memory."""
    import ncnn

    return ncnn.Mat(array)


def _cloned(array: np.ndarray) -> Any:
    """A Mat with its own memory, laid out as ncnn requires, as its converter's scripts do."""
    return _shared(array).clone()


# --- the adapters ----------------------------------------------------------------------
def one(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any], mat: Callable[..., Any] = _cloned) -> np.ndarray:
    """One image; the weights belong to the network."""
    return _of_one(_network(spec, ("x",), _stored(spec, arrays), options), spec, arrays["x"], mat)


def _of_one(net: Any, spec: ConvSpec, x: np.ndarray, mat: Callable[..., Any]) -> np.ndarray:
    bits = x.view(np.uint16) if x.dtype.name == "bfloat16" else x
    y = _run(net, {"x": mat(bits if spec.batch is None else bits[0])}, AS_IT_IS if x.dtype.itemsize == 2 else 0)
    result = np.array(y)  # a copy: its memory goes with the net
    if result.itemsize > x.itemsize:
        raise Refusal(f"ncnn's {_kind(spec)} has no 16-bit storage: its answer is float32")
    return _shaped(spec, result.view(x.dtype))


def shared(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    """As `one`, on the memory of the caller's array."""
    return one(spec, op, arrays, options, _shared)


def _ready(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> Iterator[Callable[[], np.ndarray]]:
    yield partial(_of_one, _network(spec, ("x",), _stored(spec, arrays), options), spec, arrays["x"], _cloned)


READY = {"one": _ready}


def fed(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    """One image; the weights are inputs as well."""
    x, w = arrays["x"], _weights(spec, arrays["w"])
    net = _network(spec, tuple(arrays), b"", options)
    given = {"x": x if spec.batch is None else x[0], "w": np.ascontiguousarray(w).reshape(-1, *w.shape[-spec.ndim - 1 :])}
    given |= {"b": arrays["b"]} if spec.bias else {}
    return _shaped(spec, np.array(_run(net, {role: _cloned(a) for role, a in given.items()})))


def batched(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    """Run a batch as ncnn's own batch.

    Raises:
        Refusal: this version's Mat has no batches.
    """
    import ncnn

    if not hasattr(ncnn.Mat, "batch"):
        raise Refusal("ncnn.Mat has no batches before 2026")
    net = _network(spec, ("x",), _stored(spec, arrays), options)
    result = _run(net, {"x": ncnn.Mat(arrays["x"], 0)})
    if result.n != spec.images:
        raise RuntimeError(f"ncnn gave a batch of {result.n} for one of {spec.images}")
    return _shaped(spec, np.stack([np.array(result.batch(i)) for i in range(spec.images)]))


def _shaped(spec: ConvSpec, result: np.ndarray) -> np.ndarray:
    """The result with the problem's batch axis; a result of the wrong size is returned unchanged, to be judged."""
    return result[None] if spec.batch == 1 and result.ndim == spec.ndim + 1 else result


# --- the rows ----------------------------------------------------------------------------
FLOAT32 = {"use_fp16_packed": False, "use_fp16_storage": False, "use_fp16_arithmetic": False, "num_threads": 1}
TILES = (23, 43, 63)
BATCHES = ("unbatched", "one")
PLAIN = {**FLOAT32, "use_winograd_convolution": False}
COMMON: dict[str, Any] = {"ops": ("fprop",), "dtypes": ("float32",), "batch": BATCHES, "padding_mode": ("zeros",)}
CONTIGUOUS = {**COMMON, "layouts": ("contiguous",)}
SCOPE = Scope(transposed=(False,), **CONTIGUOUS)
# no contract covers both fast transforms and flushing, so no subnormal numbers
NORMAL = tuple(f for f in FILLS if f != "tiny")


def _row(name: str, says: str, scope: Scope, *, code: str = "one", contract: str = "ftz", **options: bool) -> None:
    register(
        Method(
            name=name,
            says=says,
            address=f"{__name__}:{code}",
            scope=scope,
            contract=always(contract),
            kind="engine",
            options={**PLAIN, **options},
            home=HOME,
            package=PACKAGE,
        )
    )


def _winograd_row(tiles: int, contract: str) -> None:
    taken: dict[str, Any] = {f"use_winograd{t}_convolution": t == tiles for t in TILES}
    _row(
        f"ncnn-winograd{tiles}",
        f"ncnn, Convolution, where Winograd F({tiles // 10},3) may be taken",
        Scope(**{**CONTIGUOUS, "fills": NORMAL}, transposed=(False,), ndim=(2,), kernel=(3,), stride=(1,), dilation=(1,)),
        contract=contract,
        use_winograd_convolution=True,
        **taken,
    )


# its other layers lack bfloat16 storage and answer in float32; a tie is rounded away from zero: not the plain contract
STORED = {**CONTIGUOUS, "dtypes": ("bfloat16",), "fills": NORMAL}
BFLOAT16 = Scope(transposed=(False,), ndim=(1, 2), grouping=("one",), **STORED)
BATCH = Scope(transposed=(False,), **{**CONTIGUOUS, "batch": ("one", "many")})
TRANSPOSED = Scope(transposed=(True,), padding=("none", "even", "uneven"), **CONTIGUOUS)
SHARED = Scope(transposed=(False,), layouts=("contiguous", "channels_last", "sliced"), **COMMON)
_row("ncnn", "ncnn, Convolution and ConvolutionDepthWise, without Winograd", SCOPE)
_row("ncnn-direct", "ncnn without Winograd and without sgemm", SCOPE, use_sgemm_convolution=False)
_row("ncnn-unpacked", "ncnn without packed layouts", SCOPE, use_packing_layout=False)
_row("ncnn-fed", "ncnn, weights as inputs", Scope(transposed=(False,), ndim=(1, 2), **CONTIGUOUS), code="fed")
_row("ncnn-batch", "ncnn, batches of images", BATCH, code="batched")
_row("ncnn-shared", "ncnn on the memory of a NumPy array", SHARED, code="shared")
_row("ncnn-bf16", "ncnn with bfloat16 storage", BFLOAT16, contract="storage", use_bf16_storage=True, use_packing_layout=False)
_row("ncnn-transpose", "ncnn, Deconvolution and DeconvolutionDepthWise", TRANSPOSED)
for _tiles, _contract in zip(TILES, ("winograd2", "winograd4-any", "winograd6-any"), strict=True):
    _winograd_row(_tiles, _contract)
