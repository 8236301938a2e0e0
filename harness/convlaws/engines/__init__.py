"""Other people's libraries, each in a process of its own, and the host that runs them there."""

# by kind; append new modules at the end: the order is that of the table, which seeds depend on
MODULES = {
    "engine": (
        "torch_cpu",
        "scipy_signal",
        "jax_cpu",
        "onnxruntime_cpu",
        "onnx_reference",
        "openvino_cpu",
        "opencv_dnn",
        "ncnn_cpu",
        "mlx_cpu",
        "mnn_cpu",
        "tensorflow_cpu",
    ),
    "compiled": ("torch_compiled", "iree_cpu", "tvm_cpu"),
    "cuda": ("torch_cuda",),
    "cudnn": ("cudnn_plans",),
}
