"""The GPU engine on one card: training, its bound and its baseline, walks, host sampling, quality, and the first call."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable

from common import SkippedError, arguments
from report import Report

SECTIONS = ("youtube", "rows", "pairs", "walks", "host", "debian", "quality", "propagation", "first-call")


def section(name: str) -> Callable[[argparse.Namespace, Report], None]:
    """Return a section; what it needs is imported only now."""
    from gpu_sections import feeding, first_call, pairs, propagating, quality, rows, training, walking

    return {
        "youtube": training.youtube, "debian": training.debian, "rows": rows.rows, "pairs": pairs.pairs,
        "walks": walking.walking, "host": feeding.feeding, "quality": quality.quality, "propagation": propagating.propagation,
        "first-call": first_call.first_call,
    }[name]  # fmt: skip


def main() -> int:
    """Run the benchmark; the exit status is 1 if a section broke."""
    parser = arguments(__doc__)
    parser.add_argument("--only", nargs="+", default=list(SECTIONS), choices=SECTIONS, help="sections, in this order")
    parser.add_argument("--cpu-repeats", type=int, default=2, help="trainings of the CPU engine in 'quality'")
    parser.add_argument("--baseline-share", type=float, default=1.0, help="share of the pairs that the baseline trains")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="share of the nodes and edges of the YouTube-shaped graph"
    )
    options = parser.parse_args()
    if options.quick:
        options.repeats, options.cpu_repeats, options.scale = 1, 1, min(options.scale, 0.01)

    import torch

    if not torch.cuda.is_available() and not (options.quick and os.environ.get("TRITON_INTERPRET") == "1"):
        print("gpu.py: torch finds no card. (TRITON_INTERPRET=1 and --quick only show that it runs.)", file=sys.stderr)
        return 2
    report = Report("gpu", "The GPU engine on one card", options)
    compiling = []
    if "rows" in options.only and not options.quick:
        from gpu_sections.rows import compile_all

        compiling = compile_all()
    broken = 0
    for name in options.only:
        begin = time.perf_counter()
        num_table = len(report.tables)
        try:
            run = section(name)
            if compiling:
                report.say("waiting for the kernels of all widths")
                from gpu_sections.shapes import youtube_shaped

                youtube_shaped(options.scale)
                while compiling:
                    compiling.pop().wait()
            run(options, report)
        except SkippedError as reason:
            report.note(f"Skipped: {reason}.")
            report.say(str(reason))
        except Exception as error:  # noqa: BLE001  the other sections shall have their turn
            broken += 1
            traceback.print_exc()
            report.check(name, "runs", f"{type(error).__name__}: {str(error)[:200]}", met=False)
        seconds = time.perf_counter() - begin
        report.raw.setdefault("seconds", {})[name] = seconds
        report.say(f"{name} took {seconds:.1f} s")
        for table in report.tables[num_table:]:
            print(f"\n{table.title}\n{table.markdown()}\n", file=sys.stderr, flush=True)
        report.write()
    report.finish()
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
