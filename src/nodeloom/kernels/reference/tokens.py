"""Cut text into edges with the methods of ``str``: the definition of what :mod:`nodeloom.kernels.cpu.tokens` does."""

from __future__ import annotations

import re


def split_line(line: str, delimiters: str, comment: str) -> list[str]:
    """Return the tokens of a line: what stands between delimiters before the comment, blanks at its ends taken off.

    Delimiters in a row count as one.
    """
    if comment and comment in line:
        line = line[: line.index(comment)]
    tokens = re.split("[" + re.escape(delimiters + "\r\n") + "]", line)
    return [token for token in (t.strip(" \t") for t in tokens) if token]


def read_edges(text: str, delimiters: str, comment: str) -> list[list[str]]:
    """Return the tokens of every line that has any; a line ends at a line feed, a carriage return, or both."""
    lines = (split_line(line, delimiters, comment) for line in re.split("\r\n|\r|\n", text))
    return [tokens for tokens in lines if tokens]
