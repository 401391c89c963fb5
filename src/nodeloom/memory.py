"""How much memory there is, and how much of it this process holds."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

# Held by a process with NumPy, pyarrow and Numba, where the system does not say it.
_USUAL = 300 << 20


def total_memory() -> int | None:
    """Return the bytes of memory that this process may use: of the machine, or of its control group; None if unknown."""
    found = []
    with contextlib.suppress(AttributeError, ValueError, OSError):  # not a POSIX system
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(name).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            found.append(int(text))
    return min(found) if found else None


def resident_memory() -> int:
    """Return the bytes of memory that this process holds now; a usual value where the system does not say it."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):  # not Linux
        return _USUAL
