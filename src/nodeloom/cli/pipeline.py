"""From a configuration to a model on disk: read, plan, train, save, judge."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodeloom.cli.checkpoint import fit_options, remove
from nodeloom.cli.inputs import Pairs, compiled_path, read_graph, read_known, read_labels, read_pairs
from nodeloom.cli.judging import judge_labels, judge_links
from nodeloom.cli.outputs import check_outputs
from nodeloom.cli.progress import callback
from nodeloom.cli.tables import escape, facts
from nodeloom.cli.workers import own_tasks, share_graph, together
from nodeloom.config import Config, LinkPrediction
from nodeloom.config.notices import OF_GPUS, notices
from nodeloom.config.optimizer import OWN_KEYS
from nodeloom.config.train import NodeTrain, SpectralTrain
from nodeloom.errors import (
    ConfigError,
    DataError,
    GraphError,
    MemoryLimitError,
    NodeloomError,
    OutputError,
    TrainingInterrupted,
    describe,
)
from nodeloom.log import logger
from nodeloom.units import duration, rate, size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nodeloom.cli.session import Session
    from nodeloom.graph import Graph
    from nodeloom.io.labels import Labels
    from nodeloom.transport.base import Transport


@dataclasses.dataclass
class Run:
    """What a pipeline has made so far.

    Attributes
    ----------
    config : Config
        What to do.
    graph : Graph
        The whole graph.
    train_graph : Graph
        What is trained on: the graph, without held-out edges if a task asks for that.
    inputs : list
        For each task its labels or pairs, read before training so that a bad file does not cost a training.
    model : estimator
        Fitted after :func:`train`.
    """

    config: Config
    graph: Graph
    train_graph: Graph
    inputs: list[Labels | Pairs]
    model: Any = None


def run_config(
    config: Config,
    session: Session,
    *,
    evaluate: bool = True,
    control: bool = False,
    compare: bool = False,
    overwrite: bool = False,
    inputs: Sequence[str] = (),
) -> Run:
    """Do everything that a configuration says.

    Parameters
    ----------
    config : Config
        What to do.
    session : Session
        Where to print and what to collect for JSON.
    evaluate : bool
        Whether to judge the vectors.
    control : bool
        Whether to judge random vectors beside them.
    compare : bool
        Whether the plan says what another model would take.
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
    from nodeloom.io.atomic import check_writable
    from nodeloom.io.export import SUFFIXES, check_no_blanks

    for sentence in notices(config):
        logger.warning(sentence)
    with together(config, session) as (config, transport):
        target = None if session.silent else check_outputs(config, overwrite=overwrite, inputs=inputs)
        if transport.size == 1:
            run = prepare(config, session, evaluate=evaluate)
        else:
            run = prepare_together(config, session, transport, evaluate=evaluate)
        if target is not None:
            if target.suffix.lower() in SUFFIXES and SUFFIXES[target.suffix.lower()].startswith("word2vec"):
                check_no_blanks(target, run.graph.names)
            # No format is smaller than one table of vectors.
            check_writable(target, run.graph.num_nodes * config.resource.dim * 4)
        train(run, session, compare=compare, transport=transport)
    if session.silent:  # the vectors are at the first worker
        return run
    if target is not None:
        keep_all(run, target, session)
    if evaluate:
        judge(run, session, control=control)
    return run


def prepare(config: Config, session: Session, *, evaluate: bool) -> Run:
    """Read the graph and the files of the tasks, hold out edges, and show what was read."""
    graph = read_graph(config, session)
    logger.info("read %r", graph)
    session.result["graph"] = {
        "num_nodes": graph.num_nodes,
        "num_edges": graph.num_edges,
        "directed": graph.directed,
        "weighted": graph.is_weighted,
    }
    session.show(f"[bold]Read[/bold]  {escape(repr(graph))}")
    run = Run(config, graph, graph, [])
    if not evaluate:
        return run
    held_out = {
        (t.fraction, t.seed) for t in config.evaluate if isinstance(t, LinkPrediction) and t.fraction is not None
    }
    if len(held_out) > 1:  # what one task holds out, training on the split of another would give away
        raise ConfigError(
            describe(
                "evaluate", expected="one fraction and one seed to hold edges out for all tasks", got=sorted(held_out)
            )
        )
    for task in config.evaluate:
        if not isinstance(task, LinkPrediction):
            run.inputs.append(read_labels(task, graph.names, config.format, session))
        elif task.fraction is None:
            run.inputs.append(read_pairs(task, graph.names, config.format, session, graph=graph))
        else:
            run.inputs.append(hold_out(run, task, session))
    return run


def prepare_together(config: Config, session: Session, transport: Transport, *, evaluate: bool) -> Run:
    """Run :func:`prepare` in the first worker of each host; the other workers open the graph that it has read."""
    if transport.worker.local_rank > 0:
        graph = share_graph(None, None, transport)
        return Run(config, graph, graph, [])
    run = prepare(own_tasks(config, transport), session, evaluate=evaluate)
    run.config = config
    is_whole = run.train_graph is run.graph
    run.train_graph = share_graph(run.train_graph, compiled_path(config, session) if is_whole else None, transport)
    if is_whole:
        run.graph = run.train_graph
    return run


def hold_out(run: Run, task: LinkPrediction, session: Session) -> Pairs:
    """Take edges out of the graph that is trained on, and return them with pairs that are no edges."""
    from nodeloom.io.links import Links
    from nodeloom.tasks import split_edges

    assert task.fraction is not None
    split = split_edges(run.graph, fraction=task.fraction, seed=task.seed, num_negative=task.num_negative)
    run.train_graph = split.train_graph
    known = read_known(task, run.graph.names, run.config.format, session)
    return Pairs(Links(split.heads, split.tails, split.labels), known)


def estimator_of(config: Config) -> Any:
    """Return the unfitted estimator that a configuration describes."""
    from nodeloom.estimators.saved import MODELS, TRIPLE_MODELS

    kind: Any = (MODELS | TRIPLE_MODELS)[config.train.model]
    accepted = set(inspect.signature(kind.__init__).parameters) | set(kind().get_params())
    return kind(**{key: value for key, value in parameters_of(config).items() if key in accepted})


def parameters_of(config: Config) -> dict[str, Any]:
    """Return all parameters of the estimators under their names."""
    optimizer = config.build.optimizer
    own = {key: getattr(optimizer, key) for key in OWN_KEYS[optimizer.type]}
    return {
        # Of what has no effect any more the notices have spoken.
        **{key: getattr(config.train, key) for key in type(config.train).model_fields if key != "hub_threshold"},
        "num_negative": config.build.num_negative,
        "num_partition": config.build.num_partition,
        "memory_limit": config.resource.memory_limit,
        "num_worker": config.resource.num_worker,
        "parallelism": config.resource.parallelism,
        "dim": config.resource.dim,
        "num_thread": config.resource.threads,
        **{key: getattr(config.resource, key) for key in ("device", *OF_GPUS)},
        "optimizer": {"type": optimizer.type, **own},
        "lr": optimizer.lr,
        "weight_decay": optimizer.weight_decay,
        "schedule": optimizer.schedule,
    }


def alternative(config: Config, graph: Graph) -> tuple[str, float | None]:
    """Return what else could be done on a graph, in words, and the seconds that it would take here.

    The time is None if unknown: the alternative's kernels are not compiled just to estimate it.
    """
    import nodeloom

    machine: dict[str, Any] = {
        "dim": config.resource.dim,
        "num_thread": config.resource.threads,
        "device": config.resource.device,
    }
    if isinstance(config.train, SpectralTrain):
        plan = nodeloom.DeepWalk(**machine).plan(graph, compiled_only=True)
        return f"DeepWalk, {plan.num_epoch:,} epochs, for the best scores of edges", plan.seconds
    return "--fast (propagation), to have vectors sooner", nodeloom.Propagation(**machine).plan(graph).seconds


def train(run: Run, session: Session, *, compare: bool = False, transport: Transport) -> None:
    """Show the plan (with what another model would take, if `compare`), train, and show what came of it."""
    config = run.config
    model = estimator_of(config).set_params(verbose=False)  # the session shows the progress
    plan = model.plan(run.train_graph)
    session.result["plan"] = as_dict(plan)
    rows = plan.rows()
    if compare and not session.silent:
        with contextlib.suppress(GraphError, MemoryLimitError):  # then the other model is no alternative
            other, seconds = alternative(config, run.train_graph)
            session.result["alternative"] = {"model": other, "seconds": seconds}
            rows.append(
                ("instead", f"{other}: {'not measured yet' if seconds is None else 'about ' + duration(seconds)}")
            )
    session.show(facts("Plan", rows))
    every = config.train.log_frequency if isinstance(config.train, NodeTrain) else "auto"
    lines = None if every == "auto" else every * config.build.batch_size
    progress = callback(session, lines)
    run.model = model.fit(
        run.train_graph,
        callbacks=() if progress is None else (progress,),
        **fit_options(config, transport),
    )
    if session.silent:
        return
    report = as_dict(run.model.report_)
    session.result["training"] = report
    session.show(facts("Trained", trained_rows(report)))


def as_dict(value: Any) -> dict[str, Any]:
    """Return a plan or a report as a dict."""
    if isinstance(value, dict):
        return value
    if hasattr(value, "to_dict"):
        return dict(value.to_dict())
    return dataclasses.asdict(value)


def trained_rows(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the report as rows for people; what it does not have is left out."""
    ways: dict[str, tuple[str, Callable[[Any], str]]] = {
        "seconds": ("time", duration),
        "num_pair": ("pairs", lambda n: f"{n:,}"),
        "pairs": ("pairs", lambda n: f"{n:,}"),
        "rate": ("rate", rate),
        "num_step": ("steps", str),
        "loss": ("loss", lambda x: f"{x:.4f}"),
        "peak_memory": ("peak memory", size),
        "peak_device_memory": ("on the GPU", size),
    }
    shown = {
        key: value for key, value in report.items() if value is not None and (key, value) != ("peak_device_memory", 0)
    }
    rows = [(name, show(shown[key])) for key, (name, show) in ways.items() if key in shown]
    if report.get("num_sent"):
        each, number = report["sent_bytes"] / report["num_sent"], report["num_sent"]
        when = "merges" if report.get("waited_seconds") else "rounds"
        rows.append(
            ("sent", f"{size(report['sent_bytes'])} by each worker: {size(round(each))} in each of {number:,} {when}")
        )
    return rows


def keep_all(run: Run, path: Path, session: Session) -> None:
    """Save what was learned, to the end even if Ctrl-C comes meanwhile (a second one breaks in), and remove the checkpoint.

    Raises
    ------
    TrainingInterrupted
        Afterwards, if there was a Ctrl-C.
    """
    from nodeloom.interrupt import StopRequest

    with StopRequest() as stop:
        save(run, path, session)
        remove(run.config)
    if stop.requested:
        raise TrainingInterrupted(
            f"interrupted while {path} was saved. The training was over, and the file is complete."
        )


def save(run: Run, path: Path, session: Session) -> None:
    """Save the model, or export its vectors, by the suffix of the path.

    Raises
    ------
    DataError, OutputError
        If that fails. A training is not lost for it: the model goes to the folder for temporary files, and the message
        says so.
    """
    from nodeloom.cli.vectors import say_table
    from nodeloom.io.export import SUFFIXES, export_vectors

    model = run.model
    try:
        if path.suffix.lower() in SUFFIXES:
            vectors = model.node_vectors()
            say_table(vectors, model.vectors_)
            export_vectors(path, vectors, model.graph_names_, num_thread=num_threads(run.config))
        else:
            model.save(path)
    except (DataError, OutputError) as error:
        kept = _rescue(model, path)
        if kept is None:
            raise
        raise type(error)(f"{error} The trained model was saved as {kept}.") from error
    session.result["saved"] = str(path)
    session.show(f"[bold]Saved[/bold]  {escape(str(path))}")


def _rescue(model: Any, path: Path) -> Path | None:
    """Save a model that could not go to `path` in another folder, and return where; None if that fails too."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="nodeloom-"))
    except OSError:
        return None
    kept = folder / f"{path.stem}.safetensors"
    try:
        model.save(kept)
    except (NodeloomError, OSError):
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return kept


def judge(run: Run, session: Session, *, control: bool) -> None:
    """Judge the vectors on all tasks."""
    results = []
    if run.inputs:
        session.show("")
    num_thread = num_threads(run.config)
    for task, data in zip(run.config.evaluate, run.inputs, strict=True):
        if isinstance(task, LinkPrediction):
            assert isinstance(data, Pairs)
            vertex, context = run.model.vectors_, run.model.context_vectors_
            results.append(judge_links(task, vertex, context, data, session, control=control))
        else:
            assert not isinstance(data, Pairs)
            vectors = run.model.node_vectors()
            results.append(judge_labels(task, vectors, data, session, control=control, num_thread=num_thread))
    if results:
        session.result["evaluation"] = results


def num_threads(config: Config) -> int:
    """Return the number of threads that a configuration comes to."""
    from nodeloom.kernels.cpu.parallel import available_threads

    threads = config.resource.threads
    return available_threads() if threads == "auto" else threads
