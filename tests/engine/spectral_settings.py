"""Settings of propagation and factorization from a few words."""

from __future__ import annotations

from nodeloom.config import BuildConfig, ResourceConfig, train_config
from nodeloom.engine import Settings


def settings(dim=8, num_thread=1, **train):
    build = BuildConfig(num_negative=train.pop("num_negative", 1))
    train = {"model": "propagation", **train}
    return Settings(train_config(**train), build, ResourceConfig(dim=dim, num_thread=num_thread, device="cpu"))
