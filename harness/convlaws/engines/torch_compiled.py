"""PyTorch's convolutions compiled by Inductor, for the exact sizes of each problem.

A kind of its own, so that '*' leaves it out: a compilation takes seconds (4 to 5 s here, measured 2026-11-21), and
twenty examples of one (law, op) some two minutes. Name it: `convlaws check compiled-torch --law equals-the-definition`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from convlaws.engines import kernel_log
from convlaws.engines.tensors import derived, to_array, to_tensor
from convlaws.engines.torch_cpu import FORWARD, TORCH, Arrays, functional_forward
from convlaws.errors import Refusal
from convlaws.problem.spec import ConvSpec
from convlaws.targets.process_spec import ProcessSpec
from convlaws.targets.registry import Method, always, register

# compile in the child itself: a process pool would outlive a crash
HOME = ProcessSpec(modules=("torch",), variables=(("TORCHINDUCTOR_COMPILE_THREADS", "1"),))
VARIANTS = 64  # maximum of compilations of one spec, for its ops, dtypes and layouts
_LAST: list[ConvSpec] = []  # the spec in dynamo's caches


def compiled(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    """Run torch.compile(fullgraph=True, dynamic=False) of torch.nn.functional.conv1d, conv2d, and so on.

    Raises:
        Refusal: there is no C++ compiler.
    """
    import torch
    from torch._dynamo.exc import BackendCompilerFailed

    if [spec] != _LAST:  # all specs share one code object, whose caches are bounded
        torch._dynamo.reset()
        _LAST[:] = [spec]
    forward = torch.compile(functional_forward(spec), fullgraph=True, dynamic=False)
    try:
        with torch._dynamo.config.patch(recompile_limit=VARIANTS):
            result = derived(forward, spec, op, {role: to_tensor(a) for role, a in arrays.items()})
    except BackendCompilerFailed as error:
        if "InvalidCxxCompiler" in str(error):
            raise Refusal("Inductor finds no C++ compiler here") from None
        raise
    kernel_log.ran(f"Inductor of torch {torch.__version__}")
    return to_array(result)


register(
    Method(
        name="compiled-torch",
        says="torch.nn.functional.convNd compiled by Inductor",
        address=f"{__name__}:compiled",
        scope=FORWARD,
        contract=always("plain"),
        kind="compiled",
        can=frozenset({"threads"}),
        home=HOME,
        package=TORCH,
        known_as="torch-onednn",
    )
)
