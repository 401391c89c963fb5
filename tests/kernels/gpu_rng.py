"""The random numbers of the GPU, on NumPy arrays: its device functions, each in a kernel of one instruction."""

from __future__ import annotations

import numpy as np
import torch
from gpu_calls import device

from nodeloom.kernels.gpu import rng
from nodeloom.kernels.gpu._triton import jit, tl

_BLOCK = 256


@jit
def _mix(first, second, out, count, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(first + at, mask=at < count, other=0).to(tl.uint64)
    tl.store(out + at, rng.mix(value).to(tl.int64), mask=at < count)


@jit
def _item_key(first, second, out, count, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    stream = tl.load(first + at, mask=at < count, other=0).to(tl.uint64)
    item = tl.load(second + at, mask=at < count, other=0)
    tl.store(out + at, rng.item_key(stream, item).to(tl.int64), mask=at < count)


@jit
def _draw(first, second, out, count, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    key = tl.load(first + at, mask=at < count, other=0).to(tl.uint64)
    number = tl.load(second + at, mask=at < count, other=0)
    tl.store(out + at, rng.draw(key, number).to(tl.int64), mask=at < count)


@jit
def _below(first, second, out, count, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    bits = tl.load(first + at, mask=at < count, other=0).to(tl.uint64)
    bound = tl.load(second + at, mask=at < count, other=1)
    tl.store(out + at, rng.below(bits, bound), mask=at < count)


@jit
def _below_narrow(first, second, out, count, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    bits = tl.load(first + at, mask=at < count, other=0).to(tl.uint64)
    bound = tl.load(second + at, mask=at < count, other=1).to(tl.uint32)
    tl.store(out + at, rng.below_narrow(bits, bound).to(tl.int64), mask=at < count)


@jit
def _unit(first, second, out, count, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    bits = tl.load(first + at, mask=at < count, other=0).to(tl.uint64)
    tl.store(out + at, rng.unit(bits), mask=at < count)


def _run(kernel, first, second, out_type):
    """Run a kernel on two arrays of the same shape, after broadcasting; uint64 goes there and back as int64."""
    first, second = np.broadcast_arrays(np.asarray(first, np.uint64), np.asarray(second, np.int64))
    shape = first.shape
    place = device()
    tensors = [torch.from_numpy(a.ravel().view(np.int64).copy()).to(place) for a in (first, second)]
    out = torch.full((first.size,), -1, dtype=getattr(torch, np.dtype(out_type).name), device=place)
    kernel[(-(-first.size // _BLOCK),)](*tensors, out, first.size, BLOCK=_BLOCK)
    return out.cpu().numpy().reshape(shape)


def mix(value):
    return _run(_mix, value, 0, np.int64).view(np.uint64)


def item_key(stream, item):
    return _run(_item_key, stream, item, np.int64).view(np.uint64)


def draw(key, number):
    return _run(_draw, key, number, np.int64).view(np.uint64)


def below(bits, bound):
    return _run(_below, bits, bound, np.int64)


def below_narrow(bits, bound):
    return _run(_below_narrow, bits, bound, np.int64)


def unit(bits):
    return _run(_unit, bits, 0, np.float32)
