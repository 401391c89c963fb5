"""Time to the first result: import, --help, compilation (cold and from the cache), and the quickstart."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

from common import SkippedError, arguments, run_worker
from report import Report, spread

COLD, WARM = "first fit with an empty cache of kernels", "first fit of a process, kernels from the cache"
NEXT = "second fit of the same process"
QUICK, QUICK_AGAIN = "nodeloom quickstart, empty cache of kernels", "nodeloom quickstart, kernels from the cache"
TARGETS = {"import nodeloom": 0.5, "nodeloom --help": 1.0, QUICK: 60.0}
TARGET_COMPILE = 10.0
IMPORT = "import time; begin = time.perf_counter(); {}; print(time.perf_counter() - begin)"


def timed(command: list[str], **environment: str) -> tuple[float, str]:
    """Run a command in an empty folder; wall-clock seconds, and what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        done = subprocess.run(
            command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        seconds = time.perf_counter() - begin
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.returncode}"]
        raise SkippedError(f"{' '.join(command[1:])}: {lines[-1]}")
    return seconds, done.stdout


def starts(seconds: dict[str, list[float]], nodeloom: list[str]) -> None:
    """One round of imports and short commands."""
    for what in ("import nodeloom", "from nodeloom import DeepWalk"):
        inside = float(timed([sys.executable, "-c", IMPORT.format(what)])[1])
        seconds.setdefault(what, []).append(inside)
    for what, command in (
        ("python -c pass", [sys.executable, "-c", "pass"]),
        ("nodeloom --help", [*nodeloom, "--help"]),
        ("nodeloom list", [*nodeloom, "list"]),
    ):
        taken = timed(command)[0]
        seconds.setdefault(what, []).append(taken)


def fits(seconds: dict[str, list[float]]) -> None:
    """Train a tiny graph with an empty cache of kernels, and again in a new process."""
    with tempfile.TemporaryDirectory() as cache:
        for what in (COLD, WARM):
            result = run_worker("tiny_fit.py", {}, num_thread=2, environment={"NUMBA_CACHE_DIR": cache})
            seconds.setdefault(what, []).append(result["first_seconds"])
            seconds.setdefault(f"{what}, CPU seconds", []).append(result["first_cpu_seconds"])
            seconds.setdefault(NEXT, []).append(result["second_seconds"])


def quickstarts(seconds: dict[str, list[float]], nodeloom: list[str]) -> None:
    """Run the quickstart as a new user does, and again."""
    with tempfile.TemporaryDirectory() as cache:
        for what in (QUICK, QUICK_AGAIN):
            taken = timed([*nodeloom, "quickstart"], NUMBA_CACHE_DIR=cache)[0]
            seconds.setdefault(what, []).append(taken)


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__)
    parser.set_defaults(repeats=5)
    parser.add_argument("--cold-repeats", type=int, default=3, help="runs with an empty cache of kernels")
    options = parser.parse_args()
    if options.quick:
        options.repeats, options.cold_repeats = 1, 1
    report = Report("first_result", "Time to the first result", options)
    nodeloom = [sys.executable, "-m", "nodeloom"]
    seconds: dict[str, list[float]] = {}
    rounds = [(starts, (nodeloom,))] * options.repeats
    rounds += [(fits, ()), (quickstarts, (nodeloom,))] * options.cold_repeats
    failed: set[str] = set()
    try:
        timed([*nodeloom, "--help"])  # byte code is written by the first run after an installation
    except SkippedError as reason:
        failed.add(str(reason))
    for part, rest in rounds:
        try:
            part(seconds, *rest)
            report.say(f"{part.__name__}: done")
        except SkippedError as reason:
            report.say(str(reason))
            failed.add(str(reason))
    table = report.table("Seconds", "what", "seconds", "runs")
    for what, values in seconds.items():
        table.add(what, spread(values, "{:.3f}" if values[0] < 1 else "{:.1f}"), len(values))
    middle = {what: statistics.median(values) for what, values in seconds.items()}
    for what, target in TARGETS.items():
        if what in middle:
            report.check(what, f"under {target:g} s", f"{middle[what]:.2f} s", middle[what] < target)
    if COLD in middle:
        compiling = middle[COLD] - middle[NEXT]
        met = compiling < TARGET_COMPILE
        report.check("kernels compile once", f"under {TARGET_COMPILE:g} s", f"{compiling:.1f} s", met)
    if WARM in middle:
        met = middle[WARM] <= middle[COLD] / 5
        report.check("kernels come from the cache", "a fifth of the first time at most", f"{middle[WARM]:.2f} s", met)
    for reason in sorted(failed):
        report.note(f"Failed: {reason}.")
    report.note("Imports are timed inside Python, commands from outside, in an empty folder, with byte code written.")
    report.note("quickstart is the whole command: load, plan, train, evaluate beside a control, save, nearest nodes.")
    report.raw = seconds
    report.finish()


if __name__ == "__main__":
    main()
