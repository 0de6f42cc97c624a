"""Drives of the reference world through any camera, for loaders whose format is written from them."""

from __future__ import annotations

import functools

import numpy as np

from agents.recorder import Recorder
from agents.scripted import ScriptedDriver
from envs.reference.roadcam import RoadCamEnv
from worldsim.types import CameraSpec, Episode


@functools.cache
def reference_drive(
    scenario: str, frames: int, height: int, width: int, hfov_deg: float = 60.0, weave: float = 0.3
) -> Episode:
    """A drive by day that sways a little, so that there is something to measure."""
    camera = CameraSpec.from_fov(width, height, hfov_deg, position_m=(0.8, 0.0, 1.4), pitch_rad=0.03)
    env = RoadCamEnv(scenario, cameras={"front": camera}, weather="clear", time_of_day="day")
    recorder = Recorder(env, *env.reset(seed=3))
    driver = ScriptedDriver()
    driver.reset(env, np.random.default_rng(3))
    for frame in range(frames - 1):
        action = np.clip(driver.act() + np.array([weave * np.sin(frame / 4), 0.0]), -1, 1)
        observation, _, _, _, info = env.step(action)
        recorder.add(action, observation, info)
    return recorder.episode(driver="good", seed=3)
