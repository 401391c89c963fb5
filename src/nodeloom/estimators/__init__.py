"""Estimators in the style of scikit-learn: DeepWalk, LINE, Node2Vec, Propagation, ProNE, TSNE and LargeVis."""

from nodeloom.estimators.enhance import enhance
from nodeloom.estimators.largevis import LargeVis
from nodeloom.estimators.models import LINE, DeepWalk, Node2Vec
from nodeloom.estimators.saved import load
from nodeloom.estimators.spectral import ProNE, Propagation
from nodeloom.estimators.tsne import TSNE

__all__ = ["LINE", "TSNE", "DeepWalk", "LargeVis", "Node2Vec", "ProNE", "Propagation", "enhance", "load"]
