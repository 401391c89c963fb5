"""Fingerprint: a hash by which a graph is recognised."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.kernels.cpu.parallel import available_threads, run_slices

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    return fingerprint_of_arrays(arrays, {"directed": directed})


def fingerprint_of_arrays(arrays: Sequence[npt.NDArray[Any]], kind: Mapping[str, int]) -> str:
    """Return 32 hexadecimal digits that depend on arrays of one dimension, in their order, and on what else they are of."""
    views = [np.ascontiguousarray(a).view(np.uint8) for a in arrays]
    chunks = [v[i : i + _CHUNK] for v in views for i in range(0, len(v), _CHUNK)]

    def hash_slice(first: int, last: int) -> bytes:
        return b"".join(_digest(chunk) for chunk in chunks[first:last])

    digests = run_slices(hash_slice, len(chunks), available_threads())
    return _total([(str(a.dtype), len(a)) for a in arrays], b"".join(digests), kind)


class ArrayHash:
    """Takes an array in parts, and is what :func:`fingerprint` needs of it.

    Parameters
    ----------
    dtype : str
        As NumPy calls it.
    """

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.length = 0
        self.digests: list[bytes] = []
        self._chunk = hashlib.blake2b(digest_size=32)
        self._left = _CHUNK

    def update(self, part: npt.NDArray[Any]) -> None:
        """Take the next part: a contiguous array of the dtype."""
        self.length += len(part)
        view = part.view(np.uint8)
        while len(view):
            taken = view[: self._left]
            self._chunk.update(taken.data)
            view = view[len(taken) :]
            self._left -= len(taken)
            if not self._left:
                self._close()

    def _close(self) -> None:
        self.digests.append(self._chunk.digest())
        self._chunk = hashlib.blake2b(digest_size=32)
        self._left = _CHUNK

    def finish(self) -> bytes:
        """Return the hashes of all chunks, one after the other."""
        if self._left < _CHUNK:
            self._close()
        return b"".join(self.digests)


def fingerprint_of(hashes: Sequence[ArrayHash], directed: bool) -> str:
    """Return the :func:`fingerprint` of rows whose indptr, indices and perhaps weights went through `hashes`."""
    return _total([(h.dtype, h.length) for h in hashes], b"".join(h.finish() for h in hashes), {"directed": directed})


def _digest(chunk: npt.NDArray[np.uint8]) -> bytes:
    return hashlib.blake2b(chunk.data, digest_size=32).digest()


def _total(kinds: list[tuple[str, int]], digests: bytes, kind: Mapping[str, int]) -> str:
    head = {**kind, "arrays": [list(kind) for kind in kinds]}
    total = hashlib.blake2b(json.dumps(head).encode(), digest_size=16)
    total.update(digests)
    return total.hexdigest()
