"""Definitions in plain NumPy float64: slow, obvious, always right."""
