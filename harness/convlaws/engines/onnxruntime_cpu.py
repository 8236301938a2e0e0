"""ONNX Runtime on its CPU execution provider: a model of one node, built for each call.

Its kernels are float32; it runs a float16 model by inserting casts around them.
It reports other types as not implemented (1.15 to 1.31), so they are out of scope.
No published wheel for Linux has the XNNPACK provider.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from convlaws.engines import kernel_log
from convlaws.engines.onnx_models import PADDINGS, model
from convlaws.errors import Refusal
from convlaws.problem.scope import Scope
from convlaws.problem.spec import ConvSpec
from convlaws.targets.process_spec import ProcessSpec
from convlaws.targets.registry import Method, Package, always, register

Arrays = Mapping[str, np.ndarray]
PROVIDERS = ["CPUExecutionProvider"]
# its messages for valid requests that it does not support: a type, a dilated SAME
REFUSALS = ("NOT_IMPLEMENTED", "Dilation not supported for AutoPadType")
# and for an output_padding of the stride or more, which ONNX allows below the dilation (recent releases; older ones compute it)
BEYOND = ("may be too large for stride", "Explicit output_shape is inconsistent")
SILENT = 4  # log severity: fatal only
SCOPE = Scope(
    ops=("fprop",),
    dtypes=("float32", "float16"),
    layouts=("contiguous",),  # its binding copies everything else
    batch=("empty", "one", "many"),
    padding=PADDINGS,
    padding_mode=("zeros",),
)
SHAPED = Scope(
    ops=("fprop",),
    dtypes=("float32",),
    layouts=("contiguous",),
    batch=("empty", "one", "many"),
    transposed=(True,),
    padding=("none", "even"),  # how an uneven total is split between the two sides depends on auto_pad
)


# --- the adapters ---------------------------------------------------------------------
def held(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    """Run with the weights and the bias as initializers: the session packs them for its kernels."""
    text = model(spec, arrays["x"].dtype.name, arrays, shaped=options["shaped"])
    with tempfile.TemporaryDirectory() as folder, _refusals(spec):
        session = _session(text, options["level"], folder if kernel_log.wanted() else "")
        return _run(session, {"x": arrays["x"]})


def _ready(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> Iterator[Callable[[], np.ndarray]]:
    session = _session(model(spec, arrays["x"].dtype.name, arrays, shaped=options["shaped"]), options["level"], "")
    yield lambda: session.run(None, {"x": arrays["x"]})[0]


READY = {"held": _ready}


def fed(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    """Run with every operand as an input of the graph, and one session for all calls of the same sizes."""
    with _refusals(spec):
        session = _fed_session(spec, arrays["x"].dtype.name, tuple(arrays), options["level"])
        return _run(session, dict(arrays))


@contextmanager
def _refusals(spec: ConvSpec) -> Iterator[None]:
    """Convert its "not supported" messages into refusals; every other error is a finding."""
    beyond = any(o >= s for o, s in zip(spec.output_padding, spec.stride, strict=True))
    sentences = REFUSALS + BEYOND * beyond
    try:
        yield
    except Exception as error:
        if type(error).__name__ in ("NotImplemented", "InvalidArgument") and any(words in str(error) for words in sentences):
            raise Refusal(str(error)) from None
        raise


@lru_cache(maxsize=64)
def _fed_session(spec: ConvSpec, dtype: str, roles: tuple[str, ...], level: str) -> Any:
    return _session(model(spec, dtype, {}, fed=roles), level, "")


def _session(text: bytes, level: str, folder: str) -> Any:
    """A session on one thread; with a `folder`, it writes a profile there."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = SILENT
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    if folder:
        options.enable_profiling, options.profile_file_prefix = True, str(Path(folder, "profile"))
    return onnxruntime.InferenceSession(text, options, providers=PROVIDERS)


def _run(session: Any, inputs: dict[str, np.ndarray]) -> np.ndarray:
    (y,) = session.run(None, inputs)
    traced = session.get_session_options().enable_profiling
    kernel_log.ran(_kernels(session.end_profiling()) if traced else ", ".join(session.get_providers()))
    return y


def _kernels(profile: str) -> str:
    """The kernels in the order they ran, each with its provider, from a profile of the runtime."""
    events = json.loads(Path(profile).read_text(encoding="utf-8"))
    nodes = [e for e in events if e.get("cat") == "Node" and "provider" in e.get("args", {})]
    names = ((e["args"]["op_name"], e["name"].removesuffix("_kernel_time"), e["args"]["provider"]) for e in nodes)
    ran = dict.fromkeys(f"{op}{' ' + node if node != op else ''} ({provider})" for op, node, provider in names)
    return ", ".join(ran)


# --- the rows ---------------------------------------------------------------------------
HOME = ProcessSpec(modules=("onnxruntime",), variables=(("ORT_DISABLE_TELEMETRY", "1"),))
PACKAGE = Package(name="onnxruntime", module="onnxruntime", pins=(("<1.19", "numpy<2"),))


def _row(name: str, says: str, code: str, scope: Scope, *, level: str = "ORT_ENABLE_ALL", shaped: bool = False) -> None:
    register(
        Method(
            name=name,
            says=says,
            address=f"{__name__}:{code}",
            scope=scope,
            contract=always("plain"),
            kind="engine",
            can=frozenset() if shaped else frozenset({"mirrors"}),
            options={"level": level, "shaped": shaped},
            home=HOME,
            package=PACKAGE,
        )
    )


_row("onnxruntime", "ONNX Runtime, Conv and ConvTranspose with constant weights, all graph optimisations", "held", SCOPE)
_row("onnxruntime-unoptimised", "ONNX Runtime without graph optimisations", "held", SCOPE, level="ORT_DISABLE_ALL")
_row("onnxruntime-fed", "ONNX Runtime, weights as inputs, one session for many calls", "fed", SCOPE)
_row("onnxruntime-output-shape", "ONNX Runtime, ConvTranspose by output_shape instead of pads", "held", SHAPED, shaped=True)
