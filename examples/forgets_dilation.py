"""A convolution with a bug: in a strided one, the dilation is forgotten.

convlaws finds the smallest problem that shows it.

convlaws check examples/forgets_dilation.py:conv2d
"""

from torch.nn import functional as F


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    if max(stride) > 1 and max(dilation) > 1:
        wanted = F.conv2d(input, weight, bias, stride, padding, dilation, groups)
        y = F.conv2d(input, weight, bias, stride, padding, 1, groups)
        return y[..., : wanted.shape[-2], : wanted.shape[-1]]
    return F.conv2d(input, weight, bias, stride, padding, dilation, groups)
