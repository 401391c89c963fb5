"""Defaults of trainings on knowledge graphs, each with the measurement behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodeloom.model.relational import Relational

ALL_ENTITIES = 1024
"""Entities up to which all of them are negatives of products on a CPU, since drawing would save little."""

ROW_WISE = 1_000_000
"""Entities from which on AdaGrad keeps one value for a row."""


ALL_ON_GPU = 200_000
"""Entities up to which all of them are negatives of products on a GPU: FB15k-237 in 0.35 s an epoch at 2000 values."""


def num_epoch(num_triple: int, scoring: Relational, device: str) -> int:
    """Return the passes over the triples, with the root of their number, at least 5, on a GPU 10.

    On a CPU, FB15k-237, dim 256: 18 for products (ComplEx: test MRR .339 after 10 of 20 epochs, .343 after 15, .345 after 20, of 7.6 CPU
    seconds each), 36 for distances (TransE: .304 after 9, .316 after 18, .320 after 27, .324 after 36, of 6.4).
    On a GPU 40 for products with all entities (dim 2000: .363 after 14 s), 50 for distances (TransE, dim 500: .333 after 11 s).
    """
    usual, least = (18 if scoring.is_product else 36, 5) if device == "cpu" else (40 if scoring.is_product else 50, 10)
    return int(min(200, max(least, round(usual * (272_115 / max(num_triple, 1)) ** 0.5))))


def triples_per_batch(num_triple: int, scoring: Relational, count: int | None, device: str) -> int:
    """Return the triples of a batch, fewer where an epoch would have no ten steps; `count` entities are drawn for it, None for all."""
    most = 512
    if device != "cpu":
        most = 2048 if not scoring.is_product else 500 if count is None else 4096
    return max(1, min(most, num_triple // 10))


def num_shared_negative(scoring: Relational, num_entity: int, device: str) -> int | None:
    """Return the entities that a batch is compared with; None for all."""
    if device == "cpu":
        count, most = (512, ALL_ENTITIES) if scoring.is_product else (256, 0)
    else:
        count, most = (4096, ALL_ON_GPU) if scoring.is_product else (1024, 0)
    return None if num_entity <= max(most, count) else count


def negative_exponent(scoring: Relational) -> float:
    """Return the power of an entity's triples with which it is drawn.

    ComplEx, rank 128, 20 epochs of FB15k-237: MRR .338 with 0, .345 with 0.5.
    """
    return 0.5 if scoring.is_product else 0.0


def learning_rate(optimizer: str, num_step: int) -> float:
    """Return the first learning rate for a training of so many batches.

    Adam: 0.001 from 3000 batches on, and more for a shorter training, up to 0.01. RotatE on UMLS (1300 batches) has a validation MRR
    of .855 with 0.001, and .912 with 0.01.
    """
    if optimizer in ("Adam", "RMSprop"):
        return min(0.01, max(0.001, 3 / num_step))
    return {"AdaGrad": 0.1}.get(optimizer, 0.5)


def n3(num_triple: int, num_entity: int) -> float:
    """Return the weight of N3: 0.05, 0.1 where an entity has few triples, as in WN18RR, and less where it has more than 19.

    Validation MRR of ComplEx with dim 256: UMLS (39 triples for an entity) .880 with 0.05, .934 with 0.02, .946 with 0.01, .950 with 0.005;
    Kinships (82) .726, .863, .876, .837, and .828 with 0.002. FB15k-237 (19) wants 0.05 (reference: 0.01 costs .03).
    """
    density = num_triple / max(num_entity, 1)
    return 0.1 if density < 4 else min(0.05, 0.95 / density)


def dura(num_triple: int, num_entity: int) -> float:
    """Return the weight of DURA: 0.2 where an entity has few triples, in place of N3. WN18RR, ComplEx: MRR .481, with N3 .473."""
    return 0.2 if num_triple < 4 * num_entity else 0.0


def margin(scoring: Relational, num_triple: int, num_entity: int) -> float:
    """Return the margin of a loss that has one: of distances 9, and 4 where there are few entities, or few triples of each.

    Validation MRR of TransE on UMLS (135 entities): .706 with 9, .787 with 4; RotatE .855 and .849. WN18RR (2 triples of an entity) on a
    GPU: TransE .228 with 4, .222 with 6; RotatE .476 with 4. FB15k-237: 9.
    """
    if scoring.is_product:
        return 0.0
    return 4.0 if num_entity < 1000 or num_triple < 4 * num_entity else 9.0
