"""Planning: every "auto" becomes a number, and the bytes of all tables and buffers are known, before anything runs.

Pure: nothing here looks at a device, speaks with other workers, or imports torch.
"""

from nodeloom.plan.plan import Plan
from nodeloom.plan.settings import Settings

__all__ = ["Plan", "Settings"]
