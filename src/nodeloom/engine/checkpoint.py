"""Checkpoints: everything that a training needs to go on exactly, in one model file that is replaced atomically."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nodeloom.engine.loop import divergence_error
from nodeloom.engine.validation import PREFIX, other_validation
from nodeloom.errors import ConfigError, ModelError, OutputError, describe
from nodeloom.graph import KnowledgeGraph
from nodeloom.io.atomic import check_writable
from nodeloom.io.model_data import ModelData
from nodeloom.io.model_file import check_same_graph, in_words, read_model, write_model
from nodeloom.log import logger
from nodeloom.plan.settings import Settings, differences
from nodeloom.schedule import Position
from nodeloom.transport.alone import ALONE

if TYPE_CHECKING:
    from nodeloom.engine.tables import Tables
    from nodeloom.engine.validation import Validation
    from nodeloom.graph import Graph
    from nodeloom.io.vocabulary import Vocabulary
    from nodeloom.plan.training_plan import TrainingPlan
    from nodeloom.transport.base import Transport
    from nodeloom.typing import FloatArray


def graph_record(graph: Graph | KnowledgeGraph) -> dict[str, Any]:
    """Return what a model file says about its graph."""
    if isinstance(graph, KnowledgeGraph):
        return {
            "fingerprint": graph.fingerprint(),
            "num_entities": graph.num_entities,
            "num_relations": graph.num_relations,
            "num_triples": graph.num_triples,
        }
    return {
        "fingerprint": graph.fingerprint(),
        "num_nodes": graph.num_nodes,
        "num_edges": graph.num_edges,
        "directed": graph.directed,
    }


def vocabularies_of(graph: Graph | KnowledgeGraph) -> dict[str, Vocabulary]:
    """Return the names of the rows of each kind that a model of a graph has."""
    if isinstance(graph, KnowledgeGraph):
        return {"entity": graph.entity_names, "relation": graph.relation_names}
    return {"node": graph.names}


@dataclass
class ModelTables:
    """The tables of all parts side by side, float32 [N, dim], as they stand in files.

    Attributes
    ----------
    plan : TrainingPlan
        Says which columns belong to which part.
    tensors : dict of str to float32 [N, dim]
        The tables of the objectives, ``vertex`` and unless all parts are tied ``context``, and the moments.
        With a single part whose rows need no padding these are the tables of the store themselves.
    """

    plan: TrainingPlan
    tensors: dict[str, FloatArray] = field(default_factory=dict)

    def put(self, index: int, store: Tables, *, moments: bool = True) -> None:
        """Take over the tables of a part; a part that is finished needs its moments no more."""
        stage = self.plan.stages[index]
        sources = {name: name for name in store.names()}
        names = set(store.specs)
        for other in self.plan.stages:
            if stage.tied and not other.tied:  # here both of its tables are one
                head, tail = stage.objective.head, other.objective.tail
                sources |= {name.replace(head, tail): name for name in store.names()}
                names.add(tail)
        for name, source in sources.items():
            if not moments and name not in names:
                self.tensors.pop(name, None)
                continue
            table = store.read(source)
            if table is None:  # it is with worker 0
                continue
            if len(self.plan.stages) == 1 and stage.row == stage.dim:
                self.tensors[name] = table
                continue
            if name not in self.tensors:
                self.tensors[name] = np.zeros((self.plan.num_nodes, self.plan.dim), np.float32)
            self.tensors[name][:, stage.first : stage.first + stage.dim] = table[:, : stage.dim]

    def finish(self, index: int, store: Tables) -> None:
        """Take over the tables of a part that is trained no more."""
        store.order_by_node()
        self.put(index, store, moments=False)

    def forget(self) -> None:
        """Let go of tables that are those of a store, and not copies: their rows move."""
        if len(self.plan.stages) == 1 and self.plan.stages[0].row == self.plan.dim:
            self.tensors.clear()

    def get(self, index: int, store: Tables, *, missing: str = "") -> None:
        """Copy the columns of a part into its store; tables that are not there stay as they are."""
        stage = self.plan.stages[index]
        for name in store.names():
            if name in self.tensors:
                store.write(name, self.tensors[name][:, stage.first : stage.first + store.width(name)])
            elif missing:
                raise ModelError(
                    describe(
                        missing,
                        expected=f"a tensor {name!r}, as {self.plan.optimizer.name} needs",
                        got=sorted(self.tensors),
                    )
                )


_Count = Annotated[int, Field(ge=0, le=2**48)]


class _State(BaseModel):
    """What a checkpoint tells of its training: the fields of a position, and the part that it is of."""

    model_config = ConfigDict(strict=True)

    part: _Count
    num_pair: Annotated[int, Field(ge=0, le=2**62)]
    num_tile: _Count
    loss: float
    lr: float
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    episode: dict[str, _Count]


class Checkpoints:
    """Writes a checkpoint every so many seconds, and reads one.

    Parameters
    ----------
    path : Path or None
        The file; None writes nothing.
    interval : float
        Seconds between two checkpoints.
    transport : Transport
        All workers.

    Raises
    ------
    OutputError
        If the file cannot be written: known before hours are spent on what is to be in it.
    """

    def __init__(
        self,
        graph: Graph | KnowledgeGraph,
        plan: TrainingPlan,
        settings: Settings,
        path: str | Path | None,
        interval: float,
        transport: Transport = ALONE,
    ) -> None:
        self.graph, self.plan, self.settings = graph, plan, settings
        self.wanted, self.interval = path is not None, interval
        # Of several workers the first one writes, and asks the others for their tables.
        self.path = Path(path) if path is not None and transport.rank == 0 else None
        if self.path is not None:
            check_writable(self.path)
        self.validation: Validation | None = None
        self._last = time.monotonic()

    def due(self) -> bool:
        """Tell whether it is time for the next one."""
        return self.path is not None and time.monotonic() - self._last >= self.interval

    def write_or_warn(self, tables: ModelTables, index: int, store: Tables, position: Position) -> None:
        """Write one. Where that fails (a full disk), training goes on: the next one may succeed."""
        try:
            self.write(tables, index, store, position)
        except OutputError as error:
            self._last = time.monotonic()
            logger.warning("no checkpoint was written, training goes on: %s", error)

    def write(self, tables: ModelTables, index: int, store: Tables, position: Position) -> Path | None:
        """Write the state of part `index` at `position`, finished parts included; return the file, if there is one.

        Raises
        ------
        TrainingError
            If values have diverged.
        OutputError
            If it cannot be written; the checkpoint before is still there.
        """
        if not self.wanted:
            return None
        if not store.is_sound():  # never over a good one
            raise divergence_error(self.plan, position.num_pair)
        try:
            with store.ordered_by_node():
                return self._write(tables, index, store, position)
        finally:
            tables.forget()

    def _write(self, tables: ModelTables, index: int, store: Tables, position: Position) -> Path | None:
        tables.put(index, store)
        self._last = time.monotonic()
        if self.path is None:
            return None
        state = {"finished": False, "part": index, "num_epoch": self.plan.num_epoch, **dataclasses.asdict(position)}
        kinds = {spec.name: spec.kind for stage in self.plan.stages for spec in stage.objective.tables}
        rows = {name: kinds[name] for name in tables.tensors if name in kinds}
        tensors = dict(tables.tensors)
        if self.validation is not None:
            state["validation"] = self.validation.state()
            tensors |= {PREFIX + name: table for name, table in self.validation.tables.items()}
        sections = self.settings.to_dict(), state, graph_record(self.graph)
        write_model(self.path, ModelData(tensors, rows, vocabularies_of(self.graph), *sections))
        self._last = time.monotonic()  # once more: writing takes its time
        logger.info("checkpoint %s at part %d, pair %d", self.path, index, position.num_pair)
        return self.path

    def read(self, path: str | Path) -> tuple[ModelTables, int, Position]:
        """Return the tables, the part and the position of a checkpoint.

        Raises
        ------
        ModelError
            If the file is no checkpoint, or of another graph.
        ConfigError
            If its settings are others than those at hand.
        """
        data = read_model(path)
        if "num_pair" not in data.state:
            hint = "To train further from a finished model, give it as init."
            raise ModelError(describe(path, expected="a checkpoint", got="a finished model", hint=hint))
        check_same_graph(path, data.graph, graph_record(self.graph))
        threshold = data.config.get("train", {}).get("hub_threshold", 0)
        if threshold not in (0, "auto"):
            hint = "It has no effect any more. Give the file as init to train from its vectors, or resume with the version that wrote it."
            raise ConfigError(describe(path, expected="a checkpoint without hub_threshold", got=threshold, hint=hint))
        changed = differences(data.config, self.settings.to_dict())
        if changed:
            hint = "Resume with the settings of the checkpoint; to train with others from its vectors, give it as init."
            raise ConfigError(
                describe(path, expected="a checkpoint of the same settings", got="; ".join(changed), hint=hint)
            )
        head = self.plan.stages[0].objective.head
        if head not in data.tensors:
            raise ModelError(describe(path, expected=f"a table {head!r}", got=sorted(data.tensors)))
        best = {name: table for name, table in data.tensors.items() if name.startswith(PREFIX)}
        tensors = {name: table for name, table in data.tensors.items() if name not in best}
        for name, table in data.tensors.items():
            name = name.removeprefix(PREFIX)
            if table.shape != (shape := self.plan.shape_of(name)):
                raise ModelError(describe(path, expected=f"tables {list(shape)}", got=f"{name} {list(table.shape)}"))
        index, position = self._position(path, data.state)
        if (self.validation is None) != ("validation" not in data.state):
            raise other_validation(path, "none" if self.validation is None else "checks that it does not have")
        if self.validation is not None:
            kept = {name.removeprefix(PREFIX): table for name, table in best.items()}
            self.validation.restore(path, data.state["validation"], kept)
        return ModelTables(self.plan, tensors), index, position

    def _position(self, path: str | Path, state: dict[str, Any]) -> tuple[int, Position]:
        """Return the part and the position that a checkpoint tells of."""
        try:
            known = {key: value for key, value in state.items() if key in _State.model_fields}
            checked = _State.model_validate(known)
        except ValidationError as error:
            raise ModelError(f"{path}: {in_words(error, 'state')}. The checkpoint is damaged.") from error
        if checked.part >= len(self.plan.stages):
            expected = f"a part below {len(self.plan.stages)}"
            raise ModelError(describe(f"{path}: state.part", expected=expected, got=checked.part))
        row, rows = checked.episode.get("row", 0), checked.episode.get("vertex_parts", 1)
        if row >= rows * max(1, checked.episode.get("context_parts", 1)):
            raise ModelError(describe(f"{path}: state.episode", expected="a row of its grid", got=checked.episode))
        position = checked.model_dump(exclude={"part"})
        return checked.part, Position(**position)
