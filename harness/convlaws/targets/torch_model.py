"""Find the convolutions of a torch model by running it once: every layer, with the input that it receives.

A model is third-party code, so a separate process imports and runs it: `python -m convlaws.targets.torch_model ADDRESS SHAPE`.
"""

from __future__ import annotations

import sys
from typing import Any

from convlaws.errors import HarnessError, UsageError
from convlaws.problem.files import Named
from convlaws.problem.problem import Problem
from convlaws.problem.spec import ConvSpec
from convlaws.targets.inspection import ask, tell
from convlaws.targets.loading import find


def layers(address: str, shape: tuple[int, ...]) -> tuple[list[Named], int]:
    """Return (name, problem) of each distinct layer in forward order, and the number of convolutions called outside layers.

    The name is that of the first module of these sizes, followed by ` xn` if there are n of them.

    Raises:
        UsageError: it cannot be imported, is not a model, or does not take an input of that shape.
    """
    told = ask(__name__, address, "x".join(map(str, shape)))
    names: dict[str, list[str]] = {}
    for name, line in told["layers"]:
        names.setdefault(line, []).append(name)
    if not names:
        raise UsageError(f"{address} has no layer of torch.nn that is a convolution")
    named = [(f"{n[0]} x{len(n)}" if len(n) > 1 else n[0], Problem.parse(line)) for line, n in names.items()]
    return named, told["others"]


def hooked(model: Any, x: Any) -> tuple[list[tuple[str, ConvSpec]], int]:
    """Return (name, spec) of each layer as called with x, and the number of convolutions called outside layers."""
    import torch
    from torch.nn.modules.conv import _ConvNd

    calls: list[tuple[str, ConvSpec]] = []
    for name, module in model.named_modules():
        if isinstance(module, _ConvNd):
            module.register_forward_pre_hook(lambda layer, given, name=name: calls.append((name, spec_of(layer, given[0]))))
    with torch.no_grad(), torch.profiler.profile() as seen:
        model.eval()(x)
    called = sum(event.name == "aten::convolution" for event in seen.events())
    return calls, max(0, called - len(calls))


def spec_of(layer: Any, x: Any) -> ConvSpec:
    """Return the sizes of a layer of torch.nn that is called with x."""
    axes = len(layer.kernel_size)
    padding = layer.padding if isinstance(layer.padding, str) else tuple((p, p) for p in layer.padding)
    return ConvSpec(
        batch=x.shape[0] if x.dim() == axes + 2 else None,
        in_channels=layer.in_channels,
        out_channels=layer.out_channels,
        extent=tuple(x.shape[-axes:]),
        kernel=layer.kernel_size,
        stride=layer.stride,
        padding=padding,
        dilation=layer.dilation,
        groups=layer.groups,
        bias=layer.bias is not None,
        padding_mode=layer.padding_mode,
        transposed=layer.transposed,
        output_padding=layer.output_padding if layer.transposed else (),
    )


def _run(address: str, shape: str) -> dict[str, Any]:
    import torch

    model = find(address)
    try:
        model = model if isinstance(model, torch.nn.Module) else model()
        if not isinstance(model, torch.nn.Module):
            raise UsageError(
                f"{address} gives a {type(model).__name__}, no torch.nn.Module; a function is timed by --methods {address}"
            )
        calls, others = hooked(model, torch.randn(*map(int, shape.split("x"))))
    except HarnessError:
        raise
    except (Exception, SystemExit) as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise UsageError(f"{address} cannot be run on an input of {shape}: {said[:300]}") from None
    return {"layers": [(name, str(spec)) for name, spec in calls], "others": others}


if __name__ == "__main__":
    tell(lambda: _run(*sys.argv[1:3]))
