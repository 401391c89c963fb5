"""Triples that are taken to be wrong: known ones with another head or tail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.tasks.queries import distinct_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_TRIES = 20  # draws in place of a triple that is known to be true


def wrong_triples(
    triples: npt.NDArray[Any], known: Iterable[npt.NDArray[Any]], num_entity: int, num: int = 1, seed: int = 0
) -> npt.NDArray[np.int64]:
    """Return `num` triples for each triple, with its head or its tail replaced by an entity drawn uniformly, int64 [n', 3].

    None is known to be true; where 20 draws find no other, one is left out.

    Parameters
    ----------
    triples, known : int [n, 3], iterable of int [E, 3]
        What is changed, and what is true besides.
    num_entity, num : int
        Entities; triples for each.
    seed : int
        Seed of the draws.
    """
    rng = np.random.default_rng(seed)
    found = np.repeat(triples.astype(np.int64), num, axis=0)
    true = np.concatenate([np.asarray(some, np.int64) for some in (triples, *known)])
    pairs = _pairs(true)
    used = distinct_of(pairs)
    keys = distinct_of(np.searchsorted(used, pairs) * num_entity + true[:, 2])
    left = np.arange(len(found))
    column = 2 * rng.integers(2, size=len(found))
    for _ in range(_TRIES):
        found[left, column[left]] = rng.integers(num_entity, size=len(left))
        left = left[_is_in(found[left], used, keys, num_entity)]
        if not len(left):
            break
    return np.delete(found, left, axis=0)


def _pairs(triples: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return triples[:, 1] << 32 | triples[:, 0]


def _is_in(
    triples: npt.NDArray[np.int64], used: npt.NDArray[np.int64], keys: npt.NDArray[np.int64], num_entity: int
) -> npt.NDArray[np.bool_]:
    pairs = _pairs(triples)
    at = np.minimum(np.searchsorted(used, pairs), len(used) - 1)
    wanted = at * num_entity + triples[:, 2]
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    found: npt.NDArray[np.bool_] = (used[at] == pairs) & (keys[place] == wanted)
    return found
