"""The first and the second training of a process on a card, of a small graph."""

from child import Stopwatch, answer, request

asked = request()
with Stopwatch() as importing:
    import nodeloom
    from nodeloom.datasets import planted_partition

with Stopwatch() as opening:
    import torch

    torch.ones(64, device="cuda").sum().item()

graph = nodeloom.Graph.from_edges(planted_partition(5000, 20_000, 10)[0])
options = {"device": "cuda", "table_dtype": asked["table_dtype"]}
with Stopwatch() as first:
    nodeloom.DeepWalk(**options).fit(graph)
with Stopwatch() as second:
    nodeloom.DeepWalk(**options).fit(graph)
answer(
    import_seconds=importing.seconds, open_seconds=opening.seconds, first_seconds=first.seconds,
    second_seconds=second.seconds,
)  # fmt: skip
