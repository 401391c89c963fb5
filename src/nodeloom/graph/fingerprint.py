"""Fingerprint: a hash by which a graph is recognised."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from nodeloom.kernels.cpu.parallel import available_threads, run_slices
from nodeloom.typing import FloatArray, IndexArray, OffsetArray

# Part of what is hashed: another number gives every graph another fingerprint.
_CHUNK = 1 << 24


def fingerprint(indptr: OffsetArray, indices: IndexArray, weights: FloatArray | None, directed: bool) -> str:
    """Return 32 hexadecimal digits that depend on the rows, the weights and the direction.

    The arrays are hashed in chunks of 16 MiB by several threads, then the hashes of the chunks together.

    Parameters
    ----------
    indptr : int64 [N + 1]
    indices : int32 or int64 [nnz]
    weights : float32 [nnz] or None
    directed : bool
    """
    arrays = [indptr, indices] + ([] if weights is None else [weights])
    head = {"directed": directed, "arrays": [[str(a.dtype), len(a)] for a in arrays]}
    total = hashlib.blake2b(json.dumps(head).encode(), digest_size=16)
    views = [np.ascontiguousarray(a).view(np.uint8) for a in arrays]
    chunks = [v[i : i + _CHUNK] for v in views for i in range(0, len(v), _CHUNK)]

    def hash_slice(first: int, last: int) -> bytes:
        return b"".join(hashlib.blake2b(chunk.data, digest_size=32).digest() for chunk in chunks[first:last])

    for digest in run_slices(hash_slice, len(chunks), available_threads()):
        total.update(digest)
    return total.hexdigest()
