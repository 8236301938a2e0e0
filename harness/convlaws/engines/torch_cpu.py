"""PyTorch's convolutions on the CPU, called directly: no padding beforehand, no reformulation.

The scopes are what torch's documentation allows, less asymmetric padding, for which it has
no argument. Torch 2.13 refuses nothing within them (tried: every dtype, batch kind,
padding mode and both derivatives, oneDNN on and off), so no exception is caught
here: on a valid problem it is a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from convlaws.engines.onednn import named
from convlaws.engines.tensors import Forward, derived, prepared, to_array, to_tensor
from convlaws.problem.scope import Scope
from convlaws.problem.spec import ConvSpec
from convlaws.targets import isa
from convlaws.targets.process_spec import WITH_TORCH
from convlaws.targets.registry import Method, Package, always, register

Arrays = Mapping[str, np.ndarray]
TORCH = Package(name="torch", module="torch", switches=isa.TORCH)
FORWARD = Scope(transposed=(False,), padding=("none", "even", "same", "valid"), padding_mode=("zeros",))
TRANSPOSED = Scope(transposed=(True,), padding=("none", "even"), padding_mode=("zeros",))
MODULE = Scope(padding=("none", "even", "same", "valid"))
CHANNELS_LAST = Scope(
    transposed=(False,),
    padding=FORWARD.padding,
    padding_mode=("zeros",),
    ndim=(2, 3),
    layouts=("channels_last",),
    batch=("empty", "one", "many"),
)


# --- calls of torch -----------------------------------------------------------------
def padding_argument(spec: ConvSpec) -> str | tuple[int, ...]:
    """The padding argument of torch: 'same', 'valid', or one number an axis."""
    return spec.padding if isinstance(spec.padding, str) else tuple(low for low, _ in spec.padding)


def call_arguments(spec: ConvSpec) -> tuple:
    """The arguments after input, weight and bias of conv2d, conv_transpose2d, and so on."""
    if spec.transposed:
        return spec.stride, padding_argument(spec), spec.output_padding, spec.groups, spec.dilation
    return spec.stride, padding_argument(spec), spec.dilation, spec.groups


def module_arguments(spec: ConvSpec) -> dict[str, Any]:
    """All arguments of nn.Conv2d, nn.ConvTranspose2d, and so on."""
    extra = {"output_padding": spec.output_padding} if spec.transposed else {}
    return {
        "in_channels": spec.in_channels,
        "out_channels": spec.out_channels,
        "kernel_size": spec.kernel,
        "stride": spec.stride,
        "padding": padding_argument(spec),
        "dilation": spec.dilation,
        "groups": spec.groups,
        "bias": spec.bias,
        "padding_mode": spec.padding_mode,
        **extra,
    }


@contextmanager
def _switched(options: Mapping[str, Any]) -> Iterator[None]:
    """Set torch's switches for one call, and restore them.

    oneDNN's switch is set by the function below its property: `mkldnn.flags` warns about TF32 on each use, and the property is
    frozen in a process that imported PyTorch's own test helpers.
    """
    import torch
    from torch.backends import nnpack

    deterministic = options.get("deterministic", False)
    if deterministic:  # set only if asked for: it imports Inductor, 1.4 s
        torch.use_deterministic_algorithms(True)  # it also fills fresh memory with NaN
    nnpack.set_flags(options.get("nnpack", True))
    before = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(options.get("onednn", True))
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(before)
        if deterministic:
            torch.use_deterministic_algorithms(False)
        nnpack.set_flags(True)


def functional_forward(spec: ConvSpec) -> Forward:
    """The call of torch.nn.functional.conv1d, conv2d, conv3d, or conv_transpose1d and so on."""
    from torch.nn import functional as F

    convolve = getattr(F, f"conv{'_transpose' if spec.transposed else ''}{spec.ndim}d")
    return lambda x, w, b: convolve(x, w, b, *call_arguments(spec))


def module_forward(spec: ConvSpec) -> Forward:
    """The call of a torch.nn layer with all its arguments, with the given weights."""
    from torch import nn
    from torch.func import functional_call

    kind = getattr(nn, f"Conv{'Transpose' if spec.transposed else ''}{spec.ndim}d")
    layer = kind(**module_arguments(spec), device="meta")  # meta: its own weights are never allocated
    return lambda x, w, b: functional_call(layer, {"weight": w} if b is None else {"weight": w, "bias": b}, (x,))


# --- the adapters ---------------------------------------------------------------------
def functional(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    """Run torch.nn.functional.conv1d, conv2d, conv3d, or conv_transpose1d and so on."""
    return _answered(functional_forward(spec), spec, op, arrays, options)


def channels_last(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    """As `functional`, on memory that torch itself calls channels_last; it arrives in that layout, and nothing is copied."""
    return _answered(_last_forward(spec), spec, op, arrays, options)


def _last_forward(spec: ConvSpec) -> Forward:
    import torch

    form = {2: torch.channels_last, 3: torch.channels_last_3d}[spec.ndim]
    convolve = functional_forward(spec)

    def forward(x, w, b):
        return convolve(x.contiguous(memory_format=form), w.contiguous(memory_format=form), b)

    return forward


def module(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    """Run a layer of torch.nn with all its arguments, on the given weights."""
    return _answered(module_forward(spec), spec, op, arrays, options)


def _answered(forward, spec, op, arrays, options) -> np.ndarray:
    with _switched(options), named():
        return to_array(derived(forward, spec, op, {role: to_tensor(a) for role, a in arrays.items()}))


def _ready(
    made: Callable[[ConvSpec], Forward], spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]
) -> Iterator[Callable[[], np.ndarray]]:
    with _switched(options):
        run = prepared(made(spec), spec, op, {role: to_tensor(a) for role, a in arrays.items()})
        yield lambda: to_array(run())


FORWARDS = {"functional": functional_forward, "channels_last": _last_forward, "module": module_forward}
READY = {code: partial(_ready, made) for code, made in FORWARDS.items()}


# --- the rows -------------------------------------------------------------------------
def _row(name: str, says: str, code: str, scope: Scope, **options: bool) -> None:
    register(
        Method(
            name=name,
            says=says,
            address=f"{__name__}:{code}",
            scope=scope,
            contract=always("plain"),
            kind="engine",
            can=frozenset({"threads", "second"} | ({"mirrors"} if code == "functional" else set())),
            options=options,
            home=WITH_TORCH,
            package=TORCH,
        )
    )


_row("torch-onednn", "torch.nn.functional.convNd with oneDNN", "functional", FORWARD)
_row("torch-native", "torch.nn.functional.convNd without oneDNN", "functional", FORWARD, onednn=False)
_row("torch-gemm", "torch.nn.functional.convNd without oneDNN and NNPACK", "functional", FORWARD, onednn=False, nnpack=False)
_row("torch-channels-last", "torch.nn.functional.convNd on channels_last memory", "channels_last", CHANNELS_LAST)
_row("torch-deterministic", "the same with oneDNN in deterministic mode", "functional", FORWARD, deterministic=True)
_row("torch-module", "torch.nn.ConvNd and ConvTransposeNd with every argument", "module", MODULE)
_row("torch-transpose", "torch.nn.functional.conv_transposeNd with oneDNN", "functional", TRANSPOSED)
_row("torch-transpose-native", "torch.nn.functional.conv_transposeNd without oneDNN", "functional", TRANSPOSED, onednn=False)
