"""Training on a GPU: tables and graph on the device, walks and training back to back without waiting for the host.

torch is imported here, so nothing outside imports this package before a plan says that a GPU is to be used.
"""

from nodeloom.engine.gpu.resident import GpuEngine
from nodeloom.engine.gpu.store import GpuStore

__all__ = ["GpuEngine", "GpuStore"]
