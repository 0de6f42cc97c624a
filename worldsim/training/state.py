"""Everything a training run needs to go on where it stopped, in one safetensors file. No pickle.

The tensors (weights, averaged weights, optimizer moments, generators) lie in the file; the plain
values (step, seconds, optimizer settings, checksum) lie as JSON in its header, so one rename
replaces both at once. Two files are kept: the latest and the one before.
"""

from __future__ import annotations

import json
import logging
import os
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from worldsim.storage import atomic_path

logger = logging.getLogger(__name__)

FORMAT_VERSION = 1
LATEST, PREVIOUS = "train_state.safetensors", "train_state.previous.safetensors"
DAMAGED = "train_state.damaged.safetensors"


@dataclass
class TrainState:
    """What changes while training. ``average`` is a copy of ``model`` that follows it slowly (EMA)."""

    model: nn.Module
    optimizers: list[torch.optim.Optimizer]
    generator: torch.Generator
    average: nn.Module | None = None
    step: int = 0
    elapsed_s: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)  # of the last validation

    @property
    def evaluated(self) -> nn.Module:
        """The module to validate and to keep: the averaged weights where there are any, else the model itself."""
        return self.model if self.average is None else self.average


def save_state(state: TrainState, folder: Path | str) -> Path:
    """Write the run's state to ``folder``; what was the latest becomes the previous."""
    tensors, optimizers = _collect(state)
    plain = {"step": state.step, "elapsed_s": state.elapsed_s, "metrics": state.metrics, "optimizers": optimizers}
    return write_state(folder, tensors, plain)


def holds_state(folder: Path | str) -> bool:
    """Whether a run was saved in ``folder``."""
    return any((Path(folder) / name).is_file() for name in (LATEST, PREVIOUS))


def load_state(state: TrainState, folder: Path | str) -> bool:
    """Fill ``state`` from the newest good file in ``folder``; False if there is none at all.

    Raises ValueError as ``read_state`` does, and for a state of another model.
    """
    found = read_state(folder)
    if found is None:
        return False
    _apply(state, *found)
    return True


def write_state(folder: Path | str, tensors: dict[str, Tensor], plain: dict[str, Any]) -> Path:
    """Write tensors and plain values, ready for JSON, to ``folder``; what was the latest becomes the previous."""
    stored = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    header = {"format_version": FORMAT_VERSION, **plain, "checksum": _checksum(stored)}
    latest = Path(folder) / LATEST
    with atomic_path(latest) as temporary:
        save_file(stored, temporary, metadata={"state": json.dumps(header)})
        if latest.exists():
            os.replace(latest, latest.with_name(PREVIOUS))
    return latest


def read_state(folder: Path | str) -> tuple[dict[str, Tensor], dict[str, Any], Path] | None:
    """Tensors, plain values and path of the newest good file in ``folder``; None if there is no file at all.

    A damaged latest file is set aside with a warning, and the one before it is used. Raises ValueError
    if every file is damaged or of another format version.
    """
    candidates = [path for name in (LATEST, PREVIOUS) if (path := Path(folder) / name).exists()]
    faults = []
    for path in candidates:
        try:
            tensors, header = _read(path)
        except (SafetensorError, ValueError, OSError) as error:
            logger.warning("%s cannot be read (%s); trying the one before it", path, error)
            faults.append(f"{path.name}: {error}")
            continue
        if faults:  # out of the way, or the next save would move it over the good one
            os.replace(candidates[0], Path(folder) / DAMAGED)
        return tensors, header, path
    if faults:
        raise ValueError(
            f"training state in {folder}: expected a readable {LATEST} or {PREVIOUS}, got "
            f"{'; '.join(faults)}. Move the folder away to start over"
        )
    return None


def _collect(state: TrainState) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """Named tensors to store, and what of the optimizers is plain JSON."""
    tensors = {f"model.{name}": value for name, value in state.model.state_dict().items()}
    if state.average is not None:
        tensors |= {f"average.{name}": value for name, value in state.average.state_dict().items()}
    tensors["generator"] = state.generator.get_state()
    tensors["generator.default"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors |= {f"generator.cuda.{i}": value for i, value in enumerate(torch.cuda.get_rng_state_all())}
    plain: list[dict[str, Any]] = []
    for k, optimizer in enumerate(state.optimizers):
        packed = optimizer.state_dict()
        values: dict[str, dict[str, Any]] = {}
        for index, slots in packed["state"].items():
            values[str(index)] = {name: value for name, value in slots.items() if not isinstance(value, Tensor)}
            tensors |= {
                f"optimizer.{k}.{index}.{name}": value for name, value in slots.items() if isinstance(value, Tensor)
            }
        plain.append({"state": values, "param_groups": packed["param_groups"]})
    return tensors, plain


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    with safe_open(path, framework="pt") as handle:
        header = json.loads((handle.metadata() or {}).get("state", "{}"))
        tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    if header.get("format_version") != FORMAT_VERSION:
        raise ValueError(f"expected format version {FORMAT_VERSION}, got {header.get('format_version')}")
    if header["checksum"] != _checksum(tensors):
        raise ValueError("its checksum does not match its contents")
    return tensors, header


def _apply(state: TrainState, tensors: dict[str, Tensor], header: dict[str, Any], path: Path) -> None:
    try:
        state.model.load_state_dict(_below(tensors, "model."))
        if state.average is not None:
            state.average.load_state_dict(_below(tensors, "average."))
        if len(header["optimizers"]) != len(state.optimizers):
            raise ValueError(f"it has {len(header['optimizers'])} optimizers, this run {len(state.optimizers)}")
        for k, (optimizer, packed) in enumerate(zip(state.optimizers, header["optimizers"], strict=True)):
            slots = {int(index): dict(values) for index, values in packed["state"].items()}
            for name, value in _below(tensors, f"optimizer.{k}.").items():
                index, slot = name.split(".", 1)
                slots[int(index)][slot] = value
            optimizer.load_state_dict({"state": slots, "param_groups": packed["param_groups"]})
        state.generator.set_state(tensors["generator"])  # of a GPU, it does not fit a CPU
    except (RuntimeError, ValueError, KeyError) as error:
        raise ValueError(
            f"{path} belongs to another model, optimizer or device than this run's: {error}. "
            f"Use the settings it was trained with, or another output folder"
        ) from error
    torch.set_rng_state(tensors["generator.default"])
    cuda = [tensors[name] for name in sorted(tensors) if name.startswith("generator.cuda.")]
    if cuda and torch.cuda.is_available() and len(cuda) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(cuda)
    state.step, state.elapsed_s, state.metrics = header["step"], header["elapsed_s"], header["metrics"]


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _checksum(tensors: dict[str, Tensor]) -> int:
    """CRC-32 over names and bytes: a safetensors file has none, and a flipped bit would train on unseen."""
    value = 0
    for name in sorted(tensors):
        value = zlib.crc32(name.encode(), value)
        value = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy().data, value)
    return value
