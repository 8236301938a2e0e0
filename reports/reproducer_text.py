"""The templates that `reproducer` fills in to make a script."""

PRELUDE = '''
"""$law does not hold for this problem, or did not when convlaws wrote this script:

$message

$problem
"""

import base64, importlib, os, runpy, sys, zlib
from types import SimpleNamespace

import numpy as np
import torch

torch.set_num_threads(1)
dtype = torch.$dtype

$readers
$lay_out
'''

NUMBERS = """
def numbers(shape, text):
    return np.array([float(v) for v in text.split()]).reshape(shape)

"""

BITS = """
def packed(shape, text):
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), np.float64).reshape(shape)

"""

LAY_OUT = '''
def as_tensor(values, there):
    """The tensor with these strides and offset, in memory that is NaN elsewhere."""
    strides, offset, elements = there
    memory = torch.full((elements,), float("nan"), dtype=dtype)
    tensor = torch.as_strided(memory, values.shape, strides, offset)
    once = tuple(slice(0, 1) if s == 0 else slice(None) for s in strides)
    tensor[once].copy_(torch.from_numpy(values[once].copy()))
    return tensor


def as_array(values, there):
    """The same for NumPy; bfloat16 as ml_dtypes has it."""
    if dtype != torch.bfloat16:
        return as_tensor(values, there).numpy()
    import ml_dtypes

    return as_tensor(values, there).view(torch.uint16).numpy().view(ml_dtypes.bfloat16)
'''

CALLS = {
    "functional": """
# what is under test
torch.backends.mkldnn.enabled = $onednn


def convolve(input, weight, bias):
    return torch.nn.functional.$function(input, weight, bias, $arguments)


$operands
$derived
returned, got = got.dtype, got.detach().double().numpy()
""",
    "module": """
# what is under test
layer = torch.nn.$layer($channels, $keywords, device="meta")


def convolve(input, weight, bias):
    weights = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    return torch.func.functional_call(layer, weights, (input,))


$operands
$derived
returned, got = got.dtype, got.detach().double().numpy()
""",
    "torch": """
# what is under test
$load


def convolve(input, weight, bias):
    return module["$name"](input, weight, bias, $arguments)


$operands
$derived
returned, got = got.dtype, got.detach().double().numpy()
""",
    "numpy": """
# what is under test
$load
$operands
got = np.asarray(module["$name"](input, weight, bias, $arguments))
returned, got = got.dtype.name, got.astype(np.float64)
""",
    "ours": """
# what is under test: a method of convlaws itself, so that it has to be imported
from convlaws.engines import host
from convlaws.methods.base import bits_to_array

arrays = $roles
arrays = {role: a.view(np.uint16) if a.dtype.name == "bfloat16" else a for role, a in arrays.items()}
call = SimpleNamespace(spec="$spec", op="$op", dtype="$dtype", arrays=arrays)
got = bits_to_array(*host.open_target($target)(call))
returned, got = got.dtype.name, got.astype(np.float64)
""",
}

# the same sum over positions, channels and taps, solved for each of its arrays
UPDATES = {
    "wide": "wide[(slice(None), columns, *i)] += narrow[(slice(None), rows, *o)] @ w[(rows, slice(None), *t)]",
    "narrow": "narrow[(slice(None), rows, *o)] += wide[(slice(None), columns, *i)] @ w[(rows, slice(None), *t)].T",
    "weight": "w[(rows, slice(None), *t)] += narrow[(slice(None), rows, *o)].T @ wide[(slice(None), columns, *i)]",
}

DEFINITION = '''
# the definition: narrow[n, k, o] w[k, c, t] wide[n, c, (o stride + t dilation - low) / between], summed over what the
# result lacks; zeros stand where wide has no such place
def exact(values):
    return values.astype(np.$kind)


def zeros(shape):
    return np.zeros(shape, np.$kind)


def source(at, extent, between):
    """The position that a padded one copies, None for a zero."""
    if "$mode" == "circular":
        return at % extent
    if "$mode" == "replicate":
        return min(max(at, 0), extent - 1)
    if "$mode" == "reflect":
        return extent - 1 - abs(extent - 1 - abs(at))
    return at // between if 0 <= at < extent * between and at % between == 0 else None


wide, narrow, w = $wide, $narrow, $weight
if $batchless:
    wide, narrow = wide[None], narrow[None]
ndim, groups = len($kernel), $groups
for t in np.ndindex($kernel):
    for o in np.ndindex($narrow_extent):
        places = zip(o, $stride, t, $dilation, $low, $wide_extent, $between)
        i = [source(at * s + tap * d - low, n, between) for at, s, tap, d, low, n, between in places]
        if None in i:
            continue
        for g in range(groups):
            rows = slice(g * len(w) // groups, (g + 1) * len(w) // groups)
            columns = slice(g * w.shape[1], (g + 1) * w.shape[1])
            $update
result = $result
$bias
expected = result.reshape($shape)
'''

BIAS_GRADIENT = """
# the definition: a sum
expected = gy.astype(np.$kind)
expected = expected.sum(axis=tuple(a for a in range(expected.ndim) if a != $channel))
"""

JUDGE = """
# the comparison: each element may be anything in [low, high], which the numerical contract allows
if got.shape != expected.shape:
    sys.exit(f"the output's shape is {got.shape}, it should be {expected.shape}")
with np.errstate(all="ignore"):
    apart = np.where(got == expected, 0, abs(got - expected))
print("got     ", got.ravel()[:20])
print("expected", expected.ravel()[:20])
print("largest difference", apart.max(initial=0))
if str(returned).removeprefix("torch.") != str(dtype).removeprefix("torch."):
    sys.exit(f"the output's dtype is {returned}, it should be {dtype}")
if low is None:
    sys.exit(0)
with np.errstate(all="ignore"):
    fine = (low <= got) & (got <= high)
if nan is not None:  # 0: NaN is wrong, 1: it may be, 2: it must be
    fine = np.where(np.isnan(got), nan >= 1, fine & (nan < 2))
if free is not None:
    fine = fine | (free != 0)
print(f"{(~fine).sum()} of {fine.size} elements are outside of what is allowed")
for index in np.argwhere(~fine)[:10]:
    at = tuple(index.tolist())
    print(f"  {at}: got {got[at]!r}, allowed {low[at]!r} to {high[at]!r}")
sys.exit(0 if fine.all() else 1)
"""
