"""Nearest other rows of each row; :mod:`nodeloom.kernels.reference.neighbors` is the definition.

Products in TF32 choose somewhat more candidates than neighbors, float64 measures them. A row whose candidates may lack a neighbor, by
the largest error that a product can have, is searched for again with values in two parts of TF32, and then in float64: results are
those of float64.
"""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass

import numpy as np
import torch

from nodeloom.errors import MemoryLimitError
from nodeloom.log import logger
from nodeloom.units import size

_GROUP = 64  # columns of which the least is looked at first: the nearest k are in the k groups of the least columns
_ROWS = 4096
_SHARE = 8  # of the free memory, that products take


@dataclass(frozen=True)
class _Level:
    """How precise products are: of so many parts of TF32, or of float64 (0); wrong by `error` of the lengths of both rows at most."""

    parts: int
    error: float

    def tables(self, rows):
        """Return what is multiplied, queries and rows."""
        if self.parts == 0:
            return rows, rows
        high = _rounded(rows.float())
        if self.parts == 1:
            return high, high
        low = _rounded((rows - high).float())
        return torch.cat([high, high, low], 1), torch.cat([high, low, high], 1)


def _rounded(values):
    """Return float32 rounded to the 10 bits of TF32, so that products take them as they are."""
    bits = values.view(torch.int32)
    return ((bits + 0xFFF + ((bits >> 13) & 1)) & ~0x1FFF).view(torch.float32)


def nearest_others(vectors, metric, indices, distances, *, device="cuda", rows_at_once=_ROWS):
    """Fill `indices` and `distances` [N, k] with the k other rows at the least distance to each row, nearest first.

    Of rows at the same distance the first comes first.

    Parameters
    ----------
    vectors : float32 or float64 [N, D], NumPy
        The rows, finite.
    metric : str
        "euclidean"; "cosine", which is 1 minus the cosine, and 1 for a row of zeros; "inner_product", which is minus the product.
    indices, distances : int32 [N, k], float32 or float64 [N, k], NumPy
        Written. k is below N.
    device : str
        Where to search.
    rows_at_once : int
        Rows whose products are held at a time, at most.

    Raises
    ------
    MemoryLimitError
        The rows do not fit the memory of the GPU.
    """
    device = torch.device(device)
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 1 << 33
    count, dim = vectors.shape
    if vectors.nbytes + 4 * count * dim > free * 0.7:
        raise MemoryLimitError(
            f"{count:,} vectors of {dim:,} take {size(vectors.nbytes + 4 * count * dim)} of the memory of {device}, "
            f"{size(free)} are free. Search with device='cpu'."
        )
    with _tf32(), torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        rows = torch.from_numpy(np.ascontiguousarray(vectors)).to(device)
        search = _Search(rows, metric, indices.shape[1], free // _SHARE, rows_at_once)
        left = torch.arange(count, device=device)
        found = torch.empty(indices.shape, dtype=torch.int32, device=device)
        values = torch.empty(indices.shape, dtype=torch.float64, device=device)
        for level in search.levels():
            left = search.run(left, level, found, values)
            if not len(left):
                break
        indices[:] = found.cpu().numpy()
        distances[:] = values.to(torch.from_numpy(distances[:0]).dtype).cpu().numpy()


def has_device(device="cuda"):
    """Tell whether torch can use a GPU."""
    return torch.cuda.is_available() and (torch.device(device).index or 0) < torch.cuda.device_count()


@contextlib.contextmanager
def _tf32():
    """Let products of float32 be of TF32."""
    settings = torch.backends.cuda.matmul
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the versions of torch in which the setting has another name
        before, settings.allow_tf32 = settings.allow_tf32, True
        try:
            yield
        finally:
            settings.allow_tf32 = before


class _Search:
    """Rows as they are measured, and as they are multiplied: from their mean, in units of their usual length."""

    def __init__(self, rows, metric, k, num_bytes, rows_at_once):
        self.rows, self.metric, self.k = rows, metric, k
        count, dim = rows.shape
        # Candidates beyond the neighbors: so many that the last one is farther away by more than an error.
        self.wanted = min(count - 1, k + max(17, k // 4))
        padded = -(-count // _GROUP) * _GROUP
        self.step = int(max(1, min(rows_at_once, num_bytes // (8 * padded))))
        self.measured_at_once = int(max(1, min(self.step, num_bytes // (24 * dim * self.wanted))))
        self.lengths = rows.double().norm(dim=1) if metric == "cosine" else None
        center = rows[:: max(1, count // 65536)].double().mean(0) if metric == "euclidean" else 0.0
        squares = torch.full((padded,), torch.inf, dtype=torch.float64, device=rows.device)
        self.center, self.unit = center, 1.0
        if metric != "cosine":
            some = self._moved(slice(None, None, max(1, count // 65536)))
            self.unit = float(some.square().sum(1).median().sqrt()) or 1.0
        for first in range(0, count, 65536):
            block = slice(first, min(count, first + 65536))
            squares[block] = self._moved(block).square().sum(1)
        self.squares, self.count = squares, count
        self.longest = float(squares[:count].max().sqrt())

    def _moved(self, block):
        """Return rows in float64 as they are multiplied."""
        part = self.rows[block].double()
        if self.lengths is not None:
            lengths = self.lengths[block]
            return part / torch.where(lengths == 0, 1.0, lengths)[:, None]
        return (part - self.center) / self.unit

    def levels(self):
        """Return how to search, from fast to precise; rows of very unlike lengths need the precise one."""
        dim = self.rows.shape[1]
        found = [_Level(0, (dim + 8) * 2.0**-52)]
        if self.longest < 1e6:
            found = [
                _Level(1, 1.01 * 2.0**-10 + (dim + 8) * 2.0**-24),
                _Level(2, 2.0**-20 + (3 * dim + 8) * 2.0**-24),
                *found,
            ]
        return found

    def _tables(self, level):
        """Return what is multiplied, with rows of zeros to fill the last group."""
        tables = None
        for first in range(0, self.count, 65536):
            part = level.tables(self._moved(slice(first, first + 65536)))
            if tables is None:
                shape = (len(self.squares), part[0].shape[1])
                one = torch.zeros(shape, dtype=part[0].dtype, device=self.rows.device)
                tables = (one, one) if part[0] is part[1] else (one, torch.zeros_like(one))
            for table, new in zip(tables, part, strict=True):
                table[first : first + len(new)] = new
        return tables

    def run(self, left, level, indices, values):
        """Search for some rows, write what is found, and return the rows for which it is not certain."""
        asked, table = self._tables(level)
        euclidean = self.metric == "euclidean"
        offset = torch.zeros_like(self.squares) if not euclidean else self.squares.clone()
        offset[self.count :] = torch.inf
        offset = offset.to(table.dtype)
        uncertain = []
        for first in range(0, len(left), self.step):
            rows = left[first : first + self.step]
            scores = torch.addmm(offset[None, :], asked[rows], table.T, alpha=-2.0)
            scores[torch.arange(len(rows), device=rows.device), rows] = torch.inf
            bound, candidates = self._candidates(scores)
            del scores
            ids, value = self._measured(rows, candidates)
            indices[rows], values[rows] = ids, self._distances(value)
            # What is no candidate is at `bound` at least, but for the error of its product.
            last = value[:, -1] / self.unit**2 if self.metric != "cosine" else value[:, -1]
            own = self.squares[rows].sqrt()
            if euclidean:
                other = torch.minimum(own + last.sqrt(), torch.as_tensor(self.longest, device=own.device))
                rest = bound.double() + self.squares[rows] - last
            else:
                other = torch.as_tensor(self.longest, device=own.device)
                rest = bound.double() / 2 - (last - 1 if self.metric == "cosine" else last)
            sure = rest > 2 * level.error * own * other
            if self.wanted < self.count - 1 and level.parts:
                uncertain.append(rows[~sure])
        missing = torch.cat(uncertain) if uncertain else left[:0]
        logger.debug("%d of %d rows are searched for again", len(missing), len(left))
        return missing

    def _candidates(self, scores):
        """Return the candidates of each row and the greatest of their scores."""
        width = scores.shape[1]
        if width // _GROUP <= self.wanted:
            best = scores.topk(self.wanted, dim=1, largest=False)
            return best.values.amax(1), best.indices
        grouped = scores.view(len(scores), width // _GROUP, _GROUP)
        groups = grouped.amin(2).topk(self.wanted, dim=1, largest=False, sorted=False).indices
        inside = grouped.gather(1, groups[:, :, None].expand(-1, -1, _GROUP)).flatten(1)
        best = inside.topk(self.wanted, dim=1, largest=False, sorted=False)
        columns = groups.gather(1, best.indices // _GROUP) * _GROUP + best.indices % _GROUP
        return best.values.amax(1), columns

    def _measured(self, rows, candidates):
        """Return the nearest of the candidates, by distances in float64."""
        ids, values = [], []
        for first in range(0, len(rows), self.measured_at_once):
            block = slice(first, first + self.measured_at_once)
            columns = candidates[block].sort(1).values  # of equal distances the first row comes first
            one, other = self.rows[rows[block]].double()[:, None], self.rows[columns].double()
            if self.metric == "inner_product":
                value = -(other * one).sum(2)
            elif self.metric == "euclidean":
                value = (other - one).square_().sum(2)
            else:
                assert self.lengths is not None
                a, b = self.lengths[rows[block]][:, None], self.lengths[columns]
                unit = other / torch.where(b == 0, 1.0, b)[:, :, None] - one / torch.where(a == 0, 1.0, a)[:, :, None]
                value = torch.where((a == 0) | (b == 0), 1.0, unit.square_().sum(2) / 2)
            order = value.sort(dim=1, stable=True)
            values.append(order.values[:, : self.k])
            ids.append(columns.gather(1, order.indices[:, : self.k]))
        return torch.cat(ids).to(torch.int32), torch.cat(values)

    def _distances(self, values):
        return values.sqrt() if self.metric == "euclidean" else values
