"""Drivers as motion: at the wheel while a video is drawn, or planned beforehand, also for what came before.

Axis legend: k steps, m motion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from worldsim.dynamics.heads import StateReading
from worldsim.engine import Step
from worldsim.prompting import Clip
from worldsim.types import MOTION_FIELDS, FloatArray

from .. import kinematics
from ..commands.drivers import ACTIONS_PREFIX, STEERED, Driver, make_driver

HOLD = "hold"
"""Goes on as the clip moved at that end."""
PLANNED = (HOLD, *STEERED)
FORWARD, YAW, SPEED = (MOTION_FIELDS.index(name) for name in ("forward_m", "yaw_rad", "speed_mps"))
READ = tuple(entry.name for entry in fields(StateReading))
HELD_STEPS = 5
"""Known steps of a clip over which its own motion is averaged."""


class Driven:
    """A driver at the wheel, who sees what the heads say; the vehicle is ``envs.kinematics``."""

    def __init__(self, driver: Driver, ego: kinematics.EgoState) -> None:
        self.driver, self.ego = driver, ego
        self.motion = np.full(len(MOTION_FIELDS), np.nan, np.float32)

    def move(self, seen: Step) -> Tensor:
        """Motion (1, m) of the driver's next action."""
        return torch.from_numpy(self.act({name: float(getattr(seen.state, name)[0]) for name in READ}))[None]

    def act(self, labels: Mapping[str, float]) -> FloatArray:
        """Motion (m,) after one action of the driver, who sees ``labels``."""
        info: dict[str, Any] = {"labels": labels, "ego": self.ego.array(), "motion": self.motion}
        self.ego, self.motion = kinematics.advance(self.ego, self.driver.act(info))
        return self.motion


def driven(name: str, clip: Clip | None, speed_mps: float | None, target_mps: float) -> Driven:
    """The driver ``name`` behind ``clip``, or at ``speed_mps`` where it is given. ValueError for an unknown name."""
    return Driven(make_driver(name, target_mps), ego_after(clip, speed_mps, target_mps))


def ego_after(clip: Clip | None, speed_mps: float | None, otherwise_mps: float) -> kinematics.EgoState:
    """The vehicle at the end of a clip: its speed and turn where they are known, else straight on."""
    known = known_motion(clip)
    if speed_mps is not None or not len(known):
        return kinematics.EgoState.at_speed(otherwise_mps if speed_mps is None else speed_mps)
    last = known[-1].astype(np.float64)
    curvature = last[YAW] / last[FORWARD] if last[FORWARD] > 0.1 else 0.0
    steering = kinematics.steering_for_curvature(curvature, last[SPEED])
    return kinematics.EgoState(
        np.asarray(last[SPEED]), np.asarray(last[YAW] / kinematics.STEP_S), np.asarray(0.0), steering
    )


def led_here(name: str, clip: Clip, steps: int, speed_mps: float | None, otherwise_mps: float) -> FloatArray:
    """Motion (steps, m) that leads up to the first frame of ``clip``: ``hold``, or a driver that needs not look.

    It ends at the speed that the clip begins with. ValueError for ``keep_lane``: it must see the lane beforehand.
    """
    if name not in PLANNED and not name.startswith(ACTIONS_PREFIX):
        raise ValueError(
            f"driver: expected one of {list(PLANNED)} or {ACTIONS_PREFIX}FILE.csv where the past is drawn, got {name!r}"
        )
    known = known_motion(clip)[:HELD_STEPS]
    if name == HOLD and len(known) and speed_mps is None:
        return np.repeat(known.mean(0, keepdims=True), steps, axis=0).astype(np.float32)
    arrives = float(known[0, SPEED]) if speed_mps is None and len(known) else speed_mps
    arrives = otherwise_mps if arrives is None else arrives
    name = "straight" if name == HOLD else name
    gained = float(plan(name, steps, arrives)[-1, SPEED]) - arrives
    return plan(name, steps, float(np.clip(arrives - gained, 0.0, kinematics.MAX_SPEED_MPS)))


def plan(name: str, steps: int, speed_mps: float) -> FloatArray:
    """Motion (steps, m) of a driver that looks at nothing, from a speed on."""
    wheel = Driven(make_driver(name, speed_mps), kinematics.EgoState.at_speed(speed_mps))
    return np.stack([wheel.act({}) for _ in range(steps)])


def known_motion(clip: Clip | None) -> FloatArray:
    """The rows (k, m) of a clip's motion that are known."""
    if clip is None:
        return np.zeros((0, len(MOTION_FIELDS)), np.float32)
    return clip.motion[~np.isnan(clip.motion).any(-1)]
