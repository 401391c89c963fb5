"""Triton kernels: tensors in, tensors out, launched on the current stream without waiting for them."""
