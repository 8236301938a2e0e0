"""Mutants that write where they should not, return what is not theirs, or remember what they should forget."""

from __future__ import annotations

import numpy as np

from convlaws.mutants.operands import threads
from convlaws.mutants.pieces import pieces, storage
from convlaws.mutants.registry import STATE, mutant, right
from convlaws.problem.problem import shape_of
from convlaws.problem.spec import ConvSpec


# --- operands -------------------------------------------------------------------------------
@mutant("fprop", defect="memory", thread="NX-AI/xlstm#82")
def writes_into_the_input(spec, op, a):
    """Rectifies its input in place after use."""
    y = right(spec, op, a)
    np.maximum(a["x"], a["x"].dtype.type(0), out=a["x"])
    return y


@mutant("dgrad", defect="memory", thread="itskonrad/miniMNIST-c#7", like="writes-into-the-input")
def flips_the_kernel_in_place(spec, op, a):
    """Flips the kernel in place for the input gradient, and leaves it so."""
    x = right(spec, op, a)
    a["w"][...] = np.flip(a["w"], tuple(range(2, 2 + spec.ndim))).copy()
    return x


@mutant("wgrad", defect="memory", thread="NVIDIA/apex#1430", needs=("images",), like="writes-into-the-input")
def scales_the_gradient_in_place(spec, op, a):
    """Divides the output gradient by the number of images in place, and multiplies at the end."""
    w = right(spec, op, a)
    a["gy"][...] = (a["gy"].astype(np.float64) / spec.images).astype(a["gy"].dtype)
    return w


@mutant("bgrad", defect="memory", thread="data-apis/array-api#921", needs=("one-place",))
def gradient_is_a_view(spec, op, a):
    """Reshapes the output gradient where there is nothing to add up, and copies nothing."""
    return a["gy"].reshape(-1)


@mutant("fprop", defect="memory", thread="openvinotoolkit/openvino#34442", needs=("same-sizes",))
def works_in_place(spec, op, a):
    """Writes the output over an input of the same shape."""
    a["x"][...] = right(spec, op, a)
    return a["x"]


# --- the output ---------------------------------------------------------------------------------
@mutant("fprop", defect="memory", thread="pykeio/ort#454", needs=("earlier-call",))
def returns_its_buffer(spec, op, a):
    """Returns the same buffer for each call of a size."""
    return _reused("buffer", right(spec, op, a))


@mutant("dgrad", "wgrad", defect="memory", thread="soumith/cudnn.torch#155", needs=("earlier-call",), like="returns-its-buffer")
def returns_its_gradient_buffer(spec, op, a):
    """Returns the same buffer for the gradients of each call of a size."""
    return _reused("gradients", right(spec, op, a))


def _reused(name, y):
    buffer = STATE.setdefault(f"{name} {y.shape} {y.dtype}", np.empty_like(y))
    buffer[...] = y
    return buffer


# --- caches ----------------------------------------------------------------------------------------
@mutant("fprop", defect="memory", thread="tensorflow/tensorflow#56150", needs=("earlier-call",))
def stale_cache(spec, op, a):
    """Caches the weights by shape."""
    key = f"cache {a['w'].shape} {a['w'].dtype}"
    return right(spec, op, {**a, "w": STATE.setdefault(key, a["w"].copy())})


@mutant("fprop", "dgrad", defect="memory", thread="uxlfoundation/oneDNN#1113", needs=("earlier-call",), like="stale-cache")
def cache_by_address(spec, op, a):
    """Caches the packed weights by their address and size, whatever is written there later."""
    key = f"packed {a['w'].ctypes.data} {a['w'].shape} {a['w'].dtype}"
    return right(spec, op, {**a, "w": STATE.setdefault(key, a["w"].copy())})


@mutant("fprop", defect="memory", thread="Theano/Theano#6354", needs=("same-sizes-before",))
def plan_cached_without_the_type(spec, op, a):
    """Keeps for each size the type that it was first computed in."""
    plan = STATE.setdefault(f"type of {spec}", storage(a))
    with np.errstate(all="ignore"):
        return right(spec, op, {r: v.astype(plan) for r, v in a.items()}).astype(storage(a))


@mutant("fprop", "dgrad", "wgrad", defect="memory", thread="PaddlePaddle/Paddle#41891", needs=("same-sizes-before", "grouped"))
def plan_cached_without_the_geometry(spec, op, a):
    """Keeps the plan of a call by the shapes of its operands, which say nothing of stride, padding and dilation."""
    key = f"plan {op} {sorted((r, v.shape) for r, v in a.items())} {spec.transposed}"
    plan = ConvSpec.parse(STATE.setdefault(key, str(spec)))
    same = all(shape_of(plan, r) == shape_of(spec, r) for r in ("x", "w", "y"))
    return right(plan if same else spec, op, a)


# --- what ran before ----------------------------------------------------------------------------------
@mutant("wgrad", defect="memory", thread="autumnai/leaf#90", needs=("earlier-call",))
def adds_to_the_last_gradient(spec, op, a):
    """Adds the weight gradient to what the buffer of that size holds from the call before."""
    w = right(spec, op, a)
    before = STATE.get(f"sum {w.shape} {w.dtype}", np.zeros_like(w))
    STATE[f"sum {w.shape} {w.dtype}"] = w
    with np.errstate(all="ignore"):
        return (w + before).astype(w.dtype)


@mutant("fprop", defect="memory", thread="OpenMathLib/OpenBLAS#746", needs=("earlier-call", "width-tail-4"))
def workspace_of_a_larger_call(spec, op, a):
    """Leaves in the tail of its workspace what a larger call wrote there, and adds it up."""
    y = right(spec, op, a)
    left = STATE.get("workspace", np.zeros(0))
    STATE["workspace"] = np.concatenate([y.astype(np.float64).ravel(), left[y.size :]])
    with np.errstate(all="ignore"):
        return (y + left[y.size :][:1].sum()).astype(y.dtype)


@mutant("fprop", defect="memory", thread="pytorch/pytorch#49268", needs=("earlier-call",))
def random_last_bit(spec, op, a):
    """Adds its channels in an order that differs from call to call."""
    STATE["calls"] = int(STATE.get("calls", 0)) + 1
    y = right(spec, op, a)
    return np.nextafter(y, np.inf).astype(y.dtype) if STATE["calls"] % 2 and y.dtype.itemsize > 2 else y


@mutant("wgrad", defect="memory", thread="soumith/cudnn.torch#274", needs=("earlier-call", "float32"), like="random-last-bit")
def atomic_additions(spec, op, a):
    """Adds the parts of the weight gradient in the order in which they are ready."""
    STATE["turn"] = -int(STATE.get("turn", -1))
    parts = pieces(spec, op, a, 3)[:: STATE["turn"]]
    with np.errstate(all="ignore"):
        return np.sum(parts, axis=0, dtype=np.float32)


# --- threads ---------------------------------------------------------------------------------------------
@mutant("fprop", "dgrad", defect="memory", thread="google/XNNPACK#883", needs=("threads", "images"), can=("threads",))
def images_left_over_by_threads(spec, op, a):
    """Gives each thread as many images, and leaves over what does not divide."""
    y = right(spec, op, a)
    y[len(y) // threads() * threads() :] = 0
    return y


@mutant("fprop", defect="memory", thread="FluxML/NNlib.jl#158", needs=("threads",), can=("threads",))
def threads_share_a_workspace(spec, op, a):
    """Lets the last thread's channels overwrite the first thread's."""
    y = right(spec, op, a)
    channels = np.moveaxis(y, -spec.ndim - 1, 0)
    share = -(-len(channels) // threads())
    channels[:share] = channels[-share:].copy()
    return y


@mutant("wgrad", defect="memory", thread="XiaoMi/mace#217", needs=("threads", "images"), can=("threads",))
def threads_race_for_the_gradient(spec, op, a):
    """Loses what the second thread adds to the weight gradient."""
    gy = a["gy"].copy()
    gy[1 :: threads()] = 0
    return right(spec, op, {**a, "gy": gy})
