"""What a policy does, as a video: a few drives side by side in the world where it learns.

Axis legend: b drives, h w of a picture.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from worldsim.serving.picture import INK, Readings, with_strip
from worldsim.serving.video import open_video
from worldsim.types import EGO_FIELDS, FRAME_RATE_HZ, FrameArray

from ..policy.network import Policy
from ..policy.observe import PolicyView
from .place import Place

FILM_SEED = 1_900_000
"""Of the drives that are filmed: the same in every film, none that is trained on or judged by."""
COLUMNS, MOST = 2, 4
PASSES = 2

SPEED, STEERING = EGO_FIELDS.index("speed_mps"), EGO_FIELDS.index("steering")


def film(policy: Policy, place: Place, seconds: float, target: Path) -> Path:
    """Write an mp4 of ``policy`` in up to MOST drives of ``place``, which begin anew where they end; returns it."""
    scenarios = place.scenarios[:MOST]
    steps = max(1, round(seconds * FRAME_RATE_HZ))
    env = replace(place, scenarios=scenarios).drives(len(scenarios), steps, passes=PASSES, render_mode="rgb_array")
    view = PolicyView(place.world, len(scenarios), policy.config.history)
    observation, info = env.reset(seed=FILM_SEED)
    began = np.ones(len(scenarios), np.bool_)
    with open_video(target, FRAME_RATE_HZ) as writer:
        for _ in range(steps):
            pictures: Any = env.render()
            writer.add(tiled([with_strip(picture, _readings(info, i)) for i, picture in enumerate(pictures)]))
            action = policy.act(view.look(observation, began)).cpu().numpy()
            observation, _, terminated, truncated, info = env.step(action)
            began = terminated | truncated
    env.close()
    return target


def tiled(pictures: list[FrameArray]) -> FrameArray:
    """Pictures (h, w, 3) of one size in rows of COLUMNS; one alone stays as it is."""
    columns = min(COLUMNS, len(pictures))
    blank = np.full_like(pictures[0], INK)
    pictures = pictures + [blank] * (-len(pictures) % columns)
    rows = [np.concatenate(pictures[i : i + columns], axis=1) for i in range(0, len(pictures), columns)]
    return np.concatenate(rows)


def _readings(info: dict[str, np.ndarray], i: int) -> Readings:
    ego = info["ego"][i]
    return Readings(info["step"][i] / FRAME_RATE_HZ, float(ego[SPEED]), float(ego[STEERING]), float(info["trust"][i]))
