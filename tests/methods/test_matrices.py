"""The matrix of a convolution: the definition's numbers, in canonical form, in little memory, refused where it is too large."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import convlaws
from convlaws.engines.host import open_row
from convlaws.errors import Refusal, UsageError
from convlaws.methods.dense import in_bytes
from convlaws.oracle.oracle import answer
from convlaws.problem.scope import WHOLE
from convlaws.problem.spec import PADDING_MODES, ConvSpec
from convlaws.strategies import problems

# whole numbers whose sums are exact: what is compared is compared bit by bit
EXACT = replace(WHOLE, dtypes=("float64",), fills=("integers",))


def by_definition(p, op: str, **operands) -> np.ndarray:
    return np.asarray(answer(replace(p.spec, bias=False), op, operands).R, np.float64)


def columns(images: np.ndarray, count: int, size: int) -> np.ndarray:
    return images.reshape(count, size).T


# --- its numbers -------------------------------------------------------------------------
@given(problems(replace(EXACT, ops=("fprop",)), max_macs=3000))
def test_the_sparse_matrix_times_an_image_is_the_definition(p):
    x, w = p.operands["x"], p.operands["w"]

    A = convlaws.sparse_matrix(p.spec, w)
    got = (A @ columns(x, p.spec.images, A.shape[1])).T.reshape(p.spec.y_shape)

    assert np.array_equal(got, by_definition(p, "fprop", x=x, w=w)), p


@given(problems(replace(EXACT, ops=("dgrad",)), max_macs=3000))
def test_its_transpose_times_a_gradient_is_the_definition(p):
    gy, w = p.operands["gy"], p.operands["w"]

    A = convlaws.sparse_matrix(p.spec, w)
    got = (A.T @ columns(gy, p.spec.images, A.shape[0])).T.reshape(p.spec.x_shape)

    assert np.array_equal(got, by_definition(p, "dgrad", gy=gy, w=w)), p


@given(problems(replace(EXACT, ops=("fprop",)), max_macs=3000))
def test_it_is_in_canonical_form_as_it_says(p):
    from scipy.sparse import csr_array

    A = convlaws.sparse_matrix(p.spec, p.operands["w"])
    unlabelled = csr_array((A.data, A.indices, A.indptr), shape=A.shape)

    unlabelled.check_format(full_check=True)
    assert A.has_canonical_format
    assert unlabelled.has_canonical_format, p
    assert A.indices.dtype == A.indptr.dtype == np.int32


@given(problems(replace(EXACT, ops=("fprop",)), max_macs=1000))
def test_the_dense_matrix_has_the_definition_of_unit_images_as_columns(p):
    one = replace(p.spec, batch=1)
    assume(np.prod(one.x_shape) <= 1000)  # a unit image for each of its elements
    assume(np.prod(one.x_shape) * np.prod(one.y_shape) <= 1_000_000)
    spec = replace(p.spec, batch=max(1, int(np.prod(one.x_shape))))
    unit = np.eye(spec.images).reshape(spec.batch, spec.in_channels, *spec.extent) if all(spec.extent) else None
    w = p.operands["w"]

    T = convlaws.dense_matrix(p.spec, w)

    assert T.shape == (np.prod(spec.y_shape[1:], dtype=int), np.prod(spec.x_shape[1:], dtype=int))
    if unit is not None:
        assert np.array_equal(T, by_definition(replace(p, spec=spec), "fprop", x=unit, w=w).reshape(spec.images, -1).T), p


@given(st.sampled_from(["int8", "int64", "float32", "float64", "longdouble"]))
def test_it_keeps_the_kernels_dtype(dtype):
    w = np.arange(1, 5).astype(dtype).reshape(1, 1, 4)

    A = convlaws.sparse_matrix(ConvSpec.parse("n1c1k1_x6_r4_p2_mreplicate"), w)

    assert A.dtype == dtype
    assert A.toarray().sum(axis=1).tolist() == [10] * 7


def test_stored_zeros_stay_and_padding_is_not_stored():
    A = convlaws.sparse_matrix(ConvSpec.parse("n1c1k1_x3_r3_p1"), np.array([[[0.0, 1.0, 0.0]]]))

    assert A.nnz == 7
    assert np.array_equal(A.toarray(), np.eye(3))


def test_a_negative_zero_keeps_its_sign_in_every_row():
    A = convlaws.sparse_matrix(ConvSpec.parse("n1c2k2_x9x9_r3x3_g2"), np.full((2, 1, 3, 3), -0.0))

    assert np.signbit(A.data).all()


# --- its memory --------------------------------------------------------------------------
@pytest.mark.parametrize(
    "line",
    [
        "n1c8k8_x24x24_r3x3",
        "n1c8k8_x24x24_r3x3_p1x1",
        *(f"n1c8k8_x24x24_r3x3_p1x1_m{mode}" for mode in PADDING_MODES[1:]),
        "n1c16k16_x16x16_r4x4_s2x2_p1x1_t0x0",
        "n1c64k64_x16x16_r3x3_p1x1_g64",
        "n1c1k1_x50000_r9_p4",
        "n1c4k4_x10x10x10_r3x3x3_p1x1x1",
        "n1c2k2_x24x24_r15x15_p7x7",
        "n1c16k64_x12x12_r12x12",
    ],
)
def test_building_it_takes_little_more_than_itself(line):
    spec = ConvSpec.parse(line)
    w = np.ones(spec.w_shape)
    convlaws.sparse_matrix(spec, w)  # what is imported and remembered at the first call

    tracemalloc.start()
    A = convlaws.sparse_matrix(spec, w)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    own = A.data.nbytes + A.indices.nbytes + A.indptr.nbytes

    assert own > 1_000_000
    assert 1 <= peak / own < 1.6  # most of it where the result is hardly larger than the kernel


# --- what is refused ---------------------------------------------------------------------
def test_a_dense_matrix_that_is_too_large_is_refused_with_its_memory_before_it_is_allocated():
    spec = ConvSpec.parse("n1c64k64_x56x56_r3x3_p1x1")
    w = np.zeros(spec.w_shape, np.float32)

    tracemalloc.start()
    with pytest.raises(Refusal, match=r"200,704 x 200,704 of float32, would need 161 GB, 1.07 GB are allowed"):
        convlaws.dense_matrix(spec, w)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 100_000


@pytest.mark.parametrize("name", ["toeplitz", "toeplitz-channels", "kernel-matrix", "matrix-transpose", "circulant"])
@pytest.mark.parametrize("op", ["fprop", "dgrad", "wgrad"])
def test_a_dense_method_refuses_in_the_same_words(name, op):
    of_taps = (name, op) == ("circulant", "wgrad")  # its matrix has a row a tap
    spec = ConvSpec.parse("n1c2k2_x120x120_r80x80" if of_taps else "n1c2k2_x200x200_r3x3")
    shapes = {"x": spec.x_shape, "w": spec.w_shape, "gy": spec.y_shape}
    roles = {"fprop": "x w", "dgrad": "gy w", "wgrad": "x gy"}[op].split()

    with pytest.raises(Refusal, match=r"the dense matrix, .* of float64, would need .* GB"):
        open_row({"row": name})(spec, op, {role: np.zeros(shapes[role]) for role in roles})


def test_the_user_may_allow_more_or_less():
    spec = ConvSpec.parse("n1c1k1_x30_r3")

    assert convlaws.dense_matrix(spec, np.ones(spec.w_shape), most=28 * 30 * 8).shape == (28, 30)
    with pytest.raises(Refusal, match=r"6.72 kB, 6.72 kB are allowed"):
        convlaws.dense_matrix(spec, np.ones(spec.w_shape), most=28 * 30 * 8 - 1)


def test_a_kernel_of_another_shape_is_refused_in_words():
    with pytest.raises(UsageError, match=r"the kernel's shape is \(1, 3\), n1c1k1_x5_r3_s1_p0_d1_g1 needs \(1, 1, 3\)"):
        convlaws.sparse_matrix(ConvSpec.parse("n1c1k1_x5_r3"), np.ones((1, 3)))


def test_bytes_in_words():
    assert [in_bytes(n) for n in (0, 999, 1000, 2_500_000, 10**9, 3 * 10**12)] == [
        "0 bytes",
        "999 bytes",
        "1 kB",
        "2.5 MB",
        "1 GB",
        "3 TB",
    ]
