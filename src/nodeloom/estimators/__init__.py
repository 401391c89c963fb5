"""Estimators in the style of scikit-learn: DeepWalk, LINE, Node2Vec, Propagation and ProNE."""

from nodeloom.estimators.enhance import enhance
from nodeloom.estimators.models import LINE, DeepWalk, Node2Vec
from nodeloom.estimators.saved import load
from nodeloom.estimators.spectral import ProNE, Propagation

__all__ = ["LINE", "DeepWalk", "Node2Vec", "ProNE", "Propagation", "enhance", "load"]
