"""Options made from the fields of the configuration, and the way back from options to a configuration."""

from __future__ import annotations

import functools
import inspect
import json
import shlex
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, get_args

import typer
from pydantic.fields import FieldInfo

from nodeloom.cli.completion import of_field
from nodeloom.config import Config, config_from_dict, train_fields
from nodeloom.config.notices import OLD_NAMES, WITHOUT_EFFECT
from nodeloom.config.problems import allowed_in, literals, with_settings
from nodeloom.config.yaml_tree import COMMAND_LINE, scalar
from nodeloom.words import Words, in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Path = tuple[str, ...]

FIRST = "Options"
"""The group of the options that most users need; it comes first."""

RESTART = "Checkpoints and warm start"
"""The group of the options that say where training starts from."""


class Option(NamedTuple):
    """An option of the command line that stands for a key of the configuration."""

    parameter: str
    path: Path
    field: FieldInfo
    panel: str

    @property
    def flag(self) -> str:
        """How it is written: ``--num-epoch``."""
        return "--" + self.parameter.replace("_", "-")

    @property
    def is_switch(self) -> bool:
        """Whether it is given without a value."""
        return self.field.annotation is bool or bool in get_args(self.field.annotation)

    @property
    def is_text(self) -> bool:
        """Whether its value is taken as it is, and not read as YAML."""
        return self.field.annotation is str or set(get_args(self.field.annotation)) == {str, type(None)}


_PANELS = {"train": "Training", "build": "Optimizer", "graph": "Graph", "format": "Graph", "resource": "Machine"}
_PANELS_OF_KEYS = {
    **dict.fromkeys(("model", "dim", "num_epoch", "device", "delimiters"), FIRST),
    "num_negative": "Negatives",
    "negative_weight": "Negatives",
    "negative_sample_exponent": "Negatives",
    "num_shared_negative": "Negatives",
    "log_frequency": "Machine",
    "batch_size": "Machine",
}
_SECTIONS = ("graph", "format", "train", "build", "resource", "load", "save")
_WIDEST = 60  # characters of the values of an option in its name
_FIRST = ("model", "dim", "num_epoch", "device", "delimiters")  # of their panel in the help
_RENAMED: dict[Path, str] = {
    ("build", "optimizer", "type"): "optimizer",
    ("load", "file_name"): "init",
}
_LEFT_OUT: set[Path] = {
    ("graph", "file_name"),
    ("graph", "edge_list"),
    ("graph", "weighted_edge_list"),
    ("graph", "as_undirected"),  # --directed
    ("resource", "cpu_per_gpu"),
    ("train", "resume"),
    ("save", "file_name"),
    ("save", "save_hyperparameter"),
}


@functools.cache
def options_of_config() -> tuple[Option, ...]:
    """Return an option for every key that can be given on the command line."""
    found = []
    for section in _SECTIONS:
        annotation: Any = Config.model_fields[section].annotation
        keys = train_fields() if section == "train" else annotation.model_fields
        for path, inner in _fields(keys, (section,)):
            if path not in _LEFT_OUT:
                name = _RENAMED.get(path, path[-1])
                panel = _PANELS_OF_KEYS.get(name) or _PANELS.get(section, RESTART)
                found.append(Option(name, path, inner, panel))
    return tuple(
        sorted(found, key=lambda option: _FIRST.index(option.parameter) if option.parameter in _FIRST else len(_FIRST))
    )


def _fields(keys: Mapping[str, FieldInfo], prefix: Path) -> list[tuple[Path, FieldInfo]]:
    found: list[tuple[Path, FieldInfo]] = []
    for name, field in keys.items():
        path = (*prefix, name)
        annotation: Any = field.annotation
        if hasattr(annotation, "model_fields"):
            found += _fields(annotation.model_fields, path)
        else:
            found.append((path, field))
    return found


def parameter_of(option: Option) -> inspect.Parameter:
    """Return the parameter of a command for an option; None stands for "not given"."""
    hidden = option.path in OLD_NAMES or option.path[:2] in WITHOUT_EFFECT
    metavar = "" if option.is_switch else _metavar(option)
    text = in_words(with_settings(option.field.description or ""), _words_of_help())
    if metavar == "NAME":
        text += f" One of {', '.join(literals(option.field.annotation))}."
    text = f"{text} [default: {_default(option.field)}]"
    if option.is_switch:
        flags = f"{option.flag}/--no-{option.flag[2:]}"
        settings = typer.Option(flags, help=text, rich_help_panel=option.panel, hidden=hidden, show_default=False)
        annotation: Any = Annotated[bool | None, settings]
    else:
        settings = typer.Option(
            option.flag,
            help=text,
            rich_help_panel=option.panel,
            hidden=hidden,
            show_default=False,
            metavar=metavar,
            autocompletion=of_field(option.path[-1], option.field),
        )
        annotation = Annotated[str | None, settings]
    return inspect.Parameter(option.parameter, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


@functools.cache
def _words_of_help() -> Words:
    return words_of(options_of_config(), {"save.file_name": "--output", "train.resume": "--resume"})


def words_of(options: Iterable[Option], own: Mapping[str, str]) -> Words:
    """Return the words of a command for messages: settings as its options.

    Parameters
    ----------
    options : iterable of Option
        The options of the command that stand for keys of the configuration.
    own : mapping
        What a key, or one value of a key (``graph.as_undirected=false``, in JSON), is called by an option of the command's own.
    """
    known = {".".join(option.path): option for option in options}

    def write(path: str, value: tuple[Any, ...]) -> str | None:
        if value and f"{path}={json.dumps(value[0])}" in own:
            return own[f"{path}={json.dumps(value[0])}"]
        option = known.get(path)
        flag = own.get(path) or (option.flag if option else None)
        if flag is None or not value:
            return flag
        if option is not None and option.is_switch and isinstance(value[0], bool):
            return option.flag if value[0] else f"--no-{option.flag[2:]}"
        item = ",".join(map(str, value[0])) if isinstance(value[0], list) else str(value[0])
        return f"{flag} {shlex.quote(item.replace(chr(9), chr(92) + 't'))}"

    return write


def _default(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None or value == () or value == "":
        return "none"
    return repr(value) if isinstance(value, str) and not value.isalnum() else str(value)


def _metavar(option: Option) -> str:
    if option.path[-1] == "columns":
        return "HEAD,TAIL[,WEIGHT]"
    if option.path[-1] == "gpus":
        return "INT[,INT...]"
    if option.path[0] in ("load", "save") and option.is_text:
        return "FILE"
    text = allowed_in(option.field).replace(" or a function", "")
    kinds = {"an integer": "INT", "a number": "NUMBER", "text": "TEXT"}
    parts = [
        next((short for long, short in kinds.items() if part.startswith(long)), part) for part in text.split(" or ")
    ]
    listed = "|".join(part.strip("'") for part in parts)
    return listed if len(listed) <= _WIDEST else "NAME"


def value_of(option: Option, text: Any) -> Any:
    """Return the value of an option as the configuration takes it."""
    if not isinstance(text, str):
        return text
    if option.path == ("format", "delimiters"):
        for written, meant in (("\\t", "\t"), ("\\n", "\n"), ("\\r", "\r")):
            text = text.replace(written, meant)
        return text
    if option.path[-1] == "columns":
        return [part.strip() for part in text.split(",")]
    if option.path[-1] == "gpus":
        return [scalar(part) for part in text.strip("[] ").split(",") if part.strip()]
    if option.is_text:
        return text
    value = scalar(text)
    return text if value is None else value  # "null" and "~" are no way to say "not given"


def config_of(options: Mapping[str, Any], more: Mapping[str, Any], places: Mapping[str, str] | None = None) -> Config:
    """Build a configuration from given options.

    Parameters
    ----------
    options : mapping
        Values of the options of :func:`options_of_config` by parameter name, only those given.
    more : mapping
        Values for dotted key paths that have options of their own.
    places : mapping, optional
        What messages call dotted key paths of `more`: the options that they come from.

    Raises
    ------
    ConfigError
        A value is not allowed; names the option.
    """
    values: dict[str, Any] = {}
    names: dict[str, str] = dict(places or {})
    for option in options_of_config():
        if option.parameter in options:
            _put(values, option.path, value_of(option, options[option.parameter]))
            names[".".join(option.path)] = option.flag
    for path, value in more.items():
        _put(values, tuple(path.split(".")), value)
    return config_from_dict(values, COMMAND_LINE, names)


def _put(values: dict[str, Any], path: Path, value: Any) -> None:
    for part in path[:-1]:
        values = values.setdefault(part, {})
    values[path[-1]] = value
