"""``python -m tests.fuzzing``: run the fuzzer from the root of the project.

python -m tests.fuzzing --minutes 1 --seed 0              all targets in turn, for a minute
python -m tests.fuzzing --only edges,labels --count 5000  some targets, so many inputs each
python -m tests.fuzzing --only edges --seed 0 --index 17  one input again, in this process, with its traceback
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

from tests.fuzzing.runner import Campaign, Failure, attempt, case_of
from tests.fuzzing.targets import TARGETS

from nodeloom.kernels.cpu.parallel import available_threads
from nodeloom.log import NodeloomWarning


def main() -> int:
    """Run the fuzzer; 0 if every input ended as it should."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzzing", description="Inputs that nobody meant, to every reader."
    )
    parser.add_argument("--minutes", type=float, default=1.0, help="how long, unless --count is given")
    parser.add_argument("--count", type=int, help="so many inputs for each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--only", default="", help=f"targets, with commas between them: {', '.join(t.name for t in TARGETS)}"
    )
    parser.add_argument("--index", type=int, help="run this one input of the target again")
    parser.add_argument("--jobs", type=int, default=available_threads())
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--keep", type=Path, help="folder for inputs that failed")
    options = parser.parse_args()
    chosen = options.only.split(",") if options.only else [target.name for target in TARGETS]
    targets = [target for target in TARGETS if target.name in chosen]
    if len(targets) < len(chosen):
        parser.error(f"--only: expected some of {', '.join(t.name for t in TARGETS)}, got {options.only}")
    with tempfile.TemporaryDirectory(prefix="nodeloom-fuzz-") as folder:
        warnings.simplefilter("ignore", NodeloomWarning)
        os.environ["NODELOOM_CACHE"] = str(Path(folder) / "cache")
        os.environ.pop("NODELOOM_DATA", None)
        if options.index is not None:
            return _again(targets, options.seed, options.index, Path(folder))
        _load_kernels(targets, Path(folder))
        campaign = Campaign(targets, options.seed, batch=options.batch, num_child=options.jobs, keep=options.keep)
        start = time.monotonic()
        if options.count is None:
            campaign.run(seconds=60 * options.minutes, report=_report)
        else:
            campaign.run(count=options.count, report=_report)
        return _summary(campaign, time.monotonic() - start)


def _again(targets, seed: int, index: int, folder: Path) -> int:
    for target in targets:
        case = case_of(target, seed, index)
        sys.stdout.write(f"{target.name}: options {case.options!r}\n{case.content[:2000]!r}\n")
        kind, text = attempt(target, case, folder)
        sys.stdout.write(f"{kind}\n{text}\n")
    return 0


def _load_kernels(targets, folder: Path) -> None:
    """Run a few inputs of each target here, so that children find kernels loaded."""
    for target in targets:
        for index in range(3):
            attempt(target, case_of(target, 0, index), folder)


_told: Counter[tuple[str, str, str]] = Counter()


def _report(failure: Failure) -> None:
    """Print a failure; of failures that look the same only the first three."""
    last = failure.text.strip().splitlines()[-1][:200] if failure.text.strip() else ""
    alike = (failure.target, failure.kind, re.sub(r"[0-9]+|'[^']*'", "", last)[:60])
    _told[alike] += 1
    if _told[alike] <= 3:
        sys.stdout.write(f"{failure.kind}: {failure.target} {failure.index}: {last}\n")
        sys.stdout.flush()


def _summary(campaign: Campaign, seconds: float) -> int:
    kinds = ["ok", "refused", "crash", "hang", "memory", "uncaught", "wrong"]
    sys.stdout.write(
        "".join(f"{word:>10}" for word in ("target", *kinds)).replace("    target", f"{'target':<14}") + "\n"
    )
    total: Counter[str] = Counter()
    for name, counts in campaign.counts.items():
        total += counts
        sys.stdout.write(f"{name:<14}" + "".join(f"{counts[kind]:>10}" for kind in kinds) + "\n")
    sys.stdout.write(f"{'all':<14}" + "".join(f"{total[kind]:>10}" for kind in kinds) + "\n")
    sys.stdout.write(f"{sum(total.values()):,} inputs in {seconds:.0f} s, seed {campaign.seed}\n")
    return 1 if campaign.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
