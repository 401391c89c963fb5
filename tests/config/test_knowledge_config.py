"""GraphVite's configurations of knowledge graphs, as they are, and the rules of their keys."""

import pytest

from nodeloom.config import load_config
from nodeloom.config.knowledge import knowledge_notices
from nodeloom.errors import ConfigError

# Of each model: learning rate and margin or l3_regularization on each data set (GraphVite 0.2.2, config/knowledge_graph).
MODELS = {
    "TransE": "1e-5 24 2e-6 9 5e-6 12 1e-6 6",
    "RotatE": "2e-4 24 2e-6 9 5e-6 9 5e-6 6",
    "DistMult": "5e-5 1e-3 2e-5 5e-3 1e-4 1e-3 2e-5 1e-2",
    "ComplEx": "2e-4 1e-3 2e-5 5e-3 1e-5 5e-5 1e-5 5e-6",
    "SimplE": "2e-5 1e-3 2e-5 5e-3 5e-5 2e-3 1e-4 2e-3",
    "QuatE": "5e-5 1e-2 1e-5 5e-2 1e-5 1e-2 5e-6 5e-2",
}
DATA = {"fb15k": (2048, 1000), "fb15k237": (2048, 1000), "wn18": (1024, 4000), "wn18rr": (1024, 6000)}
WIKIDATA = {
    "TransE": (1e-3, 12, 0.5, 1e-2, 1000),
    "RotatE": (1e-2, 6, 0.2, 1, 1000),
    "DistMult": (1e-1, 2e-3, 2, 1e-4, 2000),
    "ComplEx": (1e-1, 2e-3, 0.2, 1e-3, 1000),
    "SimplE": (1.0, 2e-3, 2, 1e-4, 2000),
    "QuatE": (1.0, 5e-3, 10, 1e-4, 2000),
}

FILE = """\
application:
  knowledge graph

resource:
  gpus: []
  cpu_per_gpu: auto
  dim: {dim}

graph:
  file_name: <{data}.train>
{normalization}
build:
  optimizer:
    type: {optimizer}
    lr: {lr}
    weight_decay: 0
  num_partition: auto
  num_negative: 64
  batch_size: 100000
  episode_size: {episode}

train:
  model: {model}
  num_epoch: {epochs}
  {key}: {value}
  sample_batch_size: 2000
  adversarial_temperature: {temperature}
{multiplier}  log_frequency: 100

evaluate:
  task: link prediction
  file_name: <{data}.test>
  filter_files:
    - <{data}.train>
    - <{data}.valid>
    - <{data}.test>
  # fast_mode: 3000

save:
  file_name: {model}_{data}.pkl
"""


def files():
    for model, numbers in MODELS.items():
        shared = {"model": model, "key": "margin" if model in ("TransE", "RotatE") else "l3_regularization"}
        values = numbers.split()
        for i, (data, (dim, epochs)) in enumerate(DATA.items()):
            own = {"data": data, "dim": dim // (2 if model == "TransE" else 1), "epochs": epochs, "optimizer": "Adam"}
            own |= {"lr": values[2 * i], "value": values[2 * i + 1], "temperature": 2, "episode": 1}
            yield shared | own | {"normalization": "", "multiplier": ""}
        lr, value, temperature, multiplier, epochs = WIKIDATA[model]
        own = {"data": "wikidata5m", "dim": 512, "epochs": epochs, "optimizer": "SGD", "lr": lr, "value": value}
        own |= {"temperature": temperature, "episode": 200, "normalization": "  normalization: true\n"}
        yield shared | own | {"multiplier": f"  relation_lr_multiplier: {multiplier}\n"}


@pytest.mark.parametrize("values", list(files()), ids=lambda values: f"{values['model']}_{values['data']}")
def test_the_thirty_files_of_graphvite_load(tmp_path, values):
    path = tmp_path / "run.yaml"
    path.write_text(FILE.format(**values))
    config = load_config(path)
    assert config.application == "knowledge graph"
    assert (config.train.model, config.train.num_epoch) == (values["model"], values["epochs"])
    assert float(getattr(config.train, values["key"])) == float(values["value"])
    assert config.train.adversarial_temperature == values["temperature"]
    assert (config.build.optimizer.type, config.build.optimizer.lr) == (values["optimizer"], float(values["lr"]))
    assert config.resource.dim == values["dim"]
    (task,) = config.evaluate
    assert task.file_name == f"<{values['data']}.test>"
    assert len(task.filter_files) == 3
    told = knowledge_notices(config)
    assert [("normalization" in sentence) for sentence in told] == ([True] if values["data"] == "wikidata5m" else [])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("train:\n  model: DeepWalk\n", r"run\.yaml:5: train\.model: expected a model of knowledge graphs \(ComplEx"),
        ("evaluate:\n  task: link prediction\n", "evaluate.0.file_name: expected a file, or as many of each name in place"),
        ("evaluate:\n  task: link prediction\n  H: [a]\n  R: [r]\n  T: [b, c]\n", "as many of each name in place"),
        ("evaluate:\n  task: link prediction\n  file_name: t\n  H: [a]\n", "a file or names in place, not both"),
        ("evaluate:\n  task: node classification\n", "evaluate.task: expected .link prediction. or .entity prediction."),
        ("evaluate:\n  task: link prediction\n  filter_file: x\n", "Did you mean 'filter_files'"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path, lines, message):
    path = tmp_path / "run.yaml"
    path.write_text(f"application: knowledge graph\ngraph:\n  file_name: t.tsv\n{lines}")
    with pytest.raises(ConfigError, match=message):
        load_config(path)
