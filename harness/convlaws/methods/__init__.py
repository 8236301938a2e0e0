"""Our own formulations of a convolution: three linear maps each."""

# a new module is a row here; the order is that of the table, which seeds depend on, so it goes to the end
MODULES = {
    "method": ("loop", "unfold", "toeplitz", "sparse", "transposed", "fft", "circulant", "winograd"),
}
