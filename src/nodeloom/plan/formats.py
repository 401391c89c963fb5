"""Number formats of tables and samplers of a GPU in the order of preference, and the memory that they have to fit."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from nodeloom.errors import ConfigError, describe
from nodeloom.plan import defaults
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.config import ResourceConfig
    from nodeloom.plan.plan import Plan
    from nodeloom.plan.settings import Settings

WIDEST_BF16 = 256  # columns of a bf16 table; see nodeloom.kernels.gpu.skipgram.train_walks

_GPU_SHARE = 0.95  # of the free memory of a GPU: the rest is for the library's own and for fragments


def gpu_limit(free_memory: int, resource: ResourceConfig, share: float = _GPU_SHARE) -> int:
    """Return the bytes of a GPU that may be used: a share of what is free there, at most what the user allows."""
    limit = int(free_memory * share)
    return limit if resource.gpu_memory_limit == "auto" else min(limit, resource.gpu_memory_limit)


def candidate_formats(plan: Plan, settings: Settings) -> list[Plan]:
    """Return the plan with each number format and sampler that may be taken, the most precise first, then the fastest.

    Raises
    ------
    ConfigError
        If bf16 was asked for and rows are too wide.
    """
    resource = settings.resource
    dtypes: list[Any] = ["fp32", "bf16"] if resource.table_dtype == "auto" else [resource.table_dtype]
    if max(stage.row for stage in plan.stages) > WIDEST_BF16:
        if dtypes == ["bf16"]:
            raise ConfigError(
                describe(
                    setting("resource.table_dtype"),
                    expected=f"fp32 with {setting('resource.dim')} above {WIDEST_BF16}",
                    got="bf16",
                )
            )
        dtypes = ["fp32"]
    samplers: list[Any] = ["device", "host"] if resource.sampler == "auto" else [resource.sampler]
    choices = [(dtype, where) for dtype in dtypes for where in samplers]
    if plan.num_nodes >= defaults.BF16_NODES:  # walks of the CPU are slower by far, and bf16 costs large graphs nothing
        choices = [(dtype, where) for where in samplers for dtype in dtypes]
    return [dataclasses.replace(plan, table_dtype=dtype, sampler=where) for dtype, where in choices]
