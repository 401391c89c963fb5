"""A map of vectors by another library, after a map of a few rows has compiled and loaded everything."""

import warnings

import numpy as np
from child import Stopwatch, answer, memory, peak_bytes, request, reset_peak

warnings.filterwarnings("ignore")
asked = request()
threads = asked["num_thread"]


def mapped(rows):
    """Return the map of the library that was asked for, at its defaults."""
    if asked["peer"] == "umap":
        import umap

        return umap.UMAP(n_jobs=threads).fit_transform(rows)
    if asked["peer"] == "opentsne":
        import openTSNE

        return np.asarray(openTSNE.TSNE(n_jobs=threads).fit(rows))
    if asked["peer"] == "torchdr":
        import torchdr

        # Without faiss, which is none of its requirements, neighbors are found by torch.
        return np.asarray(getattr(torchdr, asked["method"])(device="cuda", backend=None).fit_transform(rows))
    import pacmap

    return pacmap.PaCMAP().fit_transform(rows)


def neighbors(rows):
    """Return the neighbors by pynndescent, as UMAP looks for them."""
    import pynndescent

    return pynndescent.NNDescent(rows, n_neighbors=16, n_jobs=threads).neighbor_graph[0]


run = neighbors if asked["peer"] == "pynndescent" else mapped
vectors = np.load(asked["vectors"])
with Stopwatch() as compiling:
    run(vectors[: asked["warm_up"]])
reset_peak()
resident = memory("VmRSS")
with Stopwatch() as watch:
    found = run(vectors)
peak = peak_bytes()
np.save(asked["map"], np.ascontiguousarray(found))
answer(
    stages={"whole": (watch.cpu_seconds, watch.seconds)}, peak_bytes=peak, resident_bytes=resident,
    compile_seconds=compiling.cpu_seconds,
)  # fmt: skip
