"""Every plan that cuDNN offers for a problem, as a method of its own: the first, the second, and so on.

Contracts are declared before a run, so the plans are grouped by cuDNN's notes about their numerics: the k-th plan of a class is
a row. The details of that plan (engine, knobs, notes) are in each reply. Plans are left out that compute in
fewer bits than any contract covers: inputs converted to a half type, sums in a half type, Winograd tiles of 13.
On a machine without a GPU every call is refused; these rows have not been run on a device yet.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from convlaws.engines import kernel_log
from convlaws.engines.cudnn_graph import Graph, Notes, handle, result_form
from convlaws.engines.device_memory import Guarded, Operands
from convlaws.engines.fatal_errors import exit_on_fatal
from convlaws.engines.tensors import to_array, to_tensor
from convlaws.engines.torch_cuda import DEVICE, HALF, alive, no_device
from convlaws.errors import Refusal
from convlaws.problem.scope import SPATIAL, Scope
from convlaws.problem.spec import ConvSpec
from convlaws.targets.process_spec import WITH_TORCH
from convlaws.targets.registry import ContractRule, Method, Package, always, register

Arrays = Mapping[str, np.ndarray]
PACKAGE = Package(name="nvidia-cudnn-frontend", module="cudnn")
KEPT = 64  # problems whose plans are cached: laws ask repeatedly for the same few

SCOPE = Scope(
    ops=SPATIAL,
    ndim=(2, 3),
    layouts=("contiguous", "channels_last"),  # "sliced": cuDNN takes only weights without gaps
    batch=("one", "many"),
    transposed=(False,),
    bias=(False,),
    padding=("none", "even", "uneven"),
    padding_mode=("zeros",),
    output_padding=(False,),
)
SINGLE = {"dtypes": ("float32",)}
THREE = {**SINGLE, "ops": ("fprop", "dgrad"), "ndim": (2,), "kernel": (3,), "stride": (1,), "dilation": (1,)}

TILES = ("WINOGRAD_TILE_4x4", "WINOGRAD_TILE_6x6", "WINOGRAD_TILE_13x13")  # of the input: 2, 4 and 9 results of a 3-tap kernel
TRANSFORMS = ("FFT", "WINOGRAD", *TILES)
NARROW = ("DOWN_CONVERT_INPUTS", "REDUCED_PRECISION_REDUCTION")
UNSTEADY = "NONDETERMINISTIC"


@dataclass(frozen=True)
class Class:
    """Plans of one numerical class: their notes, their contract, and the number of rows."""

    says: str
    keep: tuple[str, ...]
    drop: tuple[str, ...]
    rows: int
    contract: ContractRule
    only: Mapping[str, Any]

    def notes(self, dtype: str) -> Notes:
        """The notes for a dtype: tensor cores mean TF32 in float32 only; in float64 they round as IEEE 754 requires."""
        return Notes(self.keep, tuple(n for n in self.drop if n != "TENSOR_CORE" or dtype == "float32"))


def _half_on_tensor_cores(spec: ConvSpec, op: str, dtype: str) -> str:
    return "tensor-core" if dtype in HALF else "plain"


def _any_tensor_cores(spec: ConvSpec, op: str, dtype: str) -> str:
    return "tf32" if dtype == "float32" else _half_on_tensor_cores(spec, op, dtype)


_BARE = ("TENSOR_CORE", *NARROW, UNSTEADY)
CLASSES = {
    "plan": Class("in the dtype's own precision", (), (*_BARE, *TRANSFORMS), 72, _half_on_tensor_cores, {}),
    "tf32": Class("in TF32", ("TENSOR_CORE",), (*NARROW, UNSTEADY, *TRANSFORMS), 64, always("tf32"), SINGLE),
    "atomic": Class(
        "with atomic additions, so that bits may differ", (UNSTEADY,), (*NARROW, *TRANSFORMS), 16, _any_tensor_cores, {}
    ),
    "winograd2": Class("by Winograd, tiles of 2", TILES[:1], (*_BARE, "FFT"), 4, always("winograd2-any"), THREE),
    "winograd4": Class("by Winograd, tiles of 4", TILES[1:2], (*_BARE, "FFT"), 4, always("winograd4-any"), THREE),
    "fft": Class("by FFT", ("FFT",), (*_BARE, "WINOGRAD", *TILES), 4, always("fft"), SINGLE),
}


class Offered:
    """The plans of one problem that can be built, built one by one on demand.

    >>> Offered(5, lambda index: index != 2).nth(2)
    3
    """

    def __init__(self, count: int, builds: Callable[[int], bool]):
        self.count, self._builds = count, builds
        self._found: list[int] = []
        self._next = 0

    def nth(self, number: int) -> int:
        """The index of the `number`-th plan that can be built, counted from 0.

        Raises:
            Refusal: there are fewer.
        """
        while len(self._found) <= number and self._next < self.count:
            if self._builds(self._next):
                self._found.append(self._next)
            self._next += 1
        if len(self._found) <= number:
            raise Refusal(f"cuDNN offers {len(self._found)} plans of this class here")
        return self._found[number]


_PLANNED: OrderedDict[tuple, tuple[Graph, Offered]] = OrderedDict()


def no_cudnn() -> str | None:
    """The reason why no plan can be run here, or None."""
    return no_device() or (None if PACKAGE.installed else f"{PACKAGE.name} is not installed")


def plan(spec: ConvSpec, op: str, arrays: Arrays, options: Mapping[str, Any]) -> np.ndarray:
    """Run the k-th plan of a class, on guarded memory of the device, with output and workspace poisoned."""
    if reason := no_cudnn():
        raise Refusal(reason)
    with exit_on_fatal(alive):
        return _run(spec, op, arrays, CLASSES[options["class"]], options["number"])


def _run(spec: ConvSpec, op: str, arrays: Arrays, wanted: Class, number: int) -> np.ndarray:
    import torch

    # a graph promises cuDNN pointers that are aligned to 16 bytes, so a misalignment on the host is not copied
    tensors = {role: to_tensor(a) for role, a in arrays.items()}
    operands = Operands(tensors, DEVICE, aligned=True)
    forms = {role: (tuple(t.shape), t.stride()) for role, t in tensors.items()}
    result = result_form(spec, op, forms)
    dtype = next(iter(arrays.values())).dtype.name
    graph, offered = _planned(spec, op, dtype, forms, result, wanted)
    index = offered.nth(number)
    output = Guarded(*result, next(iter(tensors.values())).dtype, DEVICE)
    size = graph.workspace(index)
    workspace = Guarded((size,), (1,), torch.uint8, DEVICE)
    name = f"plan {index} of {offered.count}: {graph.name(index)}, {size} bytes of workspace, cuDNN {_version()}"
    kernel_log.ran(name)
    graph.run(index, operands.tensors, output.tensor, workspace.tensor)
    torch.cuda.synchronize()
    operands.reject_if_touched()
    for what, memory in (("output", output), ("workspace", workspace)):
        if memory.written_around():
            raise RuntimeError(f"{name} wrote into the device's memory next to its {what}")
    return to_array(output.tensor)


def _planned(spec: ConvSpec, op: str, dtype: str, forms: Mapping, result: tuple, wanted: Class) -> tuple[Graph, Offered]:
    key = (spec, op, dtype, *forms.items(), wanted.says)
    if key not in _PLANNED:
        graph = Graph(spec, op, dtype, forms, result, {"handle": handle()})
        _PLANNED[key] = graph, Offered(graph.plan(wanted.notes(dtype)), graph.builds)
        if len(_PLANNED) > KEPT:
            _PLANNED.popitem(last=False)
    return _PLANNED[key]


def _version() -> str:
    import cudnn

    return cudnn.backend_version_string()


def _rows() -> None:
    for name, plans in CLASSES.items():
        scope = Scope(**{**vars(SCOPE), **plans.only})
        can = frozenset({"varies"} if UNSTEADY in plans.keep else ())
        for number in range(plans.rows):
            register(
                Method(
                    name=f"cudnn-{name}-{number}",
                    says=f"cuDNN's plan {number} of those that compute {plans.says}",
                    address=f"{__name__}:plan",
                    scope=scope,
                    contract=plans.contract,
                    kind="cudnn",
                    home=WITH_TORCH,
                    package=PACKAGE,
                    can=can,
                    options={"class": name, "number": number},
                )
            )


_rows()
