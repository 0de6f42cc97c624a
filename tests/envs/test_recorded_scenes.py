"""Scenes stay what they were: what seeds gave once, they give for ever, so that recorded starts and data replay.

Axis legend: t steps, n vehicles, h w c of a frame made 16 times smaller.

``python -m tests.envs.test_recorded_scenes`` records anew; do so only where scenes are meant to change.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from envs.reference.roadcam import RoadCamEnv
from envs.scenario import load_scenario

RECORDED = Path(__file__).parent / "recorded" / "scenes.npz"
SCENARIOS = (
    "any", "curves", "dusk_city", "empty_road", "exit", "fog_highway", "highway", "highway_dense", "intersection",
    "merge", "night_rain", "racetrack", "roundabout", "snow_curves", "two_way",
)  # fmt: skip
STEPS, SEED = 12, 1_000_017
TOLERANCES = {"poses": 1e-6, "others": 0.1, "frames": 0.5}
"""Where rounding on another machine, or another numpy's, may move a vehicle by a sample of its lane's curve."""

Arrays = dict[str, npt.NDArray[np.float64]]


def played(name: str) -> Arrays:
    """A short drive: where the ego and the others are after every step, and what the camera showed at both ends."""
    env = RoadCamEnv(load_scenario(name), grace_steps=None)
    observation, info = env.reset(seed=SEED)
    frames, poses, others = [observation["camera"]], [info["pose"]], []
    for step in range(STEPS):
        steering = 0.1 * np.sin(step)
        observation, _, _, _, info = env.step(np.array([steering, 0.3], np.float32))
        poses.append(info["pose"])
        others.append(np.mean([vehicle.position for vehicle in env.traffic.others] or [np.zeros(2)], axis=0))
    frames.append(observation["camera"])
    small = [cv2.resize(frame.astype(np.float64), (8, 4), interpolation=cv2.INTER_AREA) for frame in frames]
    return {"poses": np.stack(poses), "others": np.stack(others), "frames": np.stack(small)}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_recorded_seed_gives_the_recorded_scene(name: str) -> None:
    recorded = np.load(RECORDED)
    for key, values in played(name).items():
        tolerance = TOLERANCES[key]
        np.testing.assert_allclose(values, recorded[f"{name}/{key}"], atol=tolerance)


if __name__ == "__main__":
    RECORDED.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        RECORDED, **{f"{name}/{key}": values for name in SCENARIOS for key, values in played(name).items()}
    )
