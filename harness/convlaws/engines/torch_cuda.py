"""PyTorch's convolutions on a CUDA device: cuDNN with its switches, and torch's own kernels without it.

On a machine without a GPU every call is refused with the reason. The child starts CUDA
itself, so that an error that breaks the context costs one child. These rows have not been run on a device yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from convlaws.engines import kernel_log
from convlaws.engines.device_memory import Operands
from convlaws.engines.fatal_errors import exit_on_fatal
from convlaws.engines.tensors import derived, to_array, to_tensor
from convlaws.engines.torch_cpu import CHANNELS_LAST, FORWARD, MODULE, TRANSPOSED, functional_forward, module_forward
from convlaws.errors import Refusal
from convlaws.problem.scope import Scope
from convlaws.problem.spec import ConvSpec
from convlaws.targets.process_spec import WITH_TORCH
from convlaws.targets.registry import Method, register

Arrays = Mapping[str, np.ndarray]
DEVICE = "cuda"
HALF = ("float16", "bfloat16")


def no_device() -> str | None:
    """The reason why nothing can run on CUDA here, or None."""
    import torch

    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built without CUDA"
    return None if torch.cuda.is_available() else "there is no CUDA device"


def alive() -> None:
    """Run a trivial operation on the device; it raises if CUDA is broken for the rest of the process."""
    import torch

    torch.cuda.synchronize()
    torch.ones(1, device=DEVICE).item()


def switched(options: Mapping[str, Any]) -> AbstractContextManager:
    """Set cuDNN's switches for one call; TF32 is off unless asked for, also in the matrix products of torch's own kernels."""
    from torch.backends import cuda, cudnn

    cuda.matmul.allow_tf32 = options.get("tf32", False)
    cuda.matmul.allow_fp16_reduced_precision_reduction = False  # no contract covers sums in the half type itself
    cuda.matmul.allow_bf16_reduced_precision_reduction = False
    return cudnn.flags(
        enabled=options.get("cudnn", True),
        benchmark=options.get("benchmark", False),
        deterministic=options.get("deterministic", False),
        allow_tf32=options.get("tf32", False),
    )


def functional(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    """Run torch.nn.functional.conv1d and so on, on the GPU."""
    return _answered(functional_forward(spec), spec, op, arrays, options)


def module(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    """Run a layer of torch.nn on the GPU."""
    return _answered(module_forward(spec), spec, op, arrays, options)


def _answered(forward, spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    if reason := no_device():
        raise Refusal(reason)
    with exit_on_fatal(alive):
        return on_device(forward, spec, op, arrays, options, DEVICE)


def on_device(forward, spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any], device: str) -> np.ndarray:
    """Run the call on guarded copies of the operands in the memory of `device`."""
    operands = Operands({role: to_tensor(a) for role, a in arrays.items()}, device)
    with switched(options):
        answer = to_array(derived(forward, spec, op, operands.tensors))
    operands.reject_if_touched()
    kernel_log.ran(_said(options))
    return answer


def _said(options: Mapping[str, Any]) -> str:
    """The switches that were set, as text: torch does not report which algorithm cuDNN used."""
    import torch

    if not options.get("cudnn", True):
        return f"torch {torch.__version__} without cuDNN"
    switches = [name for name in ("benchmark", "deterministic", "tf32") if options.get(name)]
    return f"torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}, {' '.join(switches) or 'no switch on'}"


def _tensor_cores(spec: ConvSpec, op: str, dtype: str) -> str:
    """Contract: half types use tensor cores, whose sums truncate; float32 and float64 do not without TF32."""
    return "tensor-core" if dtype in HALF and op != "bgrad" else "plain"


def _with_tf32(spec: ConvSpec, op: str, dtype: str) -> str:
    """Contract: TF32 affects float32 products only; the other dtypes are as without it."""
    return "tf32" if dtype == "float32" else _tensor_cores(spec, op, dtype)


def _row(name: str, says: str, scope: Scope, code: str = "functional", **options: bool) -> None:
    """Register a row; the same bits from call to call are promised only without cuDNN, or with its deterministic algorithms."""
    same_bits = options.get("deterministic") or not options.get("cudnn", True)
    register(
        Method(
            name=name,
            says=says,
            address=f"{__name__}:{code}",
            scope=scope,
            contract=_with_tf32 if options.get("tf32") else _tensor_cores,
            kind="cuda",
            can=frozenset({"second"} if same_bits else {"second", "varies"}),
            options=options,
            home=WITH_TORCH,
        )
    )


_row("cuda-cudnn", "torch on CUDA with cuDNN, TF32 off", FORWARD)
_row("cuda-cudnn-tf32", "torch on CUDA with cuDNN, TF32 on", FORWARD, tf32=True)
_row("cuda-cudnn-benchmark", "torch on CUDA, cuDNN's fastest algorithm", FORWARD, benchmark=True)
_row("cuda-cudnn-benchmark-tf32", "torch on CUDA, cuDNN's fastest algorithm, TF32 on", FORWARD, benchmark=True, tf32=True)
_row("cuda-cudnn-deterministic", "torch on CUDA, cuDNN's deterministic ones", FORWARD, deterministic=True)
_row("cuda-channels-last", "torch on CUDA with cuDNN on channels_last memory", CHANNELS_LAST)
_row("cuda-channels-last-tf32", "torch on CUDA with cuDNN on channels_last memory, TF32 on", CHANNELS_LAST, tf32=True)
_row(
    "cuda-channels-last-deterministic",
    "torch on CUDA, cuDNN's deterministic ones on channels_last memory",
    CHANNELS_LAST,
    deterministic=True,
)
_row("cuda-native", "torch on CUDA without cuDNN", FORWARD, cudnn=False)
_row("cuda-native-tf32", "torch on CUDA without cuDNN, TF32 in its matrix products", FORWARD, cudnn=False, tf32=True)
_row("cuda-module", "torch.nn layers on CUDA with cuDNN", MODULE, "module")
_row("cuda-transpose", "torch on CUDA, transposed, with cuDNN", TRANSPOSED)
_row("cuda-transpose-tf32", "torch on CUDA, transposed, with cuDNN, TF32 on", TRANSPOSED, tf32=True)
_row("cuda-transpose-deterministic", "torch on CUDA, transposed, cuDNN's deterministic ones", TRANSPOSED, deterministic=True)
_row("cuda-transpose-native", "torch on CUDA, transposed, without cuDNN", TRANSPOSED, cudnn=False)
