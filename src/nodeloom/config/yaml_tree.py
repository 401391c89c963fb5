"""Read YAML into plain values and remember the line of every key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from nodeloom.config.problems import Path, join
from nodeloom.errors import ConfigError, describe
from nodeloom.words import setting

COMMAND_LINE = "command line"
"""Where settings come from that are given as options."""

LARGEST = 1 << 20
"""Characters of a configuration: YAML is read slowly, and edges have files of their own."""

MOST = 200_000
"""The largest number of values of a configuration; values of an alias count at each use."""

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
    try:
        tree.values = _Reader(text, tree).content()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{origin}:{mark.line + 1}" if mark else origin
        raise ConfigError(
            f"{place}: this is not YAML: {error.problem or 'cannot be read'}. Check the indentation, quotes and brackets."
        ) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"{origin}:{line}: this is not YAML: the character {error.character:#x} is not allowed. Take it out, or write it as an "
            "escape in double quotes."
        ) from None
    except RecursionError:
        raise ConfigError(
            f"{origin}: expected a few levels of keys, got groups nested without end. Check the brackets."
        ) from None
    return tree


class _Reader:
    """Turns the nodes of YAML into plain values, each at most once for each time that it is meant.

    Parameters
    ----------
    text : str
        YAML.
    tree : RawTree
        Gets the places of keys.
    """

    def __init__(self, text: str, tree: RawTree) -> None:
        self.text, self.tree, self.count = text, tree, 0
        self.open: set[int] = set()  # the nodes around the one that is read
        self.loader = yaml.SafeLoader("")

    def content(self) -> dict[str, Any]:
        origin = self.tree.origin
        if len(self.text) > LARGEST:
            raise ConfigError(
                f"{origin}: expected at most {LARGEST:,} characters, got {len(self.text):,}. Put edges into a file of their own, and name "
                f"it as {setting('graph.file_name')}."
            )
        self.loader = yaml.SafeLoader(self.text)
        try:
            node = self.loader.get_single_node()
            if node is None:
                raise ConfigError(f"{origin}: the file is empty. 'nodeloom new graph' writes one to start from.")
            if not isinstance(node, yaml.MappingNode):
                raise ConfigError(
                    f"{self.place(node)}: expected sections such as 'graph:' and 'train:', "
                    f"got {str(node.value)[:60]!r}. 'nodeloom new graph' writes a file to start from."
                )
            return dict(self.value(node, ()))
        finally:
            self.loader.dispose()

    def place(self, node: yaml.Node) -> str:
        return f"{self.tree.origin}:{node.start_mark.line + 1}"

    def value(self, node: yaml.Node, path: Path) -> Any:
        self.tree.places.setdefault(path, self.place(node))
        self.count += 1
        if self.count > MOST:
            raise ConfigError(
                f"{self.place(node)}: expected at most {MOST:,} values, got more. Do aliases (*name) multiply them?"
            )
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node)
        if node.tag not in ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            raise ConfigError(
                f"{self.place(node)}: {join(path)}: expected plain groups and lists, got the tag {node.tag!r}. Take it out."
            )
        if id(node) in self.open:
            raise ConfigError(
                f"{self.place(node)}: {join(path)}: expected a value, got a group that holds itself (*name)."
            )
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self.group(node, path)
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        finally:
            self.open.discard(id(node))

    def group(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = self.place(key_node)
            if key_node.tag == _MERGE:
                raise ConfigError(f"{place}: '<<' merges are not supported. Write the keys out.")
            key = self.scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else "a group"
            if not isinstance(key, str) or not isinstance(key_node, yaml.ScalarNode):
                raise ConfigError(
                    describe(place, expected="a name as key", got=key, hint="Put it in quotes if it is meant.")
                )
            if key in values:
                first = self.tree.places[(*path, key)]
                raise ConfigError(f"{place}: {join((*path, key))}: this key is given twice (first at {first}).")
            self.tree.places[(*path, key)] = place
            values[key] = self.value(value_node, (*path, key))
        return values

    def scalar(self, node: yaml.ScalarNode) -> Any:
        try:
            return self.loader.construct_object(node, deep=True)
        except yaml.MarkedYAMLError:
            raise
        except Exception:  # noqa: BLE001  PyYAML raises whatever its conversions do
            kind = str(node.tag).rpartition(":")[2]
            text = str(node.value)
            shown = repr(text) if len(text) <= 40 else f"{text[:40]!r} and {len(text) - 40:,} more characters"
            raise ConfigError(
                f"{self.place(node)}: expected what YAML can read as {kind}, got {shown}. Put it in quotes if text is meant."
            ) from None


def scalar(text: str) -> Any:
    """Read the value of an option as YAML would: ``5`` is a number, ``true`` a switch, ``[1, 2]`` a list.

    Text that is not YAML, or that only multiplies itself or cannot be read as what it looks like, is text.
    """
    reader = _Reader("", RawTree({}, ""))
    try:
        reader.loader = yaml.SafeLoader(text)
        node = reader.loader.get_single_node()
        return None if node is None else reader.value(node, ())
    except (yaml.YAMLError, ConfigError, RecursionError):
        return text
