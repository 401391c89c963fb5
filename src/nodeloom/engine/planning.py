"""Planning with the machine at hand: what all workers agree on, what there is, and the plan for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from nodeloom.engine.machine import look
from nodeloom.engine.workers.agreement import check_plan, check_settings
from nodeloom.graph import KnowledgeGraph
from nodeloom.plan import planner
from nodeloom.plan.triple_planner import make_triple_plan
from nodeloom.transport.alone import ALONE

if TYPE_CHECKING:
    from nodeloom.graph import Graph
    from nodeloom.plan.plan import Plan
    from nodeloom.plan.settings import Settings
    from nodeloom.plan.triple_plan import TriplePlan
    from nodeloom.transport.base import Transport


@overload
def make_plan(graph: Graph, settings: Settings, transport: Transport = ALONE) -> Plan: ...
@overload
def make_plan(graph: KnowledgeGraph, settings: Settings, transport: Transport = ALONE) -> TriplePlan: ...
def make_plan(graph: Graph | KnowledgeGraph, settings: Settings, transport: Transport = ALONE) -> Plan | TriplePlan:
    """Resolve all settings for a graph, on this machine. All workers have to call it.

    Parameters
    ----------
    graph : Graph or KnowledgeGraph
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
    if isinstance(graph, KnowledgeGraph):
        return make_triple_plan(graph, settings, look(settings, transport))
    check_settings(transport, settings, graph)
    return check_plan(transport, planner.make_plan(graph, settings, look(settings, transport)))
