"""The forms of our methods: a method is what its name says, and gives the figures of the source documents."""

from __future__ import annotations

from importlib import import_module
from math import prod

import numpy as np
import pytest

from convlaws.methods import base
from convlaws.methods.base import Geometry
from convlaws.methods.circulant import circulant_matrix, first_column
from convlaws.methods.toeplitz import blocked_toeplitz, kernel_matrix
from convlaws.methods.transposed import scatter_matrix
from convlaws.problem.problem import Problem
from convlaws.problem.spec import ConvSpec
from convlaws.targets import registry

ROWS = {row.name: row for row in registry.rows("method")}


def maps_of(name: str):
    module, attribute = ROWS[name].address.split(":")
    return getattr(import_module(module), attribute)


def run(name: str, p: Problem) -> np.ndarray:
    return base.run(maps_of(name), p.spec, p.op, p.operands)


# --- a method is what its name says ----------------------------------------------------
@pytest.mark.parametrize("name", ["winograd2", "winograd4", "fft", "fft-torch"])
def test_a_fast_algorithm_rounds_otherwise_than_direct_summation(name):
    p = Problem.parse("n2c4k4_x9x9_r3x3_p1x1 float32 normal seed=3")

    apart = np.abs(run(name, p) - run("im2col", p))

    assert (apart > 0).mean() > 0.3
    assert apart.max() < 1e-4


def test_winograd_with_tiles_of_four_is_not_the_one_with_tiles_of_two():
    p = Problem.parse("n2c4k4_x9x9_r3x3_p1x1 float32 normal seed=3")

    assert not np.array_equal(run("winograd2", p), run("winograd4", p))


def test_a_blocked_toeplitz_matrix_has_toeplitz_blocks_in_a_toeplitz_pattern():
    g = Geometry.of(ConvSpec.parse("n1c1k1_x3x3_r2x2"))

    matrix = blocked_toeplitz(g, np.array([[1, 2], [3, 4]]))

    assert matrix.tolist() == [
        [1, 2, 0, 3, 4, 0, 0, 0, 0],
        [0, 1, 2, 0, 3, 4, 0, 0, 0],
        [0, 0, 0, 1, 2, 0, 3, 4, 0],
        [0, 0, 0, 0, 1, 2, 0, 3, 4],
    ]


@pytest.mark.parametrize("line", ["n1c2k3_x7x9_r3x2_s2x3", "n1c2k3_x8_r3_s3_d2", "n1c2k4_x5x5_r2x2_s2x2_g2"])
def test_the_kernel_matrix_has_one_row_a_result_at_any_stride(line):
    spec = ConvSpec.parse(line)
    w = np.arange(1.0, 1 + prod(spec.w_shape)).reshape(spec.w_shape)

    matrix = kernel_matrix(Geometry.of(spec), w)

    assert matrix.shape[0] * matrix.shape[1] == prod(spec.y_shape)
    assert ((matrix != 0).sum(axis=-1) == prod(spec.w_shape[1:])).all()


@pytest.mark.parametrize("line", ["n1c2k4_x6x5_r3x2_s2x1_d1x2_g2", "n1c2k1_x7_r3_s2", "n1c1k2_x3x4x3_r2x2x1"])
def test_the_matrix_of_the_transposed_convolution_is_the_transpose_of_the_kernel_matrix(line):
    spec = ConvSpec.parse(line)
    g, w = Geometry.of(spec), np.random.default_rng(1).standard_normal(spec.w_shape)

    assert np.array_equal(scatter_matrix(g, w), kernel_matrix(g, w).swapaxes(1, 2))


# --- circles ---------------------------------------------------------------------------
@pytest.mark.parametrize(("shape", "extents"), [((3,), (5,)), ((2, 3), (4, 3)), ((2, 1, 2), (2, 3, 3))])
def test_the_first_column_undoes_the_circulant_matrix(shape, extents):
    kernel = np.random.default_rng(2).integers(-9, 9, shape)

    column = first_column(circulant_matrix(kernel, extents)).reshape(extents)

    assert np.array_equal(column[tuple(map(slice, shape))], kernel)
    assert np.abs(column).sum() == np.abs(kernel).sum()


@pytest.mark.parametrize("extents", [(5,), (4, 3), (2, 3, 3)])
def test_circulant_matrices_commute_and_multiply_to_a_circulant_matrix(extents):
    rng = np.random.default_rng(3)
    a, b = (circulant_matrix(rng.integers(-9, 9, extents), extents) for _ in range(2))

    composed = a @ b

    assert np.array_equal(composed, b @ a)
    assert np.array_equal(composed, circulant_matrix(first_column(composed).reshape(extents), extents))


def test_the_spectrum_of_a_kernel_holds_the_eigenvalues_of_its_circulant_matrix():
    kernel = np.random.default_rng(4).standard_normal((3, 4))
    matrix = circulant_matrix(kernel, (3, 4))
    n, eps = matrix.shape[0], np.finfo(float).eps

    for at in np.ndindex(3, 4):
        wave = np.exp(2j * np.pi * (at[0] * np.arange(3)[:, None] / 3 + at[1] * np.arange(4) / 4)).ravel()
        residual = matrix @ wave - np.fft.fft2(kernel)[at] * wave

        assert np.abs(residual).max() < 4 * n * eps * np.abs(kernel).sum()


def test_a_kernel_longer_than_its_circle_is_wound_around():
    matrix = circulant_matrix(np.array([1, 2, 4, 8]), (3,))

    assert first_column(matrix).tolist() == [9, 2, 4]


# --- the figures of the source documents ------------------------------------------------
def test_unfold_differs_from_conv2d_by_about_the_documented_two_millionths():
    import torch

    rng = np.random.default_rng(5)
    x, w = (rng.standard_normal(shape).astype(np.float32) for shape in ((1, 3, 10, 12), (2, 3, 4, 5)))
    spec = ConvSpec.parse("n1c3k2_x10x12_r4x5")

    got = base.run(maps_of("unfold"), spec, "fprop", {"x": x, "w": w})

    reference = torch.nn.functional.conv2d(torch.from_numpy(x), torch.from_numpy(w)).numpy()
    assert 0 < np.abs(got - reference).max() < 1e-5  # documented: 1.9e-06


@pytest.mark.parametrize("name", ["toeplitz-channels", "toeplitz", "kernel-matrix"])
def test_a_toeplitz_matrix_differs_from_conv2d_by_about_the_documented_square(name):
    import torch

    rng = np.random.default_rng(6)
    x, w = rng.standard_normal((1, 3, 7, 9)), rng.standard_normal((4, 3, 3, 3))
    spec = ConvSpec.parse("n1c3k4_x7x9_r3x3")

    got = base.run(maps_of(name), spec, "fprop", {"x": x, "w": w})

    reference = torch.nn.functional.conv2d(torch.from_numpy(x), torch.from_numpy(w)).numpy()
    assert 0 < np.sum((got - reference) ** 2) < 1e-27  # documented: 1.0e-28 and 1.5e-28


@pytest.mark.parametrize("name", ["matrix-transpose", "scatter", "kernel-matrix"])
def test_the_transposed_matrix_is_torchs_transposed_convolution(name):
    import torch

    rng = np.random.default_rng(7)
    x, w = rng.integers(-9, 9, (2, 4, 2, 3)).astype(float), rng.integers(-9, 9, (4, 3, 3, 3)).astype(float)
    spec = ConvSpec.parse("n2c4k3_x2x3_r3x3_s2x3_p1x0_t1x2")

    got = base.run(maps_of(name), spec, "fprop", {"x": x, "w": w})

    reference = torch.nn.functional.conv_transpose2d(
        torch.from_numpy(x), torch.from_numpy(w), stride=(2, 3), padding=(1, 0), output_padding=(1, 2)
    )
    assert np.array_equal(got, reference.numpy())
