"""The one owner of compilation on the GPU: Triton itself, the options of its kernels, and how 64-bit numbers get into them.

With ``TRITON_INTERPRET=1`` in the environment before the first import, the same kernels run in NumPy on tensors of the CPU, so
that they can be tested without a GPU.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
import triton
import triton.language as tl
from triton import OutOfResources
from triton.runtime.cache import get_cache_manager

__all__ = [
    "INTERPRETED",
    "OutOfResources",
    "ceil_div",
    "double",
    "double_bits",
    "get_cache_manager",
    "jit",
    "key_bits",
    "on_device_of",
    "tl",
    "triton",
]


def jit(function: Callable[..., Any] | None = None, *, varying: tuple[str, ...] = (), fusion: bool = True) -> Any:
    """Mark a kernel, or a device function that kernels call.

    Parameters
    ----------
    function : callable
        The function, when used as a bare decorator.
    varying : tuple of str
        Integer parameters whose values differ from launch to launch, such as the number of the first walk. Triton would
        compile a kernel for values that are 1, one for multiples of 16 and one for each width; named here and annotated as
        ``tl.int64`` they take one kernel for all.
    fusion : bool
        Let a product and a sum be rounded once, together. Triton's own default depends on its version.
    """

    def decorate(f: Callable[..., Any]) -> Any:
        kernel = triton.jit(f, do_not_specialize=list(varying))
        kernel.run = partial(kernel.run, enable_fp_fusion=fusion)
        return kernel

    return decorate(function) if function is not None else decorate


@jit
def _probe():
    pass


INTERPRETED = not isinstance(_probe, triton.JITFunction)
"""Whether kernels run in the interpreter, on the CPU."""


def key_bits(key: int) -> int:
    """Return a key (uint64) as the int64 of the same bits: what a kernel takes as ``tl.int64`` and casts to ``tl.uint64``."""
    key = int(key)
    return key - (1 << 64) if key >> 63 else key


def double_bits(value: float) -> int:
    """Return the bits of a float64 as an int64, for :func:`double`; as plain floats numbers arrive in float32."""
    (bits,) = struct.unpack("<q", struct.pack("<d", value))
    return int(bits)


@jit
def double(bits):
    """Return the float64 of :func:`double_bits`, within a kernel; the interpreter has small integers in 32 bits."""
    return tl.cast(bits, tl.int64).to(tl.float64, bitcast=True)


def ceil_div(count: int, size: int) -> int:
    """Return how many pieces of `size` cover `count`."""
    return -(-count // size)


def on_device_of(tensor: Any) -> AbstractContextManager[Any]:
    """Return a context in which kernels are launched on the device of a tensor, whatever the current one is."""
    if (
        not tensor.is_cuda or torch.cuda.current_device() == tensor.device.index
    ):  # to change it to itself takes as long as a launch
        return nullcontext()
    return torch.cuda.device(tensor.device)
