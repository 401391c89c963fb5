"""Spectral methods: propagation and factorization of a graph, in seconds."""

from nodeloom.engine.spectral.plan import SpectralPlan, make_spectral_plan
from nodeloom.engine.spectral.training import SpectralResult, run_spectral

__all__ = ["SpectralPlan", "SpectralResult", "make_spectral_plan", "run_spectral"]
