"""Our own formulations of a convolution: three linear maps each."""
