"""Estimators in the style of scikit-learn: DeepWalk, LINE and Node2Vec."""

from nodeloom.estimators.models import LINE, DeepWalk, Node2Vec
from nodeloom.estimators.saved import load

__all__ = ["LINE", "DeepWalk", "Node2Vec", "load"]
