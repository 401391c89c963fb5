"""Plans and devices of knowledge graphs for tests, without an estimator."""

from __future__ import annotations

from nodeloom.config import BuildConfig, OptimizerConfig, ResourceConfig, TripleTrain
from nodeloom.engine.cpu.triples import CpuTriples
from nodeloom.engine.modes import allocate
from nodeloom.plan.machine import Machine, Worker
from nodeloom.plan.settings import Settings
from nodeloom.plan.triple_planner import make_triple_plan


def plan_of(graph, model="ComplEx", *, dim=8, num_thread=1, optimizer=None, **train):
    """Return the plan of a model on this machine's CPU."""
    chosen = optimizer or {"type": "Adam" if model in ("TransE", "RotatE") else "AdaGrad"}
    settings = Settings(
        TripleTrain(model=model, **train),
        BuildConfig(optimizer=OptimizerConfig(**chosen)),
        ResourceConfig(dim=dim, device="cpu", num_thread=num_thread),
    )
    return make_triple_plan(graph, settings, Machine((Worker(num_thread),)))


def device_of(graph, plan):
    """Return the CPU with the first values of a plan, and the tables."""
    stage = plan.stages[0]
    tables = allocate(plan, stage, graph)
    tables.initialize()
    return CpuTriples(graph, plan, stage, tables), tables
