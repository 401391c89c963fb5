"""The text of a new configuration file, written from the fields."""

from __future__ import annotations

import textwrap
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from nodeloom.config import map_rules as maps
from nodeloom.config.evaluate import LinkPrediction, NodeClassification
from nodeloom.config.knowledge import EntityRanking, KnowledgeConfig
from nodeloom.config.maps import MapAnimation, MapConfig, MapDrawing, MapHierarchy
from nodeloom.config.notices import OF_EDGES, OLD_NAMES, WITHOUT_EFFECT
from nodeloom.config.notices import OF_WORDS as OF_WORD_GRAPHS
from nodeloom.config.problems import allowed_in
from nodeloom.config.train import DIM_OF_TRIPLES, KINDS, TripleTrain
from nodeloom.config.tree import APPLICATIONS, OF_WORDS, OWN_FILES, Config
from nodeloom.errors import ConfigError, describe

_WIDTH = 100
_LEFT_OUT = {("graph", "edge_list"), ("graph", "weighted_edge_list"), *WITHOUT_EFFECT, *OLD_NAMES}
_EXAMPLES: dict[tuple[str, str], str] = {
    ("graph", "file_name"): "<lastfm_asia.graph>",
    ("save", "file_name"): "graph.safetensors",
    ("node classification", "file_name"): "<lastfm_asia.label>",
    ("node classification", "portions"): "[0.1, 0.5]",
}
_OF_WORDS = {
    ("graph", "file_name"): "text.txt",
    ("save", "file_name"): "words.safetensors",
    ("format", "comment"): '""',
} | {("train", key): str(value) for key, value in OF_WORDS.items()}


_OF_MAPS = {
    ("graph", "vector_file"): "vectors.npy",
    ("resource", "dim"): "2",
    ("save", "file_name"): "map.safetensors",
} | {("visualization", "save_file"): "map.html"}


_OF_TRIPLES = {
    ("graph", "file_name"): "<wordnet-mini.train>",
    ("train", "validation"): "<wordnet-mini.valid>",
    ("resource", "dim"): str(DIM_OF_TRIPLES),
    ("optimizer", "type"): "AdaGrad",
    ("save", "file_name"): "knowledge.safetensors",
}


def template(application: str = "graph") -> str:
    """Return a commented configuration with every key that matters, at its default.

    That of graphs runs as it is: it embeds the graph that comes with the package. That of word graphs embeds the words of ``text.txt``.

    Raises
    ------
    ConfigError
        The application is unknown or not supported yet.
    """
    if application == "visualization":
        return _of_map()
    if application == "knowledge graph":
        return _of_knowledge()
    if application not in APPLICATIONS:
        known = " or ".join(map(repr, (*APPLICATIONS, *OWN_FILES)))
        raise ConfigError(describe("application", expected=known, got=application) + ".")
    words = application == "word graph"
    idle = {("graph", key) for key in ((*OF_EDGES, "as_undirected") if words else OF_WORD_GRAPHS)}
    examples = _EXAMPLES | _OF_WORDS if words else _EXAMPLES
    lines = [
        "# nodeloom configuration. Every key but graph.file_name may be left out.",
        "",
        f"application: {application}",
    ]
    for name, field in Config.model_fields.items():
        if name in ("application", "evaluate", "load"):
            continue
        lines += ["", f"# {field.description}", f"{name}:"]
        lines += _keys(field.default, name, "  ", idle, examples)
        if name == "train":
            lines += _other_models(type(field.default))
    if not words:
        lines += ["", "# Comment this section out if not needed.", "evaluate:"]
        for task in (NodeClassification, LinkPrediction):
            lines += _task(task)
    lines += ["", "# Comment this section in to start from the vectors of another model.", "# load:"]
    lines += ["#   file_name: other.safetensors"]
    return "\n".join(lines) + "\n"


def _of_map() -> str:
    """Return the configuration of a map."""
    idle = {*maps.WITHOUT_EFFECT, ("graph", "vectors")}
    lines = ["# nodeloom configuration of a map. Every key but graph.vector_file may be left out.", ""]
    lines.append("application: visualization")
    for name, field in MapConfig.model_fields.items():
        if name not in ("application", "evaluate", "load"):
            lines += ["", f"# {field.description}", f"{name}:"]
            lines += _keys(field.default, name, "  ", idle, _OF_MAPS)
    lines += ["", "# Comment this section out if not needed.", "evaluate:"]
    tasks: tuple[type[BaseModel], ...] = (MapDrawing, MapAnimation, MapHierarchy)
    for index, task in enumerate(tasks):
        mark = "# " if index else ""  # for maps of three dimensions, and of classes in a hierarchy
        lines += [f"{mark}{line}" if index else line for line in _task(task)]
    lines += [
        "",
        "# Comment this section in to start from an earlier map.",
        "# load:",
        "#   file_name: earlier.safetensors",
    ]
    return "\n".join(lines) + "\n"


def _of_knowledge() -> str:
    """Return the configuration of a knowledge graph, which runs as it is: on the part of WordNet that comes with the package."""
    idle = {("graph", key) for key in (*OF_WORD_GRAPHS, "as_undirected", "normalization", "self_loops")}
    idle |= {("build", key) for key in ("num_partition", "num_negative", "batch_size")}
    lines = ["# nodeloom configuration of a knowledge graph. Every key but graph.file_name may be left out.", ""]
    lines.append("application: knowledge graph")
    for name, field in KnowledgeConfig.model_fields.items():
        if name not in ("application", "evaluate", "load"):
            section = TripleTrain.model_construct() if name == "train" else field.default
            lines += ["", f"# {field.description}", f"{name}:"]
            lines += _keys(section, name, "  ", idle, _OF_TRIPLES)
    lines += ["", "# Comment this section out if not needed.", "evaluate:"]
    lines += _task(EntityRanking)
    lines += [
        "",
        "# Comment this section in to start from another model.",
        "# load:",
        "#   file_name: other.safetensors",
    ]
    return "\n".join(lines) + "\n"


def _keys(
    section: BaseModel, name: str, indent: str, idle: set[tuple[str, str]], examples: dict[tuple[str, str], str]
) -> list[str]:
    lines = []
    for key, field in type(section).model_fields.items():
        if (name, key) in _LEFT_OUT | idle:
            continue
        lines += _comment(field, indent)
        if isinstance(field.default, BaseModel):
            lines.append(f"{indent}{key}:")
            lines += _keys(field.default, key, indent + "  ", idle, examples)
        elif name == "optimizer" and key in ("momentum", "epsilon", "alpha", "beta1", "beta2"):
            lines.append(f"{indent}# {key}: {_text(field.default)}")
        else:
            lines.append(f"{indent}{key}: {examples.get((name, key), _text(field.default))}".rstrip())
    return lines


def _other_models(shown: type[BaseModel]) -> list[str]:
    """Return the keys of models of other kinds, commented out."""
    lines = []
    for kind in KINDS:
        own = [key for key in kind.model_fields if key not in shown.model_fields]
        if own:
            lines.append(f"  # Keys of the models {', '.join(kind.models)}:")
        for key in own:
            lines += _comment(kind.model_fields[key], "  ")
            lines.append(f"  # {key}: {_text(kind.model_fields[key].default)}")
    return lines


def _task(model: type[BaseModel]) -> list[str]:
    title = get_args(model.model_fields["task"].annotation)[0]
    lines = [f"  - task: {title}"]
    for key, field in model.model_fields.items():
        if key in (
            "task",
            "X",
            "Y",
            "H",
            "T",
            "R",
            "HY",
            "filter_H",
            "filter_R",
            "filter_T",
            "backend",
            "patience",
            "scale",
        ):
            continue
        lines += _comment(field, "    ")
        example = (_EXAMPLES | _OF_MAPS).get((title, key), _text(field.default))
        if model is LinkPrediction and key == "fraction":
            example = "0.01"
        if model is EntityRanking:
            own = {"file_name": "<wordnet-mini.test>"}
            example = own.get(key, "[<wordnet-mini.train>, <wordnet-mini.valid>]" if key == "filter_files" else example)
        lines.append(f"    {key}: {example}".rstrip())
    return lines


def _comment(field: FieldInfo, indent: str) -> list[str]:
    text = field.description or ""
    if not isinstance(field.default, BaseModel):
        text += f" ({allowed_in(field)})"
    return textwrap.wrap(text, _WIDTH, initial_indent=indent + "# ", subsequent_indent=indent + "# ")


def _text(value: Any) -> str:
    """Write a default as YAML."""
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.encode("unicode_escape").decode() + '"' if not value.isalnum() else value
    if isinstance(value, tuple):
        return "[" + ", ".join(_text(item) for item in value) + "]"
    return str(value)
