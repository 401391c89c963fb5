"""The baseline trainer: one warp per positive pair, after GraphVite; compiled by nvcc, called through ctypes."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import torch

from common import SkippedError

SOURCE = Path(__file__).with_name("warp_per_pair.cu")
DIM = 128
LR, NEGATIVE_WEIGHT, WEIGHT_DECAY = 0.025, 5.0, 0.005  # GraphVite's defaults


def nvcc() -> str:
    """Path of the CUDA compiler; SkippedError where there is none."""
    homes = [os.environ.get("CUDA_HOME", ""), "/usr/local/cuda"]
    found = shutil.which("nvcc") or next(
        (f"{home}/bin/nvcc" for home in homes if Path(home, "bin", "nvcc").is_file()), None
    )
    if found is None:
        raise SkippedError("baseline: no nvcc in PATH, CUDA_HOME or /usr/local/cuda")
    return found


class WarpPerPair:
    """The compiled kernel."""

    def __init__(self) -> None:
        major, minor = torch.cuda.get_device_capability()
        self._folder = tempfile.TemporaryDirectory(prefix="nodeloom-baseline-")
        target = str(Path(self._folder.name, "warp_per_pair.so"))
        command = [nvcc(), "-O3", "-std=c++17", f"-arch=sm_{major}{minor}", "-shared", "-Xcompiler", "-fPIC"]
        done = subprocess.run([*command, "-o", target, str(SOURCE)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SkippedError(f"baseline: nvcc failed: {(done.stderr or done.stdout).strip()[-500:]}")
        library = ctypes.CDLL(target)
        self._train, self._message = library.train_pairs, library.message_of
        pointer, real = ctypes.c_void_p, ctypes.c_float
        self._train.argtypes = [pointer] * 4 + [ctypes.c_int64] + [real] * 4 + [ctypes.c_int, pointer]
        self._train.restype = ctypes.c_int
        self._message.argtypes, self._message.restype = [ctypes.c_int], ctypes.c_char_p
        # Two waves of full multiprocessors of eight blocks: what measured fastest.
        self._num_block = 16 * torch.cuda.get_device_properties(0).multi_processor_count

    @staticmethod
    def tables(num_nodes: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        """First values as in GraphVite: vertex uniform in +-0.5 / dim, context 0; float32 [N, 128] each."""
        random = torch.Generator("cuda").manual_seed(seed)
        vertex = (torch.rand(num_nodes, DIM, device="cuda", generator=random) - 0.5) / DIM
        return vertex, torch.zeros(num_nodes, DIM, device="cuda")

    def train(
        self, vertex: torch.Tensor, context: torch.Tensor, pairs: torch.Tensor, negatives: torch.Tensor,
        lr: float, lr_end: float,
    ) -> None:  # fmt: skip
        """Train pairs int32 [M, 2] with negatives int32 [M], at rates that fall from `lr` to `lr_end`; does not wait."""
        for table in (vertex, context):
            assert table.is_cuda and table.dtype == torch.float32 and table.is_contiguous() and table.shape[1] == DIM
        assert pairs.is_cuda and pairs.dtype == torch.int32 and pairs.is_contiguous() and pairs.shape[1:] == (2,)
        assert negatives.is_cuda and negatives.dtype == torch.int32 and negatives.is_contiguous()
        assert negatives.numel() == len(pairs)
        error = self._train(
            vertex.data_ptr(), context.data_ptr(), pairs.data_ptr(), negatives.data_ptr(), len(pairs), lr, lr_end,
            NEGATIVE_WEIGHT, WEIGHT_DECAY, self._num_block, torch.cuda.current_stream().cuda_stream,
        )  # fmt: skip
        if error:
            raise RuntimeError(f"baseline: {self._message(error).decode()}")


def pairs_of(walks: torch.Tensor, step: int) -> torch.Tensor:
    """Return all ordered pairs of different nodes at most `step` apart, int32 [M, 2].

    Pairs of the same two places of all walks come one after the other, so neighbouring warps are in different walks: the
    shuffle that GraphVite wants, for nothing.

    Parameters
    ----------
    walks : int32 [W, L + 1]
        Walks without ends.
    step : int
        Augmentation step.
    """
    num_walk, nodes = walks.shape
    columns = walks.t().contiguous()
    apart = [(i, j) for i in range(nodes) for j in range(max(0, i - step), min(nodes, i + step + 1)) if i != j]
    pairs = torch.empty(len(apart), num_walk, 2, dtype=torch.int32, device=walks.device)
    for place, (i, j) in enumerate(apart):
        torch.stack([columns[i], columns[j]], dim=1, out=pairs[place])
    pairs = pairs.view(-1, 2)
    # A pair is moved as one number of 64 bits. Walks that come back within the step give pairs of a node with itself.
    whole = pairs.view(torch.int64).squeeze(1)
    return whole[pairs[:, 0] != pairs[:, 1]].view(torch.int32).view(-1, 2)
