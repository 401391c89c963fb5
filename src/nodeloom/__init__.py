"""nodeloom: embeddings of the nodes of graphs and of knowledge graphs, learned or computed; and maps.

The public names are imported when they are first used, so that ``import nodeloom`` costs milliseconds.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from nodeloom.estimators import (
        LINE,
        TSNE,
        ComplEx,
        DeepWalk,
        DistMult,
        LargeVis,
        Node2Vec,
        ProNE,
        Propagation,
        QuatE,
        RotatE,
        SimplE,
        TransE,
        enhance,
        load,
    )
    from nodeloom.graph import Graph, KnowledgeGraph

_PUBLIC = {
    "ComplEx": "nodeloom.estimators",
    "DeepWalk": "nodeloom.estimators",
    "DistMult": "nodeloom.estimators",
    "Graph": "nodeloom.graph",
    "KnowledgeGraph": "nodeloom.graph",
    "LINE": "nodeloom.estimators",
    "LargeVis": "nodeloom.estimators",
    "Node2Vec": "nodeloom.estimators",
    "ProNE": "nodeloom.estimators",
    "Propagation": "nodeloom.estimators",
    "QuatE": "nodeloom.estimators",
    "RotatE": "nodeloom.estimators",
    "SimplE": "nodeloom.estimators",
    "TSNE": "nodeloom.estimators",
    "TransE": "nodeloom.estimators",
    "enhance": "nodeloom.estimators",
    "load": "nodeloom.estimators",
}
_SUBMODULES = ("datasets", "engine", "errors", "estimators", "figures", "graph", "io", "tasks")

__all__ = [
    "LINE",
    "TSNE",
    "ComplEx",
    "DeepWalk",
    "DistMult",
    "Graph",
    "KnowledgeGraph",
    "LargeVis",
    "Node2Vec",
    "ProNE",
    "Propagation",
    "QuatE",
    "RotatE",
    "SimplE",
    "TransE",
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
