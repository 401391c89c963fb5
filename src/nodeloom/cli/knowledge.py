"""From a configuration of a knowledge graph to a model on disk: read triples, plan, train, save."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodeloom.cli.checkpoint import fit_options, remove
from nodeloom.cli.outputs import check_outputs
from nodeloom.cli.progress import callback
from nodeloom.cli.tables import escape, facts
from nodeloom.cli.triple_files import read_triples
from nodeloom.cli.triple_tasks import read_tasks
from nodeloom.config.knowledge import KnowledgeConfig
from nodeloom.config.train import TripleTrain
from nodeloom.errors import ConfigError, TrainingInterrupted, describe
from nodeloom.transport.alone import ALONE
from nodeloom.units import duration, rate, size
from nodeloom.words import setting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodeloom.cli.session import Session
    from nodeloom.config import Config
    from nodeloom.graph import KnowledgeGraph


def run_triples(
    config: Config,
    session: Session,
    estimator: Any,
    *,
    evaluate: bool = True,
    overwrite: bool = False,
    inputs: Sequence[str] = (),
) -> Any:
    """Train a model of a knowledge graph as a configuration says, and save it; return it.

    Parameters
    ----------
    config : Config
        What to do; its section ``train`` is of a model of knowledge graphs.
    session : Session
        Where to print and what to collect for JSON.
    estimator : estimator
        The unfitted model.
    evaluate : bool
        Whether to judge the model on the tasks of `config`.
    overwrite : bool
        Whether files of other kinds may be replaced.
    inputs : sequence of str
        Files that were read for `config` itself.

    Raises
    ------
    NodeloomError
        Of any part. Outputs and inputs are checked before training.
    TrainingInterrupted
        After Ctrl-C or SIGTERM.
    """
    from nodeloom.interrupt import StopRequest
    from nodeloom.io.atomic import check_writable

    assert isinstance(config.train, TripleTrain)
    _refuse_tasks(config)
    target = check_outputs(config, overwrite=overwrite, inputs=inputs)
    graph = _read(config, config.graph.file_name, session)
    validation = _read(config, config.train.validation, session, graph) if config.train.validation else None
    tasks = read_tasks(config, session, graph, estimator) if evaluate and isinstance(config, KnowledgeConfig) else []
    if target is not None:
        check_writable(target, graph.num_entities * config.resource.dim * 4)
    model = estimator.set_params(verbose=False)  # the session shows the progress
    plan = model.plan(graph)
    session.result["plan"] = plan.to_dict()
    session.show(facts("Plan", plan.rows()))
    progress = callback(session)
    model.fit(
        graph,
        validation=validation,
        callbacks=() if progress is None else (progress,),
        **fit_options(config, ALONE),
    )
    _show(model, session)
    if target is not None:
        with StopRequest() as stop:
            save(model, target, session)
            remove(config)
        if stop.requested:
            raise TrainingInterrupted(f"interrupted while {target} was saved. The file is complete.")
    if tasks:
        session.result["evaluation"] = [task.run(model, session) for task in tasks]
    return model


def _read(config: Config, paths: Sequence[str], session: Session, like: KnowledgeGraph | None = None) -> KnowledgeGraph:
    """Read triples and say what they are; with the names of another knowledge graph, if there is one."""
    graph = read_triples(config, paths, session, like)
    counts = {name: getattr(graph, name) for name in ("num_entities", "num_relations", "num_triples")}
    session.result["validation" if like is not None else "graph"] = counts
    session.show(f"[bold]Read[/bold]  {escape(repr(graph))}")
    return graph


def _refuse_tasks(config: Config) -> None:
    """Refuse what only node embedding has.

    Raises
    ------
    ConfigError
        Names it.
    """
    if config.graph.edge_list or config.graph.weighted_edge_list:
        raise ConfigError(describe(setting("graph.edge_list"), expected="a file of triples", got="edges"))
    if config.evaluate and not isinstance(config, KnowledgeConfig):
        raise ConfigError(
            describe(
                "evaluate",
                expected=f"no task of node embedding, since {setting('train.model')} is {config.train.model}",
                got=", ".join(task.task for task in config.evaluate),
                hint=f"Give triples of validation ({setting('train.validation')}), or rank a test set afterwards.",
            )
        )


def _show(model: Any, session: Session) -> None:
    """Show what came of a training."""
    report = model.report_
    session.result["training"] = report
    rows = [
        ("time", duration(report["seconds"])),
        ("triples", f"{report['num_pair']:,} in {model.num_epoch_:,.4g} epochs"),
        ("rate", rate(report["rate"], "triples")),
        ("loss", f"{report['loss']:.4f}"),
        ("peak memory", size(report["peak_memory"])),
    ]
    if report["peak_device_memory"]:
        rows.append(("on the GPU", size(report["peak_device_memory"])))
    if model.validation_:
        best = max(model.validation_, key=lambda check: check.get("mrr", 0.0))
        session.result["validation_checks"] = model.validation_
        told = ", ".join(f"{name} {best[name]:.4f}" for name in ("mrr", "hits@1", "hits@10") if name in best)
        rows.append(
            ("validation", f"{told} after {best['epoch']:.4g} epochs, the best of {len(model.validation_)} checks")
        )
    session.show(facts("Trained", rows))


def save(model: Any, path: Path, session: Session) -> None:
    """Save the model, or export the vectors of entities and of relations, by the suffix of the path."""
    from nodeloom.io.export import SUFFIXES

    data = model.model_data()
    if path.suffix.lower() in SUFFIXES:
        export_tables(data.tensors, data.vocabularies, path, session)
        return
    model.save(path)
    session.result["saved"] = str(path)
    session.show(f"[bold]Saved[/bold]  {escape(str(path))}")


def export_tables(tables: Any, names: Any, path: str | Path, session: Session, format: Any = "auto") -> None:
    """Write the vectors of entities, and beside them those of relations and of their inverses, with their names."""
    from nodeloom.io.export import export_vectors

    path, relation = Path(path), tables["relation"]
    width = relation.shape[1] // 2
    parts = {"": ("entity", tables["entity"]), ".relations": ("relation", relation[:, :width])}
    parts[".inverse_relations"] = "relation", relation[:, width:]
    written = []
    for end, (kind, vectors) in parts.items():
        written.append(str(path.with_name(f"{path.stem}{end}{path.suffix}")))
        export_vectors(written[-1], vectors, names[kind], format=format)
        session.show(f"Wrote {len(vectors):,} vectors of {vectors.shape[1]} values to {escape(written[-1])}.")
    session.result["written"] = written
