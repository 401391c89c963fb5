"""The sections of ``gpu.py``, one subject a file."""
