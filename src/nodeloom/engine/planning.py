"""Planning with the machine at hand: what all workers agree on, what there is, and the plan for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeloom.engine.machine import look
from nodeloom.engine.workers.agreement import check_plan, check_settings
from nodeloom.plan import planner
from nodeloom.transport.alone import ALONE

if TYPE_CHECKING:
    from nodeloom.graph import Graph
    from nodeloom.plan.plan import Plan
    from nodeloom.plan.settings import Settings
    from nodeloom.transport.base import Transport


def make_plan(graph: Graph, settings: Settings, transport: Transport = ALONE) -> Plan:
    """Resolve all settings for a graph, on this machine. All workers have to call it.

    Parameters
    ----------
    graph : Graph
        The graph.
    settings : Settings
        What the user asked for.
    transport : Transport
        All workers.

    Raises
    ------
    GraphError, ConfigError, MemoryLimitError
        As :func:`nodeloom.plan.planner.make_plan`; ConfigError also if workers have different settings or graphs.
    DeviceError
        If a GPU was asked for and none of those can be used.
    """
    check_settings(transport, settings, graph)
    return check_plan(transport, planner.make_plan(graph, settings, look(settings, transport)))
