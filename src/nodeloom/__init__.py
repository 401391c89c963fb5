"""nodeloom: embeddings of the nodes of graphs, learned by random walks and skip-gram, or computed by propagation; and maps.

The public names are imported when they are first used, so that ``import nodeloom`` costs milliseconds.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from nodeloom.estimators import LINE, TSNE, DeepWalk, LargeVis, Node2Vec, ProNE, Propagation, enhance, load
    from nodeloom.graph import Graph, KnowledgeGraph

_PUBLIC = {
    "DeepWalk": "nodeloom.estimators",
    "Graph": "nodeloom.graph",
    "KnowledgeGraph": "nodeloom.graph",
    "LINE": "nodeloom.estimators",
    "LargeVis": "nodeloom.estimators",
    "Node2Vec": "nodeloom.estimators",
    "ProNE": "nodeloom.estimators",
    "Propagation": "nodeloom.estimators",
    "TSNE": "nodeloom.estimators",
    "enhance": "nodeloom.estimators",
    "load": "nodeloom.estimators",
}
_SUBMODULES = ("datasets", "engine", "errors", "estimators", "figures", "graph", "io", "tasks")

__all__ = [
    "LINE",
    "TSNE",
    "DeepWalk",
    "Graph",
    "KnowledgeGraph",
    "LargeVis",
    "Node2Vec",
    "ProNE",
    "Propagation",
    "__version__",
    "datasets",
    "enhance",
    "errors",
    "figures",
    "load",
    "tasks",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(_PUBLIC[name]), name)
        globals()[name] = value
        return value
    if name in _SUBMODULES:
        return importlib.import_module(f"nodeloom.{name}")
    raise AttributeError(f"module 'nodeloom' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC, *_SUBMODULES})
