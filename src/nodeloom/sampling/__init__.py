"""Samplers: random walks and negatives, as plain arrays, the same with any number of threads."""

from nodeloom.sampling.negatives import NegativeSampler
from nodeloom.sampling.walks import WalkSampler

__all__ = ["NegativeSampler", "WalkSampler"]
