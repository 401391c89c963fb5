"""Neighbor graphs: the nearest others of each point."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from nodeloom.errors import ConfigError, DataError, DeviceError, describe
from nodeloom.graph.exact_neighbors import exact_neighbors, expected_seconds
from nodeloom.graph.points import as_points
from nodeloom.kernels.cpu.parallel import available_threads
from nodeloom.log import logger
from nodeloom.memory import resident_memory, total_memory
from nodeloom.units import bytes_of, duration

if TYPE_CHECKING:
    from nodeloom.typing import FloatArray

Metric = Literal["euclidean", "cosine", "inner_product"]
Method = Literal["auto", "exact", "approximate"]
METRICS = ("euclidean", "cosine", "inner_product")
METHODS = ("auto", "exact", "approximate")

EXACT_ROWS = 400_000
"""Points up to which neighbors are exact on a CPU unless another method is asked for: some minutes of two cores."""

_FEW = 4096  # rows that are not worth the start of a GPU


@dataclass(frozen=True)
class NeighborGraph:
    """The k nearest others of each of N points.

    Attributes
    ----------
    indices : int32 [N, k]
        Their numbers, nearest first; of equally near ones the lower number first.
    distances : float32 [N, k]
        Their distances, ascending: Euclidean distances, 1 minus the cosine, or minus the inner product.
    metric : str
        "euclidean", "cosine" or "inner_product".
    is_exact : bool
        Whether it is certain that no other point is nearer.
    """

    indices: npt.NDArray[np.int32]
    distances: FloatArray
    metric: str = "euclidean"
    is_exact: bool = True

    @classmethod
    def of(
        cls,
        vectors: Any,
        k: int = 15,
        *,
        metric: Metric = "euclidean",
        method: Method = "auto",
        device: str = "auto",
        num_threads: int | None = None,
        memory: int | str | None = None,
        seed: int = 0,
    ) -> NeighborGraph:
        """Find the neighbors of vectors.

        Parameters
        ----------
        vectors : array_like [N, D]
            The points, numbers of any type; may be a memory map, which is read where it is.
        k : int
            Neighbors of each, from 1 to N - 1.
        metric : {"euclidean", "cosine", "inner_product"}
            How near two points are. The cosine with a row of zeros is 0.
        method : {"auto", "exact", "approximate"}
            exact: as measured in float64, whatever the device and the number of threads. approximate: by pynndescent, on the CPU.
            auto: exact on a GPU, and on the CPU up to 400,000 points or without pynndescent.
        device : str
            "cpu", "cuda", "cuda:N", or "auto" for a GPU where there is one.
        num_threads : int, optional
            Threads on the CPU; all by default.
        memory : int or str, optional
            Memory that may be used beside the vectors, in bytes or as text such as "8GB"; by default all that this process may have.
        seed : int
            Of approximate searches; exact ones have nothing random.

        Raises
        ------
        ConfigError
            A parameter is not allowed, k is not below the number of points, or pynndescent is asked for and not installed.
        DataError
            The vectors are not a matrix of finite numbers.
        DeviceError
            There is no such GPU.
        MemoryLimitError
            The search takes more memory than it may.
        """
        for name, value, allowed in (("metric", metric, METRICS), ("method", method, METHODS)):
            if value not in allowed:
                raise ConfigError(describe(name, expected=" or ".join(map(repr, allowed)), got=value))
        num_thread = available_threads() if num_threads is None else _count("num_threads", num_threads, None)
        rows = as_points(vectors, metric)
        return cls.of_points(rows, k, metric, method, device, num_thread, memory, seed)

    @classmethod
    def of_points(
        cls,
        rows: npt.NDArray[Any],
        k: int,
        metric: Metric,
        method: Method,
        device: str,
        num_thread: int,
        memory: int | str | None,
        seed: int,
    ) -> NeighborGraph:
        """Find the neighbors of vectors that are known to be what :func:`nodeloom.graph.points.as_points` returns; see :meth:`of`."""
        limit = _memory(memory)
        count = len(rows)
        if count < 2:
            raise DataError(describe("vectors", expected="2 points at least", got=count))
        k = _count("k", k, count - 1)
        if metric == "cosine":
            _tell_zeros(rows)
        gpu = None if method == "approximate" else _gpu(device, count)
        if gpu is not None:
            from nodeloom.kernels.gpu.neighbors import nearest_others

            indices, distances = np.empty((count, k), np.int32), np.empty((count, k), np.float32)
            nearest_others(rows, metric, indices, distances, device=gpu)
            return cls(indices, distances, metric, True)
        if method == "approximate" or (method == "auto" and count > EXACT_ROWS and _is_approximate(metric)):
            from nodeloom.graph.approximate_neighbors import approximate_neighbors

            return cls(*approximate_neighbors(rows, k, metric, num_thread, seed), metric, False)
        if count > EXACT_ROWS:
            seconds = expected_seconds(count, rows.shape[1], num_thread)
            sooner = ". Most of them are found sooner by pynndescent: pip install 'nodeloom[maps]'"
            is_known = metric == "inner_product" or _is_approximate(metric)
            logger.warning(
                "exact neighbors of %s points are expected to take %s%s",
                f"{count:,}",
                duration(seconds),
                "" if is_known else sooner,
            )
        return cls(*exact_neighbors(rows, k, metric, num_thread, limit), metric, True)

    @classmethod
    def from_arrays(
        cls, indices: Any, distances: Any, *, metric: Metric = "euclidean", squared: bool = False
    ) -> NeighborGraph:
        """Take neighbors that were found before.

        Parameters
        ----------
        indices, distances : array_like [N, k]
            Neighbors and their distances, in any order. Where points are among their own neighbors, they are left out: rows without
            themselves then lose their farthest neighbor.
        metric : {"euclidean", "cosine", "inner_product"}
            What the distances are.
        squared : bool
            Whether Euclidean distances are given as their squares.

        Raises
        ------
        DataError
            The arrays are not the neighbors of N points: shapes differ, an index is none of a point or twice in a row, a distance is
            not finite or below 0.
        """
        if metric not in METRICS:
            raise ConfigError(describe("metric", expected=" or ".join(map(repr, METRICS)), got=metric))
        ids, values = np.asarray(indices), np.asarray(distances)
        if ids.ndim != 2 or ids.shape != values.shape or not ids.size:
            got = f"{list(ids.shape)} and {list(values.shape)}"
            raise DataError(describe("neighbors", expected="indices and distances of one shape [N, k]", got=got))
        if ids.dtype.kind not in "iu" or values.dtype.kind not in "fiu":
            got = f"{ids.dtype} and {values.dtype}"
            raise DataError(describe("neighbors", expected="integers and numbers", got=got))
        count = len(ids)
        bad = np.argwhere((ids < 0) | (ids >= count))
        if len(bad):
            row, place = bad[0]
            hint = "A search that found fewer neighbors writes -1: ask it for fewer." if ids[row, place] == -1 else ""
            where, expected = f"neighbors, row {row}, place {place}", f"a point from 0 to {count - 1}"
            raise DataError(describe(where, expected=expected, got=int(ids[row, place]), hint=hint))
        if not np.isfinite(values).all() or (metric == "euclidean" and (values < 0).any()):
            raise DataError(describe("neighbors", expected="finite distances, not below 0", got=_worst(values)))
        values = np.sqrt(values.astype(np.float64)) if squared and metric == "euclidean" else values.astype(np.float64)
        ids, values = _without_self(ids, values)
        order = np.lexsort((ids, values), axis=1)
        ids, values = np.take_along_axis(ids, order, 1), np.take_along_axis(values, order, 1)
        again = np.sort(ids, axis=1)
        twice = np.flatnonzero((again[:, 1:] == again[:, :-1]).any(axis=1))
        if len(twice):
            raise DataError(
                describe(f"neighbors, row {twice[0]}", expected="each neighbor once", got=ids[twice[0]].tolist())
            )
        return cls(ids.astype(np.int32), values.astype(np.float32), metric, False)

    @classmethod
    def from_sparse(cls, matrix: Any, *, metric: Metric = "euclidean") -> NeighborGraph:
        """Take a sparse matrix of distances [N, N], as ``sklearn.neighbors.kneighbors_graph(..., mode="distance")`` gives it.

        Rows with more entries than the row with the fewest lose their farthest ones, which is told.

        Raises
        ------
        DataError
            It is not a square sparse matrix with an entry in each row.
        """
        from scipy.sparse import csr_array, issparse

        if not issparse(matrix) or matrix.shape[0] != matrix.shape[1]:
            got = list(matrix.shape) if issparse(matrix) else type(matrix).__name__
            raise DataError(describe("neighbors", expected="a sparse matrix [N, N] of distances", got=got))
        rows = csr_array(matrix)
        entry_rows = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
        other = entry_rows != rows.indices
        entry_rows, columns, values = entry_rows[other], rows.indices[other], rows.data[other]
        counts = np.bincount(entry_rows, minlength=rows.shape[0])
        k = int(counts.min()) if len(counts) else 0
        if not k:
            got = f"none in row {int(counts.argmin())}" if len(counts) else "no rows"
            raise DataError(describe("neighbors", expected="a distance to another point in each row", got=got))
        if counts.max() > k:
            logger.warning(
                "rows of the matrix have %d to %d distances: the nearest %d of each are taken", k, counts.max(), k
            )
        order = np.lexsort((columns, values, entry_rows))
        first = np.concatenate([[0], np.cumsum(counts)[:-1]])
        chosen = order[first[:, None] + np.arange(k)]
        return cls.from_arrays(columns[chosen], values[chosen], metric=metric)

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def num_neighbors(self) -> int:
        """Neighbors of each point, k."""
        return int(self.indices.shape[1])

    def energies(self) -> FloatArray:
        """Return what affinities fall with: squared distances; cosine distances, which are half of those of unit vectors."""
        return self.distances**2 if self.metric == "euclidean" else self.distances


def _count(name: str, value: Any, most: int | None) -> int:
    """Return a parameter that is a number from 1 on."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1 or (most and value > most):
        expected = f"an integer from 1 to {most}, one less than there are points" if most else "an integer >= 1"
        raise ConfigError(describe(name, expected=expected, got=value))
    return int(value)


def _memory(memory: int | str | None) -> int | None:
    """Return the bytes that a search may use; None where they are not known."""
    if memory is not None:
        return bytes_of(memory, "memory")
    total = total_memory()
    return None if total is None else max(0, total - resident_memory())


def _is_approximate(metric: str) -> bool:
    """Tell whether approximate neighbors can be found here."""
    return metric != "inner_product" and importlib.util.find_spec("pynndescent") is not None


def _tell_zeros(rows: npt.NDArray[Any]) -> None:
    zeros = sum(int((~rows[a : a + 4096].any(axis=1)).sum()) for a in range(0, len(rows), 4096))
    if zeros:
        logger.warning("%d of %d vectors are zeros: their cosine with all others is taken as 0", zeros, len(rows))


def _gpu(device: str, count: int) -> str | None:
    """Return the GPU to search on, None for the CPU."""
    if device == "cpu":
        return None
    if device != "auto" and not str(device).startswith("cuda"):
        raise ConfigError(describe("device", expected="'auto', 'cpu', 'cuda' or 'cuda:N'", got=device))
    is_auto = device == "auto"
    if is_auto and (count < _FEW or not any(Path(f).exists() for f in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg"))):
        return None  # without the time that torch takes to start
    if importlib.util.find_spec("torch") is not None:
        from nodeloom.kernels.gpu.neighbors import has_device

        if has_device("cuda" if is_auto else device):
            return "cuda" if is_auto else device
    if is_auto:
        return None
    hint = "Install nodeloom[gpu] on a machine with a GPU, or search with device='cpu'."
    raise DeviceError(describe("device", expected="a GPU that torch can use", got=device, hint=hint))


def _without_self(ids: Any, values: Any) -> tuple[Any, Any]:
    """Return neighbors without the points themselves: one column less, if a point is in its own row."""
    own = ids == np.arange(len(ids))[:, None]
    if not own.any():
        return ids, values
    if ids.shape[1] == 1:
        raise DataError(describe("neighbors", expected="a neighbor beside the point itself", got="none"))
    lost = np.where(own.any(axis=1), own.argmax(axis=1), values.argmax(axis=1))
    keep = np.arange(ids.shape[1]) != lost[:, None]
    shape = (len(ids), ids.shape[1] - 1)
    return ids[keep].reshape(shape), values[keep].reshape(shape)


def _worst(values: Any) -> float:
    bad = values[~np.isfinite(values)]
    return float(bad[0]) if len(bad) else float(values.min())
