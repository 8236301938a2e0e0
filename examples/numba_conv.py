"""A direct convolution in numba, over the processor's cores, and the same with a slip in it.

convlaws check examples/numba_conv.py:conv2d
convlaws check examples/numba_conv.py:conv2d_with_a_slip
python examples/numba_conv.py
"""

import numpy as np
from numba import njit, prange

import convlaws


@njit(parallel=True, cache=True)
def _fill(y, x, w, stride, padding, dilation, groups, looks_before):
    _, channels, rows, columns = w.shape
    for plane in prange(len(x) * len(w)):
        image, k = plane // len(w), plane % len(w)
        first = k // (len(w) // groups) * channels
        for c, r, s in np.ndindex(channels, rows, columns):
            for i in range(y.shape[2]):
                row = i * stride[0] - padding[0] + r * dilation[0]
                for j in range(y.shape[3]):
                    column = j * stride[1] - padding[1] + s * dilation[1]
                    before = looks_before and (row < 0 or column < 0)  # without it, -1 is the last, as in Python
                    if not before and row < x.shape[2] and column < x.shape[3]:
                        y[image, k, i, j] += x[image, first + c, row, column] * w[k, c, r, s]


def _run(x, w, b, stride, padding, dilation, groups, looks_before):
    sizes = zip(x.shape[2:], w.shape[2:], stride, padding, dilation, strict=True)
    y = np.zeros((len(x), len(w), *((n + 2 * p - d * (r - 1) - 1) // s + 1 for n, r, s, p, d in sizes)), x.dtype)
    _fill(y, np.ascontiguousarray(x), np.ascontiguousarray(w), stride, padding, dilation, groups, looks_before)
    return y if b is None else y + b[:, None, None]


DOES = convlaws.declares(
    signature="conv2d",
    arrays="numpy",
    scope=convlaws.Scope(dtypes=("float64", "float32"), batch=("empty", "one", "many"), padding=("none", "even")),
)


@DOES
def conv2d(input, weight, bias, stride, padding, dilation, groups):
    return _run(input, weight, bias, stride, padding, dilation, groups, looks_before=True)


@DOES
def conv2d_with_a_slip(input, weight, bias, stride, padding, dilation, groups):
    return _run(input, weight, bias, stride, padding, dilation, groups, looks_before=False)


if __name__ == "__main__":
    import torch
    from torch.utils.benchmark import Timer

    x, w = torch.randn(4, 64, 28, 28), torch.randn(64, 64, 3, 3)
    rest = (None, (1, 1), (1, 1), (1, 1), 1)
    for name, f, a in (("numba", conv2d, (x.numpy(), w.numpy())), ("torch", torch.conv2d, (x, w))):
        timer = Timer("f(*a, *rest)", globals={"f": f, "a": a, "rest": rest}, num_threads=torch.get_num_threads())
        print(f"{name}  {timer.blocked_autorange(min_run_time=1).median * 1e3:8.2f} ms")
