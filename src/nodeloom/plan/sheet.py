"""What plans of all kinds have: bytes by purpose, rows for people, a dictionary for programs."""

from __future__ import annotations

import abc
import dataclasses
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Sheet(abc.ABC):
    """Base of plans, which are dataclasses.

    Attributes
    ----------
    memory, device_memory : dict of str to int
        Bytes of main memory, and on the GPU, by what they are for.
    """

    memory: dict[str, int]
    device_memory: dict[str, int]

    @property
    def num_bytes(self) -> int:
        """Bytes of main memory in all."""
        return sum(self.memory.values())

    @property
    def num_device_bytes(self) -> int:
        """Bytes on the GPU in all."""
        return sum(self.device_memory.values())

    @abc.abstractmethod
    def rows(self) -> list[tuple[str, str]]:
        """Return the plan as (name, text) rows for people."""

    def __repr__(self) -> str:
        width = max(len(name) for name, _ in self.rows())
        return "\n".join(f"{name:<{width}}  {text}" for name, text in self.rows())

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON types."""
        values = dataclasses.asdict(cast("DataclassInstance", self))
        return {**values, "num_bytes": self.num_bytes, "num_device_bytes": self.num_device_bytes}
