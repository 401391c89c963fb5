"""Train a model of a knowledge graph for several budgets of seconds, and rank test triples; or rank with tables drawn by chance."""

import time

import numpy as np
from child import Stopwatch, answer, peak_bytes, request, reset_peak


def loaded(path):
    """Return train, valid and test [E, 3], and the numbers of entities and relations."""
    with np.load(path) as file:
        sets = [np.ascontiguousarray(file[name], np.int32) for name in ("train", "valid", "test")]
        return sets, int(file["num_entities"]), int(file["num_relations"])


def judged(model, sets, asked):
    """Rank the test triples; return metrics of both sides, and seconds with and without the preparation of the queries."""
    from nodeloom.tasks.rank_groups import frequency_ranks
    from nodeloom.tasks.ranking import Queries, metrics, rank

    _, entity, relation = model
    with Stopwatch() as prepared:
        queries = Queries.of(sets[2], sets, len(entity), len(relation))
    seconds = []
    for _ in range(asked.get("repeats", 1)):
        with Stopwatch() as ranked:
            ranks = rank(*model, sets[2], sets, queries=queries, device=asked["device"], memory=asked.get("memory"))
        seconds.append((ranked.seconds, ranked.cpu_seconds))
    found = metrics(ranks)
    best = min(seconds)
    told = {name: found[name] for name in ("mrr", "mrr_se", "hits@1", "hits@10", "mr", "amri")}
    if asked.get("baseline"):
        own = frequency_ranks(sets[2], sets, sets[0], len(entity), len(relation), queries)
        told["frequency"] = metrics(own)["mrr"]
    return told | {"prepare_seconds": prepared.seconds, "rank_seconds": best[0], "rank_cpu_seconds": best[1]}


def on_device(table, device):
    """Return a table where ranks are counted."""
    if device == "cpu":
        return table
    import torch

    return torch.from_numpy(np.array(table)).to(device)


def train(asked):
    """Train once to compile, then once for each budget."""
    import nodeloom

    (train_set, *others), num_entity, num_relation = loaded(asked["data"])
    sets = [train_set, *others]
    with Stopwatch() as read:
        graph = nodeloom.KnowledgeGraph.from_triples(
            train_set, num_entities=num_entity, num_relations=num_relation, duplicates="keep"
        )
    kind = getattr(nodeloom, asked["model"])
    options = asked["options"] | {"device": asked["device"], "verbose": False}
    with Stopwatch() as compiled:
        kind(**options | {"num_epoch": 1}).fit(graph)
    with Stopwatch() as one:
        kind(**options | {"num_epoch": 1}).fit(graph)
    reset_peak()
    rows = []
    for budget in asked["budgets"]:
        chosen = dict(options)
        if budget is not None:
            chosen["num_epoch"] = max(1, int(budget / one.seconds))
        with Stopwatch() as trained:
            model = kind(**chosen).fit(graph)
        tables = (
            model._relational,
            on_device(model.entity_vectors_, asked["device"]),
            on_device(np.concatenate([model.relation_vectors_, model.inverse_relation_vectors_], 1), asked["device"]),
        )
        rows.append(
            {"seconds": trained.seconds, "cpu_seconds": trained.cpu_seconds, "num_epoch": float(model.num_epoch_)}
            | judged(tables, sets, asked)
        )
    return {"rows": rows, "read_seconds": read.seconds, "compile_seconds": compiled.seconds - one.seconds}


def rank_only(asked):
    """Rank with tables drawn by chance: the time does not depend on what they have learnt."""
    from nodeloom.model.relational import RELATIONAL

    sets, num_entity, num_relation = loaded(asked["data"])
    rng = np.random.default_rng(0)
    relational = RELATIONAL[asked["model"]]
    width = relational.relation_dim(asked["dim"])
    entity = rng.standard_normal((num_entity, asked["dim"]), np.float32)
    relation = rng.standard_normal((num_relation, 2 * width), np.float32)
    model = relational, on_device(entity, asked["device"]), on_device(relation, asked["device"])
    few = [sets[0][:100], sets[1][:1], sets[2][:100]]
    with Stopwatch() as compiled:
        judged(model, few, asked | {"baseline": False})
    before = peak_bytes()
    reset_peak()
    start = time.perf_counter()
    found = judged(model, sets, asked)
    return found | {
        "seconds": time.perf_counter() - start,
        "compile_seconds": compiled.seconds,
        "before_bytes": before,
    }


if __name__ == "__main__":
    wanted = request()
    answer(**(train if wanted["what"] == "train" else rank_only)(wanted))
