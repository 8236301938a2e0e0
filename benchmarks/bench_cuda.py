"""Convolutions on a CUDA device: time on the device, measured by events, with the operands already there.

    python -m benchmarks.bench_cuda     # a table with clocks and the kernels that ran

Not yet run on a device. Where there is none, every benchmark is skipped with the reason.
"""

from __future__ import annotations

import sys
from statistics import median
from typing import Any

from convlaws.targets.registry import rows

from .once import once
from .problems import CHOSEN
from .verified import WrongError, row_of

ROWS = tuple(row.name for row in rows("cuda"))
BATCH = 16  # images: a single image does not fill the device
CACHES = 4  # size of all copies of the operands, in L2 caches, so that no copy is still cached when it is used again
CALLS, SAMPLES = 20, 20  # calls between two events; pairs of events


class OnDevice:
    """A layer with several copies of its operands on the device, used in turn; the result is judged before and after timing."""

    def __init__(self, problem: Any, row: Any):
        from convlaws.engines import torch_cuda

        if reason := torch_cuda.no_device() or row.scope.refuses(problem):
            raise NotImplementedError(reason)
        self.problem, self.row = problem, row
        self._copies = self._placed()
        self._turn = 0

    def _placed(self) -> list[dict[str, Any]]:
        import torch

        from convlaws.engines.tensors import to_tensor

        host = {role: to_tensor(a.copy()) for role, a in self.problem.operands.items()}
        if self.problem.layout == "channels_last":
            form = {2: torch.channels_last, 3: torch.channels_last_3d}[self.problem.spec.ndim]
            host = {role: t.contiguous(memory_format=form) if t.ndim > 2 else t for role, t in host.items()}
        size = sum(t.numel() * t.element_size() for t in host.values())
        count = max(2, -(-CACHES * torch.cuda.get_device_properties(0).L2_cache_size // size))
        return [{role: t.to("cuda") for role, t in host.items()} for _ in range(count)]

    def _forward(self) -> Any:
        from convlaws.engines.torch_cpu import functional_forward, module_forward

        made = {"functional": functional_forward, "module": module_forward}[self.row.address.partition(":")[2]]
        return made(self.problem.spec)

    def samples(self) -> list[float]:
        """Return seconds per call on the device; enough calls lie between two events to hide the launches."""
        import torch

        from convlaws.engines.torch_cuda import switched

        forward, found = self._forward(), []
        with switched(self.row.options), torch.no_grad():
            self._judge(self._next(forward))
            for _ in range(SAMPLES):
                first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
                first.record()
                for _ in range(CALLS):
                    result = self._next(forward)
                last.record()
                torch.cuda.synchronize()
                found.append(first.elapsed_time(last) / 1000 / CALLS)
            self._judge(result)
        return found

    def _next(self, forward: Any) -> Any:
        operands = self._copies[self._turn % len(self._copies)]
        self._turn += 1
        return forward(operands["x"], operands["w"], operands.get("b"))

    def _judge(self, result: Any) -> None:
        from convlaws.engines.tensors import to_array
        from convlaws.timing.trial import Judged

        wrong, _ = Judged(self.problem).of(self.row, to_array(result))
        if wrong:
            raise WrongError(f"{self.row.name} has no time: {wrong}\n{self.problem}")

    def kernels(self) -> str:
        """Return the names of the kernels of one call, as the profiler reports them."""
        import torch
        from torch.profiler import ProfilerActivity, profile

        from convlaws.engines.torch_cuda import switched

        with switched(self.row.options), torch.no_grad(), profile(activities=[ProfilerActivity.CUDA]) as seen:
            self._next(self._forward())
            torch.cuda.synchronize()
        return ", ".join(dict.fromkeys(e.name for e in seen.events() if not e.name.startswith(("Memcpy", "Memset"))))


def clocks() -> str:
    """Return the current and the maximal clocks, as nvidia-smi reports them; without them a time means little."""
    from convlaws.records.gpu import heard

    fields = "clocks.sm,clocks.max.sm,clocks.mem,clocks_event_reasons.active"
    return heard(["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"]) or "no clocks are told"


class Cuda:
    """Seconds per call on the device; clocks and kernels go to stderr, which `asv run --show-stderr` prints."""

    version = "1"
    timeout = 300
    param_names = ("problem", "method")
    params = (tuple(CHOSEN), ROWS)

    @once
    def setup(self, problem, method):
        self.measured = OnDevice(many(CHOSEN[problem], method), row_of(method))

    def track_seconds(self, problem, method):
        found = median(self.measured.samples())
        print(f"{problem}, {method}: {self.measured.kernels()}; {clocks()}", file=sys.stderr)
        return found

    track_seconds.unit = "seconds"


def many(problem: Any, method: str) -> Any:
    """Return the problem with `BATCH` images, which fill a device, in a layout that the row supports."""
    from dataclasses import replace

    layout = row_of(method).scope.layouts
    chosen = problem.layout if problem.layout in layout else layout[0]
    return replace(problem, spec=replace(problem.spec, batch=BATCH), layout=chosen)


def main() -> int:
    """Print a line per (problem, method)."""
    from convlaws.engines.torch_cuda import no_device

    if reason := no_device():
        print(f"nothing was measured: {reason}", file=sys.stderr)
        return 5
    suite = Cuda()
    for problem in CHOSEN:
        for method in ROWS:
            try:
                suite.setup(problem, method)
            except NotImplementedError:
                continue
            print(f"{problem}\t{method}\t{suite.track_seconds(problem, method):.3g} s", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
