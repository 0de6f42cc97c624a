"""Rolling the model out on recorded drives: it sees a few true frames, then only the motion that was driven.

Axis legend: b drives, t frames of the longest, v views, h w c of a picture, n latent tokens, d latent channels,
m motion.

Drives of unequal length share a batch. Past the end of a shorter one the rollout goes on without known motion, and
``known`` is False: such frames are left out of every figure, never compared with anything.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from worldsim.dynamics.conditioning import Scene
from worldsim.engine import Engine, RolloutState, Step
from worldsim.errors import choose
from worldsim.text import TextEncoder, TextEncoderMissing
from worldsim.types import MOTION_FIELDS, Episode, FrameArray
from worldsim.world_model import WorldModel

CONTEXT_FRAMES = 12
"""True frames that a rollout sees before it is on its own."""

Progress = Callable[[Iterator[Any]], Iterator[Any]]


def excerpt(episode: Episode, start: int, stop: int | None = None) -> Episode:
    """Frames ``start`` to ``stop`` of an episode as an episode of its own: its last action and motion are NaN."""
    rows = slice(start, len(episode) if stop is None else min(stop, len(episode)))
    cut = replace(
        episode,
        views={name: frames[rows] for name, frames in episode.views.items()},
        **{
            name: getattr(episode, name)[rows].copy()
            for name in ("motion", "ego", "action", "labels", "pose", "command")
        },
        timestamps=episode.timestamps[rows] - episode.timestamps[rows.start],
        rewards={name: values[rows] for name, values in episode.rewards.items()},
        signals={name: values[rows] for name, values in episode.signals.items()},
        boxes=episode.boxes[rows],
    )
    cut.motion[-1], cut.action[-1] = np.nan, np.nan
    return cut


def fitted(frames: FrameArray, world: WorldModel) -> FrameArray:
    """Frames (t, h, w, 3) of any size at the world's resolution."""
    size = (world.config.tokenizer.height, world.config.tokenizer.width)
    if frames.shape[1:3] == size:
        return frames
    return np.stack([cv2.resize(f, size[::-1], interpolation=cv2.INTER_AREA) for f in frames]).astype(np.uint8)


def shown(episode: Episode, world: WorldModel) -> FrameArray:
    """What the world would see of an episode, (t, h, w, 3) at its size; through cameras that it names, (t, v, h, w, 3).

    ValueError, with the nearest name, for a camera that the episode lacks.
    """
    if not world.cameras:
        return fitted(episode.frames, world)
    views = [episode.views[choose(name, episode.views, "camera")] for name in world.cameras]
    return np.stack([fitted(view, world) for view in views], axis=1)


def scene_of(episodes: Sequence[Episode], world: WorldModel, encoder: TextEncoder | None = None) -> Scene:
    """The scenes of b episodes. Captions count where an ``encoder`` is given and installed."""
    scene = Scene.unknown(len(episodes), world.config.dynamics.text_dim)
    scene.fields[:] = torch.tensor([episode.fields.codes() for episode in episodes])
    if encoder is not None:
        try:
            scene.text[:] = torch.from_numpy(encoder.encode([episode.caption for episode in episodes]))
            scene.text_known[:] = torch.tensor([bool(episode.caption) for episode in episodes])
        except TextEncoderMissing:  # the model was trained to do without words, too
            pass
    return Scene(*(x.to(world.device) for x in (scene.fields, scene.text, scene.text_known)))


@dataclass(frozen=True)
class Drives:
    """Recorded drives as the engine takes them. ``motion[:, t]`` led into frame ``t``; NaN where nothing is known."""

    frames: list[FrameArray]  # b arrays (t_i, h, w, 3); of a world with cameras (t_i, v, h, w, 3)
    motion: Tensor  # (b, t, m)
    command: Tensor  # (b, t) int64
    known: npt.NDArray[np.bool_]  # (b, t) whether the drive has this frame
    scene: Scene

    @classmethod
    def of(cls, episodes: Sequence[Episode], world: WorldModel, encoder: TextEncoder | None = None) -> Drives:
        """Batch episodes of any length. Raises ValueError where there are none."""
        if not episodes:
            raise ValueError("rollouts: expected at least one episode, got none")
        b, t = len(episodes), max(map(len, episodes))
        motion = np.full((b, t, len(MOTION_FIELDS)), np.nan, np.float32)
        command, known = np.zeros((b, t), np.int64), np.zeros((b, t), bool)
        for row, episode in enumerate(episodes):
            length = len(episode)
            motion[row, 1:length], command[row, :length], known[row, :length] = (
                episode.motion[:-1],
                episode.command,
                True,
            )
        frames = [shown(episode, world) for episode in episodes]
        return cls(
            frames, torch.from_numpy(motion), torch.from_numpy(command), known, scene_of(episodes, world, encoder)
        )

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def length(self) -> int:
        """Frames of the longest drive."""
        return self.known.shape[1]

    def reference(self, t: int) -> FrameArray:
        """True frames at time t of the drives that have one, (k, h, w, 3)."""
        return np.stack([frames[t] for frames in self.frames if len(frames) > t])

    def latents(self, world: WorldModel, t: int) -> Tensor:
        """True latents (b, n, d) at time t; a drive that has ended repeats its last frame, to be masked out."""
        return world.encode(torch.from_numpy(np.stack([f[min(t, len(f) - 1)] for f in self.frames])))


def roll_out(
    engine: Engine,
    drives: Drives,
    seeds: Sequence[int],
    context: int = CONTEXT_FRAMES,
    keep: Collection[int] | None = None,
    progress: Progress = iter,
) -> dict[int, FrameArray]:
    """Frames that the model draws, by the number of steps since the last true frame.

    Reads ``context`` true frames, then draws to the end of the longest drive. Only the steps in ``keep`` are decoded
    (None: all); 0 is the last context frame through the tokenizer. The row of a drive is its row in ``drives``, also
    past its end: mask with ``drives.known[:, context - 1 + step]``. ValueError where no drive outlasts its context.
    """
    if drives.length <= context or context < 1:
        raise ValueError(f"roll_out: expected drives of more than {max(context, 1)} frames, got {drives.length}")
    state, last = read_context(engine, drives, seeds, context)
    drawn: dict[int, FrameArray] = {}

    def note(step: int, latents: Tensor) -> None:
        if keep is None or step in keep:
            drawn[step] = engine.decode(latents).cpu().numpy()

    note(0, last.latents)
    horizon = drives.length - context if keep is None else min(drives.length - context, max(keep, default=0))
    for step in progress(iter(range(1, horizon + 1))):
        t = context - 1 + step
        note(step, engine.step(state, drives.motion[:, t], drives.command[:, t]).latents)
    return drawn


def read_context(engine: Engine, drives: Drives, seeds: Sequence[int], context: int) -> tuple[RolloutState, Step]:
    """The engine after ``context`` true frames of every drive."""
    state = engine.empty(drives.scene, seeds)
    for t in range(context):
        step = engine.observe(state, drives.latents(engine.world, t), drives.motion[:, t], drives.command[:, t])
    return state, step
