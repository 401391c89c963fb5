"""Train PyKEEN's ComplEx for some CPU seconds, and rank test triples by PyKEEN."""

import contextlib
import time
import warnings

import numpy as np
from child import Stopwatch, answer, request

warnings.filterwarnings("ignore")


def main():
    """Train and rank."""
    import torch
    from pykeen.evaluation import RankBasedEvaluator
    from pykeen.models import ComplEx
    from pykeen.training import LCWATrainingLoop, SLCWATrainingLoop, TrainingCallback
    from pykeen.triples import CoreTriplesFactory

    asked = request()
    torch.set_num_threads(asked["num_thread"])
    with np.load(asked["data"]) as file:
        train, valid, test = (torch.as_tensor(file[name].astype(np.int64)) for name in ("train", "valid", "test"))
        size = {"num_entities": int(file["num_entities"]), "num_relations": int(file["num_relations"])}
    factory = CoreTriplesFactory(train, **size)

    class Stop(TrainingCallback):
        """Ends the training when its time is over: that of the CPU, which another program on the machine takes nothing of."""

        def on_batch(self, *_args, **_kwargs):
            """Look at the clock."""
            if time.process_time() - start > asked["cpu_seconds"]:
                raise TimeoutError

    # The soft-max over all entities with AdaGrad, which its authors and LibKGE report to be best.
    model = ComplEx(triples_factory=factory, embedding_dim=asked["dim"] // 2, loss="crossentropy", random_seed=0)
    model = model.to(asked["device"])
    whole = asked["loop"] == "lcwa"
    loop = (LCWATrainingLoop if whole else SLCWATrainingLoop)(
        model=model,
        triples_factory=factory,
        optimizer=torch.optim.Adagrad(model.parameters(), lr=0.1),
        **({} if whole else {"negative_sampler_kwargs": {"num_negs_per_pos": 32}}),
    )
    start = time.process_time()
    with Stopwatch() as trained, contextlib.suppress(TimeoutError):
        loop.train(
            factory, num_epochs=10_000, batch_size=asked["batch"], callbacks=[Stop()], use_tqdm=False,
            use_tqdm_batch=False, checkpoint_name=None,
        )  # fmt: skip
    epochs = len(loop.losses_per_epochs)
    with Stopwatch() as ranked:
        result = RankBasedEvaluator().evaluate(
            model, test[: asked["num_test"]], additional_filter_triples=[train, valid], batch_size=256, use_tqdm=False
        )
    answer(
        seconds=trained.seconds,
        cpu_seconds=trained.cpu_seconds,
        num_epoch=epochs,
        rank_seconds=ranked.seconds,
        rank_cpu_seconds=ranked.cpu_seconds,
        mrr=float(result.get_metric("both.realistic.inverse_harmonic_mean_rank")),
        hits10=float(result.get_metric("both.realistic.hits_at_10")),
    )


if __name__ == "__main__":
    main()
