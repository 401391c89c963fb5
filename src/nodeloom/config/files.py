"""Sections ``load`` and ``save``: model files."""

from typing import Annotated

from pydantic import Field

from nodeloom.config.section import Number, Section


class LoadConfig(Section):
    """Where to take vectors from before training."""

    file_name: str | None = Field(
        None, description="Model to start from: rows are carried over by node name, so the graph may have grown."
    )


class SaveConfig(Section):
    """Where the trained model goes."""

    file_name: str | None = Field(
        None,
        description="Model file to write after training. .safetensors is the model; .txt, .bin, .npz, .tsv and "
        ".parquet are exports of the vectors. For .pkl a .safetensors is written beside it.",
    )
    save_hyperparameter: bool = Field(
        False, description="GraphVite's switch. No effect: a model file always holds the settings it was trained with."
    )
    checkpoint: str = Field(
        "auto",
        description="File for checkpoints during training, from which --resume goes on exactly. auto: a file beside the "
        "result that ends in .checkpoint.safetensors and is removed when the result is saved. none: no checkpoints.",
    )
    checkpoint_interval: Annotated[Number, Field(gt=0)] = Field(
        60.0,
        description="Seconds between two checkpoints, each written at the end of a step; a killed run loses no more than that and a "
        "step. Steps take some tenths of a second, or longer where parts of the tables lie in files or outside of a GPU. Shorter runs "
        "write one only if they are interrupted.",
    )
