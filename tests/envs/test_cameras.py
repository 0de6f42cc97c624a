"""The cameras of a scenario: what may be said, how they are mounted, and that all of them see the same drive."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.cameras import MOUNTINGS, Camera, missing, read_cameras, specs
from envs.reference.camera.ego_camera import EgoCamera
from envs.reference.roadcam import RoadCamEnv
from envs.scenario import Scenario, load_scenario
from envs.scenario_files import write_scenario
from tests.worldsim.worlds import CAMERAS, tiny_world
from worldsim.types import CameraSpec

from .learned_worlds import drive

STILL = np.zeros(2, np.float32)
FOUR = ["front", "left", "right", "rear"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cameras: [front, raer]", r"`cameras`: camera 'raer': expected one of \['front'.*did you mean 'rear'"),
        ("cameras: [front, front]", r"every camera once"),
        ("cameras: 4", r"expected names such as"),
        ("cameras: {roof: {}}", r"camera 'roof'.*with at least one of"),
        ("cameras: {front: {fov_deg: 90}}", r"unknown key `fov_deg`.*did you mean 'hfov_deg'"),
        ("cameras: {front: {hfov_deg: 400}}", r"`hfov_deg`: expected a number in \[10, 150\], got 400"),
        ("cameras: {front: {pitch_deg: {min: 9, max: 3}}}", r"`pitch_deg`.*min is not above its max"),
        ("cameras: [all]", r"a camera's name"),
        ("cameras: {Roof+1: {up_m: 2}}", r"a camera's name"),
        ("shots: [front, rear]", r"`shots`: shot 2: expected one of the cameras \['front', 'all'\], got 'rear'"),
        ("cameras: [front, rear]\nshots: [front, reer]", r"did you mean 'rear'"),
        ("shots: [{camera: front, at_s: 2}]", r"shot 1: key `at_s`: expected 0"),
        ("shots: [{camera: front, at_s: 0}, {camera: all, at_s: 0}]", r"shot 2: key `at_s`: expected a time after"),
        ("shots: [{camera: front, at_s: 0}, {camera: all, at_s: 61}]", r"shot 2: key `at_s`: expected a number in"),
        ("shots: [{camera: front, at_s: 0}, all]", r"in every shot or in none"),
        ("shots: [{view: front}]", r"the keys camera and at_s"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as raised:
        load_scenario(path)
    assert "mine.yaml" in str(raised.value)


def test_the_four_see_all_around_without_a_gap() -> None:
    """And the front is the camera that worlds of one view are trained with."""
    assert specs(()) == {"front": CameraSpec()} == specs([Camera("front")])
    ends = []
    for spec in specs(read_cameras(FOUR)).values():
        half = math.degrees(math.atan(spec.width / 2 / spec.fx))
        middle = math.degrees(spec.yaw_rad)
        ends.append((middle - half, middle + half))
    covered = sorted((low % 360, high % 360) for low, high in ends)
    lows, highs = sorted(low for low, _ in covered), sorted(high for _, high in covered)
    assert np.allclose(lows, highs, atol=0.01)


def test_chance_mounts_cameras_and_leaves_the_scene_alone(tmp_path: Path) -> None:
    plain = load_scenario("any")
    wide = replace(plain, cameras={"front": {"hfov_deg": {"min": 60, "max": 100}}, "roof": {"up_m": [2.5, 3.0]}})
    for seed in range(4):
        one, other = (each.concretise(np.random.default_rng(seed)) for each in (plain, wide))
        assert replace(other, cameras=()) == one and other.is_concrete
        assert other == wide.concretise(np.random.default_rng(seed))
        assert load_scenario(write_scenario(other, tmp_path / f"{other.name}.yaml")) == other
    film = load_scenario("crossroads_film")
    assert load_scenario(write_scenario(film, tmp_path / "crossroads_film.yaml")) == film and not film.is_concrete
    drawn = {wide.concretise(np.random.default_rng(seed)).cameras for seed in range(8)}
    assert len(drawn) == 8
    env = RoadCamEnv(wide, size=(16, 32))
    seen = []
    for seed in (0, 1, 0):
        observation, info = env.reset(seed=seed)
        assert env.observation_space.contains(observation) and not info["cameras_missing"]
        seen.append((dict(env.cameras), observation["camera_roof"]))
    assert seen[0][0] == seen[2][0] != seen[1][0] and np.array_equal(seen[0][1], seen[2][1])


def test_the_scenario_decides_what_roadcam_looks_through() -> None:
    env = RoadCamEnv(Scenario(cameras=FOUR), size=(32, 64))
    assert list(env.cameras) == FOUR and env.observation_space["camera_rear"].shape == (32, 64, 3)
    observation, info = env.reset(seed=3)
    alone, _ = RoadCamEnv(Scenario(), cameras={"front": CameraSpec().resized(64, 32)}).reset(seed=3)
    assert np.array_equal(observation["camera"], alone["camera"]), "further cameras change nothing"
    assert info["cameras_missing"] == []
    # what was settled when the env was made stays; what is not there is said
    observation, info = env.reset(
        options={"scenario": Scenario(cameras={"front": {"hfov_deg": 90}, "roof": {"up_m": 3}})}
    )
    assert set(observation) == set(env.observation_space) and info["cameras_missing"] == ["roof"]
    assert env.cameras["front"] == CameraSpec.from_fov(64, 32, 90.0)
    env.reset(options={"scenario": "highway"})
    assert env.cameras["front"] == CameraSpec().resized(64, 32)
    told = RoadCamEnv("all_around", cameras={"front": CameraSpec.from_fov(32, 16)})
    assert told.reset(seed=0)[1]["cameras_missing"] == ["left", "right", "rear"]
    with pytest.raises(ValueError, match="size: expected none beside cameras"):
        RoadCamEnv(cameras={"front": CameraSpec()}, size=(32, 64))


def test_what_is_mounted_elsewhere_is_missing() -> None:
    shown = {"front": CameraSpec(), "rear": replace(MOUNTINGS["rear"], yaw_rad=-math.pi)}
    assert missing(read_cameras(["front", "rear", "left"]), shown) == ["left"]
    assert missing(read_cameras({"front": {"hfov_deg": 70.2, "up_m": 1.4}}), shown) == []
    assert missing(read_cameras({"front": {"hfov_deg": {"min": 60, "max": 80}}}), shown) == []
    for said in ({"hfov_deg": 90}, {"yaw_deg": 5}, {"up_m": 2.0}, {"roll_deg": 3}):
        assert missing(read_cameras({"front": said}), shown) == ["front"]
    assert missing(read_cameras({"rear": {"yaw_deg": 180}}), shown) == [], "half a turn to either side is one"


def test_all_cameras_see_the_same_cars() -> None:
    """Each box of each camera is a vehicle of the one world, where that camera must see it; one passes three."""
    env = RoadCamEnv("all_around", grace_steps=None)
    eyes = {name: EgoCamera(spec) for name, spec in env.cameras.items()}
    env.reset(seed=1)
    in_front_of: dict[str, set[int]] = {name: set() for name in FOUR}
    for _ in range(60):
        scene = env.scene()
        turned = np.array([[math.cos(scene.yaw), -math.sin(scene.yaw)], [math.sin(scene.yaw), math.cos(scene.yaw)]])
        places = np.array([(v.x - scene.x, v.y - scene.y) for v in scene.vehicles]) @ turned
        names = [id(each) for each in env.traffic.others]
        for name, eye in eyes.items():
            spec = eye.spec
            away = places - spec.position_m[:2]
            bearing = np.arctan2(away[:, 1], away[:, 0]) - spec.yaw_rad
            for left, _, right, _, distance in eye.boxes(scene):
                far = np.abs(np.hypot(*away.T) - distance)
                nearest = int(far.argmin())
                assert far[nearest] < 0.05
                in_front_of[name].add(names[nearest])
                if left > 1 and right < spec.width - 1:  # in view as a whole
                    assert left < spec.cx - spec.fx * math.tan(bearing[nearest]) < right
        env.step(np.array([0.0, -0.05], np.float32))
    assert in_front_of["rear"] & in_front_of["left"] & in_front_of["front"], "one vehicle was in all three"


def test_a_learned_world_says_which_cameras_it_lacks() -> None:
    env = drive(scenario=load_scenario("all_around"), start="imagine")
    assert env.reset(seed=0)[1]["cameras_missing"] == ["left", "right", "rear"]
    assert env.step(STILL)[4]["cameras_missing"] == ["left", "right", "rear"]
    state = env.save_state()
    assert env.reset(options={"state": state})[1]["cameras_missing"] == ["left", "right", "rear"]
    two = drive(scenario=load_scenario("all_around"), start="imagine", world=tiny_world(cameras=CAMERAS), starts=None)
    assert two.reset(seed=0)[1]["cameras_missing"] == ["right", "rear"]
    wide: Any = Scenario(cameras={"front": {"hfov_deg": 120}})
    assert drive(scenario=wide, start="imagine").reset(seed=0)[1]["cameras_missing"] == ["front"]
