"""A convolution as an operator: for SciPy, whose singular values are known on a circle, and for torch's autograd."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

import convlaws
from convlaws.errors import Refusal, UnknownName, UsageError
from convlaws.oracle.oracle import answer
from convlaws.problem.problem import Problem
from convlaws.problem.scope import WHOLE, Scope
from convlaws.problem.spec import ConvSpec
from convlaws.strategies import problems

torch = pytest.importorskip("torch")
EXACT = replace(WHOLE, dtypes=("float64",), fills=("integers",))
WITH_KERNEL = replace(EXACT, ops=("fprop",), empty=(False,))


# --- SciPy -------------------------------------------------------------------------------
@given(problems(WITH_KERNEL, max_macs=2000))
def test_the_operator_multiplies_as_the_matrix_does_forward_and_back(p):
    w, rng = p.operands["w"], p.rng("columns")
    A, M = convlaws.linear_operator(p.spec, w), convlaws.sparse_matrix(p.spec, w)
    X, Y = (rng.integers(-4, 5, (size, 3)).astype(float) for size in A.shape[::-1])

    assert A.shape == M.shape
    assert np.array_equal(A @ X, M @ X), p
    assert np.array_equal(A.T @ Y, M.T @ Y), p
    assert np.array_equal(A @ X[:, 0], M @ X[:, 0]), p
    assert np.array_equal(A.T @ Y[:, 0], M.T @ Y[:, 0]), p


def circular_singular_values(w: np.ndarray, extent: tuple[int, ...]) -> np.ndarray:
    """Those of a circular convolution of stride 1: of the K x C matrices of its Fourier transform, one a frequency.

    References:
        Sedghi, Gupta, Long, The Singular Values of Convolutional Layers, arXiv:1805.10408.
    """
    spectrum = np.fft.fftn(w, extent, axes=range(2, w.ndim))
    return np.sort(np.linalg.svd(np.moveaxis(spectrum, (0, 1), (-2, -1)), compute_uv=False).ravel())[::-1]


@pytest.mark.parametrize(
    "line",
    [
        "n1c3k5_x8x6_r3x3_p1x1_mcircular",
        "n1c4k2_x17_r4_p1:2_mcircular",
        "n1c2k3_x4x5x3_r3x3x3_p1x1x1_mcircular",
        "n1c3k3_x9x9_r3x3_p2x2_d2x2_mcircular",
    ],
)
def test_the_largest_singular_values_on_a_circle_are_those_of_the_fourier_transform(line):
    from scipy.sparse.linalg import svds

    spec = ConvSpec.parse(line)
    w = np.random.default_rng(7).standard_normal(spec.w_shape)
    spread = np.zeros((*w.shape[:2], *spec.reach))
    spread[(..., *(slice(None, None, d) for d in spec.dilation))] = w

    found = np.sort(svds(convlaws.linear_operator(spec, w), k=6, return_singular_vectors=False, random_state=0))[::-1]
    expected = circular_singular_values(spread, spec.extent)

    # ARPACK's own criterion is the machine's precision, relative to the largest
    assert np.abs(found - expected[:6]).max() < 1e-10 * expected[0]
    assert expected[0] > expected[6]


def test_all_singular_values_of_its_matrix_are_those_of_the_fourier_transform():
    spec = ConvSpec.parse("n1c3k4_x6x5_r3x2_p1x0:1_mcircular")
    w = np.random.default_rng(3).standard_normal(spec.w_shape)

    found = np.linalg.svd(convlaws.dense_matrix(spec, w), compute_uv=False)

    assert np.allclose(found, circular_singular_values(w, spec.extent), rtol=0, atol=1e-12 * found[0])


def test_a_least_squares_solver_undoes_a_convolution():
    from scipy.sparse.linalg import lsqr

    spec = ConvSpec.parse("n1c2k3_x7x6_r3x3_p1x1")
    rng = np.random.default_rng(1)
    A = convlaws.linear_operator(spec, rng.standard_normal(spec.w_shape))
    x = rng.standard_normal(A.shape[1])

    found = lsqr(A, A @ x, atol=1e-14, btol=1e-14, iter_lim=2000)[0]

    assert np.abs(found - x).max() < 1e-8


def test_a_later_change_of_the_kernel_does_not_reach_in():
    w = np.ones((1, 1, 2))
    A = convlaws.linear_operator(ConvSpec.parse("n1c1k1_x3_r2"), w)

    w[:] = 9

    assert (A @ np.ones(3)).tolist() == [2, 2]


# --- torch -------------------------------------------------------------------------------
def tensors(p: Problem) -> list:
    return [torch.from_numpy(np.array(a)).requires_grad_() for a in p.operands.values()]


@given(problems(WITH_KERNEL, max_macs=2000))
def test_the_torch_form_and_its_gradients_are_the_definition(p):
    x, w, *b = leaves = tensors(p)
    values = {role: t.detach().numpy() for role, t in zip("xwb", leaves, strict=False)}

    y = convlaws.differentiable(p.spec)(x, w, *b)
    gy = torch.from_numpy(p.rng("gy").integers(-4, 5, p.spec.y_shape).astype(float))
    found = torch.autograd.grad(y, leaves, gy)

    asked = {"dgrad": {"gy": gy.numpy(), "w": values["w"]}, "wgrad": {"x": values["x"], "gy": gy.numpy()}}
    asked |= {"bgrad": {"gy": gy.numpy()}} if b else {}
    assert np.array_equal(y.detach().numpy(), answer(p.spec, "fprop", values).R.astype(float)), p
    for got, (op, operands) in zip(found, asked.items(), strict=True):
        assert np.array_equal(got.numpy(), answer(p.spec, op, operands).R.astype(float)), (op, p)


@pytest.mark.parametrize("by", ["scatter", "im2col", "fft", "torch-native"])
@pytest.mark.parametrize("line", ["n2c2k2_x3x2_r2x2_s2x1_p1x1_g2_b", "uc1k2_x4_r2_d2_p1"])
def test_derivatives_of_first_and_second_order_agree_with_differences(by, line, stand_ins):
    p = Problem.parse(f"{line} float64 normal seed=5")
    f = convlaws.differentiable(p.spec, by=by)

    assert torch.autograd.gradcheck(f, tensors(p))
    assert torch.autograd.gradgradcheck(f, tensors(p))


def test_the_batch_is_that_of_the_tensor_and_the_rest_the_specs():
    f = convlaws.differentiable(ConvSpec.parse("n1c2k3_x5_r3"))

    assert f(torch.ones(7, 2, 5), torch.ones(3, 2, 3)).shape == (7, 3, 3)
    with pytest.raises(UsageError, match=r"the shape of x is \(7, 2, 6\), n7c2k3_x5_r3_s1_p0_d1_g1 needs \(7, 2, 5\)"):
        f(torch.ones(7, 2, 6), torch.ones(3, 2, 3))


@settings(max_examples=20)
@given(problems(Scope(ops=("fprop",), dtypes=("bfloat16", "float16", "float32"), fills=("integers",)), max_macs=500))
def test_the_torch_form_keeps_the_dtype(p):
    from convlaws.engines.tensors import to_tensor

    x, w, *b = (to_tensor(np.array(a)).requires_grad_() for a in p.operands.values())

    y = convlaws.differentiable(p.spec)(x, w, *b)
    y.float().sum().backward()

    assert y.dtype == x.dtype == x.grad.dtype == w.grad.dtype


# --- what is refused ---------------------------------------------------------------------
@pytest.mark.parametrize("made", [convlaws.differentiable, lambda s, by: convlaws.linear_operator(s, np.ones(s.w_shape), by)])
def test_a_row_that_cannot_do_it_refuses_in_its_own_words(made):
    spec = ConvSpec.parse("n1c1k1_x8x8_r5x5")

    with pytest.raises(Refusal, match="winograd2: the kernel is 5 on axis 0, only 3 is done"):
        made(spec, by="winograd2")
    with pytest.raises(UnknownName, match="no method or engine 'im3col'; near: im2col"):
        made(spec, by="im3col")


def test_a_search_s_limit_on_sizes_is_none_of_the_operator_s():
    spec = ConvSpec.parse("n1c64k64_x32x32_r3x3")  # 33 million multiply-adds, over the limit of sparse-csr

    A = convlaws.linear_operator(spec, np.ones(spec.w_shape), by="sparse-csr")

    assert np.array_equal(A @ np.ones(A.shape[1]), np.full(A.shape[0], 576.0))
