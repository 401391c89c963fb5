"""The random bits that bf16 tables are rounded with, on NumPy arrays: the device function, in a kernel of its own."""

from __future__ import annotations

import numpy as np
import torch
from gpu_calls import device

from nodeloom.kernels.gpu._rows import _random
from nodeloom.kernels.gpu._triton import jit, tl

_BLOCK = 256


@jit
def _bits(at, seeds, out, count, BLOCK: tl.constexpr):
    lane = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    live = lane < count
    seed = tl.load(seeds + lane, mask=live, other=0).to(tl.uint32)
    value = _random(tl.load(at + lane, mask=live, other=0), seed)
    tl.store(out + lane, value.to(tl.int64), mask=live)


def random_bits(at, seeds):
    """Return the random bits of offsets in a table and seeds, int64 of the shape of both."""
    at, seeds = np.broadcast_arrays(np.asarray(at, np.int64), np.asarray(seeds, np.int64))
    tensors = [torch.from_numpy(a.ravel().copy()).to(device()) for a in (at, seeds)]
    out = torch.full((at.size,), -1, dtype=torch.int64, device=device())
    _bits[(-(-at.size // _BLOCK),)](*tensors, out, at.size, BLOCK=_BLOCK)
    return out.cpu().numpy().reshape(at.shape)
