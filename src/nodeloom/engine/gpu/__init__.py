"""A GPU as a device: tables and graph lie on it, and walks and training run back to back without waiting for the host.

torch is imported here, so nothing outside imports these modules before a plan says that a GPU is to be used.
"""
