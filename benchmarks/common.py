"""What all benchmark scripts share: options, data, child processes and peers.

Everything that is timed runs in a child process of its own (a program in ``children/``): so peak memory belongs to one
contender, threads are limited by the environment before any library starts, and a peer can live in another virtual
environment than nodeloom. A child gets one JSON request and answers with one JSON file.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
CHILDREN = HERE / "children"
RESULTS = HERE / "results"


class SkippedError(Exception):
    """A part of a benchmark that cannot run here; the message says why and what would make it run."""


# ---------------------------------------------------------------------------------------------------------------- data


def data_file(name: str) -> Path:
    """Path of ``graph.npz`` of a data set in the folder that NODELOOM_DATA names.

    Raises
    ------
    SkippedError
        The variable is not set, or the folder lacks the set.
    """
    root = os.environ.get("NODELOOM_DATA")
    if not root:
        raise SkippedError(f"{name}: NODELOOM_DATA is not set; point it at the folder that holds {name}/graph.npz")
    path = Path(root) / name / "graph.npz"
    if not path.is_file():
        raise SkippedError(f"{name}: no graph.npz in the folder {name} of NODELOOM_DATA")
    return path


def available(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Split names of data sets into those that are here and the reasons why others are not."""
    here, reasons = [], []
    for name in names:
        try:
            data_file(name)
        except SkippedError as reason:
            reasons.append(str(reason))
        else:
            here.append(name)
    return here, reasons


def load(name: str) -> dict[str, np.ndarray]:
    """Arrays of a data set: ``num_nodes``, ``edges`` int32 [E, 2] (undirected, once each) and what else it has."""
    with np.load(data_file(name)) as archive:
        return {key: archive[key] for key in archive.files}


def adjacency(num_nodes: int, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """CSR of the undirected graph, ``indptr`` int64 [N+1] and ``indices`` int32 [2E]: NumPy only, for the peers."""
    heads = np.concatenate([edges[:, 0], edges[:, 1]]).astype(np.int64)
    tails = np.concatenate([edges[:, 1], edges[:, 0]])
    order = np.argsort(heads, kind="stable")
    indptr = np.zeros(num_nodes + 1, np.int64)
    np.cumsum(np.bincount(heads, minlength=num_nodes), out=indptr[1:])
    return indptr, tails[order].astype(np.int32)


def random_walks(num_nodes: int, edges: np.ndarray, num_walks: int, length: int, seed: int) -> np.ndarray:
    """DeepWalk's corpus: ``num_walks`` walks from every node that has a neighbour, shuffled; int32 [W, length + 1].

    Written with NumPy, so that a peer trains on walks that owe nothing to the library under test.
    """
    indptr, indices = adjacency(num_nodes, edges)
    degrees = np.diff(indptr)
    rng = np.random.default_rng(seed)
    current = rng.permutation(np.repeat(np.flatnonzero(degrees), num_walks))
    walks = np.empty((len(current), length + 1), np.int32)
    walks[:, 0] = current
    for step in range(1, length + 1):
        current = indices[indptr[current] + (rng.random(len(current)) * degrees[current]).astype(np.int64)]
        walks[:, step] = current
    return walks


def count_pairs(num_walks: int, nodes_per_walk: int, window: int) -> int:
    """Ordered pairs (i, j), 0 < |i - j| <= window, of walks of a given length: exact for a fixed window."""
    reach = min(window, nodes_per_walk - 1)
    return num_walks * (2 * reach * nodes_per_walk - reach * (reach + 1))


# ----------------------------------------------------------------------------------------------------- child processes


@dataclass(frozen=True)
class Peer:
    """Another library, run by the Python that an environment variable names."""

    name: str
    package: str
    install: str
    distribution: str = ""

    @property
    def variable(self) -> str:
        """Environment variable that holds the path of the Python in which this peer is installed."""
        return "NODELOOM_PEER_" + self.name.upper()

    @property
    def python(self) -> str | None:
        """The Python that can import the peer: the named one, else this one if it has the package, else None."""
        named = os.environ.get(self.variable)
        if named:
            return named
        return sys.executable if importlib.util.find_spec(self.package) else None

    @property
    def missing(self) -> str:
        """What to say in the row of a peer that is not here."""
        return f"not installed: {self.install} (its own environment: set {self.variable} to its python)"

    def version(self) -> str | None:
        """Version of the installed peer, None without one."""
        if self.python is None:
            return None
        code = f"import importlib.metadata as m; print(m.version({self.distribution or self.package!r}))"
        done = subprocess.run([self.python, "-c", code], capture_output=True, text=True, check=False)
        return done.stdout.strip() or None


PEERS = {
    "gensim": Peer("gensim", "gensim", "pip install gensim==4.4.0"),
    "ensmallen": Peer("ensmallen", "ensmallen", "pip install ensmallen==0.8.100"),
    "pecanpy": Peer("pecanpy", "pecanpy", "pip install pecanpy==2.0.9 'numpy<2'"),
    "pycleora": Peer("pycleora", "pycleora", "pip install pycleora==3.2.1 numpy"),
    "umap": Peer("umap", "umap", "pip install umap-learn==0.5.12", "umap-learn"),
    "opentsne": Peer("opentsne", "openTSNE", "pip install openTSNE==1.0.4"),
    "pacmap": Peer("pacmap", "pacmap", "pip install pacmap==0.9.1"),
    "torchdr": Peer("torchdr", "torchdr", "pip install torchdr==0.5"),
    "pynndescent": Peer("pynndescent", "pynndescent", "pip install pynndescent==0.7.0"),
    "drl": Peer("drl", "igraph", "pip install igraph==1.0.0"),
    "forceatlas2": Peer("forceatlas2", "fa2", "pip install fa2==1.1.2"),
    "sfdp": Peer("sfdp", "pygraphviz", "pip install pygraphviz==2.0.4, which brings Graphviz"),
    "umap_vectors": Peer("umap_vectors", "umap", "pip install umap-learn==0.5.12", "umap-learn"),
    "pykeen": Peer("pykeen", "pykeen", "pip install pykeen==1.11.1"),
    "fastnode2vec": Peer("fastnode2vec", "fastnode2vec", "pip install fastnode2vec==0.0.7"),
}


def run_worker(
    worker: str,
    request: Mapping[str, Any],
    *,
    num_thread: int,
    python: str | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> dict[str, Any]:
    """Run one program of ``children/`` in a child process and return its answer.

    Parameters
    ----------
    worker : str
        File name in ``children/``.
    request : mapping
        JSON-able arguments of that program.
    num_thread : int
        Every thread pool that a library could open is limited to this many threads before it starts.
    python : str, optional
        The interpreter; by default this one.
    environment : mapping, optional
        Environment variables to add.
    seconds : float, optional
        Wall time after which it is ended.

    Raises
    ------
    SkippedError
        The program failed, and the message holds the last line that it wrote; or it was ended.
    """
    limit = str(num_thread)
    pools = ("OMP", "OPENBLAS", "MKL", "NUMBA", "RAYON", "BLIS", "VECLIB_MAXIMUM")
    variables = os.environ | {f"{pool}_NUM_THREADS": limit for pool in pools} | {"PYTHONHASHSEED": "0"}
    with tempfile.TemporaryDirectory(prefix="nodeloom-benchmark-") as folder:
        question, answer = Path(folder, "request.json"), Path(folder, "answer.json")
        question.write_text(json.dumps(dict(request) | {"num_thread": num_thread}))
        begin = time.perf_counter()
        try:
            done = subprocess.run(
                [python or sys.executable, str(CHILDREN / worker), str(question), str(answer)],
                env=variables | dict(environment or {}), capture_output=True, text=True, check=False, timeout=seconds,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise SkippedError(f"not done after {seconds:.0f} s") from None
        if done.returncode != 0 or not answer.exists():
            lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.returncode}"]
            raise SkippedError(f"{worker}: {lines[-1]}")
        result: dict[str, Any] = json.loads(answer.read_text())
    result["process_seconds"] = time.perf_counter() - begin
    return result


def run_peer(
    name: str, worker: str, request: Mapping[str, Any], *, num_thread: int, seconds: float | None = None
) -> dict[str, Any]:
    """Run a program of ``children/`` by the Python of a peer; SkippedError with the pip command where there is none."""
    peer = PEERS[name]
    if peer.python is None:
        raise SkippedError(peer.missing)
    return run_worker(worker, request, num_thread=num_thread, python=peer.python, seconds=seconds)


# ------------------------------------------------------------------------------------------------------------- options


def arguments(description: str) -> argparse.ArgumentParser:
    """Parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument(
        "--repeats", type=int, default=3, help="runs of each contender, alternating; medians are reported"
    )
    parser.add_argument(
        "--quick", action="store_true", help="tiny budgets, to see that everything runs; writes no results"
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for the report")
    return parser


# ---------------------------------------------------------------------------------------------------------- evaluation


def classify(
    vectors: np.ndarray, data: Mapping[str, np.ndarray], portions: Iterable[float], times: int
) -> dict[float, tuple[float, float, float, float]]:
    """Score vectors by their labels: ``{portion: (micro, macro, micro std, macro std)}`` in per cent.

    One protocol for every contender: labelled nodes only, the same seeded splits, raw vectors, one-vs-rest liblinear
    with C=1, as many labels predicted as a node has.
    """
    from nodeloom.io.labels import Labels
    from nodeloom.tasks import node_classification

    pairs = data["labels"]
    labels = Labels.from_pairs(pairs[:, 0], pairs[:, 1], num_nodes=int(data["num_nodes"]))
    found = node_classification(vectors, labels, portions=tuple(portions), times=times, num_thread=os.cpu_count() or 1)
    return {
        score.portion: (
            100 * score.micro_f1, 100 * score.macro_f1, 100 * score.micro_f1_std, 100 * score.macro_f1_std,
        )
        for score in found.scores
    }  # fmt: skip
