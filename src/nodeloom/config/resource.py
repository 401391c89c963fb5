"""Section ``resource``: what the machine may give."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from nodeloom.config.section import Integer, Section
from nodeloom.errors import ConfigError


class ResourceConfig(Section):
    """Threads, devices and the size of a vector."""

    gpus: tuple[Annotated[Integer, Field(ge=0)], ...] = Field(
        (),
        description="GPU ids to train on; [] is all of them. This version trains on the CPU, so it has no effect.",
    )
    gpu_memory_limit: Annotated[Integer, Field(ge=1)] | Literal["auto"] = Field(
        "auto", description="Memory to use on each GPU, in bytes. No effect on the CPU."
    )
    cpu_per_gpu: Annotated[Integer, Field(ge=1)] | Literal["auto"] = Field(
        "auto",
        description="GraphVite's number of CPU threads per GPU. On the CPU it is the number of threads, unless "
        "num_thread is given.",
    )
    num_thread: Annotated[Integer, Field(ge=1)] | Literal["auto"] = Field(
        "auto", description="Number of CPU threads. auto: all that this process may use."
    )
    dim: Annotated[Integer, Field(ge=1, le=65536)] = Field(
        128,
        description="Number of values in a vector. 128 suits most graphs; memory and time grow in proportion to it.",
    )
    device: Literal["auto", "cpu"] = Field(
        "auto", description="Where to train. This version trains on the CPU, which is what auto chooses."
    )

    @field_validator("device", mode="before")
    @classmethod
    def _no_gpu_yet(cls, value: object) -> object:
        if isinstance(value, str) and value.split(":")[0] in ("cuda", "gpu"):
            raise ConfigError("'auto' or 'cpu' (GPU support is not in this version yet)")
        return value

    @property
    def threads(self) -> int | Literal["auto"]:
        """The number of threads asked for: ``num_thread``, else GraphVite's ``cpu_per_gpu``."""
        return self.num_thread if self.num_thread != "auto" else self.cpu_per_gpu
