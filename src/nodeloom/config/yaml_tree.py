"""Read YAML into plain values and remember the line of every key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from nodeloom.config.problems import Path, join
from nodeloom.errors import ConfigError
from nodeloom.words import setting

COMMAND_LINE = "command line"
"""Where settings come from that are given as options."""

_MERGE = "tag:yaml.org,2002:merge"


@dataclass
class RawTree:
    """Plain values with the place each came from.

    Attributes
    ----------
    values : dict
        The content, not yet validated.
    origin : str
        Name of the file.
    places : dict
        ``file:line`` (or the name of an option) of every key path.
    """

    values: dict[str, Any]
    origin: str
    places: dict[Path, str] = field(default_factory=dict)

    def where(self, path: Path) -> str:
        """Return the place of a key and its path: ``run.yaml:12: train.num_epoch``.

        A missing key gets the place of the nearest group that is there.
        """
        # A list may be written as its only item, and then there is no number in the file.
        if len(path) > 2 and path[1] == 0 and path[:2] not in self.places and (path[0], path[2]) in self.places:
            path = (path[0], *path[2:])
        known = path
        while known and known not in self.places:
            known = known[:-1]
        place = self.places.get(known, self.origin)
        if place.startswith("--") and "=" not in place and all(isinstance(part, int) for part in path[len(known) :]):
            return place  # an option of the command line is its own name
        if place == COMMAND_LINE and path:
            return setting(".".join(part for part in path if isinstance(part, str)))
        return f"{place}: {join(path)}" if path else place


def parse(text: str, origin: str) -> RawTree:
    """Parse YAML text whose top level is a group of keys.

    Parameters
    ----------
    text : str
        YAML.
    origin : str
        Name of the file for messages.

    Returns
    -------
    RawTree

    Raises
    ------
    ConfigError
        The text is not YAML, holds a key twice, or is not a group of keys. Names file and line.
    """
    tree = RawTree({}, origin)
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise ConfigError(f"{origin}: the file is empty. 'nodeloom new graph' writes one to start from.")
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError(
                f"{origin}:{node.start_mark.line + 1}: expected sections such as 'graph:' and 'train:', "
                f"got {str(node.value)[:60]!r}. 'nodeloom new graph' writes a file to start from."
            )
        tree.values = _value(loader, node, (), tree)
    except (yaml.MarkedYAMLError, yaml.reader.ReaderError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{origin}:{mark.line + 1}" if mark else origin
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
        raise ConfigError(
            f"{place}: this is not YAML: {problem}. Check the indentation, quotes and brackets."
        ) from None
    finally:
        loader.dispose()
    return tree


def _value(loader: yaml.SafeLoader, node: yaml.Node, path: Path, tree: RawTree) -> Any:
    line = f"{tree.origin}:{node.start_mark.line + 1}"
    tree.places.setdefault(path, line)
    if isinstance(node, yaml.MappingNode):
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            place = f"{tree.origin}:{key_node.start_mark.line + 1}"
            if key_node.tag == _MERGE:
                raise ConfigError(f"{place}: '<<' merges are not supported. Write the keys out.")
            if not isinstance(key, str):
                raise ConfigError(f"{place}: expected a name as key, got {key!r}. Put it in quotes if it is meant.")
            if key in values:
                first = tree.places[(*path, key)]
                raise ConfigError(f"{place}: {join((*path, key))}: this key is given twice (first at {first}).")
            tree.places[(*path, key)] = place
            values[key] = _value(loader, value_node, (*path, key), tree)
        return values
    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, item, (*path, index), tree) for index, item in enumerate(node.value)]
    return loader.construct_object(node, deep=True)


def scalar(text: str) -> Any:
    """Read the value of an option as YAML would: ``5`` is a number, ``true`` a switch, ``[1, 2]`` a list.

    Text that is not YAML is text.
    """
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text
