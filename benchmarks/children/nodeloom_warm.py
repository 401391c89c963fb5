"""DeepWalk of nodeloom from the vectors of another model, or from random rows: time of both together, and the tables."""

import numpy as np
from child import Stopwatch, answer, request

import nodeloom

asked = request()
with np.load(asked["graph"]) as archive:
    graph = nodeloom.Graph.from_edges(archive["edges"], num_nodes=int(archive["num_nodes"]))
machine = {"device": "cpu", "num_thread": asked["num_thread"], "seed": asked["seed"]}


def trained(subject, **more):
    """Return DeepWalk on a graph, and the seconds that its start took."""
    start, init = asked.get("start"), None
    with Stopwatch() as watch:
        if start is not None:
            init = nodeloom.Propagation(**machine, **start["options"]).fit(subject)
            if start.get("enhance"):
                init = nodeloom.enhance(init, subject)
            init = init.start(start.get("length", 1.0))
    return nodeloom.DeepWalk(**machine, **asked["options"] | more).fit(subject, init=init), watch.seconds


ring = np.arange(256)
edges = np.stack([ring, (ring + 1) % 256], axis=1)
trained(nodeloom.Graph.from_edges(edges), num_epoch=1)  # compiles
with Stopwatch() as watch:
    model, start_seconds = trained(graph)
np.save(asked["vectors"], model.vectors_)
if asked.get("contexts"):
    np.save(asked["contexts"], model.context_vectors_)
answer(
    seconds=watch.seconds, start_seconds=start_seconds, pairs=model.report_["num_pair"], lr=model.report_.get("lr"),
    finite=bool(np.isfinite(model.vectors_).all()),
)  # fmt: skip
