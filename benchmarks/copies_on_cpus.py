"""Two workers on CPUs with whole tables (copies) beside two with parts (split), and one process: rate, bytes sent, AUC of hidden edges.

Each has one thread. Rates are by the CPU seconds of the slower worker, so that they hold on a machine that others use too. With ``--link``
the two workers are in network namespaces of their own, with a cable of that rate between them (needs root, ip and tc).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from common import CHILDREN, SkippedError, arguments, load
from report import Report, spread

HOSTS = ("nodeloom-c", "nodeloom-d")
PORT = 29631
TARGET_RATE, TARGET_AUC = 0.85, 0.001


def compiled(folder: str, name: str) -> str:
    """Write a graph and return its file: a data set, or "planted", of 500,000 nodes and 2.5 M edges in 2000 communities."""
    from nodeloom import Graph
    from nodeloom.datasets import planted_partition

    if name in ("planted", "small"):
        nodes = 500_000 if name == "planted" else 5_000
        graph = Graph.from_edges(
            planted_partition(nodes, 5 * nodes, nodes // 250, mixing=0.3, seed=1)[0], num_nodes=nodes
        )
    else:
        data = load(name)
        graph = Graph.from_edges(data["edges"], num_nodes=int(data["num_nodes"]))
    file = str(Path(folder, "graph.nlg"))
    graph.save(file)
    return file


def ip(*words: str) -> None:
    """Run the program ip."""
    try:
        subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SkippedError(f"no network namespaces here: {getattr(error, 'stderr', error)}") from error


def plug_in(rate: str) -> None:
    """Make two hosts and a cable of a rate between them."""
    for host in HOSTS:
        ip("netns", "add", host)
    ip("link", "add", "cable-c", "netns", HOSTS[0], "type", "veth", "peer", "name", "cable-d", "netns", HOSTS[1])
    for number, host in enumerate(HOSTS):
        cable = f"cable-{host[-1]}"
        ip("-n", host, "addr", "add", f"10.79.0.{number + 1}/24", "dev", cable)
        for device in ("lo", cable):
            ip("-n", host, "link", "set", device, "up")
        limit = ["tc", "qdisc", "add", "dev", cable, "root", "tbf", "rate", rate, "burst", "4mb", "latency", "50ms"]
        ip("netns", "exec", host, *limit)


def unplug() -> None:
    """Take both away."""
    for host in HOSTS:
        subprocess.run(["ip", "netns", "del", host], check=False, capture_output=True)


def commands(num_worker: int, link: str, program: list[str]) -> list[tuple[list[str], str]]:
    """Return the command of each host, and the network that it uses."""
    torchrun = [sys.executable, "-m", "torch.distributed.run"]
    if num_worker == 1:
        return [([sys.executable, *program], "lo")]
    if not link:
        return [([*torchrun, "--standalone", "--nproc-per-node", str(num_worker), *program], "lo")]
    found = []
    for number, host in enumerate(HOSTS):
        meeting = ["--node-rank", str(number), "--master-addr", "10.79.0.1", "--master-port", str(PORT)]
        there = ["ip", "netns", "exec", host, *torchrun, "--nnodes", "2", "--nproc-per-node", "1", *meeting, *program]
        found.append((there, f"cable-{host[-1]}"))
    return found


def train(graph: str, epochs: int, tables: str, num_merge: int, link: str) -> dict[str, Any]:
    """Train with one process (`tables` is "whole") or two workers; return what came of it, of the slower worker the rate."""
    with tempfile.TemporaryDirectory() as folder:
        request, out = Path(folder, "request.json"), str(Path(folder, "found"))
        num_worker = 1 if tables == "whole" else 2
        asked = {"graph": graph, "epochs": epochs, "tables": "auto" if num_worker == 1 else tables, "merges": num_merge}
        request.write_text(json.dumps(asked))
        program = [str(CHILDREN / "worker_cpu.py"), str(request), out]
        started = []
        for command, network in commands(num_worker, link, program):
            environment = os.environ | {
                "OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR", "GLOO_SOCKET_IFNAME": network,
            }  # fmt: skip
            started.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
        said = [process.communicate()[1] for process in started]
        if any(process.returncode for process in started):
            errors = [line for text in said for line in text.splitlines() if "Error: " in line]
            raise SkippedError((errors or ["a worker has failed"])[0])
        found = [json.loads(Path(f"{out}.{rank}").read_text()) for rank in range(num_worker)]
    cpu = max(worker["cpu"] for worker in found)
    return found[0] | {"cpu": cpu, "rate": found[0]["pairs"] / cpu, "load": os.getloadavg()[0]}


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__)
    parser.add_argument("--graph", default="youtube77k", help="a data set, or planted: 500,000 nodes, 2.5 M edges")
    parser.add_argument("--num-epoch", type=int, default=300, help="epochs")
    parser.add_argument("--merges", type=int, nargs="+", default=[6, 20], help="merges of a training with copies")
    parser.add_argument("--link", default="", help="rate of a cable between the workers, such as 1gbit; none: loopback")
    options: argparse.Namespace = parser.parse_args()
    name, epochs = ("small", 50) if options.quick else (options.graph, options.num_epoch)
    report = Report("copies_on_cpus", "Workers with whole tables on CPUs", options)
    table = report.table(
        f"{name}, {epochs} epochs, {'a cable of ' + options.link if options.link else 'loopback'}",
        "tables", "merges", "rate, M pairs/s by CPU time", "beside parts", "AUC", "sent by each, GB", "seconds (wall)",
        "peak memory, MB",
    )  # fmt: skip
    contenders = [("model", 0), *(("data", number) for number in options.merges)]
    contenders += [] if options.link else [("whole", 0)]
    found: dict[tuple[str, int], list[dict[str, Any]]] = {contender: [] for contender in contenders}
    with tempfile.TemporaryDirectory() as folder:
        try:
            graph = compiled(folder, name)
            if options.link:
                unplug()
                plug_in(options.link)
            for _ in range(options.repeats):
                for contender in contenders:
                    found[contender].append(train(graph, epochs, *contender, options.link))
                    report.say(f"{contender}: {found[contender][-1]['rate'] / 1e6:.2f} M pairs/s")
        except SkippedError as reason:
            report.note(f"Skipped: {reason}.")
            report.finish()
            return
        finally:
            if options.link:
                unplug()
    rates = {contender: [run["rate"] / 1e6 for run in runs] for contender, runs in found.items()}
    split = statistics.median(rates["split", 0])
    aucs = {contender: statistics.mean(run["auc"] for run in runs) for contender, runs in found.items()}
    for (tables, number), runs in found.items():
        beside = statistics.median(rates[tables, number]) / split
        table.add(
            "whole, one process" if tables == "whole" else tables, number or "", spread(rates[tables, number]), f"{beside:.2f}",
            f"{aucs[tables, number]:.4f}", f"{runs[0]['sent'] / 1e9:.2f}", spread([run["wall"] for run in runs], "{:.1f}"),
            f"{max(run['peak'] for run in runs) / 1e6:.0f}",
        )  # fmt: skip
        if tables == "data":
            lost = aucs["split", 0] - aucs[tables, number]
            wanted = f"rate at least {TARGET_RATE} of split, AUC at most {TARGET_AUC} less"
            met = beside >= TARGET_RATE and lost <= TARGET_AUC
            report.check(f"copies, {number} merges", wanted, f"{beside:.2f}, {lost:+.4f}", met)
    loads = [run["load"] for runs in found.values() for run in runs]
    report.note(
        f"Two workers of one thread. 0.5% of the edges hidden, the same for all. The machine had a load of {min(loads):.0f} to "
        f"{max(loads):.0f}: wall time is that of a machine in use."
    )
    report.raw |= {"runs": {f"{tables} {number}": runs for (tables, number), runs in found.items()}}
    report.finish()


if __name__ == "__main__":
    main()
