"""Weights of neighbors, of a given perplexity; :mod:`nodeloom.kernels.reference.affinity` is the definition."""

from __future__ import annotations

import numpy as np
import torch

from nodeloom.kernels.gpu._triton import ceil_div, double, double_bits, jit, on_device_of, tl, triton

_STEPS = tl.constexpr(100)
_VALUES = 1024  # of a program
_MOST = 8192  # neighbors of a row
_BYTES = 100  # that an entry takes while pairs are sorted


@jit(varying=("first", "last", "entropy", "k"))
def _weigh(
    first: tl.int64, last: tl.int64, energies, entropy: tl.int64, weights, k: tl.int64, R: tl.constexpr, K: tl.constexpr
):
    row = first + tl.program_id(0).to(tl.int64) * R + tl.arange(0, R)
    live = row < last
    column = tl.arange(0, K).to(tl.int64)
    there = live[:, None] & (column < k)[None, :]
    at = row[:, None] * k + column[None, :]
    nearest = tl.load(energies + row * k, mask=live, other=0.0).to(tl.float64)
    widest = tl.load(energies + row * k + k - 1, mask=live, other=0.0).to(tl.float64) - nearest
    even = widest <= 0.0
    energy = tl.load(energies + at, mask=there, other=0.0).to(tl.float64) - nearest[:, None]
    energy = tl.where(there, energy, 0.0) / tl.where(even, 1.0, widest)[:, None]
    wanted = double(entropy)
    low = tl.zeros([R], tl.float64) - 60.0  # of log(beta)
    high = tl.zeros([R], tl.float64) + 60.0
    place = tl.zeros([R], tl.float64) + 1.0
    done = even | (live == 0)
    left = _STEPS
    while left > 0:
        beta = tl.exp(place)
        p = tl.where(there, tl.exp(-beta[:, None] * energy), 0.0)
        total = tl.where(live, tl.sum(p, 1), 1.0)
        mean = tl.sum(p * energy, 1) / total
        square = tl.sum(p * energy * energy, 1) / total
        excess = beta * mean + tl.log(total) - wanted
        done = done | (tl.abs(excess) < 1e-7)
        low = tl.where((done == 0) & (excess > 0.0), place, low)
        high = tl.where((done == 0) & (excess <= 0.0), place, high)
        slope = beta * beta * (square - mean * mean)
        newton = tl.where(slope > 0.0, place + excess / tl.where(slope > 0.0, slope, 1.0), low)
        newton = tl.where((newton > low) & (newton < high), newton, (low + high) * 0.5)
        place = tl.where(done, place, newton)
        left = tl.where(tl.min(done.to(tl.int32), 0) == 1, 0, left - 1)
    p = tl.where(there, tl.exp(-tl.exp(place)[:, None] * energy), 0.0)
    share = p / tl.where(live, tl.sum(p, 1), 1.0)[:, None]
    equal = 1.0 / k.to(tl.float64)
    tl.store(weights + at, tl.where(even[:, None], equal, share), mask=there)


def weigh_neighbors(first, last, energies, entropy, weights):
    """Set rows of `weights` to exp(-beta energy) over its sum, with the beta whose distribution has an entropy.

    Parameters
    ----------
    first, last : int
        Bounds of the rows.
    energies : float32 [N, k]
        Squared distances, ascending and finite.
    entropy : float
        Logarithm of the perplexity, from 0 to log(k).
    weights : float64 [N, k]
        Written; rows of sum 1.
    """
    k = energies.shape[1]
    columns = max(2, triton.next_power_of_2(k))
    rows = max(1, _VALUES // columns)
    with on_device_of(weights):
        _weigh[(ceil_div(last - first, rows),)](
            first, last, energies, double_bits(entropy), weights, k, R=rows, K=columns, num_warps=4
        )


def affinities_on(device, indices, energies, entropy):
    """Weigh neighbors, and add up both directions of each pair.

    Parameters
    ----------
    device : str
        Where.
    indices, energies : int32 [N, k], float32 [N, k], NumPy
        Neighbors of each point, and what their weights fall with.
    entropy : float
        Logarithm of the perplexity.

    Returns
    -------
    indptr, indices, weights : int64 [N + 1], int32 [nnz], float32 [nnz], NumPy, or None
        Compressed sparse rows, symmetric, without zeros, with sorted indices and a sum of 1. None: the GPU has no room for it.
    """
    count, k = indices.shape
    device = torch.device(device)
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 1 << 33
    if k > _MOST or 2 * count * k * _BYTES > free:
        return None
    near = torch.from_numpy(np.ascontiguousarray(indices)).to(device)
    weights = torch.empty(count, k, dtype=torch.float64, device=device)
    weigh_neighbors(0, count, torch.from_numpy(np.ascontiguousarray(energies)).to(device), entropy, weights)
    tails, heads = near.flatten().long(), torch.arange(count, device=device).repeat_interleave(k)
    pairs, order = torch.sort(torch.cat([heads * count + tails, tails * count + heads]))
    sums = weights.flatten().repeat(2)[order]
    del tails, heads, order
    # A pair of points is there once, or twice where each is a neighbor of the other.
    same = pairs[1:] == pairs[:-1]
    sums[:-1] += torch.where(same, sums[1:], 0.0)
    is_first = torch.ones_like(pairs, dtype=torch.bool)
    is_first[1:] = ~same
    found = (sums / sums[is_first].sum()).float()
    is_first &= found > 0
    pairs, found = pairs[is_first], found[is_first]
    rows = torch.div(pairs, count, rounding_mode="floor")
    indptr = torch.searchsorted(rows, torch.arange(count + 1, device=device))
    return indptr.cpu().numpy(), (pairs - rows * count).int().cpu().numpy(), found.cpu().numpy()
