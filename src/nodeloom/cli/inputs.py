"""Read what a configuration names: the graph, and the files of its tasks. Data set references become paths here."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nodeloom import datasets
from nodeloom.cli.progress import CompileProgress, CorpusProgress, DownloadProgress
from nodeloom.errors import DataError, describe
from nodeloom.log import logger
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.cli.session import Session
    from nodeloom.config import Config, FormatConfig, LinkPrediction, NodeClassification
    from nodeloom.graph import Graph
    from nodeloom.io.labels import Labels
    from nodeloom.io.links import Links
    from nodeloom.io.vocabulary import Vocabulary


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Pairs to judge a model by, and pairs not to judge it by.

    Attributes
    ----------
    links : Links
        Heads, tails, and for each whether it is an edge.
    known : Links or None
        Pairs to leave out.
    """

    links: Links
    known: Links | None


def locate(text: str, session: Session) -> str:
    """Return a path: a reference is resolved, with a line of progress while it is fetched."""
    return datasets.located(text, DownloadProgress(session))


def read_graph(config: Config, session: Session) -> Graph:
    """Read the graph of a configuration.

    Raises
    ------
    DataError, GraphError, DatasetError
        A file cannot be used; see :meth:`nodeloom.graph.Graph.from_file`.
    """
    from nodeloom.graph import Graph

    section = config.graph
    if config.application == "word graph":
        return read_words(config, session)
    if section.edge_list:
        return Graph.from_edges(_same_kind(section.edge_list), **_building(config))
    if section.weighted_edge_list:
        weights = np.array([edge[2] for edge in section.weighted_edge_list], dtype=np.float32)
        edges = _same_kind([edge[:2] for edge in section.weighted_edge_list])
        return Graph.from_edges(edges, weights, **_building(config))
    compiled = compiled_path(config, session)
    if compiled is not None:
        _warn_of_options_for_text(config)
        return Graph.open(compiled)
    paths = [locate(name, session) for name in section.file_name]
    return Graph.from_file(paths[0] if len(paths) == 1 else paths, **_reading(config))


def read_words(config: Config, session: Session) -> Graph:
    """Read the graph of the words of a configuration, and say what was read."""
    from nodeloom.graph import Graph

    paths = [locate(name, session) for name in config.graph.file_name]
    for path in filter(is_compiled, paths):
        hint = f"Leave {setting('application', 'word graph')} out to read it."
        raise DataError(describe(path, expected="text, a sentence a line", got="a compiled graph", hint=hint))
    report = CorpusProgress(session)
    graph = Graph.from_corpus(paths, report=report, **_corpus(config))
    report.show()
    return graph


def _corpus(config: Config) -> dict[str, Any]:
    """Return the options of :meth:`nodeloom.graph.Graph.from_corpus`."""
    layout = config.format
    return {
        "window": config.graph.window,
        "min_count": config.graph.min_count,
        "delimiters": layout.delimiters,
        # Text has signs of all kinds: only who asks for comments has some.
        "comment": layout.comment if "comment" in layout.model_fields_set else "",
        "encoding": layout.encoding,
        "self_loops": config.graph.self_loops,
        "normalization": config.graph.normalization,
        "num_thread": config.resource.threads,
    }


def compiled_path(config: Config, session: Session) -> str | None:
    """Return the compiled graph that a configuration names; None if it names something else."""
    if len(config.graph.file_name) != 1 or config.application == "word graph":
        return None
    path = locate(config.graph.file_name[0], session)
    return path if is_compiled(path) else None


def compile_graph(config: Config, output: str, memory_limit: str, session: Session) -> Graph:
    """Compile the graph of a configuration to a file, with progress where it takes long; return it.

    Raises
    ------
    DataError, GraphError, DatasetError, MemoryLimitError, OutputError
        A file cannot be used or written, or the memory does not suffice; see :meth:`nodeloom.graph.Graph.compile`.
    """
    from nodeloom.graph import Graph

    paths = [locate(name, session) for name in config.graph.file_name]
    special = os.path.exists(output) and not os.path.isfile(output)  # noqa: PTH110, PTH113
    if is_compiled(paths[0]) or (special and memory_limit == "auto"):
        graph = read_graph(config, session)
        graph.save(output)
        return graph
    progress = CompileProgress(session)
    if config.application == "word graph":
        report = CorpusProgress(session)
        graph = Graph.compile_corpus(
            paths, output, memory_limit=memory_limit, report=report, progress=progress, **_corpus(config)
        )
        report.show()
        return graph
    return Graph.compile(paths, output, memory_limit=memory_limit, report=progress, **_reading(config))


def _building(config: Config) -> dict[str, Any]:
    """Return the options that say what graph to build of edges."""
    return {
        "directed": not config.graph.as_undirected,
        "duplicates": config.graph.duplicates,
        "self_loops": config.graph.self_loops,
        "normalization": config.graph.normalization,
        "num_thread": config.resource.threads,
    }


def _reading(config: Config) -> dict[str, Any]:
    """Return the options of :meth:`nodeloom.graph.Graph.from_file`."""
    return {
        "delimiters": config.format.delimiters,
        "comment": config.format.comment,
        "encoding": config.format.encoding,
        "weighted": config.graph.weighted,
        "columns": config.graph.columns,
        "format": config.graph.format,
        **_building(config),
    }


def is_compiled(path: str) -> bool:
    """Tell from its first bytes whether a file is a compiled graph.

    A pipe is not looked at: what is read from it is gone.
    """
    if not os.path.isfile(path):  # noqa: PTH113
        return False
    try:
        with open(path, "rb") as file:  # noqa: PTH123  "-" and odd names must not be interpreted
            head = file.read(4096)
    except OSError:
        return False
    return b'"format":"nodeloom-graph"' in head


def _warn_of_options_for_text(config: Config) -> None:
    graph, fresh = config.graph, type(config.graph)()
    for key in ("as_undirected", "normalization", "weighted", "duplicates", "self_loops", "columns", "format"):
        if getattr(graph, key) != getattr(fresh, key):
            logger.warning("%s has no effect: the compiled graph was built already.", setting(f"graph.{key}"))


def _same_kind(edges: Any) -> Any:
    """Return edges whose names are all integers as they are, and all others with every name as text."""
    if all(isinstance(name, int) for edge in edges for name in edge):
        return np.array(edges, dtype=np.int64)
    return np.array([[str(name) for name in edge] for edge in edges])


def read_labels(task: NodeClassification, names: Vocabulary, layout: FormatConfig, session: Session) -> Labels:
    """Read the labels of a task.

    Raises
    ------
    DataError
        The file cannot be used, or names a node that the graph does not have.
    """
    from nodeloom.io.labels import Labels

    if task.file_name is not None:
        return Labels.from_file(
            locate(task.file_name, session),
            names,
            delimiters=layout.delimiters,
            comment=layout.comment,
            encoding=layout.encoding,
            unknown=_unknown(task, task.file_name),
        )
    nodes = find_nodes(names, task.X)
    classes = sorted({str(label) for label in task.Y})
    position = {name: index for index, name in enumerate(classes)}
    return Labels.from_pairs(nodes, [position[str(label)] for label in task.Y], classes, num_nodes=len(names))


def read_pairs(
    task: LinkPrediction,
    names: Vocabulary,
    layout: FormatConfig,
    session: Session,
    *,
    graph: Graph | None = None,
    directed: bool = False,
) -> Pairs:
    """Read the pairs of a task that are given as a file or in place, and its filter.

    To a file of edges alone, pairs are drawn that are neither in it, nor in the filter, nor edges of `graph`, if there
    is one; `directed` says whether their direction counts, if there is none.

    Raises
    ------
    DataError
        A file cannot be used, or names a node that the graph does not have.
    GraphError
        There are too few pairs to draw from.
    """
    from nodeloom.io.links import Links, read_links

    style = {"delimiters": layout.delimiters, "comment": layout.comment, "encoding": layout.encoding}
    if task.file_name is not None:
        unknown = _unknown(task, task.file_name)
        links = read_links(locate(task.file_name, session), names, unknown=unknown, **style)
    else:
        truth = np.array(task.Y, dtype=bool)
        links = Links(find_nodes(names, task.H), find_nodes(names, task.T), truth)
    known = read_known(task, names, layout, session)
    if links.labels is None:
        links = _with_negatives(task, links, known, len(names), graph, directed)
    elif "num_negative" in task.model_fields_set:
        logger.warning("num_negative has no effect: %s says which pairs are no edges.", task.file_name or "Y")
    return Pairs(links, known)


def _with_negatives(
    task: LinkPrediction, links: Links, known: Links | None, num_nodes: int, graph: Graph | None, directed: bool
) -> Links:
    """Return edges followed by pairs that are none, `num_negative` for each edge that the filter leaves."""
    from nodeloom.io.links import Links
    from nodeloom.tasks import filter_pairs, sample_negatives

    num_edge = len(links.heads)
    forbidden = []
    if known is not None:
        forbidden.append((known.heads, known.tails))
        num_edge = int(np.count_nonzero(filter_pairs(links.heads, links.tails, known.heads, known.tails)))
    heads, tails = sample_negatives(
        links.heads,
        links.tails,
        num_nodes=num_nodes,
        count=task.num_negative * num_edge,
        known=forbidden,
        graph=graph,
        directed=directed,
        seed=task.seed,
    )
    logger.info("drew %d pairs that are no edges, to compare %d edges with", len(heads), num_edge)
    labels = np.arange(len(links.heads) + len(heads)) < len(links.heads)
    return Links(np.concatenate([links.heads, heads]), np.concatenate([links.tails, tails]), labels)


def read_graph_of(names: Vocabulary, config: Config, directed: bool, session: Session) -> Graph:
    """Read the graph of a configuration onto the nodes of a model; edges of nodes that it does not have are left out.

    Parameters
    ----------
    names : Vocabulary
        The nodes of the model.
    config : Config
        Its graph is read; a compiled one says itself whether it is directed.
    directed : bool
        Whether edge lists are read as directed.

    Raises
    ------
    DataError, GraphError, DatasetError
        A file cannot be used, or none of its edges is between nodes of the model.
    """
    from nodeloom.graph import Graph

    graph_config = config.graph.model_copy(update={"as_undirected": not directed})
    if is_compiled(locate(config.graph.file_name[0], session)):
        graph_config = config.graph
    graph = read_graph(config.model_copy(update={"graph": graph_config}), session)
    if graph.names == names:
        return graph
    ids = names.find(graph.names.to_arrow(), missing=-1)
    heads, tails, _ = graph.edge_columns()
    edges = np.stack([ids[heads], ids[tails]], axis=1)
    edges = edges[(edges >= 0).all(axis=1)]
    if not len(edges):
        got = f"{graph.num_edges} edges between others"
        hint = "Is it the graph of another model?"
        raise DataError(
            describe(config.graph.file_name[0], expected="edges between nodes of the model", got=got, hint=hint)
        )
    return Graph.from_edges(edges, num_nodes=len(names), names=names, directed=graph.directed)


def read_known(task: LinkPrediction, names: Vocabulary, layout: FormatConfig, session: Session) -> Links | None:
    """Read the filter of a task; None if it has none."""
    from nodeloom.io.links import Links, read_filter

    if task.filter_file is not None:
        path = locate(task.filter_file, session)
        return read_filter(path, names, delimiters=layout.delimiters, comment=layout.comment, encoding=layout.encoding)
    if task.filter_H:
        return Links(find_nodes(names, task.filter_H), find_nodes(names, task.filter_T), None)
    return None


def _unknown(task: NodeClassification | LinkPrediction, name: str) -> Literal["error", "skip"]:
    if task.unknown_nodes == "auto":
        return "skip" if datasets.is_reference(name) else "error"
    return task.unknown_nodes


def find_nodes(names: Vocabulary, wanted: Any) -> np.ndarray:
    """Return the ids of nodes named on a command line or in a configuration, where 7 may be a number or a text.

    Parameters
    ----------
    names : Vocabulary
        All names.
    wanted : iterable of str or int
        Names.

    Returns
    -------
    ndarray, int64 [k]

    Raises
    ------
    DataError
        A name is unknown.
    """
    # By how they are written: 007, 1_0 and +5 are not the integers that Python reads in them.
    return names.find([str(name) for name in wanted])
