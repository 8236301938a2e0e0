"""OpenCV's dnn module on the CPU: an ONNX model of one node, read from memory.

OpenCV 5 has two engines. `readNetFromONNX` uses the newer one unless OPENCV_FORCE_DNN_ENGINE is 1 (its argument
`engine` has no effect for a model in memory: tried with 5.0.0); OpenCV 4 has only the classic one. Both take
float32; an extent of 0 means "not known" to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from convlaws.engines import kernel_log
from convlaws.engines.onnx_models import PADDINGS, model
from convlaws.errors import Refusal
from convlaws.problem.scope import Scope
from convlaws.problem.spec import ConvSpec
from convlaws.targets.process_spec import ProcessSpec
from convlaws.targets.registry import ContractRule, Method, Package, always, register

# its assertions for valid requests that it does not support: output_padding of the stride or more, weights that are inputs
REFUSALS = ("adjust_pads[i] < strides[i]", "not found in const blobs")
SCOPE = Scope(
    ops=("fprop",),
    dtypes=("float32",),
    layouts=("contiguous",),
    batch=("one", "many"),
    padding=PADDINGS,
    padding_mode=("zeros",),
)
SHAPED = replace(SCOPE, transposed=(True,), padding=("none", "even"))


def forward(spec: ConvSpec, op: str, arrays: Mapping[str, np.ndarray], options: Mapping[str, Any]) -> np.ndarray:
    """Run cv2.dnn.readNetFromONNX, then Net.forward, on one thread."""
    import cv2

    try:
        net, inputs = _net(spec, arrays, options)
        y = _run(net, inputs, arrays)
    except cv2.error as error:
        if error.code == cv2.Error.StsNotImplemented or any(words in str(error) for words in REFUSALS):
            raise Refusal(str(error)) from None
        raise
    kernel_log.ran(", ".join(net.getLayerTypes()))
    return y


def _net(spec: ConvSpec, arrays: Mapping[str, np.ndarray], options: Mapping[str, Any]) -> tuple[Any, tuple[str, ...]]:
    """The net, and the roles that are its inputs."""
    import cv2

    cv2.setNumThreads(1)
    inputs = tuple(arrays) if options["fed"] else ("x",)
    text = model(spec, "float32", arrays, fed=inputs, shaped=options["shaped"])
    net = cv2.dnn.readNetFromONNX(np.frombuffer(text, np.uint8))
    net.enableWinograd(options["winograd"])
    return net, inputs


def _run(net: Any, inputs: tuple[str, ...], arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    import cv2

    for role in inputs:
        net.setInput(cv2.Mat(arrays[role]), role)  # OpenCV 4 would take the last of three axes for an image's colours
    return net.forward()


def _ready(
    spec: ConvSpec, op: str, arrays: Mapping[str, np.ndarray], options: Mapping[str, Any]
) -> Iterator[Callable[[], np.ndarray]]:
    net, inputs = _net(spec, arrays, options)
    yield lambda: _run(net, inputs, arrays)


READY = {"forward": _ready}


# --- the rows ---------------------------------------------------------------------------
PACKAGE = Package(name="opencv-python-headless", module="cv2", pins=(("<4.10", "numpy<2"),))
HOME = ProcessSpec(modules=("cv2",))
CLASSIC = ProcessSpec(modules=("cv2",), variables=(("OPENCV_FORCE_DNN_ENGINE", "1"),))

PLAIN = always("plain")


def _filtered(spec: ConvSpec, op: str, dtype: str) -> str:
    """Contract: Winograd F(6x6, 3x3), which the classic engine uses for dense 3 x 3 kernels of stride 1, except depthwise."""
    return "plain" if spec.transposed or 1 < spec.groups == spec.in_channels == spec.out_channels else "winograd6"


def _row(
    name: str,
    says: str,
    scope: Scope = SCOPE,
    *,
    home: ProcessSpec = HOME,
    contract: ContractRule = PLAIN,
    winograd: bool = True,
    fed: bool = False,
    shaped: bool = False,
) -> None:
    register(
        Method(
            name=name,
            says=says,
            address=f"{__name__}:forward",
            scope=scope,
            contract=contract,
            kind="engine",
            can=frozenset({"mirrors"}) if len(scope.transposed) == 2 else frozenset(),
            options={"winograd": winograd, "fed": fed, "shaped": shaped},
            home=home,
            package=PACKAGE,
        )
    )


_row("opencv", "OpenCV dnn, Conv and ConvTranspose with constant weights")
_row("opencv-fed", "OpenCV dnn, weights as inputs", fed=True)
_row("opencv-output-shape", "OpenCV dnn, ConvTranspose by output_shape instead of pads", SHAPED, shaped=True)
_row("opencv-classic", "OpenCV dnn, the classic engine, without Winograd", home=CLASSIC, winograd=False)
_row(
    "opencv-classic-winograd",
    "OpenCV dnn, the classic engine as it comes",
    replace(SCOPE, transposed=(False,), ndim=(2,), kernel=(3,), stride=(1,), dilation=(1,)),
    home=CLASSIC,
    contract=_filtered,
)
