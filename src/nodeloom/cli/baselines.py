"""The configurations that come with the package, and the one that some words mean."""

from __future__ import annotations

import importlib.resources
import re
from pathlib import Path

from nodeloom.errors import ConfigError


def baselines() -> list[Path]:
    """Return the configurations that come with the package, by name."""
    folder = Path(str(importlib.resources.files("nodeloom") / "baselines"))
    return sorted(folder.glob("*.yaml"))


def find_baseline(keywords: list[str]) -> Path:
    """Return the configuration in whose name each keyword stands between separators, as GraphVite matches them.

    Raises
    ------
    ConfigError
        None or more than one fit.
    """
    words = [word.lower() for keyword in keywords for word in keyword.split()]
    found = [
        path
        for path in baselines()
        if all(re.search(rf"[/\\_.]{re.escape(word)}[/\\_.]", f"/{path.name.lower()}") for word in words)
    ]
    if len(found) == 1:
        return found[0]
    asked = " ".join(keywords)
    names = ", ".join(path.stem for path in found or baselines())
    if found:
        raise ConfigError(f"baseline: {asked!r} fits several: {names}. Add a word.")
    raise ConfigError(f"baseline: {asked!r} fits none of {names}.")
