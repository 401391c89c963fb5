"""The plan of one process with whole tables, in main memory or on a GPU."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from nodeloom.errors import MemoryLimitError, describe
from nodeloom.plan.formats import candidate_formats
from nodeloom.plan.grid_size import requested_parts
from nodeloom.plan.memory import device_memory, host_memory
from nodeloom.plan.tiles_in_flight import launch_of
from nodeloom.units import size, sizes
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.graph import Graph
    from nodeloom.plan.machine import Machine
    from nodeloom.plan.plan import Plan
    from nodeloom.plan.settings import Settings


def whole_on_cpu(plan: Plan, graph: Graph, settings: Settings, machine: Machine) -> Plan:
    """Return the plan with whole tables in main memory.

    Raises
    ------
    MemoryLimitError
        If the machine has less memory.
    """
    return within_memory(dataclasses.replace(plan, memory=host_memory(plan, graph)), machine)


def whole_on_gpu(plan: Plan, graph: Graph, settings: Settings, machine: Machine) -> Plan:
    """Return the plan with whole tables on a GPU: of those that fit it the most precise, then the fastest.

    Raises
    ------
    MemoryLimitError
        If none fits, or main memory has no room for the rest.
    """
    plans = formats_with_memory(plan, graph, settings)
    fitting = [p for p in plans if p.num_device_bytes <= machine.own.device_memory]
    if not fitting:
        raise lacking(plans, settings, machine)
    launch = launch_of(graph, fitting[0], machine.num_multiprocessor)
    return within_memory(dataclasses.replace(fitting[0], launch=launch), machine)


def formats_with_memory(plan: Plan, graph: Graph, settings: Settings) -> list[Plan]:
    """Return the plan for whole tables on a GPU in each number format and with each sampler that may be taken, with its memory."""
    plans = candidate_formats(plan, settings)
    return [dataclasses.replace(p, memory=host_memory(p, graph), device_memory=device_memory(p, graph)) for p in plans]


def within_memory(plan: Plan, machine: Machine) -> Plan:
    """Return the plan if the machine has the main memory that it needs.

    Raises
    ------
    MemoryLimitError
        If it has not.
    """
    limit = machine.own.main_memory
    if limit is not None and plan.num_bytes > limit:
        raise MemoryLimitError(
            describe(
                "plan",
                expected=f"at most {size(limit)} of memory",
                got=sizes(plan.memory),
                hint=f"Lower {setting('resource.dim')}, use SGD (other optimizers keep more tables), or use a machine with more memory.",
            )
        )
    return plan


def lacking(plans: list[Plan], settings: Settings, machine: Machine) -> MemoryLimitError:
    """Return the error for plans of which none fits the GPU: what the last needs, and what there is."""
    limit = machine.own.device_memory
    asked = [key for key in ("table_dtype", "sampler") if getattr(settings.resource, key) != "auto"]
    free = "".join(f", leave {setting(f'resource.{key}')} to auto" for key in asked)
    free += "" if requested_parts(settings) is None else f", change {setting('build.num_partition')}"
    return MemoryLimitError(
        describe(
            "plan",
            expected=f"at most {size(limit)} on {plans[-1].device} ({machine.gpu_name})",
            got=f"{sizes(plans[-1].device_memory)} with {plans[-1].table_dtype} tables",
            hint=f"Lower {setting('resource.dim')}, use SGD (other optimizers keep more tables){free}, or give "
            f"{setting('resource.device', 'cpu')}.",
        )
    )
