"""Trainings of bf16 tables on the GPU, beside the same in float64."""

from __future__ import annotations

import numpy as np
import skipgram_units
from backends import GPU, REFERENCE
from gpu_calls import device
from skipgram_cases import Case, Problem

CASE = Case(nodes=9, num_walk=7, num_nodes=70, dim=80, distinct=True, scale=0.1, weight_decay=0.02, lr=0.05)


class Bf16Problem:
    """A case on bf16 tables: what units make of it in float64, and what the kernel makes of it."""

    def __init__(self, case):
        import torch

        self.torch, self.problem, self.exact = torch, Problem(case, GPU), Problem(case, REFERENCE)
        self.start = [torch.from_numpy(t.copy()).to(torch.bfloat16) for t in self.problem.tables[:2]]
        if case.shared_table:
            self.start[1] = self.start[0]
        for table, start in zip(self.exact.tables, self.start, strict=False):
            table[:] = start.double().numpy()
        self.num_pair = self.exact.train(kernel=skipgram_units.train_walks, merge=True)

    def train(self, seed=0, lr=None, **options):
        """Return the tables after training, as float64, and the number of pairs."""
        torch, problem = self.torch, self.problem
        case = problem.case
        on = [t.to(device(), copy=True) for t in self.start]
        if case.shared_table:
            on[1] = on[0]
        moments = [torch.from_numpy(t.copy()).to(device()) for t in problem.tables[2:]]
        rates = problem.lr if lr is None else np.full_like(problem.lr, lr)
        arrays = [torch.from_numpy(a).to(device()) for a in (problem.walks, problem.negatives, rates)]
        statistics = torch.zeros(2, dtype=torch.float64, device=device())
        from nodeloom.kernels.gpu.skipgram import train_walks

        count = train_walks(
            *on, *moments, *arrays, case.step, case.two_sided, case.negative_weight, case.weight_decay,
            problem.optimizer, [float(v) for v in problem.settings], statistics, seed=seed, **options,
        )  # fmt: skip
        return [t.cpu().double().numpy() for t in on], int(count)


def ulp(values):
    """Return the distance of bf16 numbers near values."""
    return 2.0 ** (np.floor(np.log2(np.abs(values))) - 7)


def means(problem, rounds, **options):
    """Return the mean of both tables over seeds."""
    total = [np.zeros_like(t) for t in problem.exact.tables[:2]]
    for seed in range(rounds):
        for mean, table in zip(total, problem.train(seed=1000 * seed, **options)[0], strict=True):
            mean += table / rounds
    return total


def check_means(problem, rounds, **options):
    """Check that the mean over seeds is what exact numbers would be; return the median move in ulps, of each table."""
    shares = []
    for mean, want, start in zip(means(problem, rounds, **options), problem.exact.tables, problem.start, strict=False):
        start = start.double().numpy()
        moved = want != start
        size, move = ulp(want)[moved], (want - start)[moved]
        assert moved.sum() > 500
        error = (mean - want)[moved] / size
        # A rounded number deviates by half an ulp at most, a mean of R of them by 1 / sqrt(R) of that.
        standard_error = 0.5 / np.sqrt(error.size * rounds)
        assert abs(error.mean()) < 4 * standard_error
        assert abs((error * np.sign(move)).mean()) < 4 * standard_error
        # Products of bf16 factors move a value near 0 by many of its ulps, and miss a share of that.
        missed = np.abs(move) / size * (2.0**-8 if options.get("product") == "bf16" else 0.0)
        assert (np.abs(error) - missed).max() < 5.5 * 0.5 / np.sqrt(rounds)
        shares.append(np.median(np.abs(move) / size))
        if shares[-1] < 0.1:  # the same test notices that rounding to the nearest loses small moves
            nearest = problem.torch.from_numpy(want).to(problem.torch.bfloat16).double().numpy()
            lost = (nearest - want)[moved] / size * np.sign(move)
            assert lost.mean() < -8 * standard_error
    return shares
