"""GPU arrays for one call, each between guard bytes that read as NaN and must not be written."""

from __future__ import annotations

from typing import Any

POISON = 0xFF  # the value of every byte: NaN in float16, bfloat16, float32 and float64
GUARD = 512  # bytes before and after the tensor; a multiple of CUDA's alignment of allocations
LINE = 64  # bytes; the sandbox aligns its buffers to a multiple


class Guarded:
    """A tensor in its own memory between two guards; all of it is POISON until it is written.

    `start` (bytes, a multiple of the dtype's size) offsets it from the alignment of the allocation.
    """

    def __init__(self, shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any, device: str, start: int = 0):
        import torch

        size = _reach(shape, strides) * dtype.itemsize
        self.first, self.last = GUARD + start, GUARD + start + size
        self.memory = torch.full((self.last + GUARD,), POISON, dtype=torch.uint8, device=device)
        self.tensor = torch.as_strided(self.memory[self.first : self.last].view(dtype), shape, strides)

    @classmethod
    def copied(cls, tensor: Any, device: str, *, aligned: bool = False) -> Guarded:
        """A copy with the same strides, misaligned like the original or `aligned`; elements that share memory still share it."""
        import torch

        copy = cls(tuple(tensor.shape), tensor.stride(), tensor.dtype, device, 0 if aligned else tensor.data_ptr() % LINE)
        reach = _reach(tensor.shape, tensor.stride())
        flat = torch.as_strided(tensor, (reach,), (1,))
        copy.memory[copy.first : copy.last].view(tensor.dtype).copy_(flat)
        return copy

    def guards(self) -> tuple[Any, Any]:
        """The bytes before and after the tensor."""
        return self.memory[: self.first], self.memory[self.last :]

    def written_around(self) -> bool:
        """True if a byte of the guards is no longer POISON."""
        return any(bool((guard != POISON).any()) for guard in self.guards())


class Operands:
    """The operands of one call on the device; `tensors` by role."""

    def __init__(self, tensors: dict[str, Any], device: str, *, aligned: bool = False):
        self.held = {role: Guarded.copied(tensor, device, aligned=aligned) for role, tensor in tensors.items()}
        self.before = {role: guarded.memory.clone() for role, guarded in self.held.items()}
        self.tensors = {role: guarded.tensor for role, guarded in self.held.items()}

    def reject_if_touched(self) -> None:
        """Raise RuntimeError if the call wrote into an operand or around it, which the host's copies cannot show."""
        import torch

        touched = [role for role, was in self.before.items() if not torch.equal(self.held[role].memory, was)]
        if touched:
            raise RuntimeError(f"the call wrote into the device's memory of operand {', '.join(touched)}, or next to it")


def _reach(shape: tuple[int, ...], strides: tuple[int, ...]) -> int:
    """Number of elements from the first to the last one, gaps included."""
    return 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) if all(shape) else 0
