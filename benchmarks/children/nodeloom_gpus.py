"""One of several workers that train on a graph with a GPU each: rate, what they merge, and the communities that are found."""

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from child import answer, request

import nodeloom
from nodeloom.engine import make_plan
from nodeloom.errors import TrainingInterrupted
from nodeloom.tasks import link_prediction, score_pairs
from nodeloom.transport.session import worker_session
from nodeloom.transport.torchrun import worker_rank

sys.path.insert(0, str(Path(__file__).parent.parent))
from gpu_sections.recovery import recovery
from grid_sections.friendster import Watch


def pretend() -> None:
    """Let the interpreter of Triton pass for a GPU, to see that everything runs."""
    from nodeloom.engine import machine
    from nodeloom.engine.device import Gpu
    from nodeloom.engine.workers import devices

    machine.resolve_device = lambda resource, *, deterministic: "cuda:0"
    devices._in_turn = lambda resource, turn, *, deterministic: "cuda:0"
    for module in (machine, devices):
        module.find_gpu = lambda index: Gpu(index, "interpreter", 1 << 34, 1 << 34, "", 1, None)


def train(graph: nodeloom.Graph, options: dict[str, Any], seconds: float = 0.0) -> tuple[Any, Any]:
    """Train to the end, or for some seconds; return the model and the watch."""
    model = nodeloom.LINE(**options)
    watch = Watch(seconds or 1e9)
    with contextlib.suppress(TrainingInterrupted):
        model.fit(graph, callbacks=[watch])
    return model, watch


def auc_of_edges(model: Any, graph: nodeloom.Graph, number: int = 200_000) -> float:
    """Return the AUC of edges, which have been trained, against as many random pairs."""
    random = np.random.default_rng(0)
    entries = random.integers(len(graph.indices), size=number)
    heads = np.searchsorted(graph.indptr, entries, side="right") - 1
    pairs = np.concatenate(
        [np.stack([heads, graph.indices[entries]]), random.integers(graph.num_nodes, size=(2, number))], axis=1
    )
    scores = score_pairs(model.vectors_, model.context_vectors_, *pairs)
    return float(link_prediction(scores, np.arange(2 * number) < number).auc)


def main() -> None:
    """Do what is asked for; the first worker answers."""
    asked = request()
    if os.environ.get("TRITON_INTERPRET") == "1":
        pretend()
    here = worker_rank()
    is_first = here.rank == 0
    begin = time.perf_counter()
    graph = nodeloom.Graph.open(asked["graph"])
    options = asked["options"]
    found: dict[str, Any] = {}
    with worker_session(60.0):
        epochs = asked["epochs"] or asked["watched_epochs"]
        plan = make_plan(graph, nodeloom.LINE(**(options | {"num_epoch": epochs}))._settings())
        found["plan"], found["text"] = plan.to_dict(), str(plan)
        if asked["seconds"]:
            _, watch = train(graph, options | {"num_epoch": asked["watched_epochs"]}, asked["seconds"])
            found |= {"watched": [watch.first, watch.last], "watched_rate": watch.rate}
            epochs = asked["epochs"] or int(watch.rate * asked["whole_seconds"] / graph.num_edges)
        model = train(graph, options | {"num_epoch": epochs})[0] if epochs else None
    if is_first:
        if model is not None:
            score = recovery(model.vectors_, np.load(asked["community"]), graph.degrees)
            found |= {"accuracy": score.accuracy, "control": score.control, "auc": auc_of_edges(model, graph)}
            found["training"] = dict(model.report_)
        answer(**found, epochs=epochs, seconds=time.perf_counter() - begin)


main()
