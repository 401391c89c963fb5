"""Kernels use no memory that they have given back.

Numba frees an array after the last use of its name, even where its address is used later: ``train_walks`` once worked on buffers that
were free, which only showed when something else took them. The C library of Linux can fill what is freed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

CODE = """
    import sys
    sys.path.insert(0, {folder!r})
    from backends import CPU as fast
    from skipgram_cases import Case, compare
    from walk_graphs import random_graph
    from backends import REFERENCE
    for case in [
        Case(dim=128, num_walk=3),
        Case(nodes=9, num_walk=9, dead=0.3, step=3, optimizer="Adam"),
        Case(nodes=130, num_negative=33, two_sided=False, step=7),
    ]:
        assert compare(case, fast)[0] > 0
    for order in ("first", "second"):
        graph = random_graph(1, 70, weighted=True)
        assert (graph.walk(order, fast, 40, 9) == graph.walk(order, REFERENCE, 40, 9)).all()
"""


def test_memory_that_is_freed_is_not_used():
    # 0x7f7f7f7f is a float32 near the largest: any product with it spoils the result.
    env = {**os.environ, "MALLOC_PERTURB_": str(0x7F)}
    code = textwrap.dedent(CODE.format(folder=str(Path(__file__).parent)))
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
