"""The terms of the bounds of fast algorithms: norms for FFT, absolute transforms for Winograd."""

from __future__ import annotations

from math import log2, prod

import numpy as np

from convlaws.oracle.definition import folded, padded
from convlaws.oracle.oracle import Answer
from convlaws.problem.spec import ConvSpec

# Lavin and Gray, arXiv:1509.09308; Y = A' [(G g G') o (B' d B)] A for F(m x m, 3 x 3), for 6 with the points
# 0, 1, -1, 2, -2, 1/2, -1/2 and infinity, as used by mobile libraries
WINOGRAD = {
    2: (
        np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], float),
        np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]]),
        np.array([[1, 1, 1, 0], [0, 1, -1, -1]], float),
    ),
    4: (
        np.array(
            [
                [4, 0, -5, 0, 1, 0],
                [0, -4, -4, 1, 1, 0],
                [0, 4, -4, -1, 1, 0],
                [0, -2, -1, 2, 1, 0],
                [0, 2, -1, -2, 1, 0],
                [0, 4, 0, -5, 0, 1],
            ],
            float,
        ),
        np.array(
            [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]],
            float,
        )
        / 24,
        np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]], float),
    ),
    6: (
        np.array(
            [
                [4, 0, -21, 0, 21, 0, -4, 0],
                [0, 4, 4, -17, -17, 4, 4, 0],
                [0, -4, 4, 17, -17, -4, 4, 0],
                [0, 2, 1, -10, -5, 8, 4, 0],
                [0, -2, 1, 10, -5, -8, 4, 0],
                [0, 8, 16, -10, -20, 2, 4, 0],
                [0, -8, 16, 10, -20, -2, 4, 0],
                [0, -4, 0, 21, 0, -21, 0, 4],
            ],
            float,
        )
        / 4,
        np.array(
            [
                [90, 0, 0],
                [-20, -20, -20],
                [-20, 20, -20],
                [1, 2, 4],
                [1, -2, 4],
                [64, 32, 16],
                [64, -32, 16],
                [0, 0, 90],
            ],
            float,
        )
        / 90,
        np.array(
            [
                [1, 1, 1, 1, 1, 1, 1, 0],
                [0, 1, -1, 2, -2, 1 / 2, -1 / 2, 0],
                [0, 1, 1, 4, 4, 1 / 4, 1 / 4, 0],
                [0, 1, -1, 8, -8, 1 / 8, -1 / 8, 0],
                [0, 1, 1, 16, 16, 1 / 16, 1 / 16, 0],
                [0, 1, -1, 32, -32, 1 / 32, -1 / 32, 1],
            ]
        ),
    ),
}


def fft_bound(a: Answer, unit: float) -> np.ndarray:
    """Norm-wise bound of a convolution by FFT, the same for all results of a plane.

    u [(2f + 4 + C) sum |x|_2 |w|_2 + f sum |x|_2 |w|_1], f = 6.66 log2 L, the
    sum over the C planes that one result plane adds up.

    References:
        Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., Theorem 24.2.
    """
    spec = a.spec
    if not spec.images:
        return np.zeros(a.R.shape)
    size = prod(2 * (n + max(low, 0) + max(high, 0)) for n, (low, high) in zip(_wide(spec), spec.sides, strict=True))
    f = 6.66 * log2(max(size, 2))
    two, one, planes = _norm_products(a)
    folds = prod(1 + low + high for low, high in spec.sides) if spec.padding_mode != "zeros" else 1
    bound = unit * folds * ((2 * f + 4 + planes) * two + f * one)
    return bound.reshape(bound.shape + (1,) * (a.R.ndim - bound.ndim)) * np.ones(a.R.shape)


def fft_channels_bound(a: Answer, unit: float) -> np.ndarray:
    """The same if the transform also runs over the channels, as one more axis: norms of whole images, and one plane.

    For fprop of one group. If the channels of an image differ by orders of magnitude, all have the error of the largest.
    """
    spec, w = a.spec, np.abs(a.operands["w"].astype(np.float64)).reshape(a.spec.out_channels, -1)
    if not spec.images:
        return np.zeros(a.R.shape)
    image = np.sqrt((a.operands["x"].astype(np.float64).reshape(spec.images, -1) ** 2).sum(-1))
    size = 2 * spec.in_channels * prod(2 * (n + low + high) for n, (low, high) in zip(spec.extent, spec.sides, strict=True))
    f = 6.66 * log2(max(size, 2))
    kernels = (2 * f + 5) * np.sqrt((w**2).sum(-1)) + f * w.sum(-1)
    bound = unit * np.outer(image, kernels)
    bound = bound[0] if spec.batch is None else bound
    return bound.reshape(bound.shape + (1,) * spec.ndim) * np.ones(a.R.shape)


def _wide(spec: ConvSpec) -> tuple[int, ...]:
    return spec.output if spec.transposed else spec.spaced


def _plane_norms(values: np.ndarray, ndim: int, order: int) -> np.ndarray:
    flat = np.abs(values.astype(np.float64)).reshape(*values.shape[: values.ndim - ndim], -1)
    return flat.sum(-1) if order == 1 else np.sqrt((flat**2).sum(-1))


def _norm_products(a: Answer) -> tuple[np.ndarray, np.ndarray, int]:
    """Return (sum |.|_2 |.|_2, sum |.|_2 |.|_1, planes summed) for each result plane."""
    spec, groups, ndim = a.spec, a.spec.groups, a.spec.ndim
    image_role = "gy" if a.op == "dgrad" else "x"
    image = _plane_norms(a.operands[image_role], ndim, 2)
    image = image[None] if spec.batch is None else image
    image = image.reshape(len(image), groups, -1)
    if a.op == "wgrad":
        other = [_plane_norms(a.operands["gy"], ndim, k).reshape(len(image), groups, -1) for k in (2, 1)]
        order = "ngc,ngk->gck" if spec.transposed else "ngc,ngk->gkc"
        two, one = (np.einsum(order, image, o) for o in other)
        return two.reshape(-1, two.shape[-1]), one.reshape(-1, one.shape[-1]), len(image)
    w = a.operands["w"]
    kernels = [_plane_norms(w, ndim, k).reshape(groups, -1, w.shape[1]) for k in (2, 1)]
    order = "ngc,gkc->ngk" if (a.op == "fprop") != spec.transposed else "ngk,gkc->ngc"
    two, one = (np.einsum(order, image, k).reshape(len(image), -1) for k in kernels)
    if spec.batch is None:
        two, one = two[0], one[0]
    return two, one, image.shape[2]


def winograd_magnitude(a: Answer, m: int) -> np.ndarray:
    """SW = |A'| (sum_c (|G| |g| |G'|) o (|B'| |d| |B|)) |A|, with tiles from the first result on.

    The error of a Winograd convolution is at most gamma_k SW element by element.
    """
    if not a.spec.images or 0 in (*a.spec.extent, *a.spec.output):
        return np.zeros(a.R.shape)
    image, kernel = _as_valid(a)
    B, G, A = (np.abs(matrix) for matrix in WINOGRAD[m])
    groups, size = a.spec.groups, m + 2
    out = tuple(n - 2 for n in image.shape[2:])
    tiles = [-(-n // m) for n in out]
    grown = np.zeros((*image.shape[:2], *(t * m + 2 for t in tiles)))
    grown[..., : image.shape[2], : image.shape[3]] = np.abs(image)
    d = np.lib.stride_tricks.sliding_window_view(grown, (size, size), axis=(2, 3))[:, :, ::m, ::m]
    d = d.reshape(len(d), groups, -1, *d.shape[2:])
    g = np.abs(kernel).reshape(groups, -1, *kernel.shape[1:])
    U = np.einsum("ai,gkcij,bj->gkcab", G, g, G)
    V = np.einsum("ai,ngcyxij,bj->ngcyxab", B, d, B)
    Y = np.einsum("ma,ngkyxab,lb->ngkymxl", A, np.einsum("gkcab,ngcyxab->ngkyxab", U, V), A)
    Y = Y.reshape(len(d), kernel.shape[0], tiles[0] * m, tiles[1] * m)[..., : out[0], : out[1]]
    return _as_result(a, Y)


def _as_valid(a: Answer) -> tuple[np.ndarray, np.ndarray]:
    """Return the op as a valid correlation: (image N C H W, kernel K C/G 3 3)."""
    spec = a.spec
    role = "x" if a.op == "fprop" else "gy"
    image = a.operands[role].astype(np.float64)
    image = image[None] if spec.batch is None else image
    w = a.operands["w"].astype(np.float64)
    if (a.op == "fprop") != spec.transposed:
        return padded(spec, image), w
    flipped = w[..., ::-1, ::-1].reshape(spec.groups, -1, *w.shape[1:])
    kernel = np.swapaxes(flipped, 1, 2).reshape(-1, flipped.shape[1], 3, 3)
    return np.pad(image, [(0, 0), (0, 0), (2, 2), (2, 2)]), kernel


def _as_result(a: Answer, Y: np.ndarray) -> np.ndarray:
    if (a.op == "dgrad") != a.spec.transposed:
        Y = folded(a.spec, Y)
    if "b" in a.operands:
        Y = Y + np.abs(a.operands["b"].astype(np.float64)).reshape(-1, 1, 1)
    return Y[0] if a.spec.batch is None else Y
