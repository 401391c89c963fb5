"""The report of a benchmark: what was asked, the machine, tables, targets, and the raw numbers as JSON."""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from common import HERE, PEERS, RESULTS


def machine() -> dict[str, str]:
    """Describe what the numbers were measured on, without the name of the host."""
    model, memory = platform.processor() or platform.machine(), ""
    cpuinfo, meminfo = Path("/proc/cpuinfo"), Path("/proc/meminfo")
    if cpuinfo.exists():
        text = cpuinfo.read_text()
        model = next(
            (line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")), model
        )
        model += ", AVX-512" if " avx512f" in text else ", AVX2" if " avx2" in text else ""
    if meminfo.exists():
        memory = f"{int(meminfo.read_text().split()[1]) / 2**20:.0f} GiB"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": model,
        "cores": str(cores),
        "memory": memory,
        "card": card(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def card() -> str:
    """Name and memory of the GPU, "" if this process has not asked torch for one."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return ""
    properties = torch.cuda.get_device_properties(0)
    return f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"


def _commit() -> str:
    """Return the commit of this folder, as git or NODELOOM_COMMIT has it; "" if nobody knows."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    except OSError:
        return os.environ.get("NODELOOM_COMMIT", "")
    return done.stdout.strip() if done.returncode == 0 else os.environ.get("NODELOOM_COMMIT", "")


def versions(peers: Iterable[str] = ()) -> dict[str, str]:
    """Versions of nodeloom (with its commit), of what it stands on, and of the peers."""
    found = {}
    for package in ("nodeloom", "numpy", "numba", "scikit-learn"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    if _commit():
        found["nodeloom"] += f" (commit {_commit()})"
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        found["torch"] = f"{torch.__version__}"
        found["triton"] = getattr(sys.modules.get("triton"), "__version__", "not loaded")
    for name in peers:
        found[name] = PEERS[name].version() or "not installed"
    return found


def spread(values: Sequence[float], form: str = "{:.2f}") -> str:
    """Median with the range of the runs: ``12.3 (11.9-12.8)``; the lone value of a single run."""
    middle = form.format(statistics.median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({form.format(min(values))}-{form.format(max(values))})"


@dataclass
class Table:
    """Rows of cells (already text) under column names."""

    title: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)

    def add(self, *cells: object) -> None:
        """Append one row; a shorter row is filled up with empty cells."""
        row = [str(cell) for cell in cells]
        self.rows.append(row + [""] * (len(self.columns) - len(row)))

    def markdown(self) -> str:
        """Return the table as GitHub draws it."""
        head = ["| " + " | ".join(self.columns) + " |", "|" + "---|" * len(self.columns)]
        return "\n".join(head + ["| " + " | ".join(row) + " |" for row in self.rows])


class Report:
    """One benchmark: what was asked, where it ran, tables, checks against targets, and all raw numbers."""

    def __init__(self, name: str, title: str, arguments: argparse.Namespace, peers: Iterable[str] = ()) -> None:
        self.name, self.title, self.arguments = name, title, arguments
        self.peers = list(peers)
        self.tables: list[Table] = []
        self.notes: list[str] = []
        self.raw: dict[str, Any] = {}
        self.checks: list[tuple[str, str, str, bool]] = []
        self.begin = time.perf_counter()

    def table(self, title: str, *columns: str) -> Table:
        """Start a table."""
        self.tables.append(Table(title, list(columns)))
        return self.tables[-1]

    def note(self, text: str) -> None:
        """Add a line below the tables."""
        self.notes.append(text)

    def check(self, what: str, target: str, measured: str, met: bool) -> None:
        """Hold a number against its target."""
        self.checks.append((what, target, measured, bool(met)))

    def say(self, text: str) -> None:
        """Tell on standard error what is going on; a benchmark runs for minutes."""
        print(f"[{time.perf_counter() - self.begin:6.1f} s] {text}", file=sys.stderr, flush=True)

    def markdown(self) -> str:
        """Return the whole report as text."""
        options = " ".join(_option(key, value) for key, value in vars(self.arguments).items() if _shown(key, value))
        command = f"python benchmarks/{Path(sys.argv[0]).name} {options}".strip()
        lines = [f"# {self.title}", "", f"`{command}`, {datetime.date.today().isoformat()}", ""]
        lines += [", ".join(f"{key} {value}" for key, value in machine().items() if value) + ".", ""]
        lines += [", ".join(f"{key} {value}" for key, value in versions(self.peers).items()) + ".", ""]
        for table in self.tables:
            lines += [f"## {table.title}", "", table.markdown(), ""]
        if self.checks:
            lines += ["## Targets", "", "| what | target | measured | met |", "|---|---|---|---|"]
            lines += [
                f"| {what} | {target} | {got} | {'yes' if met else '**no**'} |"
                for what, target, got, met in self.checks
            ]
            lines.append("")
        lines += [f"- {note}" for note in self.notes]
        return "\n".join(lines).rstrip() + "\n"

    def finish(self) -> None:
        """Print the report; write ``<name>.md`` and ``<name>.json`` unless the run was a quick one."""
        print(self.markdown())
        if self.arguments.quick and self.arguments.output == RESULTS:
            self.say("quick run: nothing written (give --output to keep it)")
        else:
            self.write()
            self.say(f"written: {self.name}.md and {self.name}.json")

    def write(self) -> None:
        """Write what there is so far, so that a run that is cut off has not been in vain."""
        folder = self.arguments.output
        if self.arguments.quick and folder == RESULTS:
            return
        folder.mkdir(parents=True, exist_ok=True)
        record = {
            "name": self.name,
            "date": datetime.date.today().isoformat(),
            "arguments": {key: _plain(value) for key, value in vars(self.arguments).items() if key != "output"},
            "machine": machine(),
            "versions": versions(self.peers),
            "tables": [{"title": t.title, "columns": t.columns, "rows": t.rows} for t in self.tables],
            "targets": [{"what": w, "target": t, "measured": m, "met": ok} for w, t, m, ok in self.checks],
            "notes": self.notes,
            "raw": self.raw,
        }
        (folder / f"{self.name}.json").write_text(json.dumps(record, indent=1, default=_plain) + "\n")
        (folder / f"{self.name}.md").write_text(self.markdown())


def _plain(value: Any) -> Any:
    """JSON form of what json does not know."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value if isinstance(value, (bool, int, float, str, list, dict, type(None))) else str(value)


def _shown(key: str, value: Any) -> bool:
    return key not in ("output", "defaults") and value not in (None, False)


def _option(key: str, value: Any) -> str:
    flag = "--" + key.replace("_", "-")
    if value is True:
        return flag
    return f"{flag} {' '.join(map(str, value)) if isinstance(value, (list, tuple)) else value}"
