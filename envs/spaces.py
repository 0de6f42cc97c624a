"""Observation and action spaces, info keys and action checks that both worlds share.

Axis legend: h, w, c of a camera frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from worldsim.types import COMMANDS, EGO_FIELDS, CameraSpec, FloatArray, FrameArray

from .rewards import WEIGHTS

REWARD_TERMS = tuple(WEIGHTS)

INFO_KEYS = (
    "step",  # int, steps since reset
    "scenario",  # str
    "fields",  # worldsim.types.SceneFields
    "caption",  # str
    "command",  # int, index into COMMANDS, as observed
    "pose",  # (3,) float64 x, y, yaw in a frame fixed for the episode
    "motion",  # (len(MOTION_FIELDS),) float32 that led here; NaN after reset
    "ego",  # (len(EGO_FIELDS),) float32
    "labels",  # dict by LABEL_FIELDS of float; predicted in the learned world
    "events",  # list of dicts as of envs.events.told: the scenario's events and what became of each
    "cameras_missing",  # list of names: cameras that the scenario asks for and that are not shown, or are elsewhere
    "boxes",  # list of k [x0, y0, x1, y1 px, distance m] in the main view; empty where not known
    "reward_terms",  # dict by REWARD_TERMS of float, unweighted
    "reward",  # float, their weighted sum
    "trust",  # float in [0, 1]; 1 in the reference world
)
"""Keys of ``info`` after reset and after every step, in both worlds.

``events``, ``cameras_missing`` and ``boxes`` are lists, not arrays, because their length varies and Gymnasium's vector
envs stack arrays.
"""

ACTION_TOLERANCE = 1e-6
_EGO_LOW = np.array([0.0, -10.0, -30.0, -1.0], dtype=np.float32)
_EGO_HIGH = np.array([50.0, 10.0, 30.0, 1.0], dtype=np.float32)

STEP_BEFORE_RESET = "step() was called before reset(): call `observation, info = env.reset(seed=...)` first"
STEP_AFTER_END = "step() was called after the episode had ended: call `env.reset()` to begin another"


def action_space() -> gym.spaces.Box:
    """Steering (left positive) and longitudinal acceleration, each in [-1, 1]."""
    return gym.spaces.Box(-1.0, 1.0, (2,), np.float32)


def observation_space(cameras: Mapping[str, CameraSpec]) -> gym.spaces.Dict:
    """Space of one observation. The first camera is ``camera``; each further one is ``camera_NAME``."""
    if not cameras:
        raise ValueError("cameras: expected at least one camera, got none; pass {'front': CameraSpec()}")
    spaces: dict[str, gym.Space[Any]] = {
        key: gym.spaces.Box(0, 255, (spec.height, spec.width, 3), np.uint8)
        for key, spec in zip(camera_keys(cameras), cameras.values(), strict=True)
    }
    spaces["ego"] = gym.spaces.Box(_EGO_LOW, _EGO_HIGH, (len(EGO_FIELDS),), np.float32)
    spaces["command"] = gym.spaces.Discrete(len(COMMANDS))
    return gym.spaces.Dict(spaces)


def camera_keys(cameras: Mapping[str, CameraSpec]) -> list[str]:
    """Observation keys of cameras, in their order."""
    return ["camera" if i == 0 else f"camera_{name}" for i, name in enumerate(cameras)]


def side_by_side(frames: Sequence[FrameArray], cameras: Mapping[str, CameraSpec]) -> FrameArray:
    """The pictures (..., h, w, 3) of ``cameras``, of one height, as one; what looks further left is further left."""
    order = sorted(range(len(frames)), key=lambda i: -list(cameras.values())[i].yaw_rad)
    return frames[0] if len(frames) == 1 else np.concatenate([frames[i] for i in order], axis=-2)


def check_action(action: Any, batch: tuple[int, ...] = ()) -> FloatArray:
    """``action`` as (*batch, 2) float32 within [-1, 1], or ValueError that says what was expected and what came."""
    expected = f"expected an action of shape {(*batch, 2)} (steering, acceleration) with values in [-1, 1]"
    try:
        values = np.asarray(action, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{expected}, got {type(action).__name__} {action!r}") from error
    if values.shape != (*batch, 2):
        raise ValueError(f"{expected}, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{expected}, got {values.tolist()}: NaN or infinity, often a sign of a diverged policy")
    if (np.abs(values) > 1.0 + ACTION_TOLERANCE).any():
        raise ValueError(f"{expected}, got {values.tolist()}; clip it, or squash the policy's output with tanh")
    return np.clip(values, -1.0, 1.0)
