"""The film of a drive: all its cameras at once, or cut from one to the next as its scenario says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from envs.commands.rollout import filmed
from envs.montage import Montage
from worldsim.serving.video import open_video
from worldsim.types import FRAME_RATE_HZ

from .drive import Driven


def write_film(driven: Driven, env: gym.Env[Any, Any], path: Path, seed: int) -> Montage:
    """Write the drive as an mp4 with the readings above; what was shown when.

    ``seed`` decides what the scenario left open of its shots.
    """
    shots = driven.scenario.concretise(np.random.default_rng(seed)).shots
    montage = Montage(env.unwrapped.cameras, shots, len(driven.infos) / FRAME_RATE_HZ)  # type: ignore[attr-defined]
    with open_video(path, FRAME_RATE_HZ) as film:
        for observation, info in zip(driven.observations, driven.infos, strict=True):
            film.add(filmed(montage, observation, info, strip=True))
    return montage
