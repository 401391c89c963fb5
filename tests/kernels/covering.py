"""Which cases of a grid are enough where kernels are interpreted, a thousand times slower than on a card.

A test of a grid marked ``covering(1)`` runs in the interpreter for as many cases as it takes to see every value of every parameter once,
``covering(2)`` every pair of values of two parameters. On a card, and for kernels of the CPU, all cases are run. Options that say
how a card launches a program, and mean nothing to the interpreter, are marked `gpu`: see :func:`launches`.
"""

from __future__ import annotations

from itertools import combinations

import pytest

LAUNCH_ONLY = {"num_warps", "registers"}
"""Options of a launch that do not change what the interpreter does."""


def covering(cases, strength):
    """Return the numbers of the cases that are enough, in their order.

    Parameters
    ----------
    cases : list of dict
        The values of the parameters of each case, hashable.
    strength : int
        How many values have to be seen together.
    """
    met = [{tuple(some) for some in combinations(sorted(case.items()), strength)} for case in cases]
    missing, chosen = set().union(*met), []
    while missing:
        number = max(range(len(cases)), key=lambda n: len(met[n] & missing))
        chosen.append(number)
        missing -= met[number]
    return sorted(chosen)


def launches(layouts):
    """Return parameters of a test: layouts, those of which the interpreter takes no notice for a card only."""
    return [
        pytest.param(layout, marks=pytest.mark.gpu if layout.keys() and layout.keys() <= LAUNCH_ONLY else (), id=str(layout))
        for layout in layouts
    ]  # fmt: skip


def thin(items, is_slow):
    """Skip the cases that are not needed, of tests marked ``covering``; `is_slow` tells which cases are interpreted."""
    tests = {}
    for item in items:
        if item.get_closest_marker("covering") and not item.get_closest_marker("gpu") and is_slow(item):
            tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for of_test in tests.values():
        cases = [{name: repr(value) for name, value in item.callspec.params.items()} for item in of_test]
        enough = set(covering(cases, of_test[0].get_closest_marker("covering").args[0]))
        for number, item in enumerate(of_test):
            if number not in enough:
                item.add_marker(
                    pytest.mark.skip(reason="interpreted: other cases have the same values; all run on a card")
                )


SKIPGRAM_LAYOUTS = [
    {"block": 16},
    {"block": 32, "keep": 0},
    {"block": 128},
    {"keep": 0},
    {"fold": False},
    {"fold": False, "keep": 0, "num_program": 1},
    {"num_program": 1},
    {"num_program": 3},
    {"num_warps": 8},
    {"add": False},
    {"add": False, "keep": 0},
    {"add": True},
]
