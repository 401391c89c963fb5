"""What the user asked for, before "auto" is resolved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nodeloom.config import BuildConfig, ResourceConfig, TrainConfig


@dataclass(frozen=True)
class Settings:
    """The sections of the configuration that an engine reads."""

    train: TrainConfig
    build: BuildConfig
    resource: ResourceConfig

    def to_dict(self) -> dict[str, Any]:
        """Return all keys as JSON types, by section."""
        return {name: getattr(self, name).model_dump(mode="json") for name in ("resource", "build", "train")}


# Keys that may change between a checkpoint and the run that goes on from it: they say how, not what.
_FREE = {
    ("resource", "num_thread"),
    ("resource", "num_worker"),
    ("resource", "worker_tables"),
    ("resource", "max_restart"),
    ("resource", "worker_timeout"),
    ("resource", "cpu_per_gpu"),
    ("resource", "gpus"),
    ("resource", "gpu_memory_limit"),
    ("resource", "memory_limit"),
    ("resource", "device"),
    ("resource", "table_dtype"),
    ("resource", "sampler"),
    ("train", "resume"),
    ("train", "log_frequency"),
    ("train", "random_walk_batch_size"),
    ("train", "shuffle_base"),
    ("train", "hub_threshold"),
    ("build", "batch_size"),
    ("build", "episode_size"),
    ("build", "num_partition"),
}


def differences(saved: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return the keys that decide what is trained and differ between two :meth:`Settings.to_dict`."""
    found = []
    for section in ("resource", "build", "train"):
        before, after = saved.get(section, {}), now.get(section, {})
        found += [
            f"{section}.{key} was {before.get(key)!r}, is {after.get(key)!r}"
            for key in sorted({*before, *after})
            if (section, key) not in _FREE and before.get(key) != after.get(key)
        ]
    return found
