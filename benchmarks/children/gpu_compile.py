"""Compile the kernels of one width and type of tables: python gpu_compile.py DIM fp32|bf16. Fills Triton's cache."""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gpu_sections.card import DEVICE
from gpu_sections.rows import NEGATIVES, NODES, Samples, measure

NUM_NODES, NUM_WALKS = 1 << 12, 1 << 12

dim, dtype = int(sys.argv[1]), sys.argv[2]
walks = torch.randint(NUM_NODES, (NODES, NUM_WALKS), dtype=torch.int32, device=DEVICE).t()
negatives = torch.randint(NUM_NODES, (NUM_WALKS, 1, NEGATIVES), dtype=torch.int32, device=DEVICE)
measure(Samples(NUM_NODES, walks, negatives), dim, dtype, repeats=1)
