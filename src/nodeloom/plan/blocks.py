"""The plan of one process that trains blocks: on the CPU of tables in memory or in files, on a GPU of tables in main memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeloom.plan.grid_size import grid_on_cpu, grid_on_gpu, requested_parts
from nodeloom.plan.memory import host_memory
from nodeloom.plan.whole import formats_with_memory, lacking, within_memory
from nodeloom.units import size

if TYPE_CHECKING:
    from nodeloom.graph import Graph
    from nodeloom.plan.machine import Machine
    from nodeloom.plan.plan import Plan
    from nodeloom.plan.settings import Settings

_ASKED = "num_partition asks for parts."


def blocks_on_cpu(plan: Plan, graph: Graph, settings: Settings, machine: Machine) -> Plan:
    """Return the plan with a grid for the threads of the CPU: in memory if parts were asked for and fit, else in files.

    Raises
    ------
    MemoryLimitError
        If no grid fits, or the tables do not fit the disk.
    """
    if requested_parts(settings) is not None:
        return within_memory(grid_on_cpu(plan, graph, settings, machine, _ASKED), machine)
    needed, limit = sum(host_memory(plan, graph).values()), machine.own.main_memory or 0
    reason = f"{size(needed)} are needed and there are {size(limit)}, so tables lie in files."
    return grid_on_cpu(plan, graph, settings, machine, reason)


def blocks_on_gpu(plan: Plan, graph: Graph, settings: Settings, machine: Machine) -> Plan:
    """Return the plan with a grid on a GPU, whose tables lie in main memory.

    Raises
    ------
    MemoryLimitError
        If neither a grid nor whole tables fit the GPU, or main memory has no room for the rest.
    """
    plans, limit = formats_with_memory(plan, graph, settings), machine.own.device_memory
    asked = requested_parts(settings) is not None
    reason = _ASKED if asked else f"Tables and graph do not fit the {size(limit)} of {plan.device}."
    found = grid_on_gpu(plans, graph, settings, machine, reason)
    if found is not None:
        return found
    if not asked:
        for whole in plans:
            if whole.num_device_bytes <= limit:
                within_memory(whole, machine)  # raises: it is main memory that is lacking
    raise lacking(plans, settings, machine)
