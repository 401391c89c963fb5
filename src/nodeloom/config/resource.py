"""Section ``resource``: what the machine may give."""

import contextlib
import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from nodeloom.config.section import Integer, Number, Section
from nodeloom.errors import ConfigError
from nodeloom.units import bytes_of

DEVICES = "'auto' or 'cpu' or 'cuda' or 'cuda:N'"
"""What ``device`` may be, in words."""

OLD_PARALLELISM = {"copies": "data", "split": "model"}
"""Values of ``worker_tables`` and the equivalent values of ``parallelism``."""


class ResourceConfig(Section):
    """Threads, devices and the size of a vector."""

    gpus: tuple[Annotated[Integer, Field(ge=0)], ...] = Field(
        (),
        description="GPUs to choose from, by number; [] is all of them. One process trains on the first that can be used, workers "
        "take them in turn.",
    )
    gpu_memory_limit: Annotated[Integer, Field(ge=1)] | Literal["auto"] = Field(
        "auto", description="Memory to use on a GPU at most, in bytes or as 8GB. auto: what is free there."
    )
    memory_limit: Annotated[Integer, Field(ge=1)] | Literal["auto"] = Field(
        "auto",
        description="Main memory to use at most, in bytes or as 8GB; of each worker where there are several. Tables that exceed it are "
        "trained in parts from temporary files (in TMPDIR) by one process, and refused with several. auto: what the machine has.",
    )
    cpu_per_gpu: Annotated[Integer, Field(ge=1, le=4096)] | Literal["auto"] = Field(
        "auto",
        description="GraphVite's number of CPU threads per GPU. Here it is the number of threads, unless num_thread is "
        "given.",
    )
    num_thread: Annotated[Integer, Field(ge=1, le=4096)] | Literal["auto"] = Field(
        "auto", description="Number of CPU threads. auto: all that this process may use."
    )
    num_worker: Annotated[Integer, Field(ge=1, le=4096)] | Literal["auto"] = Field(
        "auto",
        description="Processes that train one model together, on GPUs of their own or on CPUs. On one host nodeloom starts them, "
        "on several torchrun does. auto: as many as torchrun has started, else 1.",
    )
    parallelism: Literal["auto", "data", "model"] = Field(
        "auto",
        description="What each of several workers has: whole tables, whose changes are merged now and then (data), or a part of them "
        "(model). auto: data on GPUs that have room for whole tables, else model.",
    )
    worker_tables: Literal["auto", "copies", "split"] = Field(
        "auto",
        description="The old name of parallelism, which goes with the next version: copies is data, split is model.",
    )
    max_restart: Annotated[Integer, Field(ge=0, le=1000)] = Field(
        0,
        description="How often workers that nodeloom has started are started again when one has failed; they go on from the "
        "checkpoint. Under torchrun its own --max-restarts counts.",
    )
    worker_timeout: Annotated[Number, Field(ge=1, le=86_400)] = Field(
        15.0, description="Seconds without a sign of life after which a worker is lost, and all others end."
    )
    dim: Annotated[Integer, Field(ge=1, le=65536)] = Field(
        128,
        description="Number of values in a vector. 128 suits most graphs; memory and time grow in proportion to it.",
    )
    device: str = Field(
        "auto",
        description="Where to train. cuda is the first GPU that can be used, cuda:1 the one of that number; auto is cuda if "
        "there is one, else cpu. 'nodeloom info' lists what there is.",
        json_schema_extra={"allowed": DEVICES},
    )
    table_dtype: Literal["auto", "fp32", "bf16"] = Field(
        "auto",
        description="Number format of the tables on a GPU. bf16 halves their memory and is faster, but less precise. auto: "
        "fp32, unless only bf16 fits the memory of the GPU, from a million nodes on together with the graph. On the CPU tables are "
        "always fp32.",
    )
    sampler: Literal["auto", "device", "host"] = Field(
        "auto",
        description="Who draws the walks when training on a GPU: the GPU (device) or CPU threads (host). auto: device if "
        "the graph fits its memory beside the tables, else host.",
    )

    @model_validator(mode="before")
    @classmethod
    def _under_the_old_name(cls, values: Any) -> Any:
        """Take the value of ``parallelism`` from its old name, unless it is given."""
        if not isinstance(values, dict) or values.get("parallelism", "auto") not in ("auto", None):
            return values
        old = values.get("worker_tables")
        return (
            {**values, "parallelism": OLD_PARALLELISM[old]}
            if isinstance(old, str) and old in OLD_PARALLELISM
            else values
        )

    @field_validator("gpu_memory_limit", "memory_limit", mode="before")
    @classmethod
    def _with_a_unit(cls, value: object) -> object:
        """Understand 8GB and 1.5 GiB; text that is not a size passes unchanged and is refused."""
        if isinstance(value, str) and value.strip().lower() != "auto":
            with contextlib.suppress(ConfigError):
                return bytes_of(value)
        return value

    @field_validator("device")
    @classmethod
    def _is_a_device(cls, value: str) -> str:
        name = value.strip().lower()
        if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,4})?", name):
            raise ConfigError(f"{DEVICES}, N being the number of a GPU")
        return name

    @property
    def threads(self) -> int | Literal["auto"]:
        """The number of threads asked for: ``num_thread``, else GraphVite's ``cpu_per_gpu``."""
        return self.num_thread if self.num_thread != "auto" else self.cpu_per_gpu
