"""Read a configuration file, apply overrides, validate: every error names file, line, key and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from nodeloom.config import relations
from nodeloom.config.knowledge import KnowledgeConfig, of_knowledge
from nodeloom.config.map_rules import of_map
from nodeloom.config.maps import MapConfig
from nodeloom.config.problems import Path as KeyPath
from nodeloom.config.problems import join, key_paths, near_miss, sentences
from nodeloom.config.tree import Config, application_of
from nodeloom.config.yaml_tree import LARGEST, RawTree, parse, scalar
from nodeloom.errors import ConfigError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping

    from nodeloom.config.relations import Problem
    from nodeloom.config.section import Section

_Kind = TypeVar("_Kind", bound="Section")


def load_config(path: str | os.PathLike[str], overrides: Iterable[str] = ()) -> Config | MapConfig:
    """Read a YAML configuration.

    Parameters
    ----------
    path : path-like
        File in GraphVite's schema.
    overrides : iterable of str
        ``section.key=value`` each, applied in order on top of the file. A key that is in one section only may be
        given without it: ``num_epoch=10``.

    Returns
    -------
    Config or MapConfig
        Validated and frozen; the latter of the application ``visualization``. That of ``knowledge graph`` is a KnowledgeConfig.
        References such as ``<youtube.graph>`` are kept as they are.

    Raises
    ------
    ConfigError
        The file cannot be read, a key is unknown, a value is not allowed, or two values do not go together. One line
        per problem, each with file, line, key path, what is allowed and what was found.
    """
    file, content = Path(path), b""
    try:
        if file.stat().st_size > 4 * LARGEST:
            raise ConfigError(
                f"{file}: expected a configuration of at most {4 * LARGEST:,} bytes, got {file.stat().st_size:,}. Is it another file?"
            )
        content = file.read_bytes()
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            f"{file}: there is no such file. 'nodeloom new graph' writes one, 'nodeloom list' shows those included."
        ) from None
    except IsADirectoryError:
        raise ConfigError(f"{file}: this is a folder. Name the YAML file in it.") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file}:{line}: this is not a text file in UTF-8 (byte {error.start}).") from None
    except (OSError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    tree = parse(text, str(file))
    if application_of(tree.values.get("application")) == "visualization":
        return _built(_with_overrides(tree, overrides, MapConfig), MapConfig, of_map)
    if application_of(tree.values.get("application")) == "knowledge graph":
        return _built(_with_overrides(tree, overrides, KnowledgeConfig), KnowledgeConfig, of_knowledge)
    return build(_with_overrides(tree, overrides, Config))


def config_from_dict(
    values: Mapping[str, Any], origin: str = "configuration", places: Mapping[str, str] | None = None
) -> Config:
    """Validate a configuration that is already in memory.

    Parameters
    ----------
    values : mapping
        Nested sections and keys.
    origin : str
        What to call it in messages.
    places : mapping
        Names to use in messages for dotted key paths, for example ``{"resource.dim": "--dim"}``.

    Raises
    ------
    ConfigError
        As :func:`load_config`.
    """
    tree = RawTree(dict(values), origin)
    tree.places.update({_key_path(path): place for path, place in (places or {}).items()})
    return build(tree)


def build(tree: RawTree) -> Config:
    """Validate a raw tree: first every key alone, then the rules between them."""
    return _built(tree, Config, relations.of_config)


def _built(tree: RawTree, kind: type[_Kind], rules: Callable[[_Kind], Iterable[Problem]]) -> _Kind:
    """Validate a raw tree of an application: first every key alone, then the rules between them."""
    try:
        config = kind.model_validate(tree.values)
    except ValidationError as error:
        raise ConfigError("\n".join(sentences(error, kind, tree.where))) from None
    problems = list(rules(config))
    if problems:
        raise ConfigError("\n".join(problem.message(tree.where(problem.path)) for problem in problems))
    return config


def _with_overrides(tree: RawTree, overrides: Iterable[str], kind: type[Section]) -> RawTree:
    for override in overrides:
        name, sign, text = override.partition("=")
        place = f"--set {override}"
        if not sign or not name.strip():
            raise ConfigError(f"{place}: expected key=value, such as train.num_epoch=100.")
        path = full_path(name.strip(), place, kind)
        _put(tree.values, path, scalar(text), place)
        tree.places[path] = place
    return tree


def full_path(name: str, place: str, kind: type[Section] = Config) -> KeyPath:
    """Return the key path of a dotted name, adding the section where it is not given.

    Raises
    ------
    ConfigError
        The bare key is unknown, or is in more than one section.
    """
    parts = _key_path(name)
    if len(parts) > 1 or parts[0] in kind.model_fields:
        return parts
    known = list(key_paths(kind))
    homes = [path for path in known if path[-1] == parts[0] and path[0] != "evaluate"]
    if len(homes) == 1:
        return tuple(homes[0])
    if homes:
        raise ConfigError(f"{place}: the key is in several sections: give {' or '.join(join(path) for path in homes)}.")
    close = near_miss(str(parts[0]), [path[-1] for path in known])
    raise ConfigError(f"{place}: unknown key {parts[0]!r}." + (f" Did you mean {close!r}?" if close else ""))


def _key_path(name: str) -> KeyPath:
    return tuple(int(part) if part.isdigit() else part for part in name.split("."))


def _put(values: dict[str, Any], path: KeyPath, value: Any, place: str) -> None:
    """Set one value in nested plain values; a group that is missing or written in short (``auto``) is opened."""
    here: Any = values
    if path[:1] == ("evaluate",) and len(path) > 1 and isinstance(path[1], int):
        tasks = values.get("evaluate")
        if isinstance(tasks, dict):  # a list may be written as its only item
            values["evaluate"] = [tasks]
    for depth, part in enumerate(path):
        last = depth == len(path) - 1
        if isinstance(here, list):
            if not isinstance(part, int) or part >= len(here):
                raise ConfigError(
                    f"{place}: {join(path[:depth])} is a list of {len(here)}: give a number from 0 before the key."
                )
            if last:
                here[part] = value
            here = here[part]
            continue
        if last:
            here[part] = value
            return
        inner = here.get(part)
        if path[: depth + 1] == ("build", "optimizer") and not isinstance(inner, dict):
            inner = _optimizer_keys(inner)
        here[part] = inner if isinstance(inner, (dict, list)) else {}
        here = here[part]


def _optimizer_keys(short: object) -> dict[str, Any]:
    """Write the short forms of an optimizer out, so that single keys can be overridden."""
    if isinstance(short, str) and short != "auto":
        return {"type": short}
    if isinstance(short, (int, float)) and not isinstance(short, bool):
        return {"lr": short}
    return {}
