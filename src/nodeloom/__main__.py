"""``python -m nodeloom``: the command line."""

from nodeloom.cli import main

if __name__ == "__main__":
    main()
