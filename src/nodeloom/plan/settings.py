"""What the user asked for, before "auto" is resolved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from nodeloom.config import BuildConfig, ResourceConfig, train_fields
from nodeloom.config.train import TrainSection, kind_of

Kind = TypeVar("Kind", bound=TrainSection)


@dataclass(frozen=True)
class Settings:
    """The sections of the configuration that an engine reads."""

    train: TrainSection
    build: BuildConfig
    resource: ResourceConfig

    def of_kind(self, kind: type[Kind]) -> Kind:
        """Return the section ``train``, of a model of a kind that the caller knows it to be."""
        if not isinstance(self.train, kind):
            raise TypeError(f"expected the settings of {', '.join(kind.models)}, got those of {self.train.model}")
        return self.train

    def to_dict(self) -> dict[str, Any]:
        """Return all keys as JSON types, by section."""
        return {name: getattr(self, name).model_dump(mode="json") for name in ("resource", "build", "train")}


# Keys that may change between a checkpoint and the run that goes on from it: they say how, not what.
_FREE = {
    ("resource", "num_thread"),
    ("resource", "num_worker"),
    ("resource", "parallelism"),
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
    ("train", "sample_batch_size"),
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
        if section == "train":
            before = _of_its_kind(before)
        found += [
            f"{section}.{key} was {before.get(key)!r}, is {after.get(key)!r}"
            for key in sorted({*before, *after})
            if (section, key) not in _FREE and before.get(key) != after.get(key)
        ]
    return found


def _of_its_kind(train: dict[str, Any]) -> dict[str, Any]:
    """Return a saved section ``train`` without the keys of models of other kinds, which older files have."""
    own = kind_of(train.get("model")).model_fields
    return {key: value for key, value in train.items() if key in own or key not in train_fields()}
