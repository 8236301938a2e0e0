"""ONNX models as bytes: the few protobuf messages that a graph of one node needs.

Written here instead of by the onnx package: an engine's environment may lack it, its
newest release writes models that old engines refuse to load, and this takes microseconds.

References:
    onnx.proto of ONNX for the numbers of the fields; protobuf.dev, "Encoding", for the bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

ELEMENTS = {"float32": 1, "int64": 7, "float16": 10, "float64": 11, "bfloat16": 16}
Attribute = int | str | tuple[int, ...]


class Value(NamedTuple):
    """A named input or output of a graph: `dtype` is one of ELEMENTS."""

    name: str
    dtype: str
    shape: tuple[int, ...]


# --- protobuf ------------------------------------------------------------------------
def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # a negative int64 is encoded as the ten bytes of its two's complement
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*encoded, value))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    body = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(body)) + body


# --- ONNX's messages -------------------------------------------------------------------
def _attribute(name: str, value: Attribute) -> bytes:
    """AttributeProto: name 1, i 3, s 4, ints 8, type 20 (INT 2, STRING 3, INTS 7)."""
    if isinstance(value, int):
        body, kind = _number(3, value), 2
    elif isinstance(value, str):
        body, kind = _bytes(4, value), 3
    else:
        body, kind = b"".join(_number(8, v) for v in value), 7
    return _bytes(1, name) + body + _number(20, kind)


def _tensor(name: str, array: np.ndarray) -> bytes:
    """TensorProto: dims 1, data_type 2, name 8, raw_data 9."""
    dims = b"".join(_number(1, n) for n in array.shape)
    return dims + _number(2, ELEMENTS[array.dtype.name]) + _bytes(8, name) + _bytes(9, array.tobytes())


def _value(value: Value) -> bytes:
    """ValueInfoProto: name 1, type 2 (tensor_type 1 (elem_type 1, shape 2 (dim 1 (dim_value 1))))."""
    dims = b"".join(_bytes(1, _number(1, n)) for n in value.shape)
    return _bytes(1, value.name) + _bytes(2, _bytes(1, _number(1, ELEMENTS[value.dtype]) + _bytes(2, dims)))


def _node(operator: str, inputs: Sequence[str], output: str, attributes: Mapping[str, Attribute]) -> bytes:
    """NodeProto: input 1, output 2, name 3, op_type 4, attribute 5."""
    read = b"".join(_bytes(1, name) for name in inputs)
    given = b"".join(_bytes(5, _attribute(name, value)) for name, value in attributes.items())
    return read + _bytes(2, output) + _bytes(3, operator) + _bytes(4, operator) + given


def one_node(
    operator: str,
    inputs: Sequence[Value],
    output: Value,
    attributes: Mapping[str, Attribute],
    *,
    held: Mapping[str, np.ndarray],
    release: tuple[int, int],
) -> bytes:
    """A ModelProto whose graph is one node.

    `held` are the inputs that are initializers; the others are inputs of the graph. `release` is (IR version, opset).
    """
    ir, opset = release
    graph = [_bytes(1, _node(operator, [v.name for v in inputs], output.name, attributes)), _bytes(2, "convolution")]
    graph += [_bytes(5, _tensor(name, array)) for name, array in held.items()]
    graph += [_bytes(11, _value(v)) for v in inputs if v.name not in held]
    graph += [_bytes(12, _value(output))]
    return _number(1, ir) + _bytes(2, "convlaws") + _bytes(7, b"".join(graph)) + _bytes(8, _number(2, opset))
