"""Walk tiles on GPUs of compute capability 9.0: launches the kernel of ``_hopper.cu``, which says how it works."""

from __future__ import annotations

from ctypes import c_float, c_int, c_longlong, c_void_p
from functools import cache
from pathlib import Path

import torch

from nodeloom.kernels.gpu import _cuda

_SOURCE = Path(__file__).with_name("_hopper.cu")
_TYPES = (
    c_void_p, c_void_p, c_void_p, c_longlong, c_longlong, c_longlong, c_void_p, c_void_p, c_void_p, c_float, c_float, c_void_p, c_void_p,
    c_longlong, c_int, c_int, c_int, c_int, c_int, c_float,
)  # fmt: skip
_THREADS = 256
_TILE = 64
_WIDEST, _MOST_NEGATIVES = 256, 32
_SPAN = 8  # tiles of a block
_NEAR = 8  # places to the farthest context, up to which products leave out what is farther
_SHARED = 227 * 1024  # bytes of shared memory that blocks of a multiprocessor can have
_SHARED_BESIDE_ROWS = 17 * 1024
_SHARED_TO_CLIP = 2 * 1024


def can_train(vertex: torch.Tensor, context: torch.Tensor, num_negative: int) -> bool:
    """Tell whether the kernel takes these tables [N, D] on their device, with `num_negative` shared negatives."""
    row = vertex.shape[1]
    return (
        vertex.is_cuda
        and vertex.data_ptr() % 16 == context.data_ptr() % 16 == 0
        and vertex.dtype == torch.float32
        and row % 32 == 0
        and row <= _WIDEST
        and num_negative <= _MOST_NEGATIVES
        and torch.cuda.get_device_capability(vertex.device) == (9, 0)
        and _cuda.bindings() is not None
    )


def train_tiles(
    vertex, context, walks, walks_per_tile, negatives, lr, step, two_sided, negative_weight, weight_decay, statistics, largest_rate,
    num_pairs, num_program, largest_step,
):  # fmt: skip
    """Train tiles as :func:`nodeloom.kernels.gpu.skipgram.train_walks` does, whose parameters these are, by SGD.

    `num_program` is the largest number of tiles in flight, `largest_step` the largest length of a change of a row, 0 for any.
    """
    row, num_negative = vertex.shape[1], negatives.shape[2]
    negatives_padded = -(-num_negative // 16) * 16
    clip = largest_step > 0.0
    shared = 4 * (2 * _TILE + negatives_padded) * (row + 8) + _SHARED_BESIDE_ROWS + clip * _SHARED_TO_CLIP
    blocks = 2 if 2 * shared <= _SHARED else 1
    kernel = _kernel(
        vertex.device.index,
        row,
        negatives_padded,
        step <= _NEAR,
        two_sided,
        largest_rate is not None,
        clip,
        blocks,
        walks.dtype == torch.int64,
    )
    resident = blocks * torch.cuda.get_device_properties(vertex.device).multi_processor_count
    num_tile = len(negatives)
    # All blocks that fit at a time: short ones, between which those of other streams find room. Fewer: each trains to the end.
    span = 0 if num_program < resident else _SPAN
    kernel.launch(
        -(-num_tile // span) if span else min(num_tile, num_program), _THREADS,
        vertex.data_ptr(), context.data_ptr(), walks.data_ptr(), *walks.stride(), len(walks), negatives.data_ptr(),
        0 if largest_rate is None else largest_rate.data_ptr(), lr.data_ptr(), negative_weight, weight_decay, num_pairs.data_ptr(),
        statistics.data_ptr(), num_tile, span, walks.shape[1], walks_per_tile, num_negative, step, largest_step,
    )  # fmt: skip


@cache
def _kernel(
    device: int,
    row: int,
    num_negative: int,
    near: bool,
    two_sided: bool,
    capped: bool,
    clip: bool,
    blocks: int,
    wide: bool,
) -> _cuda.Kernel:
    """Return the compiled kernel; `device` stands for the current one, where it is loaded."""
    defines = {
        "D": row, "K": num_negative, "BAND": int(near), "TWO_SIDED": int(two_sided), "CAPPED": int(capped), "CLIP": int(clip),
        "BLOCKS": blocks, "Index": "long long" if wide else "int",
    }  # fmt: skip
    return _cuda.load(_SOURCE, "train_tiles", _TYPES, defines)
