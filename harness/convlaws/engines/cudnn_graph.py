"""cuDNN graph of one convolution, and its plans, through nvidia-cudnn-frontend.

Written against 1.32.0 and its sources; none of its plans has been run on a device yet.

References:
    NVIDIA cuDNN Frontend, "Operations: Convolutions" and its Python samples; cuDNN Backend API, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from convlaws.errors import Refusal
from convlaws.problem.problem import RESULT, shape_of
from convlaws.problem.spec import ConvSpec

Form = tuple[tuple[int, ...], tuple[int, ...]]  # shape, and strides in elements
TYPES = {"float64": "DOUBLE", "float32": "FLOAT", "float16": "HALF", "bfloat16": "BFLOAT16"}
PORTS = {  # op -> the node, and the operand for each of its inputs
    "fprop": ("conv_fprop", {"image": "x", "weight": "w"}),
    "dgrad": ("conv_dgrad", {"loss": "gy", "filter": "w"}),
    "wgrad": ("conv_wgrad", {"image": "x", "loss": "gy"}),
}
WORKSPACE = 4 << 30  # bytes; plans that need more are left out
UNSUPPORTED = "CUDNN_STATUS_NOT_SUPPORTED"  # prefix of every cuDNN status that means "not supported"


@dataclass(frozen=True)
class Notes:
    """Numerical notes of cuDNN that a plan must have (`keep`), and those that it must not have (`drop`)."""

    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def handle() -> Any:
    """The process's cuDNN handle, on the default stream, as torch's is."""
    import cudnn

    return cudnn.create_handle()


class Graph:
    """A convolution as a cuDNN graph, with all plans that cuDNN offers for it.

    `forms` holds shape and strides of each operand, `result` those of the output. `where` is what the graph is
    planned for: a handle, or a device's properties. The plans are those of the heuristics, best
    first, then one for each engine with its default knobs.

    Raises:
        Refusal: cuDNN says that it does not support this.
    """

    def __init__(self, spec: ConvSpec, op: str, dtype: str, forms: Mapping[str, Form], result: Form, where: Mapping[str, Any]):
        import cudnn

        self.where = where
        self.built: set[str] = set()
        kind = getattr(cudnn.data_type, TYPES[dtype])
        sums = kind if dtype == "float64" else cudnn.data_type.FLOAT
        self.graph = cudnn.pygraph(io_data_type=kind, intermediate_data_type=sums, compute_data_type=sums, **where)
        self.tensors = {
            role: self.graph.tensor(name=role, dim=list(shape), stride=list(strides), data_type=kind)
            for role, (shape, strides) in forms.items()
        }
        self.output = self._node(spec, op)
        shape, strides = result
        self.output.set_output(True).set_dim(list(shape)).set_stride(list(strides)).set_data_type(kind)
        self.graph.validate()

    def _node(self, spec: ConvSpec, op: str) -> Any:
        name, ports = PORTS[op]
        return getattr(self.graph, name)(
            **{port: self.tensors[role] for port, role in ports.items()},
            pre_padding=[low for low, _ in spec.sides],
            post_padding=[high for _, high in spec.sides],
            stride=list(spec.stride),
            dilation=list(spec.dilation),
        )

    def plan(self, notes: Notes) -> int:
        """Create all plans, and deselect those with the wrong notes; return the number of plans, deselected ones included."""
        import cudnn

        modes = [cudnn.heur_mode.A, cudnn.heur_mode.B, cudnn.heur_mode.FALLBACK]
        with refusing():
            self.graph.build_operation_graph()
            self.graph.create_execution_plans(modes)
        for engine in range(self.graph.get_engine_count()):
            said_no(partial(self.graph.create_execution_plan, engine, {}))
        self.graph.deselect_workspace_greater_than(WORKSPACE)
        self.graph.select_numeric_notes([getattr(cudnn.numerical_note, name) for name in notes.keep])
        self.graph.deselect_numeric_notes([getattr(cudnn.numerical_note, name) for name in notes.drop])
        return self.graph.get_execution_plan_count()

    def builds(self, index: int) -> bool:
        """True if plan `index` has the right notes, can be built, and was not built before under another index."""
        name = self.graph.get_plan_name_at_index(index)
        if name in self.built or said_no(lambda: self.graph.build_plan_at_index(index)):
            return False
        self.built.add(name)
        return True

    def workspace(self, index: int) -> int:
        """Bytes of workspace that plan `index` needs; the plan must have been built."""
        return self.graph.get_workspace_size_plan_at_index(index)

    def name(self, index: int) -> str:
        """Engine, knobs and behaviour notes of plan `index`."""
        notes = ", ".join(note.name for note in self.graph.get_behavior_notes_for_plan_at_index(index))
        return f"{self.graph.get_plan_name_at_index(index)}{f' ({notes})' if notes else ''}"

    def run(self, index: int, operands: Mapping[str, Any], output: Any, workspace: Any) -> None:
        """Execute plan `index` on tensors of the device."""
        pack = {self.tensors[role]: operands[role] for role in self.tensors} | {self.output: output}
        self.graph.execute_plan_at_index(pack, workspace, index, self.where.get("handle"))


@contextmanager
def refusing() -> Iterator[None]:
    """Convert cuDNN's own "not supported" into a Refusal; any other exception passes."""
    try:
        yield
    except Exception as error:
        if unsupported(error):
            raise Refusal(f"cuDNN does not support it: {first_line(error)}") from error
        raise


def said_no(ask: Callable[[], object]) -> bool:
    """True if `ask` raises cuDNN's own "not supported"; any other exception passes."""
    try:
        ask()
    except Exception as error:
        if unsupported(error):
            return True
        raise
    return False


def unsupported(error: BaseException) -> bool:
    """True if this is cuDNN's "not supported": the frontend's exception for it, or the backend's status in its text."""
    return type(error).__name__ == "cudnnGraphNotSupportedError" or UNSUPPORTED in str(error)


def first_line(error: BaseException) -> str:
    """The first line of an exception's text that is not empty."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def result_form(spec: ConvSpec, op: str, forms: Mapping[str, Form]) -> Form:
    """The output's shape and strides, in the memory order of the first operand: channels last, or row-major."""
    shape = shape_of(spec, RESULT[op])
    _, strides = next(iter(forms.values()))
    order = [0, *range(2, len(shape)), 1] if strides[1] == 1 else list(range(len(shape)))
    steps, step = [0] * len(shape), 1
    for axis in reversed(order):
        steps[axis], step = step, step * shape[axis]
    return shape, tuple(steps)
