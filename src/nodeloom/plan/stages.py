"""The stages of the models that learn from walks: DeepWalk, node2vec and LINE."""

from __future__ import annotations

from typing import Literal

from nodeloom.errors import ConfigError, describe
from nodeloom.kernels.cpu.simd import ROW_ALIGNMENT
from nodeloom.model.objective import Objective, SharedNegatives, Walks
from nodeloom.model.stage import Stage
from nodeloom.model.tables import TableSpec, Uniform
from nodeloom.plan.defaults import initial_scale
from nodeloom.rng import MASK, Purpose, mix, stream
from nodeloom.words import setting


def stages_of(
    model: str,
    order: Literal[1, 2, "both"],
    dim: int,
    seed: int,
    *,
    num_nodes: int,
    positives: Walks,
    negatives: SharedNegatives,
) -> tuple[Stage, ...]:
    """Return the stages of a model, in the order in which they are trained.

    The first order of LINE (Tang et al., WWW 2015) has one table for both ends of a pair. All others have a table "vertex" of random
    first values and a table "context" of zeros.

    Raises
    ------
    ConfigError
        If there is no column for each of LINE's two orders.
    """
    if model == "LINE" and order == "both":
        if dim < 2:
            raise ConfigError(
                describe(setting("resource.dim"), expected="at least 2, one half for each order of LINE", got=dim)
            )
        shares = [(True, 0, dim // 2), (False, dim // 2, dim - dim // 2)]
    else:
        shares = [(model == "LINE" and order == 1, 0, dim)]
    found = []
    for number, (tied, first, width) in enumerate(shares):
        own = seed if number == 0 else mix((seed + number) & MASK)
        init = Uniform(stream(own, Purpose.INITIAL_VERTEX), initial_scale(width))
        tables = [TableSpec("vertex", num_nodes, width, init, ROW_ALIGNMENT)]
        if not tied:
            tables.append(TableSpec("context", num_nodes, width, None, ROW_ALIGNMENT))
        objective = Objective(tuple(tables), positives, negatives, tail="vertex" if tied else "context")
        found.append(Stage(objective, first, own))
    return tuple(found)
