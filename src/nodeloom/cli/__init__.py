"""The command line. Nothing heavy is imported before a command needs it, so that ``--help`` answers at once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows the name of the program; by default what this process was called with.
    """
    try:
        from nodeloom.cli.entry import run

        code = run(sys.argv[1:] if arguments is None else list(arguments))
    except KeyboardInterrupt:  # before there was anything to end in order
        sys.stderr.write("error: interrupted.\n")
        code = 130
    sys.exit(code)
