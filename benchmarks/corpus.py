"""From a text to the graph of its words: CPU seconds and peak memory, in memory and within a limit, beside a dictionary of Python."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from common import arguments, run_worker
from nodeloom.kernels.reference.words import sentences, vocabulary, word_pairs
from report import Report, spread

WINDOW, MIN_COUNT = 5, 5
LIMIT = 700_000_000
TARGET = 15.0  # CPU seconds for 100 MB of text whose rare words are many


def write_text(path: Path, num_word: int, seed: int = 0) -> None:
    """Write words drawn by Zipf's law from 400,000, in sentences of 1 to 40."""
    rng = np.random.default_rng(seed)
    with path.open("w") as file:
        for first in range(0, num_word, 1_000_000):
            count = min(1_000_000, num_word - first)
            ranks = np.minimum((400_001 ** rng.random(count)).astype(np.int64), 400_000)
            blanks = np.where(rng.random(count) < 1 / 20, "\n", " ").tolist()
            file.write("".join(f"w{rank:x}{blank}" for rank, blank in zip(ranks.tolist(), blanks, strict=True)))


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__)
    parser.add_argument("--threads", type=int, default=2, help="threads that look up words and build")
    options = parser.parse_args()
    report = Report("corpus", "From a text to the graph of its words", options)
    num_word = 500_000 if options.quick else 17_000_000
    with tempfile.TemporaryDirectory(prefix="nodeloom-corpus-") as name:
        path = Path(name, "text.txt")
        write_text(path, num_word)
        megabytes = path.stat().st_size / 1e6
        table = report.table(
            f"{num_word:,} words, {megabytes:.0f} MB, window {WINDOW}, words that are there {MIN_COUNT} times",
            "how", "threads", "CPU seconds", "seconds", "peak of the process, MB", "words kept", "M edges", "M pairs",
        )  # fmt: skip
        cases = (("in memory", 0, options.threads), ("in memory", 0, 1), ("within 700 MB", LIMIT, options.threads))
        found: list[dict[str, Any]] = []
        for how, limit, threads in cases:
            request = {"path": str(path), "memory_limit": limit, "window": WINDOW}
            runs = [run_worker("nodeloom_corpus.py", request, num_thread=threads) for _ in range(options.repeats)]
            last = runs[-1]
            table.add(
                how, threads, spread([run["cpu_seconds"] for run in runs]), spread([run["seconds"] for run in runs]),
                f"{max(run['peak_bytes'] for run in runs) / 1e6:.0f}", f"{last['num_nodes']:,}", f"{last['num_edges'] / 1e6:.1f}",
                f"{last['num_pair'] / 1e6:.0f}",
            )  # fmt: skip
            found += runs
        prints = {run["fingerprint"] for run in found}
        report.check(
            "the same graph, whatever the threads and the memory", "one fingerprint", str(len(prints)), len(prints) == 1
        )
        exact = all(run["total"] == run["num_pair"] for run in found)
        report.check("weights are the pairs counted", "equal", "equal" if exact else "not equal", exact)
        peak = max(run["peak_bytes"] for run in found[-options.repeats :])
        report.check("memory within the limit", f"{LIMIT / 1e6:.0f} MB", f"{peak / 1e6:.0f} MB", peak <= LIMIT)
        if not options.quick:
            seconds = float(np.median([run["cpu_seconds"] for run in found[: options.repeats]])) * 100 / megabytes
            report.check("CPU seconds for 100 MB", f"{TARGET:.0f}", f"{seconds:.1f}", seconds <= TARGET)
        part = Path(name, "part.txt")
        write_text(part, num_word // 20)
        begin = time.process_time()
        lines = sentences(part.read_text(), " ", "")
        pairs = word_pairs(lines, vocabulary(lines, MIN_COUNT), WINDOW)
        seconds = time.process_time() - begin
        table.add(
            "a dictionary of Python, a twentieth of it", 1, f"{seconds:.2f}", "", "", "", f"{len(pairs) / 1e6:.1f}",
            f"{sum(pairs.values()) / 1e6:.0f}",
        )  # fmt: skip
        report.raw = {"runs": found}
    report.finish()


if __name__ == "__main__":
    main()
