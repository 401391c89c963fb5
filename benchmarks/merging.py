"""What merging the whole tables of several workers costs in quality, on the CPU: how often, by which rule, for how many workers.

Workers are trained one after the other by the engine of the CPU, each its share of the pairs from its own walks, and merged by
:mod:`nodeloom.kernels.reference.merge`. Averages and plain sums of the changes show what the rule is for.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from common import arguments, available, classify, load
from nodeloom import DeepWalk, Graph
from nodeloom.engine import make_plan
from nodeloom.engine.modes import allocate, loop_of
from nodeloom.engine.tables import Tables
from nodeloom.kernels.reference.merge import apply, changes
from nodeloom.plan.plan import Plan
from nodeloom.schedule import Position
from nodeloom.tasks import link_prediction, score_pairs, split_edges
from report import Report

DATA = ("blogcatalog", "youtube77k", "lastfm_asia")
WAYS = (
    (1, 1, "none"),
    (2, 20, "rule"),
    (2, 50, "rule"),
    (2, 100, "rule"),
    (2, 100, "average"),
    (2, 100, "sum"),
    (4, 100, "rule"),
    (8, 100, "rule"),
)
NAMES = {"none": "", "rule": "merged", "average": "averaged", "sum": "added"}
TARGET_F1, TARGET_AUC = 0.5, 0.005
FRACTION = 0.01


def merge(tables: Sequence[np.ndarray], base: np.ndarray, rule: str) -> None:
    """Merge a table of all workers in place, and the base with them."""
    num_worker = len(tables)
    if rule == "rule":
        total, squares = np.zeros(base.shape), np.zeros(len(base))
        out, square = np.empty(base.shape), np.empty(len(base))
        for table in tables:
            changes(table, base, 0, out, square)
            total += out
            squares += square
        apply(tables[0], base, 0, total, squares, num_worker, 0)
    else:
        base += sum(table - base for table in tables) / (num_worker if rule == "average" else 1)
    for table in tables:
        table[:] = base


def train(graph: Graph, plan: Plan, num_worker: int, num_merge: int, rule: str) -> Tables:
    """Train a share of the pairs with each worker, and merge every now and then."""
    part, pairs = plan.stages[0], plan.total_pair // num_worker
    tiles = pairs / plan.pairs_per_tile
    plan = dataclasses.replace(
        plan, num_epoch=plan.num_epoch / num_worker, total_pair=pairs, tiles_per_pool=max(1, int(tiles / max(2 * num_merge, 20)))
    )  # fmt: skip
    stores: list[Tables] = []
    runs: list[tuple[Position, Iterator[Position]]] = []
    for rank in range(num_worker):
        store = allocate(plan, part, graph)
        store.initialize()
        engine = loop_of(graph, plan, dataclasses.replace(part, seed=part.seed + rank), store)
        position = Position()
        stores.append(store)
        runs.append((position, engine.run(position)))
    bases = [stores[0].of(name)[0].copy() for name in ("vertex", "context")]
    for number in range(1, num_merge + 1):
        for position, run in runs:
            while position.num_pair < pairs * number / num_merge and next(run, None) is not None:
                pass
        if num_worker > 1:
            for name, base in zip(("vertex", "context"), bases, strict=True):
                merge([store.of(name)[0] for store in stores], base, rule)
    return stores[0]


def scores(data: dict[str, Any], options: argparse.Namespace, way: tuple[int, int, str]) -> tuple[float, float, float]:
    """Return micro-F1 and macro-F1 at 50 % of the labels, and the AUC of hidden edges."""
    whole = Graph.from_edges(data["edges"], num_nodes=int(data["num_nodes"]))
    split = split_edges(whole, fraction=FRACTION, seed=0)
    stores = []
    for graph in (whole, split.train_graph):
        model = DeepWalk(num_epoch=options.epochs, device="cpu")
        stores.append(train(graph, make_plan(graph, model._settings()), *way))
    f1 = classify(stores[0].of("vertex")[0], data, (0.5,), 2)[0.5]
    found = link_prediction(
        score_pairs(*(stores[1].of(name)[0] for name in ("vertex", "context")), split.heads, split.tails), split.labels
    )
    return f1[0], f1[1], found.auc


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__)
    parser.add_argument("--epochs", type=int, default=400, help="length of the training, all workers together")
    options = parser.parse_args()
    if options.quick:
        options.epochs = 10
    report = Report("merging", "Merging the tables of workers", options)
    names, missing = available(DATA)
    for name in missing:
        report.note(f"Skipped: {name}.")
    table = report.table(
        f"DeepWalk, {options.epochs} epochs, dim 128; micro/macro-F1 at 50 %, AUC of 1 % of the edges, hidden",
        "data", "workers", "merges", "changes are", "F1", "AUC",
    )  # fmt: skip
    for name in names[: 1 if options.quick else None]:
        data, one = load(name), (0.0, 0.0, 0.0)
        for way in WAYS:
            micro, macro, auc = scores(data, options, way)
            num_worker, num_merge, rule = way
            merges = str(num_merge) if num_worker > 1 else ""
            table.add(name, num_worker, merges, NAMES[rule], f"{micro:.2f}/{macro:.2f}", f"{auc:.4f}")
            report.say(f"{name}, {way}: F1 {micro:.2f}/{macro:.2f}, AUC {auc:.4f}")
            report.raw[f"{name}, {way}"] = [micro, macro, auc]
            if num_worker == 1:
                one = micro, macro, auc
            elif way == (2, 100, "rule"):
                report.check(
                    f"{name}, 2 workers: micro-F1 lost",
                    f"at most {TARGET_F1}",
                    f"{one[0] - micro:.2f}",
                    one[0] - micro <= TARGET_F1,
                )
                report.check(
                    f"{name}, 2 workers: AUC lost",
                    f"at most {TARGET_AUC}",
                    f"{one[2] - auc:.4f}",
                    one[2] - auc <= TARGET_AUC,
                )
    report.finish()


if __name__ == "__main__":
    main()
