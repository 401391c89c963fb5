"""Walks of PecanPy: its compiled kernel alone, compiled before the clock starts, without its way from ids to names.

That is the most favourable way to count it: ``simulate_walks`` compiles its kernels anew on every call and builds
Python lists of strings.
"""

import warnings

import numpy as np
from child import Stopwatch, answer, memory, peak_bytes, request, reset_peak, return_rate, some_starts

warnings.simplefilter("ignore")
from pecanpy import pecanpy  # noqa: E402

asked = request()
with np.load(asked["graph"]) as archive:
    edges, num_nodes = archive["edges"], int(archive["num_nodes"])
weights = np.load(asked["weights"]) if asked["weights"] else np.ones(len(edges), np.float32)
first_order = asked["p"] == 1 and asked["q"] == 1
if not first_order:
    engine = pecanpy.SparseOTF
elif asked["weights"]:
    engine = pecanpy.PreCompFirstOrder
else:
    engine = pecanpy.FirstOrderUnweighted
walker = engine(p=asked["p"], q=asked["q"], workers=asked["num_thread"], random_state=asked["seed"])
heads = np.concatenate([edges[:, 0], edges[:, 1]]).astype(np.int64)
tails = np.concatenate([edges[:, 1], edges[:, 0]])
order = np.lexsort((tails, heads))
walker.indptr = np.zeros(num_nodes + 1, np.uint32)
walker.indptr[1:] = np.cumsum(np.bincount(heads, minlength=num_nodes))
walker.indices = tails[order].astype(np.uint32)
walker.data = np.concatenate([weights, weights])[order].astype(np.float32)
walker.set_node_ids([str(node) for node in range(num_nodes)])
with Stopwatch() as preparing:
    walker._preprocess_transition_probs()
move_forward, has_nbrs = walker.get_move_forward(), walker.get_has_nbrs()
starts = some_starts(np.arange(num_nodes, dtype=np.uint32), asked)


def walk(begin, length):
    """One call of PecanPy's own kernel."""
    from numba_progress import ProgressBar

    with ProgressBar(total=len(begin), disable=True) as progress:
        return walker._random_walks(len(begin), length, asked["seed"], begin, has_nbrs, move_forward, progress)


walk(starts[:16], 3)
load_peak = reset_peak()
resident = memory("VmRSS")
with Stopwatch() as watch:
    walks = walk(starts, asked["length"])
steps = int((walks[:, -1].astype(np.int64) - 1).sum())
answer(
    seconds=watch.seconds, cpu_seconds=watch.cpu_seconds, steps=steps, rate=steps / watch.seconds,
    engine=engine.__name__, load_seconds=preparing.seconds, load_peak_bytes=load_peak, resident_bytes=resident,
    walk_bytes=walks.nbytes, peak_bytes=peak_bytes(), return_rate=return_rate(walks[:, :-1]),
)  # fmt: skip
