"""Calls of the kernels of the GPU with NumPy arrays.

The arrays are copied to the device, or to other memory of the CPU where the kernels are interpreted, and back after the call.
What is copied is the whole memory that an array is a view of: so arrays that share memory share it there too, and what a kernel
writes beside its array is found by whoever looks at the memory.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import numpy as np

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
_ALIGNMENT = 256  # of the memory of the device; an array keeps its place modulo this
_SIGNED = {"uint16": "int16", "uint32": "int32", "uint64": "int64"}  # which torch has no arithmetic for


def missing():
    """Return why the kernels of the GPU cannot run here, or nothing if they can."""
    for library in ("torch", "triton"):
        if find_spec(library) is None:
            return f"{library} is not installed"
    if not INTERPRETED and not on_card():
        return "there is no GPU, and TRITON_INTERPRET is not 1"
    return ""


@cache
def on_card():
    """Tell whether kernels run on a GPU: there is one, and they are not interpreted."""
    import torch

    return not INTERPRETED and torch.cuda.is_available()


def device():
    """Return the device of the tensors that kernels take here."""
    return "cuda" if on_card() else "cpu"


def _bounds(array):
    """Return the first address of the memory that an array is a view of, and the one behind the last."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    low = high = array.ctypes.data
    for size, stride in zip(array.shape, array.strides, strict=True):
        low, high = low + min(0, stride * (size - 1)), high + max(0, stride * (size - 1))
    return (low, high + array.itemsize) if array.size else (low, low)


class _Memory:
    """A piece of memory of NumPy and its copy on the device."""

    def __init__(self, low, high):
        import torch

        self.low, self.high, self.writable = low, high, False
        self.skip = low % _ALIGNMENT
        self.before = self._bytes().copy()
        room = torch.zeros(self.skip + high - low + _ALIGNMENT, dtype=torch.uint8, device=device())
        self.skip += -room.data_ptr() % _ALIGNMENT
        self.copy = room[self.skip : self.skip + high - low]
        self.copy.copy_(torch.from_numpy(self.before))

    def _bytes(self):
        if self.high == self.low:
            return np.empty(0, np.uint8)
        return np.ctypeslib.as_array((ctypes.c_uint8 * (self.high - self.low)).from_address(self.low))

    def tensor(self, array):
        """Return the tensor that stands for an array in this memory."""
        import torch

        self.writable |= array.flags.writeable
        kind = getattr(torch, _SIGNED.get(array.dtype.name, array.dtype.name))
        start = self.copy.storage_offset() + array.ctypes.data - self.low
        assert start % array.itemsize == 0 and all(s >= 0 and s % array.itemsize == 0 for s in array.strides), (
            "torch takes no such array"
        )
        strides = [s // array.itemsize for s in array.strides]
        whole = torch.empty(0, dtype=kind, device=self.copy.device)
        return whole.set_(self.copy.untyped_storage(), start // array.itemsize, array.shape, strides)

    def give_back(self):
        """Copy the device's bytes to where they came from."""
        after = self.copy.cpu().numpy()
        if self.writable:
            self._bytes()[:] = after
        else:
            assert np.array_equal(after, self.before), "a kernel wrote to an array that is read-only"


def _to_numpy(value):
    """Return results as NumPy has them; one number without dimensions, so that it can be an int."""
    if isinstance(value, tuple):
        return tuple(map(_to_numpy, value))
    if not hasattr(value, "data_ptr"):
        return value
    array = value.cpu().numpy()
    return array.reshape(()) if array.size == 1 else array


def on_device(function, *arguments: Any, **options: Any):
    """Call a function of tensors with arrays, NumPy numbers, and whatever else is passed on as it is."""
    arrays = [a for a in [*arguments, *options.values()] if isinstance(a, np.ndarray)]
    memories: list[_Memory] = []
    bounds: list[list[int]] = []
    for low, high in sorted(map(_bounds, arrays)):
        if bounds and low < bounds[-1][1]:
            bounds[-1][1] = max(bounds[-1][1], high)
        else:
            bounds.append([low, high])
    memories = [_Memory(low, high) for low, high in bounds]

    def convert(value):
        if isinstance(value, np.ndarray):
            low, high = _bounds(value)
            return next(m for m in memories if m.low <= low and high <= m.high).tensor(value)
        return value.item() if isinstance(value, np.generic) else value

    try:
        result = function(*map(convert, arguments), **{name: convert(value) for name, value in options.items()})
        return _to_numpy(result)
    finally:
        for memory in memories:
            memory.give_back()


def load(name):
    """Return a module of kernels whose functions take arrays; what is not a function stays what it is."""
    if name.endswith(".rng"):
        return import_module("gpu_rng")
    module = import_module(name)
    wrapped = {
        key: (lambda *a, _f=value, **o: on_device(_f, *a, **o)) if callable(value) else value
        for key, value in vars(module).items()
        if not key.startswith("_")
    }
    return SimpleNamespace(**wrapped)
