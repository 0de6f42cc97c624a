"""Networks that judge frames, on disk: weights, and a note of how they were made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from worldsim.storage import atomic_path

N = TypeVar("N", bound=nn.Module)


def write_network(path: Path, network: nn.Module, note: dict[str, object], dtype: torch.dtype = torch.float32) -> None:
    """Write the weights in ``dtype`` with a note of how they were made, atomically."""
    tensors = {name: value.to(dtype) for name, value in network.state_dict().items()}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"made": json.dumps(note)})


def read_network(path: Path, network: N, module: str) -> tuple[N, dict[str, object]]:
    """``network`` with the weights in ``path``, ready to judge, and the note of how they were made.

    Raises ValueError where there is no such file; running ``module`` makes one.
    """
    if not path.is_file():
        raise ValueError(
            f"{module.rpartition('.')[2].replace('_', ' ')}: expected a file at {path}, found none; make it with "
            f"`python -m {module} --data FOLDER`"
        )
    with safe_open(path, framework="pt") as handle:
        network.load_state_dict({name: handle.get_tensor(name).float() for name in handle.keys()})  # noqa: SIM118
        note = json.loads((handle.metadata() or {}).get("made", "{}"))
    return network.eval().requires_grad_(False), note
