"""Which plan a row runs, on lists made by hand; and cuDNN's own lists where it is installed. Nothing is run on a device."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from convlaws.engines.cudnn_graph import result_form, unsupported
from convlaws.engines.cudnn_plans import CLASSES, NARROW, SCOPE, TRANSFORMS, UNSTEADY, Offered
from convlaws.errors import Refusal
from convlaws.problem.layouts import place
from convlaws.problem.problem import DTYPES, RESULT, Problem, shape_of
from convlaws.problem.scope import Scope

LINES = [
    "n2c8k8_x9x9_r3x3_p1x1 fprop float32",
    "n2c4k6_x7x8x5_r3x2x3_s2x1x1_p1x0x1_g2 dgrad float16 channels_last",
    "n3c4k4_x9x7_r3x1_d1x2_p2:1x0:1_g4 wgrad bfloat16",
    "n1c2k3_x6x6_r2x2 wgrad float64",
]


def builds(wanted):
    """A list made by hand: the indices of the plans that can be built; asking twice for one is an error."""
    asked = set()

    def ask(index):
        assert index not in asked
        asked.add(index)
        return index in wanted

    return ask


def test_the_nth_plan_is_the_nth_that_can_be_built():
    offered = Offered(9, builds({0, 3, 4, 8}))

    assert [offered.nth(n) for n in (2, 0, 3, 1)] == [4, 0, 8, 3]


@pytest.mark.parametrize(("count", "wanted", "number"), [(5, {1, 2}, 2), (0, set(), 0), (3, set(), 0)])
def test_a_plan_that_is_not_there_is_refused_in_words_each_time(count, wanted, number):
    offered = Offered(count, builds(wanted))

    for _ in range(2):
        with pytest.raises(Refusal, match=f"cuDNN offers {len(wanted)} plans of this class here"):
            offered.nth(number)


def test_no_plan_after_the_one_that_is_asked_for_is_built():
    offered = Offered(9, builds({0}))

    assert offered.nth(0) == 0
    assert offered._next == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CLASSES)
def test_no_class_takes_plans_that_compute_in_fewer_bits_than_a_contract_covers(name, dtype):
    notes = CLASSES[name].notes(dtype)

    assert set(NARROW) <= set(notes.drop)
    assert not set(notes.keep) & set(notes.drop)
    assert set(notes.keep) | set(notes.drop) >= {UNSTEADY, *TRANSFORMS[:1]}
    if dtype == "float32" and name not in ("tf32", "atomic"):
        assert "TENSOR_CORE" in notes.drop


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
def test_the_output_lies_like_the_operands_and_has_no_gaps(line, layout):
    p = Problem.parse(line)
    forms = forms_of(p, layout)

    shape, strides = result_form(p.spec, p.op, forms)

    assert shape == shape_of(p.spec, RESULT[p.op])
    assert sorted(strides) == sorted(place(RESULT[p.op], shape, layout, batched=True).strides)
    assert strides == place(RESULT[p.op], shape, layout, batched=True).strides


def forms_of(p, layout):
    return {role: (a.shape, place(role, a.shape, layout, batched=True).strides) for role, a in p.operands.items()}


class cudnnGraphNotSupportedError(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (cudnnGraphNotSupportedError("No valid engine configs"), True),
        (RuntimeError("finalize failed, and code: CUDNN_STATUS_NOT_SUPPORTED_SHAPE"), True),
        (RuntimeError("finalize failed, and code: CUDNN_STATUS_BAD_PARAM"), False),
        (RuntimeError("CUDNN_STATUS_EXECUTION_FAILED"), False),
    ],
)
def test_only_cudnns_own_not_supported_is_one(error, is_one):
    assert unsupported(error) is is_one


@pytest.mark.parametrize("line", LINES)
def test_the_lines_here_are_in_the_scope(line):
    assert SCOPE.refuses(Problem.parse(line)) is None


# what a machine with an H100 would say of itself: with it cuDNN plans for one that is not there
H100 = {
    "maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64], "regsPerBlock": 65536,
    "multiProcessorCount": 132, "smCountOrigin": 0, "warpSize": 32, "maxSharedMemoryPerBlock": 49152,
    "maxSharedMemoryPerBlockOptin": 232448, "oversizedSharedMemoryPerBlock": 0, "reservedSharedMemoryPerBlock": 1024,
    "maxRegistersPerSM": 65536, "maxCtasPerSM": 32, "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048,
    "pciDeviceId": 0, "isTccDriver": 0, "supportCoopLaunch": 1, "totalGlobalMem": 85000000000,
    "smClockRateKHz": 1980000, "memClockRateKHz": 2619000, "memoryBusWidth": 5120, "l2CacheSize": 52428800,
    "cudaDeviceId": 0, "deviceVer": 900, "driverVer": 13000, "deviceName": "NVIDIA H100 80GB HBM3",
}  # fmt: skip

MISSING = ("Unable to find symbol", "Cannot load symbol", "SUBLIBRARY_LOADING")  # how cuDNN says that a library is not there
PLANNING = """
import json, sys
import cudnn
from convlaws.engines.cudnn_graph import Graph, result_form
from convlaws.engines.cudnn_plans import CLASSES
sys.path.insert(0, {tests!r})
from test_cudnn_plans import H100, forms_of
from convlaws.problem.problem import Problem
device, found = cudnn.create_device_properties(json.dumps(H100)), []
for line in {lines!r}:
    p = Problem.parse(line)
    forms = forms_of(p, p.layout)
    graph = Graph(p.spec, p.op, p.dtype, forms, result_form(p.spec, p.op, forms), {{"device_property": device}})
    count = graph.plan(CLASSES["plan"].notes(p.dtype))
    built = [i for i in range(count) if graph.builds(i)]
    found.append([count, [graph.name(i) for i in built], [graph.workspace(i) for i in built]])
print(json.dumps(found))
"""


@pytest.mark.skipif(find_spec("cudnn") is None, reason="nvidia-cudnn-frontend is not installed")
def test_cudnn_itself_plans_for_a_device_that_is_not_there():
    """Graphs, heuristics, engines, notes and builds as the adapter asks for them; in a process of its own, as cuDNN may abort."""
    script = PLANNING.format(lines=LINES, tests=str(Path(__file__).parent))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode and any(
        sign in done.stderr for sign in ("Unable to find symbol", "Cannot load symbol", "SUBLIBRARY_LOADING")
    ):
        pytest.skip("cuDNN's libraries, those of CUDA or the driver are not installed")

    assert done.returncode == 0, done.stderr[-2000:]
    for count, names, workspaces in json.loads(done.stdout.splitlines()[-1]):
        assert count >= len(names) == len(set(names)) > 0
        assert all(name.startswith("eng") for name in names)
        assert all(size >= 0 for size in workspaces)


def test_the_rows_are_those_of_the_classes():
    from convlaws.targets.registry import rows

    found = rows("cudnn", absent=True)

    assert len(found) == sum(c.rows for c in CLASSES.values())
    assert all(row.scope.meet(Scope(ops=("bgrad",))) is None for row in found)
