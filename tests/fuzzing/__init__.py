"""The fuzzer: inputs made by mutation, each of which must end in the right result or in one message of ours.

``python -m tests.fuzzing --minutes 1 --seed 0`` runs all targets in turn; see :mod:`tests.fuzzing.__main__`.
"""
