"""Time to the first result: import, --help, compilation (cold and from the cache), and the quickstart as a new user runs it."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

from common import SkippedError, arguments, run_worker
from report import Report, spread

TARGETS = {"import": 0.5, "help": 1.0, "compile": 10.0, "quickstart": 60.0}


def timed(command: list[str], folder: str, **environment: str) -> tuple[float, str]:
    """Wall-clock seconds of a command in an empty folder, and what it printed."""
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


IMPORT = "import time; begin = time.perf_counter(); import nodeloom; print(time.perf_counter() - begin)"
IMPORT_ALL = (
    "import time; begin = time.perf_counter(); from nodeloom import DeepWalk; print(time.perf_counter() - begin)"
)
COLD, WARM = "first fit of a new user: compile", "first fit of a process: kernels from the cache"


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__)
    parser.set_defaults(repeats=5)
    parser.add_argument("--cold-repeats", type=int, default=3, help="runs with an empty cache of kernels")
    options = parser.parse_args()
    if options.quick:
        options.repeats, options.cold_repeats = 1, 1
    report = Report("first_result", "Time to the first result", options)
    seconds: dict[str, list[float]] = {}
    command = [sys.executable, "-m", "nodeloom"]
    with tempfile.TemporaryDirectory() as folder:
        timed([*command, "--help"], folder)  # byte code is written by the first run after an installation
        for _ in range(options.repeats):
            for what, code in (("import nodeloom", IMPORT), ("from nodeloom import DeepWalk", IMPORT_ALL)):
                seconds.setdefault(what, []).append(float(timed([sys.executable, "-c", code], folder)[1]))
            seconds.setdefault("python -c pass", []).append(timed([sys.executable, "-c", "pass"], folder)[0])
            seconds.setdefault("nodeloom --help", []).append(timed([*command, "--help"], folder)[0])
            seconds.setdefault("nodeloom --version", []).append(timed([*command, "--version"], folder)[0])
        report.say("imports done")
    for _ in range(options.cold_repeats):
        with tempfile.TemporaryDirectory() as cache:
            os.environ["NUMBA_CACHE_DIR"] = cache
            try:
                for what in (COLD, WARM):
                    result = run_worker("tiny_fit.py", {}, num_thread=2)
                    seconds.setdefault(what, []).append(result["first_seconds"])
                    seconds.setdefault("second fit of the same process", []).append(result["second_seconds"])
                report.say(f"{COLD}: {seconds[COLD][-1]:.1f} s")
            except SkippedError as reason:
                report.note(f"Skipped: {reason}.")
            finally:
                del os.environ["NUMBA_CACHE_DIR"]
        for what, shared in (("nodeloom quickstart, empty cache", None), ("nodeloom quickstart again", "cache")):
            if shared is None:
                kernels = tempfile.TemporaryDirectory()
            with tempfile.TemporaryDirectory() as folder:
                try:
                    taken, _ = timed([*command, "quickstart"], folder, NUMBA_CACHE_DIR=kernels.name)
                except SkippedError as reason:
                    report.note(f"Skipped: {reason}.")
                    continue
            seconds.setdefault(what, []).append(taken)
            report.say(f"{what}: {taken:.1f} s")
        kernels.cleanup()
    table = report.table("Seconds", "what", "seconds", "runs")
    for what, values in seconds.items():
        table.add(what, spread(values, "{:.3f}" if values[0] < 1 else "{:.1f}"), len(values))
    middle = {what: statistics.median(values) for what, values in seconds.items()}
    goals = {
        "import nodeloom": TARGETS["import"], "nodeloom --help": TARGETS["help"],
        "nodeloom quickstart, empty cache": TARGETS["quickstart"],
    }  # fmt: skip
    for what, target in goals.items():
        if what in middle:
            report.check(what, f"under {target:g} s", f"{middle[what]:.2f} s", middle[what] < target)
    if COLD in middle and WARM in middle:
        compiling = middle[COLD] - middle["second fit of the same process"]
        report.check("kernels compile once", f"under {TARGETS['compile']:g} s", f"{compiling:.1f} s",
                     compiling < TARGETS["compile"])  # fmt: skip
        report.check("kernels come from the cache", "a fifth of that or less", f"{middle[WARM]:.2f} s",
                     middle[WARM] <= middle[COLD] / 5)  # fmt: skip
    report.note(
        "Imports are timed inside Python, commands from outside, in an empty folder, byte code compiled before."
    )
    report.note("quickstart is the whole command: load, plan, train, evaluate beside a control, save, nearest nodes.")
    report.raw = seconds
    report.finish()


if __name__ == "__main__":
    main()
