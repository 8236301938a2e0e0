"""Mutants of the gradients alone: of the input, of the weights, of the bias."""

from __future__ import annotations

import numpy as np

from convlaws.mutants.registry import mutant, right
from convlaws.mutants.spoiling import PLAIN, as_if, fields_of, fitted, ones, without
from convlaws.problem.spec import ConvSpec


# --- of the input ---------------------------------------------------------------------------
@mutant("dgrad", scope=PLAIN, defect="indexing", needs=("padded",), thread="torch/DEPRECEATED-torch7-distro#20")
def dgrad_crops_the_end(spec, op, a):
    """Computes the gradient of the padded input, and cuts all of the padding off its end."""
    padded = ConvSpec(**{**fields_of(spec), "extent": spec.padded, "padding": "valid", "padding_mode": "zeros"})
    return right(padded, op, a)[(..., *map(slice, spec.extent))]


@mutant("dgrad", scope=PLAIN, defect="contract", needs=("unused-tail",), thread="torch/DEPRECEATED-torch7-distro#20")
def dgrad_ends_with_the_last_window(spec, op, a):
    """Returns no gradient for the elements that no window reaches: a smaller array."""
    sides = zip(spec.output, spec.stride, spec.reach, spec.sides, spec.extent, strict=True)
    used = [min(n, (y - 1) * s + r - low) if y else n for y, s, r, (low, _), n in sides]
    return right(spec, op, a)[(..., *(slice(max(0, n)) for n in used))]


@mutant("dgrad", scope=PLAIN, defect="contract", needs=("unused-2",), thread="tracel-ai/burn#4806")
def dgrad_is_short_of_two(spec, op, a):
    """Knows of one unused element at the end, not of more."""
    sides = zip(spec.extent, spec.sides, spec.reach, spec.stride, strict=True)
    lost = [max(0, (n + sum(side) - r) % s - 1) for n, side, r, s in sides]
    return right(spec, op, a)[(..., *(slice(max(0, n - m)) for n, m in zip(spec.extent, lost, strict=True)))]


@mutant(
    "dgrad",
    scope=PLAIN,
    defect="contract",
    needs=("unused-tail",),
    like="dgrad-ends-with-the-last-window",
    thread="FluxML/NNlib.jl#763",
)
def dgrad_tail_unwritten(spec, op, a):
    """Leaves the gradient of the elements that no window reaches as it was in memory."""
    dx = right(spec, op, a)
    for axis, (n, side, r, s) in enumerate(zip(spec.extent, spec.sides, spec.reach, spec.stride, strict=True)):
        lost = max(0, (n + sum(side) - r) % s - side[1])
        np.moveaxis(dx, axis - spec.ndim, 0)[n - lost :] = np.nan
    return dx


@mutant("dgrad", scope=PLAIN, defect="indexing", needs=("stride-over-kernel",), thread="pytorch/pytorch#105941")
def dgrad_fills_the_gaps(spec, op, a):
    """Where the stride is larger than the kernel, copies the neighbour into the gaps between windows."""
    wider = tuple(map(max, spec.kernel, spec.stride))
    w = np.pad(a["w"], [(0, 0), (0, 0), *((0, n - r) for n, r in zip(wider, spec.kernel, strict=True))], mode="edge")
    return as_if(spec, op, {**a, "w": w}, kernel=wider, dilation=ones(spec))


@mutant("dgrad", defect="indexing", needs=("stride-3", "taps"), thread="ROCm/MIOpen#575")
def dgrad_drops_a_tap(spec, op, a):
    """Splits the kernel into one part for each phase of the stride, and loses the tap that is over."""
    return right(spec, op, {**a, "w": without(a["w"], -1, slice(-1, None))})


@mutant("dgrad", defect="indexing", needs=("pointwise", "several-channels"), thread="soumith/cudnn.torch#28")
def pointwise_dgrad_of_one_plane(spec, op, a):
    """The input gradient of 1x1 kernels has its first channel only."""
    return without(right(spec, op, a), -spec.ndim - 1, slice(1, None))


@mutant("dgrad", defect="indexing", needs=("2d", "unequal-kernel"), thread="mlpack/mlpack#3376")
def dgrad_turns_the_kernel_by_a_quarter(spec, op, a):
    """Puts the rotated kernel of M by N into a matrix of N by M."""
    w = a["w"]
    return right(spec, op, {**a, "w": np.ascontiguousarray(w.swapaxes(-1, -2)).reshape(w.shape)})


@mutant("dgrad", "wgrad", defect="indexing", needs=("stride-3",), thread="Theano/Theano#601")
def gradients_of_stride_two(spec, op, a):
    """Both gradients know strides of 1 and 2 only."""
    return as_if(spec, op, a, stride=tuple(min(s, 2) for s in spec.stride), output_padding=())


@mutant("dgrad", "wgrad", scope=PLAIN, defect="indexing", needs=("dilated", "padded", "taps"), thread="Theano/Theano#4874")
def gradients_dilate_the_padding(spec, op, a):
    """Both gradients multiply the padding by the dilation."""
    sides = tuple((low * d, high * d) for (low, high), d in zip(spec.sides, spec.dilation, strict=True))
    return as_if(spec, op, a, padding=sides, padding_mode="zeros")


# --- of the weights ---------------------------------------------------------------------------
@mutant("wgrad", defect="indexing", needs=("strided",), thread="meta-pytorch/opacus#245")
def wgrad_keeps_the_stride(spec, op, a):
    """Convolves with the result's gradient at the same stride and dilation, which must change places."""
    return as_if(spec, op, a, stride=spec.dilation, dilation=spec.stride, output_padding=())


@mutant("wgrad", scope=PLAIN, defect="indexing", needs=("padded", "taps"), thread="pytorch/pytorch#23925")
def wgrad_counts_the_padding(spec, op, a):
    """Reads the element beside the border where the input was padded."""
    mode = "zeros" if spec.padding_mode == "replicate" else "replicate"
    return as_if(spec, op, a, padding_mode=mode)


@mutant("wgrad", defect="indexing", needs=("2d", "unequal-kernel"), thread="Maratyszcza/NNPACK#15")
def wgrad_of_a_square_kernel(spec, op, a):
    """Stores the gradient of M by N taps as N by M."""
    dw = right(spec, op, a)
    return np.ascontiguousarray(dw.swapaxes(-1, -2)).reshape(dw.shape)


@mutant("wgrad", defect="indexing", needs=("3d", "pointwise"), thread="ROCm/MIOpen#942")
def pointwise_wgrad_of_a_plane(spec, op, a):
    """The weight gradient of 1x1x1 kernels sums the first plane of a volume only."""
    return right(spec, op, {**a, "gy": without(a["gy"], -3, slice(1, None))})


@mutant("wgrad", defect="contract", needs=("empty-batch",), thread="FluxML/NNlib.jl#763")
def wgrad_of_no_image_unwritten(spec, op, a):
    """Returns before the weight gradient is written where there is no image."""
    return np.full_like(right(spec, op, a), np.nan)


@mutant("wgrad", defect="indexing", needs=("large-kernel",), thread="theFoxofSky/ddfnet#33")
def wgrad_of_seven_taps(spec, op, a):
    """Has room for seven taps on an axis: the gradient of those beyond stays zero."""
    dw = right(spec, op, a)
    for axis in range(2, dw.ndim):
        dw = without(dw, axis, slice(7, None))
    return dw


# --- of the bias ------------------------------------------------------------------------------
@mutant("bgrad", defect="indexing", needs=("images",), thread="mlpack/mlpack#3679", like="wgrad-of-the-first-image")
def bgrad_of_the_last_image(spec, op, a):
    """Overwrites the bias gradient with each image where it should add."""
    return right(spec, op, {**a, "gy": without(a["gy"], 0, slice(-1))})


@mutant("bgrad", defect="indexing", needs=("2d",), thread="nntrainer/nntrainer#1202")
def bgrad_of_the_first_row(spec, op, a):
    """Sums over the width only."""
    return right(spec, op, {**a, "gy": without(a["gy"], -2, slice(1, None))})


@mutant("bgrad", defect="indexing", needs=("unbatched", "several-outputs"), thread="pytorch/pytorch#80891")
def bgrad_takes_channels_for_images(spec, op, a):
    """Sums an unbatched gradient over its first axis, which is that of the channels."""
    total = a["gy"].sum(axis=(0, *range(2, a["gy"].ndim)))
    return fitted(total, spec.b_shape)


@mutant("bgrad", defect="indexing", needs=("3d",), thread="deeplearning4j/deeplearning4j#8280")
def bgrad_of_the_first_plane(spec, op, a):
    """Sums over two spatial axes where there are three."""
    return right(spec, op, {**a, "gy": without(a["gy"], -3, slice(1, None))})
