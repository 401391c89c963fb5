"""Numbers with units, as people write them."""

from __future__ import annotations

import re

from nodeloom.errors import ConfigError, describe

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def size(num_bytes: float) -> str:
    """Write a number of bytes: ``1.5 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(num_bytes) < 999.5:
            return f"{num_bytes:.3g} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.3g} TB"


def rate(per_second: float, what: str = "pairs") -> str:
    """Write pairs, or others, per second: ``12.3 M pairs/s``."""
    for unit in ("", "k ", "M "):
        if per_second < 999.5:
            return f"{per_second:.3g} {unit}{what}/s"
        per_second /= 1000
    return f"{per_second:.3g} G {what}/s"


def duration(seconds: float) -> str:
    """Write a time: ``4.2 s``, ``3:07``, ``2:03:20``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02}"
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def bytes_of(value: int | float | str, what: str = "size") -> int:
    """Return a number of bytes, which may be written with a unit: ``8GB``, ``1.5 GiB``, ``800M``.

    Parameters
    ----------
    value : int, float or str
        Bytes, or text.
    what : str
        What it is the size of, for the message.

    Raises
    ------
    ConfigError
        It is not a positive number of bytes.

    >>> bytes_of("8GB"), bytes_of("1.5 GiB"), bytes_of(1000)
    (8000000000, 1610612736, 1000)
    """
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]*)?)\s*([kmgt]?i?)b?\s*", str(value).lower())
    result = 0
    if found is not None and found[2] in _UNITS and not isinstance(value, bool):
        result = int(float(found[1]) * _UNITS[found[2]])
    if result < 1:
        raise ConfigError(describe(what, expected="a number of bytes such as 8000000000, '8GB' or '8GiB'", got=value))
    return result


def sizes(memory: dict[str, int]) -> str:
    """Return bytes by purpose in words, their sum first."""
    return ", ".join([f"{size(sum(memory.values()))} in all", *(f"{k} {size(v)}" for k, v in memory.items())])
