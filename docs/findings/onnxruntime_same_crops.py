"""ONNX Runtime's Conv with auto_pad SAME_UPPER pads by a negative number where the stride skips the end of the input.

One tap with a stride of 4 on four numbers has one result, of the first number: TensorFlow, XLA, OpenVINO and ONNX's own
reference say so. ONNX Runtime (seen in 1.31.1) takes -3 for the padding, -1 of it in front, and reads the second.
Upstream: microsoft/onnxruntime#10086.
"""

import sys

import numpy as np

try:
    import onnx
    import onnxruntime
except ImportError as missing:
    print(f"cannot be run: {missing}")
    sys.exit(77)

FLOAT = onnx.TensorProto.FLOAT
node = onnx.helper.make_node("Conv", ["x", "w"], ["y"], auto_pad="SAME_UPPER", strides=[1, 4])
w = onnx.helper.make_tensor("w", FLOAT, (1, 1, 1, 1), [1.0])
sides = [onnx.helper.make_tensor_value_info(name, FLOAT, (1, 1, 1, n)) for name, n in (("x", 4), ("y", 1))]
graph = onnx.helper.make_graph([node], "conv", sides[:1], sides[1:], [w])
model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
(y,) = session.run(None, {"x": np.arange(4, dtype=np.float32).reshape(1, 1, 1, 4)})

print(f"onnxruntime {onnxruntime.__version__}: of 0, 1, 2, 3 the result is {y.ravel().tolist()}")
print("it should be [0.0]")
sys.exit(int(y.ravel().tolist() != [0.0]))
