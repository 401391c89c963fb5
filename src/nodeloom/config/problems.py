"""Turn what pydantic found into sentences: which key, what is allowed, what was given."""

from __future__ import annotations

import functools
import re
import types
import typing
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, TypeVar, overload

import annotated_types
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from nodeloom.config.train import TrainSection
from nodeloom.config.tree import Config
from nodeloom.errors import ConfigError, describe
from nodeloom.keywords import near_miss
from nodeloom.words import setting

Path = tuple[str | int, ...]
MOST_PROBLEMS = 20
"""Problems of a configuration that are told one by one."""
Model = TypeVar("Model", bound=BaseModel)

_SIGNS: dict[type, tuple[str, str]] = {
    annotated_types.Ge: ("ge", ">="),
    annotated_types.Gt: ("gt", ">"),
    annotated_types.Le: ("le", "<="),
    annotated_types.Lt: ("lt", "<"),
}
_PLAIN = {int: "an integer", float: "a number", bool: "true or false", str: "text"}


def join(path: Iterable[str | int]) -> str:
    """Return a key path as written by users: ``evaluate.0.times``."""
    return ".".join(str(part) for part in path)


def allowed(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    """Say in words which values an annotation with its bounds allows: ``an integer >= 1 or 'auto'``."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return allowed(arguments[0], [*arguments[1:], *metadata])
    if origin is Literal:
        return " or ".join(repr(value) for value in arguments)
    if origin in (typing.Union, types.UnionType):
        choices = [allowed(choice, metadata) for choice in arguments if choice is not type(None)]
        return " or ".join(dict.fromkeys(choices))
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return f"a list, each item {allowed(arguments[0])}"
        return f"[{', '.join(allowed(item) for item in arguments)}]"
    if annotation in _PLAIN:
        bounds = [text for text in (_bound(item) for item in _flat(metadata)) if text]
        return " ".join([_PLAIN[annotation], " and ".join(bounds)]).strip()
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "a group of keys"
    return "a function" if origin is Callable or "Callable" in str(origin) else str(annotation)


def allowed_in(field: FieldInfo) -> str:
    """Say which values a field allows: in its own words if it has some, else from its annotation and bounds."""
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "allowed" in extra:
        return str(extra["allowed"])
    return allowed(field.annotation, field.metadata)


def _flat(metadata: Iterable[Any]) -> Iterable[Any]:
    for item in metadata:
        if isinstance(item, FieldInfo):
            yield from item.metadata
        else:
            yield item


def _bound(item: Any) -> str:
    if isinstance(item, annotated_types.MinLen):
        return "that is not empty" if item.min_length == 1 else f"of length >= {item.min_length}"
    for kind, (attribute, sign) in _SIGNS.items():
        if isinstance(item, kind):
            return f"{sign} {getattr(item, attribute)}"
    return ""


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the sections that an annotation leads to."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models(part)]


def _descend(model: Any, loc: Path) -> tuple[Path, type[BaseModel], FieldInfo | None]:
    """Follow the location of an error down the sections.

    Returns
    -------
    path : tuple
        The keys alone, without the labels of union members that pydantic mixes in.
    owner : type
        The section in which the last key stands.
    field : FieldInfo or None
        Its field; None for an unknown key.
    """
    path: list[str | int] = []
    owner, field, inner = model, None, _models(model)
    for position, part in enumerate(loc):
        hit = next((m for m in inner if isinstance(part, str) and part in m.model_fields), None)
        if hit is not None:
            owner, field = hit, hit.model_fields[str(part)]
            path.append(part)
            inner = _models(field.annotation)
        elif isinstance(part, int):
            path.append(part)
        elif any(part == _tag(m) for m in inner):
            # A key of another kind of models is known to the sections beside the one that was meant.
            inner = sorted(
                (m for m in inner if part == _tag(m) or issubclass(m, TrainSection)), key=lambda m: part != _tag(m)
            )
        elif position == len(loc) - 1 and inner:
            path.append(part)
            return tuple(path), inner[0], None
    return tuple(path), owner, field


def _tag(model: type[BaseModel]) -> object:
    """Return the label of a member of a union of sections, in locations of errors."""
    field = model.model_fields.get("task")
    return typing.get_args(field.annotation)[0] if field else model.__name__


def sentences(error: ValidationError, model: Any, where: Callable[[Path], str]) -> list[str]:
    """Say each problem of `error` once.

    Parameters
    ----------
    error : ValidationError
        What pydantic found.
    model : type
        The section that was validated, or a union of such.
    where : callable
        Gives the place of a key path, for example ``run.yaml:12: train.num_epoch``.

    Returns
    -------
    list of str
        One sentence per key.
    """
    found: dict[Path, str] = {}
    problems = error.errors(include_url=False)
    for number, item in enumerate(problems):
        if len(found) == MOST_PROBLEMS:
            found[()] = f"{where(())}: and {len(problems) - number:,} more."
            break
        loc = tuple(item["loc"])
        path, owner, field = _descend(model, loc)
        if any(other[: len(path)] == path or path[: len(other)] == other for other in found):
            continue  # the same value again, seen from another choice of a union or from the list around it
        got, kind = item["input"], item["type"]
        if kind == "extra_forbidden" and field is None:
            found[path] = unknown_key(where(path), str(path[-1]), model, owner)
        elif kind == "missing":
            found[path] = f"{where(path)}: this key is missing. {_help(field)}".rstrip()
        elif kind.startswith("union_tag"):
            path = (*path, "task")
            tasks = " or ".join(repr(_tag(m)) for m in _models(field.annotation if field else None))
            value = got.get("task") if isinstance(got, dict) else got
            found[path] = describe(where(path), expected=tasks, got=value, hint=_other_task(value))
        elif kind == "value_error" and isinstance(item.get("ctx", {}).get("error"), ConfigError):
            found[path] = describe(where(path), expected=str(item["ctx"]["error"]), got=got)
        else:
            expected = allowed_in(field) if field else "a group of keys"
            hint = _help(field)
            if isinstance(got, str) and field is not None:
                close = near_miss(got, literals(field.annotation))
                hint = f"Did you mean {close!r}?" if close else hint
            found[path] = describe(where(path), expected=expected, got=got, hint=hint)
    return list(found.values())


def _other_task(task: object) -> str:
    if task in ("visualization", "animation", "hierarchy"):
        return "That task belongs to the application visualization."
    return "That task belongs to the application knowledge graph." if task == "entity prediction" else ""


def _help(field: FieldInfo | None) -> str:
    return with_settings(field.description or "") if field else ""


def with_settings(text: str) -> str:
    """Return a text of ours, the description of a field, with the keys in it marked as settings."""
    homes = _homes()
    return _KEY.sub(lambda found: setting(homes[found[0]]) if found[0] in homes else found[0], text)


_KEY = re.compile(r"[a-z]+\.[a-z_]+|\b[a-z]+(?:_[a-z]+)+\b")


@functools.cache
def _homes() -> dict[str, str]:
    found: dict[str, str] = {}
    for path in key_paths(Config):
        for name in (join(path), path[-1]):
            found.setdefault(name, join(path))
    return found


def literals(annotation: Any) -> list[str]:
    """Return the texts that an annotation allows by name."""
    if typing.get_origin(annotation) is Literal:
        return [value for value in typing.get_args(annotation) if isinstance(value, str)]
    return [value for part in typing.get_args(annotation) for value in literals(part)]


def unknown_key(where: str, key: str, root: Any, owner: type[BaseModel]) -> str:
    """Say that `key` is unknown in the section `owner`, and what was probably meant."""
    known = list(owner.model_fields)
    close = near_miss(key, known)
    homes = [path for path in key_paths(root) if path[-1] == key]
    if homes:
        hint = f"It belongs to {' or '.join(repr(join(path[:-1])) for path in homes)}"
    elif close:
        hint = f"Did you mean {close!r}?"
    else:
        hint = ""
    return f"{where}: unknown key. {hint}{'. ' if homes else ' ' if hint else ''}Allowed here: {', '.join(known)}."


def key_paths(model: Any, prefix: tuple[str, ...] = ()) -> Iterable[tuple[str, ...]]:
    """Yield the path of every key below a section, or below a union of sections, once."""
    found: dict[tuple[str, ...], None] = {}
    for section in _models(model):
        for name, field in section.model_fields.items():
            path = (*prefix, name)
            if _models(field.annotation):
                found |= dict.fromkeys(key_paths(field.annotation, path))
            elif prefix:
                found[path] = None
    return found


@functools.cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    return TypeAdapter(model)


@overload
def validated(model: type[Model], values: object, where: str = "") -> Model: ...
@overload
def validated(model: Any, values: object, where: str = "") -> Any: ...
def validated(model: Any, values: object, where: str = "") -> Any:
    """Build a section from raw values.

    Parameters
    ----------
    model : type
        Section, for example ``BuildConfig``, or a union of sections, as ``TrainConfig`` is.
    values : mapping, str or number
        What the user gave.
    where : str
        Name of the caller, put before the name of the parameter: ``DeepWalk.dim: expected ...``.

    Raises
    ------
    ConfigError
        Names every parameter that is not allowed, what is, and what was given.
    """
    try:
        return _adapter(model).validate_python(values)
    except ValidationError as error:
        lines = sentences(error, model, lambda path: ".".join(part for part in (where, join(path)) if part))
        raise ConfigError("\n".join(lines)) from None
