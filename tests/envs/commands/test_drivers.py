"""Who drives: the lane keeper, fixed and recorded actions, and files that hold none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.commands.drivers import LaneKeeper, make_driver, read_actions
from envs.reference.roadcam import RoadCamEnv
from worldsim.types import EGO_FIELDS, LABEL_FIELDS, LEAD_RANGE_M, CameraSpec

SMALL = {"front": CameraSpec.from_fov(32, 16)}


def info(**changes: float) -> dict[str, Any]:
    """``info`` of a steady drive in the middle of a free lane."""
    labels = dict.fromkeys(LABEL_FIELDS, 0.0) | {"lead_distance_m": LEAD_RANGE_M}
    ego = np.zeros(len(EGO_FIELDS), np.float32)
    ego[0] = changes.pop("speed", 20.0)
    motion = np.array([2.0, 0.0, changes.pop("yaw", 0.0), 20.0], np.float32)
    return {"labels": labels | changes, "ego": ego, "motion": motion}


def test_the_lane_keeper_corrects_towards_its_lane_and_keeps_its_distance() -> None:
    for name, value in (("lane_offset_m", 0.8), ("heading_error_rad", 0.1)):
        left, right = (LaneKeeper(20.0).act(info(**{name: sign * value})) for sign in (1, -1))
        assert left[0] < -0.01 and right[0] > 0.01
    assert LaneKeeper(20.0).act(info(speed=10.0))[1] > 0.1 > LaneKeeper(20.0).act(info())[1] > -0.1
    assert LaneKeeper(20.0).act(info(lead_distance_m=10.0, closing_speed_mps=5.0))[1] < -0.5


def test_the_lane_keeper_learns_the_bend_that_nobody_tells() -> None:
    driver = LaneKeeper(20.0)
    for _ in range(30):  # it turns left by 0.02 rad in 2 m and stays true to its lane
        steering = driver.act(info(yaw=0.02))[0]
    assert driver.keeping.curvature == pytest.approx(0.01, rel=0.02) and steering > 0.3


@pytest.mark.parametrize("scenario", ["curves", "two_way", "highway"])
def test_the_lane_keeper_stays_in_its_lane(scenario: str) -> None:
    env = RoadCamEnv(scenario, cameras=SMALL, traffic="none")
    _, seen = env.reset(seed=3)
    driver, offsets = LaneKeeper(env.scenario.target_speed_mps), []
    for _ in range(120):
        _, _, terminated, _, seen = env.step(driver.act(seen))
        assert not terminated
        offsets.append(abs(seen["labels"]["lane_offset_m"]))
    assert max(offsets) < 0.6


def test_drivers_by_name(tmp_path: Path) -> None:
    assert make_driver("left", 20.0).act(info())[0] > 0 > make_driver("right", 20.0).act(info())[0]
    with pytest.raises(ValueError, match=r"unknown driver .* 'keep-lane'.* did you mean 'keep_lane'"):
        make_driver("keep-lane", 20.0)
    path = tmp_path / "a.csv"
    path.write_text("steering,acceleration\n0.5,-1\n\n-0.25,0\n")
    driver = make_driver(f"actions={path}", 20.0)
    assert [driver.act(info()).tolist() for _ in range(3)] == [[0.5, -1.0], [-0.25, 0.0], [-0.25, 0.0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got none"),
        ("0,0\n0.1\n", r":2: expected steering,acceleration, got '0.1'"),
        ("0,x\n", r":1: expected steering,acceleration, got '0,x'"),
        ("0,1.5\n", r":1: expected values in \[-1, 1\], got 0,1.5"),
        ("nan,0\n", r":1: expected values in \[-1, 1\], got nan,0"),
    ],
)
def test_bad_actions_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_actions(tmp_path / "a.csv")
    with pytest.raises(ValueError, match="found none"):
        read_actions(tmp_path / "b.csv")
