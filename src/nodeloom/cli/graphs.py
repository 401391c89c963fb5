"""``nodeloom convert`` and ``nodeloom info``: compiled graphs, and what a file holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nodeloom.cli.commands import Overwrite, command
from nodeloom.cli.embed import WORDS, Corpus, Edges
from nodeloom.cli.options import config_of, options_of_config
from nodeloom.cli.session import active
from nodeloom.cli.tables import escape, facts, text_of
from nodeloom.errors import DataError, OutputError, describe
from nodeloom.log import logger
from nodeloom.units import size

if TYPE_CHECKING:
    from nodeloom.io.vocabulary import Vocabulary

_SETTINGS = [
    option
    for option in options_of_config()
    if option.path[0] in ("graph", "format") or option.path == ("resource", "num_thread")
]


Triples = Annotated[
    bool,
    typer.Option(
        "--triples",
        help="The file holds triples of a knowledge graph, 'head relation tail'. Without: if the third column is no number.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @command(
        app,
        "convert",
        options=_SETTINGS,
        names=WORDS | {"resource.memory_limit": "--memory-limit"},
        rich_help_panel="Files",
    )
    def convert(
        edges: Edges,
        output: Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Where the compiled graph goes.")],
        options: dict[str, Any],
        directed: Annotated[bool, typer.Option("--directed", help="Follow edges from head to tail only.")] = False,
        corpus: Corpus = False,
        triples: Triples = False,
        memory_limit: Annotated[
            str,
            typer.Option(
                "--memory-limit",
                metavar="auto|SIZE",
                help="Memory to hold at most, such as 8GB; edges wait on the disk. auto: in memory, unless that would "
                "take half of what the machine has.",
                rich_help_panel="Machine",
            ),
        ] = "auto",
        overwrite: Overwrite = False,
    ) -> None:
        """Compile a graph once, to open it without reading its edges again.

          nodeloom convert edges.txt.gz -o graph.nlg
          nodeloom convert edges.parquet -o graph.nlg --memory-limit 8GB
          nodeloom convert text.txt.xz -o words.nlg --corpus --min-count 10
          nodeloom convert triples.tsv -o knowledge.nlk --triples

        The file can be given wherever an edge list, or triples, can.
        """
        from nodeloom.cli.inputs import compile_graph
        from nodeloom.cli.outputs import check_output, inputs_of
        from nodeloom.cli.triple_files import read_triples
        from nodeloom.config.notices import notices
        from nodeloom.io.export import SUFFIXES
        from nodeloom.io.triple_format import TRIPLE_FORMATS
        from nodeloom.io.triple_recognition import holds_triples

        session = active()
        config = config_of(
            options,
            {
                "application": "word graph" if corpus else "graph",
                "graph.file_name": list(edges),
                "graph.as_undirected": not directed,
            },
            {"graph.as_undirected": "--directed"},
        )
        if Path(output).suffix.lower() in (*SUFFIXES, ".gz", ".bz2", ".xz", ".zst", ".json"):
            hint = "A compiled graph is read by nodeloom alone: .nlg says so."
            raise OutputError(
                describe(output, expected="a name for a compiled graph", got=Path(output).suffix, hint=hint)
            )
        check_output(output, "a compiled graph", inputs_of(config), overwrite=overwrite)
        for sentence in notices(config):
            logger.warning(sentence)
        form = config.graph.format
        two_columns = config.graph.columns is not None and len(config.graph.columns) == 2  # those of edges
        unsaid = form == "auto" and not corpus and not two_columns
        if triples or form in TRIPLE_FORMATS[1:-1] or (unsaid and holds_triples(edges[0])):
            knowledge = read_triples(config, edges, session)
            knowledge.save(output)
            counts = {name: getattr(knowledge, name) for name in ("num_entities", "num_relations", "num_triples")}
            session.result.update(written=output, **counts)
            session.show(f"{escape(repr(knowledge))}: wrote {size(os.path.getsize(output))} to {escape(output)}.")  # noqa: PTH202
            return
        graph = compile_graph(config, output, memory_limit, session)
        session.result.update(written=output, num_nodes=graph.num_nodes, num_edges=graph.num_edges)
        session.show(f"{escape(repr(graph))}: wrote {size(os.path.getsize(output))} to {escape(output)}.")  # noqa: PTH202

    @command(app, "info", rich_help_panel="Files")
    def info(
        path: Annotated[
            str | None, typer.Argument(metavar="MODEL|GRAPH", help="A model, a graph or triples.", show_default=False)
        ] = None,
        triples: Triples = False,
    ) -> None:
        """Tell what a model or a graph holds; without a file, what nodeloom runs on, and which GPUs it can use.

          nodeloom info model.safetensors
          nodeloom info

        What it says without a file belongs into a report of a bug.
        """
        session = active()
        if path is None:
            from nodeloom.cli.machine import describe_machine, show_machine

            found = describe_machine()
            session.answer(show_machine(found), **found)
            return
        title, found = describe_file(path, triples=triples)
        rows = [(key, _in_words(key, value)) for key, value in found.items() if value not in ({}, None)]
        session.answer(facts(title, rows), **found)


def describe_file(path: str, *, triples: bool = False) -> tuple[str, dict[str, Any]]:
    """Return a title and the facts about a model or a graph.

    Raises
    ------
    DataError, ModelError
        The file is neither.
    """
    from nodeloom.cli.inputs import is_compiled
    from nodeloom.cli.triple_files import facts_of_triples, is_saved_triples
    from nodeloom.graph import Graph, KnowledgeGraph
    from nodeloom.io.model_file import written_path
    from nodeloom.io.models import is_model, open_model
    from nodeloom.io.triple_recognition import holds_triples

    file = written_path(path)
    path = str(file)
    if not os.path.isfile(file):  # noqa: PTH113  pathlib raises OSError for names that are too long
        what = "a folder" if os.path.isdir(file) else "nothing of that name"  # noqa: PTH112
        raise DataError(f"{path}: expected a model or a graph, got {what}. Check the path.")
    if is_compiled(path):
        return f"Compiled graph {path}", _facts_of_graph(Graph.open(path))
    if is_saved_triples(path):
        return f"Knowledge graph {path}", facts_of_triples(KnowledgeGraph.open(path))
    if is_model(path):
        data = open_model(path)
        sizes: dict[str, Any] = (
            {"num_nodes": data.num_nodes, "dim": data.dim, "tables": ", ".join(sorted(data.tensors))}
            if data.is_of_nodes
            else {"tables": ", ".join(f"{name} {list(data.tensors[name].shape)}" for name in data.rows)}
        )
        return f"Model {path}", {
            **sizes,
            **{
                "names" if kind == "node" else f"{kind} names": _first_names(names)
                for kind, names in data.vocabularies.items()
            },
            "size": size(file.stat().st_size),
            "config": data.config,
            **_stopped(data.state, data.config),
            "state": data.state,
            "graph": data.graph,
        }
    if triples or holds_triples(path):
        return f"Triples of a knowledge graph {path}", facts_of_triples(KnowledgeGraph.from_file(path))
    return f"Edge list {path}", _facts_of_graph(Graph.from_file(path))


def _first_names(names: Vocabulary) -> str:
    return "0, 1, ..." if names.is_range else ", ".join(str(name) for name in names[:3]) + ", ..."


def _stopped(state: dict[str, Any], config: dict[str, Any]) -> dict[str, str]:
    """Say of a model whose training was stopped early how far it had come; of a checkpoint the state tells more."""
    if state.get("finished", True) or "num_pair" in state:
        return {}
    if "epoch" not in state:
        return {"stopped": "early"}
    asked = config.get("train", {}).get("num_epoch", 0)
    of = f" of {asked:,}" if isinstance(asked, int) else ""
    return {"stopped": f"after {state['epoch']:,.1f}{of} epochs"}


def _in_words(key: str, value: Any) -> Any:
    """Write a fact for people: of the configuration only what differs from the defaults."""
    if not isinstance(value, dict):
        return value
    plain = _flat(value)
    if key == "config":
        from nodeloom.config import BuildConfig, ResourceConfig, train_fields

        sections = {"resource": ResourceConfig, "build": BuildConfig}
        usual = _flat({name: section().model_dump(mode="json") for name, section in sections.items()})
        usual |= {f"train.{key}": field.default for key, field in train_fields().items()}
        plain = {
            name: item
            for name, item in plain.items()
            if usual.get(name) != item or name in ("train.model", "resource.dim")
        }
    plain = {name: f"{len(item)} entries" if isinstance(item, list) and item else item for name, item in plain.items()}
    return ", ".join(f"{name} {item if isinstance(item, str) else text_of(item)}" for name, item in plain.items())


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, item in value.items():
        found |= _flat(item, f"{prefix}{key}.") if isinstance(item, dict) else {prefix + key: item}
    return found


def _facts_of_graph(graph: Any) -> dict[str, Any]:
    degrees = graph.degrees
    return {
        "num_nodes": graph.num_nodes,
        "num_edges": graph.num_edges,
        "directed": graph.directed,
        "weighted": graph.is_weighted,
        "mean_degree": float(degrees.mean()) if len(degrees) else 0.0,
        "max_degree": int(degrees.max()) if len(degrees) else 0,
        "isolated_nodes": int((degrees == 0).sum()),
        "size": size(graph.nbytes),
    }
