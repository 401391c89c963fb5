"""A graph of 1.29 M nodes: training time, rate and peak memory against what tables and graph need."""

from __future__ import annotations

import statistics

from common import SkippedError, arguments, data_file, run_worker
from report import Report, spread

DIM, EPOCHS, SMALL_EPOCHS = 128, 50, 400
SPARE = 10**9  # bytes beside the two tables and the graph
TARGET_RATIO = 0.5


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__)
    parser.set_defaults(repeats=1)
    parser.add_argument("--num-epoch", type=int, default=EPOCHS, help="epochs on debian_large")
    parser.add_argument("--threads", type=int, default=2, help="threads of training")
    options = parser.parse_args()
    if options.quick:
        options.repeats, options.num_epoch = 1, 1
    report = Report("large", "Training on debian_large", options)
    epochs = {"blogcatalog": 10 if options.quick else SMALL_EPOCHS, "debian_large": options.num_epoch}
    runs: dict[str, list] = {name: [] for name in epochs}
    for seed in range(options.repeats):
        for name, num_epoch in epochs.items():
            try:
                request = {
                    "model": "DeepWalk", "options": {"dim": DIM, "num_epoch": num_epoch}, "graph": str(data_file(name)),
                    "seed": seed,
                }  # fmt: skip
                result = run_worker("nodeloom_fit.py", request, num_thread=options.threads)
            except SkippedError as reason:
                report.say(str(reason))
                report.note(f"Skipped: {reason}.")
                continue
            runs[name].append(result)
            report.say(f"{name}: {result['rate'] / 1e6:.2f} M pairs/s, {result['seconds']:.1f} s")
    table = report.table(
        f"DeepWalk, dim {DIM}, {options.threads} threads",
        "graph", "edges", "epochs", "M pairs", "seconds", "M pairs/s", "load, s", "tables, MB", "graph, MB", "peak, MB",
        "beside tables and graph, MB",
    )  # fmt: skip
    for name, results in runs.items():
        if not results:
            continue
        first = results[0]
        peak = max(result["peak_bytes"] for result in results)
        spare = peak - first["table_bytes"] - first["graph_bytes"]
        table.add(
            name, f"{first['num_edges']:,}", epochs[name], f"{first['pairs'] / 1e6:.0f}",
            spread([result["seconds"] for result in results], "{:.1f}"),
            spread([result["rate"] / 1e6 for result in results]),
            spread([result["build_seconds"] for result in results], "{:.1f}"),
            f"{first['table_bytes'] / 1e6:.0f}", f"{first['graph_bytes'] / 1e6:.0f}", f"{peak / 1e6:.0f}",
            f"{spare / 1e6:.0f}",
        )  # fmt: skip
        if name == "debian_large":
            done = all(result["finite"] for result in results)
            report.check(f"{options.num_epoch} epochs", "completes, vectors finite", "yes" if done else "no", done)
            report.check("memory beside two tables and the graph", f"at most {SPARE / 1e6:.0f} MB",
                         f"{spare / 1e6:.0f} MB", spare <= SPARE)  # fmt: skip
    if all(runs.values()):
        large, small = (statistics.median(r["rate"] for r in runs[name]) for name in ("debian_large", "blogcatalog"))
        report.check("rate against BlogCatalog", f"at least {TARGET_RATIO:g}x", f"{large / small:.2f}x",
                     large >= TARGET_RATIO * small)  # fmt: skip
    report.note("Peak: of the whole process, with Python, the libraries and the building of the graph from its edges.")
    report.note("Default settings but for the number of epochs. The rate holds all that `fit` does but compilation.")
    report.raw = runs
    report.finish()


if __name__ == "__main__":
    main()
