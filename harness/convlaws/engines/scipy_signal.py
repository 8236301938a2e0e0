"""SciPy's correlations, one output plane at a time: torch's "convolution" is what SciPy calls correlation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from convlaws.engines import kernel_log
from convlaws.problem.scope import Scope
from convlaws.problem.spec import ConvSpec
from convlaws.targets import isa
from convlaws.targets.process_spec import WITH_SCIPY
from convlaws.targets.registry import Method, Package, always, register

Arrays = Mapping[str, np.ndarray]
SCIPY = Package(name="scipy", module="scipy", switches=isa.OURS)
SCOPE = Scope(
    ops=("fprop",),
    dtypes=("float64", "float32"),
    transposed=(False,),
    bias=(False,),
    padding=("none", "valid"),
    padding_mode=("zeros",),
    output_padding=(False,),
    grouping=("one",),
    strided=(False,),
    dilated=(False,),
)


def correlate(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    """Run scipy.signal.correlate(mode='valid') over (channels, *space): the channels are one more summed axis."""
    from scipy import signal

    def plane(image, kernel):
        return signal.correlate(image, kernel, mode="valid", method=options["method"])[0]

    return _planes(spec, arrays, plane)


def correlate2d(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    """Run scipy.signal.correlate2d(mode='valid'), summed over the channels."""
    from scipy import signal

    def plane(image, kernel):
        return sum(signal.correlate2d(a, w, mode="valid") for a, w in zip(image, kernel, strict=True))

    return _planes(spec, arrays, plane)


def _planes(spec: ConvSpec, arrays: Arrays, plane) -> np.ndarray:
    import scipy

    kernel_log.ran(f"scipy {scipy.__version__}")
    x, w = arrays["x"], arrays["w"]
    images = x[None] if spec.batch is None else x
    with np.errstate(all="ignore"):  # Inf and NaN are intended, and a warning per call would be noise
        planes = [plane(image, kernel) for image in images for kernel in w]
    if not planes:  # an empty batch
        return np.zeros(spec.y_shape, x.dtype)
    y = np.stack(planes)  # of whatever dtype and extents SciPy returned
    return y if spec.batch is None else y.reshape(len(images), len(w), *y.shape[1:])


def _row(name: str, says: str, code: str, scope: Scope, *, contract: str, method: str) -> None:
    register(
        Method(
            name=name,
            says=says,
            address=f"{__name__}:{code}",
            scope=scope,
            contract=always(contract),
            kind="engine",
            options={"method": method},
            home=WITH_SCIPY,
            package=SCIPY,
        )
    )


_row("scipy-correlate", "scipy.signal.correlate by the direct sum", "correlate", SCOPE, contract="plain", method="direct")
_row("scipy-correlate-fft", "scipy.signal.correlate by FFT", "correlate", SCOPE, contract="fft-channels", method="fft")
_row(
    "scipy-correlate2d",
    "scipy.signal.correlate2d",
    "correlate2d",
    replace(SCOPE, ndim=(2,)),
    contract="plain",
    method="direct",
)
