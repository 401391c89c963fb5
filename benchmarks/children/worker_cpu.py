"""One of several workers on CPUs, or one process: pairs, CPU seconds of training, bytes sent, and the AUC of hidden edges."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import nodeloom
from nodeloom.plan import merges
from nodeloom.tasks import link_prediction, split_edges


class Clock:
    """Notes the CPU seconds of this process when the first and the last pool have ended: compiling and first values are before."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, float, float]] = []

    def on_pool_end(self, progress: Any) -> None:
        """Take the time."""
        self.seen[1:] = [(progress.num_pair, time.process_time(), progress.seconds)]


def main() -> None:
    """Train, and write what came of it to the file of this worker."""
    asked = json.loads(Path(sys.argv[1]).read_text())
    if asked["merges"]:
        merges.MERGES = merges.LEAST_MERGES = asked["merges"]
        merges.LONGEST = 1e9
    split = split_edges(nodeloom.Graph.open(asked["graph"]), fraction=0.005, seed=1)
    clock, rank = Clock(), int(os.environ.get("RANK", "0"))
    model = nodeloom.DeepWalk(
        num_epoch=asked["epochs"], parallelism=asked["tables"], device="cpu", num_thread=1, seed=1, verbose=False
    )
    model.fit(split.train_graph, callbacks=[clock])
    (first, cpu, wall), (last, cpu_end, wall_end) = clock.seen
    found = {"pairs": last - first, "cpu": cpu_end - cpu, "wall": wall_end - wall}
    if rank == 0:  # the model is there
        report = model.report_
        found |= {"sent": report["sent_bytes"], "num_sent": report["num_sent"], "waited": report["waited_seconds"]}
        found |= {"auc": link_prediction(model, split).auc, "peak": report["peak_memory"]}
    Path(f"{sys.argv[2]}.{rank}").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
