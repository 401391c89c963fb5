"""Numbers with units, as people write them."""

from __future__ import annotations


def size(num_bytes: float) -> str:
    """Write a number of bytes: ``1.5 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(num_bytes) < 999.5:
            return f"{num_bytes:.3g} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.3g} TB"


def rate(per_second: float) -> str:
    """Write pairs per second: ``12.3 M pairs/s``."""
    for unit in ("", "k ", "M "):
        if per_second < 999.5:
            return f"{per_second:.3g} {unit}pairs/s"
        per_second /= 1000
    return f"{per_second:.3g} G pairs/s"


def duration(seconds: float) -> str:
    """Write a time: ``4.2 s``, ``3:07``, ``2:03:20``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02}"
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
