"""The state of b learned drives as a value: copied, selected, written back.

Axis legend: b drives, v views, h w c of a picture, n latent tokens, d latent channels, r head outputs.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from worldsim.dynamics.conditioning import Scene
from worldsim.dynamics.heads import StateReading
from worldsim.engine import Engine, RolloutState
from worldsim.types import EGO_FIELDS, MOTION_FIELDS, FloatArray, FrameArray

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Objects = npt.NDArray[np.object_]

READING = tuple(entry.name for entry in fields(StateReading))
HAZARDS = ("offroad", "collision")


@dataclass
class Drives:
    """All there is to b drives between two steps; chance to come is in ``rollout.generators``."""

    rollout: RolloutState
    latents: Tensor  # (b, n, d) standardised, of the present frame
    frames: FrameArray  # (b, v, h, w, 3), or (b, v, 0, 0, 3) where no pixels are wanted
    ego: Array  # (b, e)
    pose: Array  # (b, 3) x, y, yaw from where the drive began
    motion: FloatArray  # (b, m) that led here; NaN at the start
    command: Index  # (b,) index into COMMANDS
    driven_m: Array  # (b,) since the command was given
    reading: Array  # (b, r) what the heads say, in the order of READING
    confirmed: Array  # (b, 2) probabilities of HAZARDS that this frame and the one before agree on
    trust: Array  # (b,)
    steady_trust: Array  # (b,) averaged over half a second
    step: Index  # (b,) since the start
    horizon: Index  # (b,) steps
    target_speed: Array  # (b,)
    wheelbase: Array  # (b,) m
    start: Index  # (b,) row of the bank, -1 where imagined
    scenario: Objects  # (b,) str
    fields: Objects  # (b,) SceneFields
    caption: Objects  # (b,) str
    events: Objects  # (b,) list, as info tells it
    cameras_missing: Objects  # (b,) list of names

    def __len__(self) -> int:
        return len(self.step)

    @classmethod
    def blank(cls, engine: Engine, count: int, frame_shape: tuple[int, int, int]) -> Drives:
        """``count`` places for drives; nothing in them means anything yet."""
        c = engine.world.config.dynamics
        rollout = engine.empty(Scene.unknown(count, c.text_dim, engine.world.device), [0] * count)

        def zeros(*width: int, dtype: Any = np.float64) -> npt.NDArray[Any]:
            return np.zeros((count, *width), dtype)

        return cls(
            rollout, torch.zeros_like(rollout.previous.latents), zeros(*frame_shape, 3, dtype=np.uint8),
            zeros(len(EGO_FIELDS)), zeros(3), zeros(len(MOTION_FIELDS), dtype=np.float32), zeros(dtype=np.int64),
            zeros(), zeros(len(READING)), zeros(len(HAZARDS)), zeros(), zeros(), zeros(dtype=np.int64),
            zeros(dtype=np.int64), zeros(), zeros(), zeros(dtype=np.int64),
            *(zeros(dtype=object) for _ in range(5)),
        )  # fmt: skip

    def said(self, name: str) -> Array:
        """One head's output (b,)."""
        return self.reading[:, READING.index(name)]

    def clone(self) -> Drives:
        """An independent copy."""
        return self.select(np.arange(len(self)))

    def select(self, index: Index) -> Drives:
        """A copy of the drives at ``index`` (k,); an index may repeat, which branches a drive."""
        rows = torch.from_numpy(index)
        return Drives(self.rollout.select(rows), self.latents[rows], *(x[index] for x in self._arrays()))

    def put(self, index: Index, other: Drives) -> None:
        """Overwrite the drives at ``index`` (k,) by those of ``other``, which must not be used after."""
        rows = torch.from_numpy(index)
        self.rollout.put(rows, other.rollout)
        self.latents[rows] = other.latents
        for mine, theirs in zip(self._arrays(), other._arrays(), strict=True):
            mine[index] = theirs

    def _arrays(self) -> list[npt.NDArray[Any]]:
        return [getattr(self, entry.name) for entry in fields(self)[2:]]


def read(state: StateReading) -> Array:
    """(b, r) in the order of READING, on the host."""
    return torch.stack([getattr(state, name) for name in READING], dim=-1).cpu().numpy().astype(np.float64)


def objects(values: list[Any]) -> Objects:
    """(b,) array that holds ``values`` themselves."""
    array = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        array[place] = value
    return array
