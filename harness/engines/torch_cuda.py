"""PyTorch's convolutions on a CUDA device: cuDNN with its switches, and torch's own kernels without it.

Ready on a machine without a GPU: there every call is refused with the reason. The child starts CUDA
itself, so that an error which poisons the context costs one child.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from convlaws.engines.tensors import derived, to_array, to_tensor
from convlaws.engines.torch_cpu import CHANNELS_LAST, FORWARD, MODULE, TRANSPOSED, functional_forward, module_forward
from convlaws.errors import Refusal
from convlaws.methods.registry import ContractRule, Method, always, register
from convlaws.scope import Scope
from convlaws.spec import ConvSpec

Arrays = Mapping[str, np.ndarray]


def no_device() -> str | None:
    """Why nothing can run on CUDA here, or None."""
    import torch

    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built without CUDA"
    return None if torch.cuda.is_available() else "there is no CUDA device"


def _on_device(tensor: Any) -> Any:
    """The tensor on the GPU, with the same strides: its whole stretch of memory is copied, then viewed alike."""
    import torch

    if not tensor.numel():
        return tensor.cuda()
    reach = 1 + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True))
    return torch.as_strided(torch.as_strided(tensor, (reach,), (1,)).cuda(), tensor.shape, tensor.stride())


def _switches(options: Mapping[str, Any]) -> AbstractContextManager:
    """cuDNN's switches for one call; TF32 is off unless asked for, also in the matrix products of torch's own kernels."""
    from torch.backends import cuda, cudnn

    cuda.matmul.allow_tf32 = options.get("tf32", False)
    return cudnn.flags(
        enabled=options.get("cudnn", True),
        benchmark=options.get("benchmark", False),
        deterministic=options.get("deterministic", False),
        allow_tf32=options.get("tf32", False),
    )


def functional(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    """torch.nn.functional.conv1d and so on, on the GPU."""
    return _answered(functional_forward(spec), spec, op, arrays, options)


def module(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    """A layer of torch.nn on the GPU."""
    return _answered(module_forward(spec), spec, op, arrays, options)


def _answered(forward, spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    if reason := no_device():
        raise Refusal(reason)
    tensors = {role: _on_device(to_tensor(a)) for role, a in arrays.items()}
    with _switches(options):
        return to_array(derived(forward, spec, op, tensors))


def _tensor_cores(spec: ConvSpec, op: str, dtype: str) -> str:
    """Half types go to tensor cores, whose sums truncate; float32 and float64 do not without TF32."""
    return "tensor-core" if dtype in ("float16", "bfloat16") and op != "bgrad" else "plain"


def _row(name: str, says: str, code: str, scope: Scope, contract: ContractRule = _tensor_cores, **options: bool) -> None:
    register(
        Method(
            name=name,
            says=says,
            address=f"{__name__}:{code}",
            scope=scope,
            contract=contract,
            kind="cuda",
            can=frozenset({"second"}),
            options=options,
        )
    )


_row("cuda-cudnn", "torch on CUDA with cuDNN, TF32 off", "functional", FORWARD)
_row("cuda-cudnn-tf32", "torch on CUDA with cuDNN, TF32 on", "functional", FORWARD, always("tf32"), tf32=True)
_row("cuda-cudnn-benchmark", "torch on CUDA, cuDNN's fastest algorithm", "functional", FORWARD, benchmark=True)
_row("cuda-cudnn-deterministic", "torch on CUDA, cuDNN's deterministic ones", "functional", FORWARD, deterministic=True)
_row("cuda-channels-last", "torch on CUDA with cuDNN on channels_last memory", "functional", CHANNELS_LAST)
_row("cuda-native", "torch on CUDA without cuDNN", "functional", FORWARD, cudnn=False)
_row("cuda-module", "torch.nn layers on CUDA with cuDNN", "module", MODULE)
_row("cuda-transpose", "torch on CUDA, transposed, with cuDNN", "functional", TRANSPOSED)
_row("cuda-transpose-native", "torch on CUDA, transposed, without cuDNN", "functional", TRANSPOSED, cudnn=False)
