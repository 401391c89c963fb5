"""Training on a GPU: tables and graph on the device, walks and training back to back without waiting for the host.

torch is imported here, so nothing outside imports this package before a plan says that a GPU is to be used.
"""

from nodeloom.engine.gpu.resident import GpuEngine

__all__ = ["GpuEngine"]
