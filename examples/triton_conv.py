"""A convolution as an implicit matrix product in Triton, and the same with a slip in it.

It runs on the GPU; where there is none, in Triton's interpreter, slowly and without one.

convlaws check examples/triton_conv.py:conv2d
convlaws check examples/triton_conv.py:conv2d_with_a_slip
python examples/triton_conv.py
"""

import os

import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu":
    os.environ.setdefault("TRITON_INTERPRET", "1")  # read when a kernel is decorated

import triton  # noqa: E402
import triton.language as tl  # noqa: E402

import convlaws  # noqa: E402


@triton.jit
def _implicit_gemm(
    y, x, w, pixels, groups, channels, filters, height, width, rows, columns, out_height, out_width,
    stride_y, stride_x, padding_y, padding_x, dilation_y, dilation_x,
    SUM: tl.constexpr, MASKS_THE_TAIL: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """BLOCK pixels of y, of all images, times BLOCK filters of one group, summed over BLOCK taps at a time."""
    group = tl.program_id(2)
    pixel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    k = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    image, i, j = pixel // (out_height * out_width), pixel // out_width % out_height, pixel % out_width
    sums = tl.zeros((BLOCK, BLOCK), SUM)
    taps = channels * rows * columns
    for start in range(0, taps, BLOCK):
        tap = start + tl.arange(0, BLOCK)
        c, r, s = tap // (rows * columns), tap // columns % rows, tap % columns
        row = (i * stride_y - padding_y)[:, None] + (r * dilation_y)[None, :]
        column = (j * stride_x - padding_x)[:, None] + (s * dilation_x)[None, :]
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width) & (pixel < pixels)[:, None]
        there = (k < filters)[None, :]
        if MASKS_THE_TAIL:
            inside &= (tap < taps)[None, :]
            there = there & (tap < taps)[:, None]
        plane = ((image * groups + group) * channels)[:, None] + c[None, :]
        a = tl.load(x + (plane * height + row) * width + column, mask=inside, other=0.0)
        b = tl.load(w + (group * filters + k)[None, :] * taps + tap[:, None], mask=there, other=0.0)
        sums = tl.dot(a, b, sums, input_precision="ieee", out_dtype=SUM)
    plane = ((image * groups + group) * filters)[:, None] + k[None, :]
    at = (plane * out_height + i[:, None]) * out_width + j[:, None]
    tl.store(y + at, sums, mask=(pixel < pixels)[:, None] & (k < filters)[None, :])


def _run(x, w, b, stride, padding, dilation, groups, masks_the_tail):
    axes = zip(x.shape[2:], w.shape[2:], stride, padding, dilation, strict=True)
    extent = [(n + 2 * p - d * (r - 1) - 1) // s + 1 for n, r, s, p, d in axes]
    x, w = x.contiguous().to(DEVICE), w.contiguous().to(DEVICE)
    wide = torch.promote_types(x.dtype, torch.float32)  # half types are summed in float32, rounded once
    y = torch.empty(len(x), len(w), *extent, dtype=wide, device=DEVICE)
    pixels, filters, block = len(x) * extent[0] * extent[1], len(w) // groups, 32
    if y.numel():
        _implicit_gemm[triton.cdiv(pixels, block), triton.cdiv(filters, block), groups](
            y, x, w, pixels, groups, w.shape[1], filters, *x.shape[2:], *w.shape[2:], *extent,
            *stride, *padding, *dilation, tl.float64 if wide == torch.float64 else tl.float32, masks_the_tail, block,
        )  # fmt: skip
    y = y if b is None else y + b.to(y)[:, None, None]
    return y.to(x.dtype)


# the interpreter's tl.dot multiplies the bits of bfloat16 operands as integers: github.com/triton-lang/triton/issues/11584
HALF = {"cuda": ("float16", "bfloat16"), "cpu": ("float16",)}[DEVICE]
DOES = convlaws.declares(
    signature="conv2d",
    scope=convlaws.Scope(
        ops=("fprop",),
        dtypes=("float64", "float32", *HALF),
        batch=("empty", "one", "many"),
        padding=("none", "even"),
        macs=100_000 if DEVICE == "cuda" else 2_000,
    ),
    contract=dict.fromkeys(HALF, "tensor-core") if DEVICE == "cuda" else "plain",
)


@DOES
def conv2d(input, weight, bias, stride, padding, dilation, groups):
    return _run(input, weight, bias, stride, padding, dilation, groups, masks_the_tail=True)


@DOES
def conv2d_with_a_slip(input, weight, bias, stride, padding, dilation, groups):
    return _run(input, weight, bias, stride, padding, dilation, groups, masks_the_tail=False)


if __name__ == "__main__":
    from torch.utils.benchmark import Timer

    n, c, size = (8, 64, 56) if DEVICE == "cuda" else (1, 16, 14)  # the interpreter's time says nothing of the kernel's
    x, w = torch.randn(n, c, size, size, device=DEVICE), torch.randn(c, c, 3, 3, device=DEVICE)
    rest = (None, (1, 1), (1, 1), (1, 1), 1)
    for name, f in (("triton", conv2d), ("torch", torch.conv2d)):
        timer = Timer("f(x, w, *rest)", globals={"f": f, "x": x, "w": w, "rest": rest})
        print(f"{name:6} on {DEVICE}  {timer.blocked_autorange(min_run_time=1).median * 1e3:8.2f} ms")
