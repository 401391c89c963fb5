"""The command line. Nothing heavy is imported before a command needs it, so that ``--help`` answers at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows the name of the program; by default what this process was called with.
    """
    from nodeloom.cli.entry import run

    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))
