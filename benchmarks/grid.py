"""Tables that do not fit: YouTube's size in a quarter of its memory, Friendster's size on one card, and files on the CPU."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from common import SkippedError, arguments
from report import Report

SECTIONS = ("youtube", "friendster", "host", "cpu")


def section(name: str) -> Callable[[argparse.Namespace, Report], None]:
    """Return a section; what it needs is imported only now."""
    if name == "cpu":
        from grid_sections import files

        return files.files
    from grid_sections import friendster, quarter

    return {"youtube": quarter.quarter, "friendster": friendster.chosen, "host": friendster.host}[name]


def main() -> int:
    """Run the benchmark; the exit status is 1 if a section broke."""
    parser = arguments(__doc__)
    parser.set_defaults(repeats=1)
    parser.add_argument("--only", nargs="+", default=list(SECTIONS), choices=SECTIONS, help="sections, in this order")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the nodes and edges of the graphs")
    parser.add_argument(
        "--seconds", type=float, default=65.0, help="what a training of Friendster's size is watched for"
    )
    parser.add_argument("--dims", type=int, nargs="+", default=[96, 128], help="dims of Friendster's size")
    parser.add_argument(
        "--keep", type=Path, help="folder in which the graph of Friendster's size stays for other benchmarks"
    )
    parser.add_argument("--no-whole", action="store_true", help="only watch trainings of Friendster's size")
    parser.add_argument("--cpu-nodes", type=int, default=2_000_000, help="nodes of the graph of 'cpu'")
    options = parser.parse_args()
    if options.quick:
        options.scale, options.seconds, options.cpu_nodes = min(options.scale, 0.003), 2.0, 4000
    if options.only != ["cpu"]:
        import torch

        if not torch.cuda.is_available() and not (options.quick and os.environ.get("TRITON_INTERPRET") == "1"):
            print("grid.py: torch finds no card; --only cpu needs none.", file=sys.stderr)
            return 2
    report = Report("grid" if options.only != ["cpu"] else "grid_cpu", "Tables that do not fit", options)
    broken = 0
    for name in options.only:
        begin, num_table = time.perf_counter(), len(report.tables)
        try:
            section(name)(options, report)
        except SkippedError as reason:
            report.note(f"Skipped: {reason}.")
            report.say(str(reason))
        except Exception as error:  # noqa: BLE001  the other sections shall have their turn
            broken += 1
            traceback.print_exc()
            report.check(name, "runs", f"{type(error).__name__}: {str(error)[:200]}", met=False)
        report.say(f"{name} took {time.perf_counter() - begin:.1f} s")
        for table in report.tables[num_table:]:
            print(f"\n{table.title}\n{table.markdown()}\n", file=sys.stderr, flush=True)
        report.write()
    report.finish()
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
