"""What the core can do: the best rate of a float32 matrix product, nearly all of which is fused multiply-add."""

import time

import numpy as np
from child import answer, request

asked = request()
size, repeats = asked["size"], asked["repeats"]
left = np.random.default_rng(0).random((size, size), np.float32)
right = left.T.copy()
product = left @ right
best = float("inf")
for _ in range(repeats):
    begin = time.perf_counter()
    np.matmul(left, right, out=product)
    best = min(best, time.perf_counter() - begin)
answer(flops_per_second=2 * size**3 / best, best_seconds=best)
