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
from nodeloom.kernels.gpu._triton import ceil_div, jit, on_device_of, tl
from nodeloom.log import logger
from nodeloom.units import size

_GROUP = 64  # columns of which the least is looked at first: the nearest k are in the k groups of the least columns
_ROWS = 8192
_SHARE = 8  # of the free memory, that products take
_FAR = 1e38  # where rows are that only fill the last group
_METRICS = {"euclidean": 0, "cosine": 1, "inner_product": 2}
_TILE = {"CANDIDATES": 32, "COLUMNS": 64}


@jit(varying=("num_candidate",))
def _measure(
    rows, asked, candidates, lengths, out, num_candidate: tl.int64,
    DIM: tl.constexpr, METRIC: tl.constexpr, CANDIDATES: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Write squared distances, cosine distances or negative products of rows and their candidates [q, c], in float64."""
    query = tl.program_id(0).to(tl.int64)
    place = tl.program_id(1).to(tl.int64) * CANDIDATES + tl.arange(0, CANDIDATES)
    inside = place < num_candidate
    i = tl.load(asked + query)
    j = tl.load(candidates + query * num_candidate + place, mask=inside, other=0)
    if METRIC == 1:
        a = tl.load(lengths + i)
        b = tl.load(lengths + j, mask=inside, other=1.0)
        lacking = a * b == 0.0
        a = 1.0 / tl.where(a == 0.0, 1.0, a)
        b = 1.0 / tl.where(b == 0.0, 1.0, b)
    total = tl.zeros([CANDIDATES], tl.float64)
    for begin in range(0, DIM, COLUMNS):
        column = begin + tl.arange(0, COLUMNS)
        x = tl.load(rows + i * DIM + column, mask=column < DIM, other=0.0).to(tl.float64)
        mask = inside[:, None] & (column < DIM)[None, :]
        y = tl.load(rows + j[:, None] * DIM + column[None, :], mask=mask, other=0.0).to(tl.float64)
        if METRIC == 2:
            total -= tl.sum(y * x[None, :], 1)
        else:
            if METRIC == 1:
                difference = y * b[:, None] - (x * a)[None, :]
            else:
                difference = y - x[None, :]
            difference = tl.where(mask, difference, 0.0)
            total += tl.sum(difference * difference, 1)
    if METRIC == 1:
        total = tl.where(lacking, 1.0, total * 0.5)
    tl.store(out + query * num_candidate + place, total, mask=inside)


@dataclass(frozen=True)
class _Level:
    """How precise products are: of so many parts of TF32, or of float64 (0); wrong by `error` of the lengths of both rows at most."""

    parts: int
    error: float

    def tables(self, rows, squares):
        """Return what is multiplied, so that products are squares of the second less twice the products of both."""
        ones = torch.ones(len(rows), 1, dtype=rows.dtype, device=rows.device)
        if self.parts == 0:
            return torch.cat([-2 * rows, ones], 1), torch.cat([rows, squares[:, None]], 1)
        high = _rounded(rows.float())
        ones = ones.float().expand(-1, 3)
        # Squares are exact as three parts, each multiplied by 1.
        parts, rest = [], squares
        for _ in range(3):
            parts.append(_rounded(rest.float()))
            rest = rest - parts[-1]
        added = torch.stack(parts, 1)
        if self.parts == 1:
            return torch.cat([-2 * high, ones], 1), torch.cat([high, added], 1)
        low = _rounded((rows - high).float())
        return torch.cat([-2 * high, -2 * high, -2 * low, ones], 1), torch.cat([high, low, high, added], 1)


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
        count, _dim = rows.shape
        # Candidates beyond the neighbors: so many that the last one is farther away by more than an error.
        self.wanted = min(count - 1, k + max(17, k // 4))
        padded = -(-count // _GROUP) * _GROUP
        self.step = int(max(1, min(rows_at_once, num_bytes // (8 * padded))))
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
            block = slice(first, min(first + 65536, self.count))
            squares = self.squares[block] if self.metric == "euclidean" else torch.zeros_like(self.squares[block])
            part = level.tables(self._moved(block), squares)
            if tables is None:
                # Products are fastest where rows begin at multiples of 16 bytes.
                width = ceil_div(part[0].shape[1], 8) * 8
                options = {"dtype": part[0].dtype, "device": self.rows.device}
                tables = [torch.zeros(size, width, **options) for size in (self.count, len(self.squares))]
                used = part[0].shape[1]
            for table, new in zip(tables, part, strict=True):
                table[block, :used] = new
        tables[1][self.count :, used - 1] = _FAR
        return tables

    def run(self, left, level, indices, values):
        """Search for some rows, write what is found, and return the rows for which it is not certain."""
        asked, table = self._tables(level)
        euclidean = self.metric == "euclidean"
        uncertain = []
        for first in range(0, len(left), self.step):
            rows = left[first : first + self.step]
            scores = asked[rows] @ table.T
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
            sure = rest > 2 * level.error * own * other + 2.0**-21 * other**2
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
        # Columns of a group are far apart: so the least of many groups are found side by side, four times as fast.
        number = width // _GROUP
        grouped = scores.view(len(scores), _GROUP, number)
        groups = grouped.amin(1).topk(self.wanted, dim=1, largest=False, sorted=False).indices
        inside = grouped.gather(2, groups[:, None, :].expand(-1, _GROUP, -1)).flatten(1)
        best = inside.topk(self.wanted, dim=1, largest=False, sorted=False)
        columns = groups.gather(1, best.indices % self.wanted) + best.indices // self.wanted * number
        return best.values.amax(1), columns

    def _measured(self, rows, candidates):
        """Return the nearest of the candidates, by distances in float64."""
        columns = candidates.sort(1).values  # of equal distances the first row comes first
        value = torch.empty(columns.shape, dtype=torch.float64, device=rows.device)
        lengths = value if self.lengths is None else self.lengths
        grid = (len(rows), ceil_div(columns.shape[1], _TILE["CANDIDATES"]))
        dim = self.rows.shape[1]
        with on_device_of(value):
            _measure[grid](
                self.rows,
                rows,
                columns,
                lengths,
                value,
                columns.shape[1],
                DIM=dim,
                METRIC=_METRICS[self.metric],
                **_TILE,
            )
        order = value.sort(dim=1, stable=True)
        return columns.gather(1, order.indices[:, : self.k]).to(torch.int32), order.values[:, : self.k]

    def _distances(self, values):
        return values.sqrt() if self.metric == "euclidean" else values
