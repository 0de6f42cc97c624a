"""A way from one clip to another: forward from the first, backward from the second, and met in the middle.

Axis legend: k frames between the clips, n latent tokens, d latent channels, m motion.
"""

from __future__ import annotations

import numpy as np
import torch

from worldsim.dynamics.conditioning import Scene
from worldsim.engine import Engine, RolloutState
from worldsim.prompting.clip import Clip
from worldsim.prompting.drawing import Progress, check_frames, decoded, remember
from worldsim.prompting.motion import turned_around
from worldsim.types import FloatArray

KEEP = 0.6
"""Signal level from which the blend of the two ways is drawn anew."""


def connect(
    engine: Engine,
    first: Clip,
    second: Clip,
    scenes: tuple[Scene, Scene],
    frames: int,
    seed: int,
    keep: float = KEEP,
    progress: Progress = iter,
) -> Clip:
    """The first clip, ``frames`` drawn frames, and the second clip; ``scenes`` are theirs.

    Two sketches are drawn of what lies between, one on from the first clip and one back from the second. They are
    blended, the first giving way to the second, and the blend is noised to signal level ``keep`` and drawn anew frame
    by frame, with the first clip in memory, under the scene that weighs more. The motion goes over evenly.
    """
    check_frames(frames)
    motion = between(first.motion, second.motion, frames)
    share = torch.arange(1, frames + 1) / (frames + 1)
    share = share * share * (3 - 2 * share)  # eases in and out
    state, _ = remember(engine, first, scenes[0], seed)
    forth = _sketch(engine, state.clone(), motion[:-1])
    back = _sketch(engine, remember(engine, second.backwards(), scenes[1], seed + 1)[0], turned_around(motion[1:]))
    drawn = []
    for i in progress(iter(range(frames))):
        if share[i] > 0.5:
            state.scene = scenes[1]
        sketch = (1 - share[i]) * forth[i] + share[i] * back[frames - 1 - i]
        drawn.append(engine.refine(state, sketch, torch.from_numpy(motion[i : i + 1]), keep).latents)
    led = np.concatenate([first.motion[:-1], motion, second.motion])
    pictures = np.concatenate([first.frames, decoded(engine, drawn), second.frames])
    return Clip(pictures, led.astype(np.float32))


def between(before: FloatArray, after: FloatArray, frames: int) -> FloatArray:
    """Motion (frames + 1, m) from the last known step of ``before`` to the first of ``after``, going over evenly.

    NaN where neither is known; where one is, it goes on.
    """
    known = [motion[~np.isnan(motion).any(-1)] for motion in (before, after)]
    ends = [known[0][-1:], known[1][:1]]
    ends = [end if len(end) else other for end, other in zip(ends, ends[::-1], strict=True)]
    if not len(ends[0]):
        return np.full((frames + 1, before.shape[1]), np.nan, np.float32)
    share = np.linspace(0, 1, frames + 1)[:, None]
    return np.asarray((1 - share) * ends[0] + share * ends[1], np.float32)


def _sketch(engine: Engine, state: RolloutState, motion: FloatArray) -> list[torch.Tensor]:
    """Latents (1, n, d) of a frame for each row of motion."""
    return [engine.step(state, torch.from_numpy(row[None])).latents for row in motion]
