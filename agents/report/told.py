"""What a model's heads say along the branches of a moment: of the frames that it draws, or of the true ones.

Axis legend: k moments, r branches, t frames of a branch (the moment itself is frame 0), m motion, n latent tokens,
d latent channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from worldsim.dynamics.heads import StateReading
from worldsim.engine import Engine, RolloutState, Step
from worldsim.evaluation.rollouts import CONTEXT_FRAMES, Drives, fitted, read_context
from worldsim.text import TextEncoder

from .moments import Branches, Moment

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Advance = Callable[[RolloutState, Rows, int, Tensor, Tensor], Step]
"""(state, rows, step, motion (b, m), command (b,)) -> what is seen after the step."""

TOGETHER = 64
READINGS = tuple(entry.name for entry in fields(StateReading))


@dataclass(frozen=True)
class Told:
    """Readings along every branch. The heads have seen what the frames of the branch show, and the motion."""

    reading: dict[str, Array]  # StateReading's fields, each (r, t)
    trust: Array  # (r, t)
    latents: Tensor  # (r, t, n, d) float16

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """To be kept."""
        readings = {f"reading_{name}": values for name, values in self.reading.items()}
        return {**readings, "trust": self.trust, "latents": self.latents.numpy()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[Any]]) -> Told:
        """As it was kept."""
        readings = {name: arrays[f"reading_{name}"] for name in READINGS}
        return cls(readings, arrays["trust"], torch.from_numpy(arrays["latents"]))


def draw_branches(
    engine: Engine,
    moments: Sequence[Moment],
    branches: Branches,
    seed: int,
    encoder: TextEncoder | None = None,
    tick: Callable[[], object] = lambda: None,
) -> Told:
    """The model is shown each moment's context, then draws each branch under its motion.

    Branches of one moment share their past and the chance of every step. ``tick`` is called after every step of a
    chunk (``ticks_of`` says how often in all).
    """

    def advance(state: RolloutState, rows: Rows, step: int, motion: Tensor, command: Tensor) -> Step:
        return engine.step(state, motion, command)

    return along(engine, moments, branches, seed, encoder, tick, advance)


def watch_branches(
    engine: Engine,
    moments: Sequence[Moment],
    branches: Branches,
    seed: int,
    encoder: TextEncoder | None = None,
    tick: Callable[[], object] = lambda: None,
) -> Told:
    """The same heads, shown the true frames of every branch: the floor of all that is judged by them."""

    def advance(state: RolloutState, rows: Rows, step: int, motion: Tensor, command: Tensor) -> Step:
        frames = fitted(branches.frames[rows, step + 1], engine.world)
        return engine.observe(state, engine.world.encode(torch.from_numpy(frames)), motion, command)

    return along(engine, moments, branches, seed, encoder, tick, advance)


def ticks_of(branches: Branches) -> int:
    """How often ``draw_branches`` and ``watch_branches`` tick."""
    return len(_chunks(branches)) * branches.motion.shape[1]


@torch.no_grad()
def along(
    engine: Engine,
    moments: Sequence[Moment],
    branches: Branches,
    seed: int,
    encoder: TextEncoder | None,
    tick: Callable[[], object],
    advance: Advance,
) -> Told:
    """Every moment's context is read, and ``advance`` takes each of its branches on, step by step."""
    drives = Drives.of([moment.context for moment in moments], engine.world, encoder)
    seeds = [seed + i for i in range(len(moments))]
    state, last = read_context(engine, drives, seeds, CONTEXT_FRAMES)
    begun, values, latents = _row(last), [], []
    for rows in _chunks(branches):
        of = torch.from_numpy(branches.moment[rows])
        branch, command = state.select(of), drives.command[of, -1]
        motion = torch.from_numpy(branches.motion[rows])
        said, drawn = [begun[of.numpy()]], [last.latents[of].half().cpu()]
        for step in range(motion.shape[1]):
            seen = advance(branch, rows, step, motion[:, step], command)
            said.append(_row(seen))
            drawn.append(seen.latents.half().cpu())
            tick()
        values.append(np.stack(said, axis=1))
        latents.append(torch.stack(drawn, dim=1))
    joined = np.concatenate(values)
    reading = {name: joined[..., i] for i, name in enumerate(READINGS)}
    return Told(reading, joined[..., -1], torch.cat(latents))


def _chunks(branches: Branches) -> list[Rows]:
    return [np.arange(first, min(first + TOGETHER, len(branches))) for first in range(0, len(branches), TOGETHER)]


def _row(step: Step) -> Array:
    """Readings and trust of one step, (b, len(READINGS) + 1)."""
    columns = [*(getattr(step.state, name) for name in READINGS), step.trust]
    return torch.stack([column.double().cpu() for column in columns], dim=-1).numpy()
