"""The child's side of a benchmark: read the request, watch the memory, write the answer. Standard library only."""

import contextlib
import json
import resource
import sys
import time
from pathlib import Path


def request():
    """Return the arguments of this program, as the parent wrote them."""
    return json.loads(Path(sys.argv[1]).read_text())


def answer(**values):
    """Write the result for the parent, with the peak memory of this process."""
    values.setdefault("peak_bytes", peak_bytes())
    Path(sys.argv[2]).write_text(json.dumps(values, default=float))


def some_starts(nodes, asked):
    """Return the nodes that walks begin at: every node ``num_walks`` times, shuffled, or a ``fraction`` of that."""
    import numpy as np

    starts = np.tile(nodes, asked["num_walks"])
    np.random.default_rng(asked["seed"]).shuffle(starts)
    return starts[: max(1, round(len(starts) * asked["fraction"]))]


def return_rate(walks):
    """Return the share of steps, in the second half of the walks, that go straight back to the node before.

    It is what p sets. In the second half the walks have forgotten how their library chose where they begin.
    """
    half = walks.shape[1] // 2
    return float((walks[:, half + 2 :] == walks[:, half:-2]).mean())


def memory(field):
    """Return a line of /proc/self/status in bytes, None where there is no such file."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def reset_peak():
    """Forget the peak so far, so that :func:`peak_bytes` tells what comes from here on; return the peak so far.

    Where the system does not offer it, later peaks contain the earlier ones, which is never to our advantage.
    """
    peak = peak_bytes()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return peak


def peak_bytes():
    """Return the largest resident size of this process so far, or since the peak was reset.

    VmHWM and not ru_maxrss: across exec, Linux carries the parent's peak over into ru_maxrss.
    """
    high_water = memory("VmHWM")
    if high_water is not None:
        return high_water
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class Stopwatch:
    """Context manager: ``seconds`` of wall clock and ``cpu_seconds`` of all threads of this process."""

    def __enter__(self):
        """Start."""
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_):
        """Stop."""
        self.seconds = time.perf_counter() - self._wall
        self.cpu_seconds = time.process_time() - self._cpu
