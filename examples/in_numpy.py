"""A right convolution in NumPy; it has no gradients, so only fprop is judged.

convlaws check examples/in_numpy.py:conv1d
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

import convlaws


@convlaws.declares(signature="conv1d", arrays="numpy")
def conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    wide = np.float64 if input.dtype == np.float64 else np.float32  # half types are rounded once, at the end
    reach = dilation[0] * (weight.shape[2] - 1) + 1
    grow = {"same": reach - 1, "valid": 0}[padding] if isinstance(padding, str) else 2 * padding[0]
    x = np.pad(input.astype(wide), [(0, 0)] * (input.ndim - 1) + [(grow // 2, grow - grow // 2)])
    x = x.reshape(*x.shape[:-2], groups, x.shape[-2] // groups, x.shape[-1])
    windows = sliding_window_view(x, reach, axis=-1)[..., :: stride[0], :: dilation[0]]
    w = weight.astype(wide).reshape(groups, -1, *weight.shape[1:])
    y = np.einsum("...gcor,gkcr->...gko", windows, w)
    y = y.reshape(*y.shape[:-3], len(weight), y.shape[-1])
    return (y if bias is None else y + bias.astype(wide)[:, None]).astype(input.dtype)
