"""Estimators in the style of scikit-learn: of nodes, of knowledge graphs, and of maps."""

from nodeloom.estimators.enhance import enhance
from nodeloom.estimators.largevis import LargeVis
from nodeloom.estimators.models import LINE, DeepWalk, Node2Vec
from nodeloom.estimators.saved import load
from nodeloom.estimators.spectral import ProNE, Propagation
from nodeloom.estimators.triple_models import ComplEx, DistMult, QuatE, RotatE, SimplE, TransE
from nodeloom.estimators.tsne import TSNE

__all__ = [
    "LINE",
    "TSNE",
    "ComplEx",
    "DeepWalk",
    "DistMult",
    "LargeVis",
    "Node2Vec",
    "ProNE",
    "Propagation",
    "QuatE",
    "RotatE",
    "SimplE",
    "TransE",
    "enhance",
    "load",
]
