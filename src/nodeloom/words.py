"""Settings in messages, in the words of the interface that the user is at.

A message names a setting by the path of its key in a configuration, and the interface says how that is written. Write
``hint=f"Give {setting('format.delimiters', ',')} if commas separate the columns."``; the user then reads

- on the command line: ``Give --delimiters , if commas separate the columns.``
- with a configuration file: ``Give format.delimiters: ',' if commas separate the columns.``
- in Python: ``Give delimiters=',' if commas separate the columns.``

Without a value only the name stands there: ``Lower {setting('resource.dim')}.``

The text of every :class:`~nodeloom.errors.NodeloomError` and of every log record goes through :func:`in_words`: whoever raises or
logs need not know the interface. A sentence that names a setting which the command at hand does not have is left out: put
such advice in a sentence of its own.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

Words = Callable[[str, tuple[Any, ...]], str | None]
"""Writes a setting: gets its key path, and its value (or nothing); returns None if there is no such setting here."""

# Two characters for private use, which no text of ours and hardly one of a user holds.
_BEGIN, _END = "\ue000", "\ue001"
_MARK = re.compile(f"{_BEGIN}([A-Za-z_.]+)(=[^{_END}]*)?{_END}")
_BY_INTERFACE = "by_interface"
_GAP = re.compile(r"(?<=[.!?]) (?=[A-Z\ue000-])|\n")  # between two sentences


def setting(path: str, *value: Any) -> str:
    """Return what stands for a setting in a message, until an interface writes it in its words.

    Parameters
    ----------
    path : str
        Key path in a configuration: ``train.num_epoch``; ``evaluate.unknown_nodes`` for all tasks.
    *value
        At most one value, of JSON types, if the message says what to set it to.
    """
    return f"{_BEGIN}{path}{''.join('=' + json.dumps(item) for item in value[:1])}{_END}"


def by_interface(python: str, elsewhere: str) -> str:
    """Return a text of a message that is the first in Python, where it may say what to call, and the second elsewhere."""
    return setting(_BY_INTERFACE, [python, elsewhere])


_ARGUMENTS = {
    "build.optimizer.type": "optimizer",
    "evaluate.unknown_nodes": "unknown",
    "graph.file_name": "path",
    "load.file_name": "init",
    "save.file_name": "path",
}


def of_python(path: str, value: tuple[Any, ...]) -> str | None:
    """Write a setting as an argument: ``num_epoch``, ``weighted=False``."""
    if path == "graph.as_undirected":
        return f"directed={not value[0]}" if value else "directed"
    name = _ARGUMENTS.get(path, path.rpartition(".")[2])
    return f"{name}={value[0]!r}" if value else name


def of_yaml(path: str, value: tuple[Any, ...]) -> str | None:
    """Write a setting as a key of a configuration file: ``train.num_epoch``, ``graph.weighted: false``."""
    path = path.removeprefix("evaluate.")
    if not value:
        return path
    text = value[0]
    return (
        f"{path}: {text if isinstance(text, str) and re.fullmatch(r'[A-Za-z][A-Za-z0-9_-]*', text) else _plain(text)}"
    )


def _plain(value: Any) -> str:
    return f"{value!r}" if isinstance(value, str) else json.dumps(value)


_words: list[Words] = [of_python]  # of the process: threads speak as the program does that they belong to


@contextlib.contextmanager
def spoken(words: Words) -> Iterator[None]:
    """Let messages be written in the words of an interface, inside the block."""
    before = _words[:]
    speak(words)
    try:
        yield
    finally:
        _words[:] = before


def speak(words: Words) -> None:
    """Let messages be written in the words of an interface from here on, until a surrounding :func:`spoken` ends."""
    _words[:] = [words]


def in_words(text: str, words: Words | None = None) -> str:
    """Return a message with its settings written in the words of the interface at hand.

    Parameters
    ----------
    text : str
        The message; a sentence that names a setting which the interface does not have is left out.
    words : callable, optional
        Other words than those at hand.
    """
    if _BEGIN not in text:
        return text
    write = words or _words[0]
    missing = 0

    def written(mark: re.Match[str]) -> str:
        nonlocal missing
        if mark[1] == _BY_INTERFACE:
            return str(json.loads(mark[2][1:])[write is not of_python])
        found = write(mark[1], () if mark[2] is None else (json.loads(mark[2][1:]),))
        missing += found is None
        return mark[1].rpartition(".")[2] if found is None else found

    kept: list[str] = []
    end = before_gap = 0
    for gap in [*_GAP.finditer(text), None]:
        missing = 0
        sentence = _MARK.sub(written, text[end : gap.start() if gap else len(text)])
        # The first sentence says what is wrong. Were it left out, nothing would be said.
        if not missing or not kept:
            kept.append((text[end - before_gap : end] if kept else "") + sentence)
        end, before_gap = (gap.end(), gap.end() - gap.start()) if gap else (end, 0)
    return "".join(kept)


class InWords(logging.Filter):
    """Writes the settings in log records in the words of the interface at hand."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the message of a record that names settings."""
        text = record.getMessage()
        if _BEGIN in text:
            record.msg, record.args = in_words(text), ()
        return True
