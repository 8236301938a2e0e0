"""Our own formulations of a convolution: three linear maps each."""

# add a new module at the end: the order is that of the table, on which seeds depend
MODULES = {
    "method": ("loop", "unfold", "toeplitz", "sparse", "transposed", "fft", "circulant", "winograd"),
}
