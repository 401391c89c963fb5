"""Parts of the tables on several GPUs, beside whole tables and beside the grid of one GPU.

A graph of YouTube's size is trained for the same epochs in each way. The grid, whose tables lie in main memory, may use a quarter of what
the tables take on the GPU.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from common import SkippedError, arguments
from gpu_sections.shapes import youtube_shaped
from report import Report
from several_gpus import INTERPRETED, ON_CARD, run

EPOCHS, STEP, DIM = 2000, 5, 128
SHARE = 0.25
LOST = 1.0  # points of the communities that parts may lose


def main() -> int:
    """Run the benchmark."""
    parser = arguments(__doc__)
    parser.add_argument("--num-worker", type=int, default=2, help="workers, with a GPU each if there are so many")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the nodes and edges of the graph")
    parser.add_argument("--num-epoch", type=int, default=EPOCHS, help="epochs")
    options = parser.parse_args()
    if not ON_CARD and not options.quick:
        print("split_on_gpus.py: torch finds no card; --quick shows without one that everything runs.", file=sys.stderr)
        return 2
    report = Report("split_on_gpus", "Parts of the tables on several GPUs", options)
    with tempfile.TemporaryDirectory(prefix="nodeloom-benchmark-") as folder:
        train_all(options, report, Path(folder))
    report.note(
        "Limit: gpu_memory_limit. On a GPU: what the plan says, and the most that tensors took. Sent: context parts, or what was merged. "
        "Communities: micro-F1 of nodes that were not learned from. AUC: of edges that were trained, against random pairs."
    )
    report.finish()
    return 0


def train_all(options: argparse.Namespace, report: Report, folder: Path) -> None:
    """Train the graph in each way."""
    shaped = youtube_shaped(2e-4 if options.quick else options.scale)
    graph = shaped.graph
    graph.save(folder / "graph.safetensors")
    np.save(folder / "community.npy", shaped.community)
    dim, epochs = (16, 1) if options.quick else (DIM, options.num_epoch)
    tables = 2 * graph.num_nodes * dim * 4
    limit = {"gpu_memory_limit": int(SHARE * tables) + (0 if options.scale == 1.0 and not options.quick else 600_000)}
    number = options.num_worker
    ways: list[tuple[str, int, dict[str, Any]]] = [
        ("whole, one GPU", 1, {}),
        ("grid in main memory, one GPU", 1, limit),
        (f"copies, {number} workers", number, {"parallelism": "data"}),
        (f"parts on GPUs, {number} workers", number, {"parallelism": "model"}),
    ]
    table = report.table(
        f"{graph.num_nodes:,} nodes, {graph.num_edges:,} edges, {epochs} epochs, LINE, dim {dim}, step {STEP}; fp32 tables have "
        f"{tables / 1e6:.0f} MB",
        "tables", "blocks", "dtype", "limit, MB", "training, s", "G pairs/s", "sent by each, GB", "planned on a GPU, MB",
        "used on a GPU, MB", "in main memory, MB", "communities found", "control", "AUC of edges",
    )  # fmt: skip
    scores: dict[str, float] = {}
    fixed = {"augmentation_step": STEP, "dim": dim, "device": "cuda" if ON_CARD or INTERPRETED else "cpu"}
    for name, workers, how in ways:
        request: dict[str, Any] = {
            "graph": str(folder / "graph.safetensors"), "community": str(folder / "community.npy"), "seconds": 0,
            "epochs": epochs, "options": fixed | how,
        }  # fmt: skip
        try:
            found = run(workers, request, folder)
        except SkippedError as reason:
            report.note(f"{name}: {reason}.")
            report.check(name, "runs", str(reason)[:200], met=False)
            continue
        plan, training = found["plan"], found["training"]
        report.say(f"{name}:\n{found['text']}\n{training['rate'] / 1e9:.3f} G pairs/s, {found['accuracy']:.2f} %")
        grid = plan["mode"].get("grid")
        scores[name] = found["accuracy"]
        table.add(
            name, "" if grid is None else f"{grid['num_vertex_part']} x {grid['num_context_part']}", plan["table_dtype"],
            f"{how['gpu_memory_limit'] / 1e6:.0f}" if "gpu_memory_limit" in how else "", f"{training['seconds']:.2f}",
            f"{training['rate'] / 1e9:.3f}", f"{training['sent_bytes'] / 1e9:.1f}" if training["sent_bytes"] else "",
            f"{plan['num_device_bytes'] / 1e6:.0f}", f"{training['peak_device_memory'] / 1e6:.0f}",
            f"{plan['memory'].get('tables', 0) / 1e6:.0f}", f"{found['accuracy']:.2f} %", f"{found['control']:.2f} %",
            f"{found['auc']:.4f}",
        )  # fmt: skip
        if "gpu_memory_limit" in how and ON_CARD:
            used, most = training["peak_device_memory"], how["gpu_memory_limit"]
            report.check(
                f"{name}: memory on a GPU", f"at most {most / 1e6:.0f} MB", f"{used / 1e6:.0f} MB", used <= most
            )
        report.raw[name] = found
        report.write()
    first, *others = scores
    for name in others:
        lost = scores[first] - scores[name]
        report.check(f"{name}: communities lost", f"at most {LOST}", f"{lost:.2f}", lost <= LOST)


if __name__ == "__main__":
    sys.exit(main())
