"""The question: one convolution as one line of text. Knows NumPy, and nothing else of ours."""
