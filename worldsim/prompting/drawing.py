"""Images and videos from words, and videos that go on from an image or a clip, forward or into its past.

Axis legend: k frames to draw, h w c of a frame, m motion. Every rollout here is a batch of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from worldsim.dynamics.conditioning import Scene
from worldsim.engine import Engine, RolloutState, Step
from worldsim.prompting.clip import Clip
from worldsim.prompting.motion import Mover, Planned, turned_around
from worldsim.types import FloatArray, FrameArray

Progress = Callable[[Iterator[Any]], Iterator[Any]]


def draw_image(engine: Engine, scene: Scene, seed: int) -> FrameArray:
    """A picture (h, w, 3) of a scene."""
    _, seen = engine.imagine(scene, [seed])
    return decoded(engine, [seen.latents])[0]


def draw_video(engine: Engine, scene: Scene, frames: int, mover: Mover, seed: int, progress: Progress = iter) -> Clip:
    """``frames`` frames of a scene, the first drawn from its description alone, the rest as ``mover`` moves."""
    check_frames(frames)
    state, seen = engine.imagine(scene, [seed])
    first = Clip.silent(decoded(engine, [seen.latents]))
    return first.then(*roll(engine, state, seen, frames - 1, mover, progress))


def animate(
    engine: Engine, image: FrameArray, scene: Scene, frames: int, mover: Mover, seed: int, progress: Progress = iter
) -> Clip:
    """``frames`` frames after a picture (h, w, 3) of the world's size; no motion is known to have led to it."""
    return extend_forward(engine, Clip.silent(image[None]), scene, frames, mover, seed, progress)


def extend_forward(
    engine: Engine, clip: Clip, scene: Scene, frames: int, mover: Mover, seed: int, progress: Progress = iter
) -> Clip:
    """The clip and ``frames`` more after it. The model sees as much of its end as it can remember."""
    check_frames(frames)
    state, seen = remember(engine, clip, scene, seed)
    return clip.then(*roll(engine, state, seen, frames, mover, progress))


def extend_backward(
    engine: Engine, clip: Clip, scene: Scene, motion: FloatArray, seed: int, progress: Progress = iter
) -> Clip:
    """The clip and what came before it, a frame for each row of ``motion`` (k, m), which leads up to it in time.

    The clip is played backwards, rolled on while the motion is undone, and the whole turned around again. Only a world
    that was trained on clips played backwards (``worldsim.training.backwards``) draws this well.
    """
    check_frames(len(motion))
    back = Planned(turned_around(motion))
    longer = extend_forward(engine, clip.backwards(), scene, len(motion), back, seed, progress)
    frames = longer.frames[::-1].copy()
    return Clip(frames, np.concatenate([motion, clip.motion]).astype(np.float32), clip.fields, clip.caption)


def remember(engine: Engine, clip: Clip, scene: Scene, seed: int) -> tuple[RolloutState, Step]:
    """The engine after the end of a clip, as much of it as it can remember."""
    end = clip.last(engine.world.config.dynamics.context_frames)
    return engine.start(end.latents(engine.world), end.motion_into, scene, [seed])


def roll(
    engine: Engine, state: RolloutState, seen: Step, frames: int, mover: Mover, progress: Progress = iter
) -> tuple[FrameArray, FloatArray]:
    """``frames`` further frames (k, h, w, 3) and the motion (k, m) that led into each; ``state`` advances in place."""
    latents, motion = [], []
    for _ in progress(iter(range(frames))):
        motion.append(mover.move(seen))
        seen = engine.step(state, motion[-1])
        latents.append(seen.latents)
    moved = torch.cat(motion).numpy() if motion else np.zeros((0, 4), np.float32)
    return decoded(engine, latents), moved


def decoded(engine: Engine, latents: list[Tensor], at_once: int = 16) -> FrameArray:
    """Frames (k, h, w, 3) of k latents (1, n, d)."""
    size = engine.world.config.tokenizer
    if not latents:
        return np.zeros((0, size.height, size.width, 3), np.uint8)
    return np.concatenate([engine.decode(part).cpu().numpy() for part in torch.cat(latents).split(at_once)])


def check_frames(frames: int) -> None:
    """Raise ValueError unless at least one frame is asked for."""
    if frames < 1:
        raise ValueError(f"prompting: expected at least one frame to draw, got {frames}")
