"""What all workers must have in common, compared before they train: another learning rate would go unnoticed, another shape would hang."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nodeloom.errors import ConfigError, describe
from nodeloom.plan.mode import Copies, Ring

if TYPE_CHECKING:
    from nodeloom.graph import Graph
    from nodeloom.plan.plan import Plan
    from nodeloom.plan.settings import Settings
    from nodeloom.transport.base import Transport

OWN = {
    "num_thread", "cpu_per_gpu", "gpus", "gpu_memory_limit", "memory_limit", "worker_timeout", "max_restart", "num_worker",
    "log_frequency", "random_walk_batch_size", "shuffle_base", "hub_threshold", "batch_size", "episode_size",
}  # fmt: skip
"""Keys that may differ between workers: what a host gives, and what does not act on the result."""

_OF_PLAN = (
    "num_epoch", "augmentation_step", "random_walk_length", "walks_per_tile", "tiles_per_pool", "num_shared_negative", "lr",
    "weight_decay", "table_dtype",
)  # fmt: skip
_OF_GRID = ("num_vertex_part", "num_context_part", "episode_pairs")


def check_same(transport: Transport, own: Mapping[str, Any]) -> None:
    """Compare what the workers have under each key. All workers have to call it.

    Raises
    ------
    ConfigError
        Names each key whose values differ, with two of them; with all workers.
    """
    found = transport.gather_objects(dict(own))
    problems = []
    for key in sorted({key for values in found for key in values}):
        of_key = [values.get(key) for values in found]
        other = next((rank for rank, value in enumerate(of_key) if value != of_key[0]), None)
        if other is not None:
            hint = "Start all workers with the same settings, files and version of nodeloom."
            pair = {"worker 0": of_key[0], f"worker {other}": of_key[other]}
            problems.append(describe(key, expected="the same with all workers", got=pair, hint=hint))
    if problems:
        raise ConfigError("\n".join(problems))


def of_sections(sections: Mapping[str, Any], own: frozenset[str] | set[str] = frozenset()) -> dict[str, Any]:
    """Return the version of nodeloom, and all keys of nested sections but those that may differ, `own` among them.

    Of the devices only the kind has to be the same: each worker may have another number.
    """
    found: dict[str, Any] = {"version of nodeloom": sys.modules["nodeloom"].__version__}

    def add(value: Any, path: str) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                if key not in OWN and key not in own:
                    add(inner, f"{path}.{key}" if path else str(key))
        elif isinstance(value, (list, tuple)) and any(isinstance(inner, Mapping) for inner in value):
            for number, inner in enumerate(value):
                add(inner, f"{path}[{number}]")
        else:
            found[path] = str(value).partition(":")[0] if path.endswith("device") else value

    add(sections, "")
    return found


def check_settings(transport: Transport, settings: Settings, graph: Graph) -> None:
    """Compare the settings of all workers, their versions of nodeloom and their graphs. All workers have to call it.

    Raises
    ------
    ConfigError
        As :func:`check_same`.
    """
    if transport.size > 1:  # the fingerprint reads the whole graph
        check_same(transport, of_sections(settings.to_dict()) | {"graph (fingerprint)": graph.fingerprint()})


def check_plan(transport: Transport, plan: Plan) -> Plan:
    """Return the plan, after comparing what decides how much each worker trains at a time. All workers have to call it.

    Raises
    ------
    ConfigError
        As :func:`check_same`.
    """
    values = plan.to_dict()
    own = {f"plan: {name}": values[name] for name in _OF_PLAN}
    own["plan: mode"] = type(plan.mode).__name__
    match plan.mode:
        case Copies(num_merge):
            own["plan: num_merge"] = num_merge
        case Ring(grid, whole_walks):
            own["plan: whole_walks"] = whole_walks
            own |= {f"plan: {name}": getattr(grid, name) for name in _OF_GRID}
    check_same(transport, own)
    return plan
