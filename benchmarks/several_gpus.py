"""Several GPUs of one host beside one: pairs per second, what is merged, and the communities that vectors find.

Each number of GPUs trains the same graph for the same epochs, in processes of its own that nodeloom's launcher starts; the graph lies in a
file that all of them map.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from common import CHILDREN, SkippedError, arguments
from report import Report

SHAPES = ("youtube", "friendster")
TARGETS = {2: 1.9, 4: 3.7, 8: 7.2}
LOST = 1.0  # points of the communities that several may lose
LAUNCH = (
    "import sys; from nodeloom.transport.launcher import start_workers; "
    "sys.exit(start_workers([sys.executable, *sys.argv[2:]], int(sys.argv[1])).code)"
)
ON_CARD = torch.cuda.is_available()
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
QUICK = {"youtube": 1e-3, "friendster": 1e-5}  # of the nodes and edges


def numbers_of_gpus(options: argparse.Namespace) -> list[int]:
    """Return 1, 2, 4 and 8, as far as there are so many."""
    there = torch.cuda.device_count() if ON_CARD else 2
    return options.gpus or [number for number in (1, 2, 4, 8) if number <= there]


def run(number: int, request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Train with so many workers and return what the first one answers."""
    question, reply = folder / "request.json", folder / "answer.json"
    question.write_text(json.dumps(request))
    reply.unlink(missing_ok=True)
    program = [str(CHILDREN / "nodeloom_gpus.py"), str(question), str(reply)]
    command = [sys.executable, *program] if number == 1 else [sys.executable, "-c", LAUNCH, str(number), *program]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode or not reply.exists():
        raise SkippedError((done.stdout.strip().splitlines() or [f"exit status {done.returncode}"])[-1])
    answer: dict[str, Any] = json.loads(reply.read_text())
    return answer


def youtube(options: argparse.Namespace, report: Report, folder: Path) -> dict[str, Any]:
    """Make the graph, and return what is to be trained."""
    from gpu_sections.shapes import youtube_shaped

    shaped = youtube_shaped(QUICK["youtube"] if options.quick else options.scale)
    shaped.graph.save(folder / "youtube.safetensors")
    np.save(folder / "youtube.npy", shaped.community)
    return {
        "epochs": 4 if options.quick else 4000,
        "seconds": 0,
        "options": {"augmentation_step": 5, "dim": options.dim or 128},
    }


def friendster(options: argparse.Namespace, report: Report, folder: Path) -> dict[str, Any]:
    """Make the graph, and return what is to be trained: at GraphVite's settings for a while, then a whole short training."""
    from grid_sections.friendster import EPOCHS, STEP, made

    found = made(QUICK["friendster"] if options.quick else options.scale, report, options.keep)
    if options.keep is None:
        found.graph.save(folder / "friendster.safetensors")
        np.save(folder / "friendster.npy", found.community)
        files = {}
    else:
        files = {"graph": str(options.keep / "graph.safetensors"), "community": str(options.keep / "community.npy")}
    made.cache_clear()
    return files | {
        "epochs": 4 if options.quick else 0, "watched_epochs": EPOCHS, "seconds": options.seconds,
        "whole_seconds": options.whole_seconds,
        "options": {"augmentation_step": STEP, "dim": options.dim or 96, "table_dtype": "bf16"},
    }  # fmt: skip


def section(name: str, options: argparse.Namespace, report: Report, folder: Path) -> None:
    """Train one graph on every number of GPUs."""
    begin = time.perf_counter()
    request = {"youtube": youtube, "friendster": friendster}[name](options, report, folder)
    report.say(f"{name}: the graph is there after {time.perf_counter() - begin:.1f} s")
    files = {"graph": str(folder / f"{name}.safetensors"), "community": str(folder / f"{name}.npy")}
    device = {"device": "cuda" if ON_CARD or INTERPRETED else "cpu", "parallelism": options.parallelism}
    request = files | request | {"options": request["options"] | device}
    table = report.table(
        f"{name.capitalize()}-shaped, LINE, dim {request['options']['dim']}, step {request['options']['augmentation_step']}",
        "GPUs", "tables", "dtype", "G pairs/s", "beside one", "epochs", "training, s", "busy", "merges", "GB each", "GB/s",
        "sent by each, GB", "communities found", "control", "AUC of edges", "planned on a GPU, GB",
    )  # fmt: skip
    rates: dict[int, float] = {}
    scores: dict[int, float] = {}
    for number in numbers_of_gpus(options):
        try:
            found = run(number, request, folder)
        except SkippedError as reason:
            report.note(f"{name}, {number} GPUs: {reason}.")
            report.check(f"{name}, {number} GPUs", "runs", str(reason)[:200], met=False)
            continue
        plan, rates[number] = found["plan"], found.get("watched_rate", 0.0)
        request["epochs"] = found["epochs"]  # those of the first, for all
        report.say(f"{name}, {number} GPUs, {found['seconds']:.1f} s in all:\n{found['text']}")
        cells = [""] * 10
        if "training" in found:
            training = found["training"]
            rates[number] = rates[number] or training["rate"]
            scores[number] = found["accuracy"]
            cells[0], cells[1] = str(found["epochs"]), f"{training['seconds']:.2f}"
            if training["num_sent"]:
                cells[3], cells[6] = str(training["num_sent"]), f"{training['sent_bytes'] / 1e9:.1f}"
            if plan["mode"]["name"] == "Copies":
                each = training["sent_bytes"] / training["num_sent"] / (2 * (number - 1) / number)
                cells[2] = f"{100 * (1 - training['waited_seconds'] / training['seconds']):.0f} %"
                cells[4], cells[5] = (
                    f"{each / 1e9:.2f}",
                    f"{each * training['num_sent'] / training['waited_seconds'] / 1e9:.0f}",
                )
            cells[7:] = f"{found['accuracy']:.2f} %", f"{found['control']:.2f} %", f"{found['auc']:.4f}"
        table.add(
            number, plan["mode"]["name"].lower(), plan["table_dtype"], f"{rates[number] / 1e9:.3f}",
            f"{rates[number] / rates[1]:.2f}" if 1 in rates else "", *cells, f"{plan['num_device_bytes'] / 1e9:.1f}",
        )  # fmt: skip
        report.say(f"{name}, {number} GPUs: {rates[number] / 1e9:.3f} G pairs/s, communities {scores.get(number)}")
        report.raw[f"{name}, {number}"] = found
        report.write()
    _check(name, report, rates, scores)


def _check(name: str, report: Report, rates: dict[int, float], scores: dict[int, float]) -> None:
    for number in rates:
        if number == 1 or 1 not in rates:
            continue
        if name == "friendster" and number in TARGETS:
            ratio = rates[number] / rates[1]
            report.check(
                f"{name}: {number} GPUs beside one", f"at least {TARGETS[number]}", f"{ratio:.2f}", ratio >= TARGETS[number]
            )  # fmt: skip
        if number in scores and 1 in scores:
            lost = scores[1] - scores[number]
            report.check(f"{name}: communities lost by {number} GPUs", f"at most {LOST}", f"{lost:.2f}", lost <= LOST)


def main() -> int:
    """Run the benchmark."""
    parser = arguments(__doc__)
    parser.add_argument("--only", nargs="+", default=list(SHAPES), choices=SHAPES, help="graphs, in this order")
    parser.add_argument(
        "--gpus", type=int, nargs="+", help="numbers of GPUs; by default 1, 2, 4, 8 as far as there are so many"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="share of the nodes and edges of the graphs")
    parser.add_argument("--dim", type=int, help="values in a vector; by default 128 and 96")
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="what a training of Friendster's shape is watched for"
    )
    parser.add_argument("--whole-seconds", type=float, default=25.0, help="of its whole short training on one GPU")
    parser.add_argument("--parallelism", default="auto", choices=("auto", "data", "model"), help="what each worker has")
    parser.add_argument("--keep", type=Path, help="a folder in which the graph of Friendster's shape is kept, or was")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.dim = 0.0, options.dim or 32
    if not ON_CARD and not options.quick:
        print("several_gpus.py: torch finds no card; --quick shows without one that everything runs.", file=sys.stderr)
        return 2
    report = Report("several_gpus", "Several GPUs beside one", options)
    shared = Path("/dev/shm")
    place = shared if options.scale == 1.0 and shared.exists() and os.access(shared, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="nodeloom-benchmark-", dir=place) as folder:
        for name in options.only:
            section(name, options, report, Path(folder))
    report.note(
        "Beside one: rate against that of one GPU. Of Friendster's shape the rate is that of GraphVite's settings (2000 epochs), watched "
        "for a while, merges included; communities are those of a whole training of as many epochs as are written there: micro-F1 of "
        "nodes that were not learned from. AUC: of edges that were trained, against random pairs. Busy: share of the time of the whole "
        "training in which the first worker was not merging or waiting for the others. GB/s: of what is merged, waiting included."
    )
    report.finish()
    return 0


if __name__ == "__main__":
    sys.exit(main())
