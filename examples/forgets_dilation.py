"""A convolution with a bug: in a strided one, the dilation is forgotten.

convlaws finds the smallest problem that shows it.

convlaws check examples/forgets_dilation.py:conv2d
"""

import torch


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    wide = torch.promote_types(input.dtype, torch.float32)  # half types are summed in float32, rounded once
    reach = [d * (r - 1) for d, r in zip(dilation, weight.shape[2:], strict=True)]
    grow = {"same": reach, "valid": [0, 0]}[padding] if isinstance(padding, str) else [2 * p for p in padding]
    sides = [n for g in reversed(grow) for n in (g // 2, g - g // 2)]
    x = torch.nn.functional.pad(input.to(wide), sides).unflatten(-3, (groups, -1))
    w = weight.to(wide).unflatten(0, (groups, -1))
    rows, columns = (n - k for n, k in zip(x.shape[-2:], reach, strict=True))
    apart = (1, 1) if max(stride) > 1 else dilation  # the bug
    y = 0
    for i in range(weight.shape[2]):
        for j in range(weight.shape[3]):
            at = x[..., i * apart[0] :, j * apart[1] :][..., : rows : stride[0], : columns : stride[1]]
            y = y + torch.einsum("...gchw,gkc->...gkhw", at, w[..., i, j])
    y = y.flatten(-4, -3)
    return (y if bias is None else y + bias.to(wide)[:, None, None]).to(input.dtype)
