"""Sections of benchmarks/grid.py."""
