"""Costs of the matrices, the operators and the oracle relative to other implementations, as ratios of one run.

    python benchmarks/methods_ratios.py [ROUNDS]

Each task is timed for several implementations in turn, round after round, so that other load on the
machine affects all alike. A figure is the median processor time (time of other processes on the core
is not counted), and "x" is its ratio to the first row. Before timing, each implementation must give
the same numbers as the first. The process keeps freed memory (mallopt), so that no row
pays for fresh pages; one thread, on one core.
"""
# ruff: noqa: E402 - libraries count their threads when they are imported

from __future__ import annotations

import ctypes
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from itertools import product
from math import prod
from pathlib import Path

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np

import convlaws
from convlaws.oracle.oracle import answer
from convlaws.problem.spec import ConvSpec

Rivals = dict[str, Callable[[], object]]
ROUNDS = 15
UNPADDED = (
    "n1c8k8_x24x24_r3x3",
    "n1c16k16_x32x32_r3x3",
    "n1c4k4_x14x14x14_r3x3x3",
    "n1c8k8_x4000_r9",
    "n1c64k64_x28x28_r3x3_g64",
)
PADDED = (
    "n1c8k8_x24x24_r3x3_p1x1",
    "n1c16k16_x32x32_r3x3_p1x1",
    "n1c16k16_x32x32_r5x5_s2x2_p4x4_d2x2",
    "n1c4k4_x14x14x14_r3x3x3_p1x1x1",
    "n1c16k16_x32x32_r3x3_p1x1_mcircular",
    "n1c16k16_x32x32_r3x3_p1x1_mreflect",
    "n1c16k16_x16x16_r4x4_s2x2_p1x1_t0x0",
    "n1c2k2_x32x32_r15x15_p7x7",
)
FORWARD = ("n1c16k16_x32x32_r3x3_p1x1", "n4c32k32_x28x28_r3x3_p1x1", "n1c64k64_x56x56_r3x3_p1x1")


def drawn(spec: ConvSpec, dtype: str = "float64") -> tuple[np.ndarray, np.ndarray]:
    """Return (x, w) filled with normal numbers."""
    rng = np.random.default_rng(0)
    return rng.standard_normal(spec.x_shape).astype(dtype), rng.standard_normal(spec.w_shape).astype(dtype)


# --- other implementations ----------------------------------------------------------------------
def toeplitz_of_plane(kernel: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the doubly blocked Toeplitz matrix of one kernel, built by scipy.linalg.toeplitz, block by block in a loop."""
    from scipy.linalg import toeplitz

    (high, wide), (down, across) = size, kernel.shape
    rest = np.zeros(wide - across)
    blocks = [toeplitz((row[0], *rest), (*row, *rest)) for row in kernel]
    matrix = np.zeros((high - down + 1, wide - across + 1, high, wide))
    for tap, block in enumerate(blocks):
        for row in range(high - down + 1):
            matrix[row, :, row + tap, :] = block
    return matrix.reshape(prod(matrix.shape[:2]), high * wide)


def toeplitz_of_planes(spec: ConvSpec, w: np.ndarray) -> np.ndarray:
    """Return one matrix of the `toeplitz_of_plane` of each pair of channels."""
    rows, columns = prod(spec.output), prod(spec.extent)
    matrix = np.zeros((spec.out_channels, rows, spec.in_channels, columns))
    for k, c in product(range(spec.out_channels), range(spec.in_channels)):
        matrix[k, :, c, :] = toeplitz_of_plane(w[k, c], spec.extent)
    return matrix.reshape(spec.out_channels * rows, spec.in_channels * columns)


def torch_forward(spec: ConvSpec, w: np.ndarray) -> Callable:
    """Return torch.nn.functional's convolution of a batch with the kernel `w`."""
    import torch

    convolve, kernel = getattr(torch.nn.functional, f"conv{spec.ndim}d"), torch.from_numpy(w)
    padding = tuple(low for low, _ in spec.sides)
    return lambda x: convolve(x, kernel, None, spec.stride, padding, spec.dilation, spec.groups)


def through_the_identity(spec: ConvSpec, w: np.ndarray) -> Callable[[], np.ndarray]:
    """Return a function that makes the dense matrix by torch.func.vmap: the convolution of each unit image."""
    import torch

    forward, size = torch_forward(spec, w), spec.in_channels * prod(spec.extent)
    one = torch.func.vmap(lambda e: forward(e.reshape(1, spec.in_channels, *spec.extent)).reshape(-1))
    return lambda: one(torch.eye(size, dtype=torch.float64)).T.numpy()  # noqa: PLW0108 - the unit images are made at each call


# --- the tasks ---------------------------------------------------------------------------
def building(line: str) -> tuple[str, Rivals]:
    """Compare building a sparse matrix with copying its three arrays."""
    spec = ConvSpec.parse(line)
    _, w = drawn(spec)
    A = convlaws.sparse_matrix(spec, w)
    copied: Rivals = {"copy of its arrays": lambda: (A.data.copy(), A.indices.copy(), A.indptr.copy())}
    return f"{line}, {A.nnz:,} entries", copied | {"sparse_matrix": lambda: convlaws.sparse_matrix(spec, w)}


def rivals_of_building() -> tuple[str, Rivals]:
    """Compare ways to build a convolution's matrix; the dense ones make another object with the same numbers."""
    spec = ConvSpec.parse("n1c8k8_x24x24_r3x3")
    _, w = drawn(spec)
    ours = convlaws.sparse_matrix(spec, w).toarray()
    found: Rivals = {
        "sparse_matrix": lambda: convlaws.sparse_matrix(spec, w),
        "dense_matrix": lambda: convlaws.dense_matrix(spec, w),
        "Toeplitz blocks in loops (dense)": lambda: toeplitz_of_planes(spec, w),
        "torch.func.vmap over the identity (dense)": through_the_identity(spec, w),
    }
    for name, make in found.items():
        made = make()
        assert np.allclose(ours, made if isinstance(made, np.ndarray) else made.toarray(), rtol=0, atol=1e-12), name
    return str(spec), found


def rivals_of_a_line() -> tuple[str, Rivals]:
    """Compare with scipy.linalg's dense matrix for one channel and one axis."""
    from scipy.linalg import convolution_matrix, toeplitz

    spec = ConvSpec.parse("n1c1k1_x2000_r9_p8")
    _, w = drawn(spec)
    flipped, rest = np.ascontiguousarray(w[0, 0, ::-1]), np.zeros(1999)
    found: Rivals = {
        "sparse_matrix": lambda: convlaws.sparse_matrix(spec, w),
        "dense_matrix": lambda: convlaws.dense_matrix(spec, w),
        "scipy.linalg.convolution_matrix (dense)": lambda: convolution_matrix(flipped, 2000, "full"),
        "scipy.linalg.toeplitz (dense)": lambda: toeplitz((*flipped, *rest), (flipped[0], *rest)),
    }
    ours = convlaws.dense_matrix(spec, w)
    assert all(np.array_equal(ours, np.asarray(found[name]())) for name in list(found)[2:])
    return str(spec), found


def operating(line: str, dtype: str) -> tuple[str, Rivals]:
    """Compare products with a convolution: torch's own, the operator's, the sparse matrix's."""
    import torch

    spec = ConvSpec.parse(line)
    x, w = drawn(spec, dtype)
    forward, tensor = torch_forward(spec, w), torch.from_numpy(x)
    A, columns = convlaws.linear_operator(spec, w), np.ascontiguousarray(x.reshape(len(x), -1).T)
    through_torch, M = convlaws.linear_operator(spec, w, by="torch-onednn"), convlaws.sparse_matrix(spec, w)
    found: Rivals = {
        "torch.nn.functional": lambda: forward(tensor),
        "linear_operator": lambda: A @ columns,
        "linear_operator(by='torch-onednn')": lambda: through_torch @ columns,
        "sparse_matrix @": lambda: M @ columns,
    }
    expected = forward(tensor).numpy().reshape(len(x), -1).T
    near = 1e-4 if dtype == "float32" else 1e-11
    assert all(np.allclose(found[name](), expected, rtol=0, atol=near * abs(expected).max()) for name in list(found)[1:])
    return f"{line} {dtype}", found | {"linear_operator, forward and back": lambda: A.T @ (A @ columns)}


def pylops_product() -> tuple[str, Rivals]:
    """Compare with PyLops' operator for one channel with zero padding."""
    from pylops.signalprocessing import Convolve2D

    spec = ConvSpec.parse("n1c1k1_x256x256_r3x3_p1x1")
    x, w = drawn(spec)
    A, theirs = convlaws.linear_operator(spec, w), Convolve2D((256, 256), w[0, 0, ::-1, ::-1], offset=(1, 1), method="direct")
    by_fft, flat = Convolve2D((256, 256), w[0, 0, ::-1, ::-1], offset=(1, 1), method="fft"), x.ravel()
    assert np.allclose(A @ flat, theirs @ flat)
    return str(spec), {
        "linear_operator": lambda: A @ flat,
        "pylops Convolve2D, direct": lambda: theirs @ flat,
        "pylops Convolve2D, fft": lambda: by_fft @ flat,
    }


def oracle(line: str) -> tuple[str, Rivals]:
    """Compare the oracle's R, S and n, three convolutions in float64, with one of torch's."""
    import torch

    spec = ConvSpec.parse(line)
    x, w = drawn(spec, "float32")
    forward, tensor = torch_forward(spec, w.astype(np.float64)), torch.from_numpy(x.astype(np.float64))
    return line, {"torch float64, one": lambda: forward(tensor), "oracle, three": lambda: answer(spec, "fprop", {"x": x, "w": w})}


def tasks() -> Iterator[tuple[str, Callable[[], tuple[str, Rivals]]]]:
    """Yield (heading, function that makes the task)."""
    yield from (("building, unpadded", lambda line=line: building(line)) for line in UNPADDED)
    yield from (("building, padded or transposed", lambda line=line: building(line)) for line in PADDED)
    yield from (("a convolution as a matrix", rivals_of_building), ("a line as a matrix", rivals_of_a_line))
    both = product(FORWARD, ("float32", "float64"))
    yield from (("a product", lambda one=one: operating(*one)) for one in both)
    yield "a product", pylops_product
    yield from (("oracle", lambda line=line: oracle(line)) for line in FORWARD)


# --- timing ------------------------------------------------------------------------------
def medians(rivals: Rivals, rounds: int) -> dict[str, float]:
    """Return the median seconds of each implementation over rounds in which each runs once."""
    found: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, run in rivals.items():
            started = time.process_time()
            run()
            found[name].append(time.process_time() - started)
    return {name: statistics.median(seconds) for name, seconds in found.items()}


def environment() -> str:
    """Return the processor, the cores in use and the relevant versions."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "?")
    versions = []
    for package in ("numpy", "scipy", "torch", "pylops"):
        with suppress(PackageNotFoundError):
            versions.append(f"{package} {version(package)}")
    load = os.getloadavg()[0]
    return f"{model}, one thread, load {load:.1f}; Python {platform.python_version()}, {', '.join(versions)}"


def main(rounds: int) -> None:
    """Print all ratios."""
    import torch

    torch.set_num_threads(1)
    ctypes.CDLL(None).mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD
    ctypes.CDLL(None).mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(environment(), f"; medians of {rounds} rounds", sep="")
    last = ""
    for heading, make in tasks():
        try:
            says, rivals = make()
        except ImportError as error:
            print(f"\n  left out: {error.name} is not installed")
            continue
        print("" if heading == last else f"\n{heading}\n", f"  {says}", sep="")
        found = medians(rivals, rounds)
        first, last = next(iter(found.values())), heading
        for name, seconds in found.items():
            print(f"    {name:44}{seconds * 1e3:10.3f} ms {seconds / first:9.2f} x")


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
