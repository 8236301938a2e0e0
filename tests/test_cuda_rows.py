"""The CUDA rows where there is no device: what they say there. Nothing here tests cuDNN."""

from __future__ import annotations

import pytest

from convlaws.engines import host
from convlaws.engines.torch_cuda import no_device
from convlaws.errors import Refusal
from convlaws.methods.registry import rows
from convlaws.problem import Problem
from convlaws.sandbox.worker import Call


@pytest.mark.parametrize("name", [row.name for row in rows("cuda")])
def test_without_a_device_a_row_refuses_with_the_reason(name):
    if not (reason := no_device()):
        pytest.skip("there is a CUDA device")
    transposed = name.startswith("cuda-transpose")
    problem = Problem.parse(f"n1c1k1_x3x3_r2x2{'_t0x0' * transposed}")

    with pytest.raises(Refusal) as refusal:
        host.open_target({"row": name})(Call(str(problem.spec), problem.op, problem.dtype, dict(problem.operands)))

    assert str(refusal.value) == reason
