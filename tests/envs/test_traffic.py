"""What is skipped in the search for lanes and contacts changes no answer."""

import math

import gymnasium as gym
import numpy as np
import pytest

import envs  # noqa: F401
from envs.reference import truth
from envs.reference.lanes import LaneNetwork, station_on
from envs.reference.roadcam import RoadCamEnv

ROADS = ("highway", "racetrack", "roundabout", "intersection", "merge")


@pytest.fixture(scope="module", params=ROADS)
def world(request: pytest.FixtureRequest) -> RoadCamEnv:
    """A drive under way among others."""
    env = gym.make("envs:worldsim/RoadCam-v0", scenario=request.param, traffic="heavy").unwrapped
    assert isinstance(env, RoadCamEnv)
    env.reset(seed=11)
    for _ in range(10):
        env.step(np.array([0.0, 0.3]))
    return env


def around(env: RoadCamEnv, count: int) -> np.ndarray:
    """Places (count, 2) near the ego and places all over its roads."""
    rng = np.random.default_rng(3)
    network: LaneNetwork = env.road.network
    points = np.concatenate([lane.points for lane in network.lanes])
    return points[rng.integers(len(points), size=count)] + rng.normal(0.0, 6.0, (count, 2))


def test_the_closest_lane_is_that_of_a_search_through_all(world: RoadCamEnv) -> None:
    network = world.road.network
    rng = np.random.default_rng(4)
    for place in around(world, 300):
        heading = float(rng.uniform(-math.pi, math.pi))
        found = network.get_lane(network.get_closest_lane_index(place, heading))
        lanes = [network.lanes[i] for i in network.near(place)] or network.lanes
        wanted = min(lane.distance_with_heading(place, heading) for lane in lanes)
        assert found.distance_with_heading(place, heading) == wanted


def test_whoever_is_on_a_path_is_found_there(world: RoadCamEnv) -> None:
    """``station_on`` skips lanes by their box; the lanes themselves say who lies on them."""
    hits = 0
    for vehicle in world.traffic.others:
        for place in around(world, 100):
            on = [
                (offset, lane.local_coordinates(place))
                for lane, offset in vehicle.path
                if (-math.inf if offset == 0 else -0.01) <= lane.local_coordinates(place)[0] <= lane.length + 0.01
                and abs(lane.local_coordinates(place)[1]) <= lane.width / 2 + 1.0
            ]
            found = station_on(vehicle.path, place, 1.0)
            assert (found is None) == (not on)
            if found is not None:
                hits += 1
                assert found[:2] == (on[0][0] + on[0][1][0], on[0][1][1])
    assert hits > 3


def test_pairs_that_touch_are_among_those_that_are_looked_at(world: RoadCamEnv) -> None:
    """highway-env's own check of every pair finds nobody beside them."""
    road = world.traffic.world
    crowd = road.vehicles
    places = [vehicle.position for vehicle in crowd]
    rng = np.random.default_rng(5)
    touched = 0
    for _ in range(40):
        for vehicle in crowd:
            vehicle.position = crowd[0].pose[:2] + rng.normal(0.0, 12.0, 2)
        close = set(road._close_pairs(0.05))
        for i, one in enumerate(crowd):
            for j in range(i + 1, len(crowd)):
                now, soon, _ = one._is_colliding(crowd[j], 0.05)
                touched += bool(now or soon)
                assert not (now or soon) or (i, j) in close
    for vehicle, place in zip(crowd, places, strict=True):
        vehicle.position = place
    assert touched > 5


def test_no_part_of_a_vehicle_on_a_path_is_overlooked(world: RoadCamEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick look at a vehicle's middle rules out no vehicle whose corners are on the path."""
    rng = np.random.default_rng(6)
    cases = []
    for other in world.traffic.others:
        before = other.position, other.heading
        for place in around(world, 60):
            other.position, other.heading = place, float(rng.uniform(-math.pi, math.pi))
            cases.append((other, place, other.heading, truth._rear_on(world.truth.path, other)))
        other.position, other.heading = before
    monkeypatch.setattr(truth, "_may_reach", lambda lane, other: True)
    for other, place, heading, found in cases:
        before = other.position, other.heading
        other.position, other.heading = place, heading
        assert truth._rear_on(world.truth.path, other) == found
        other.position, other.heading = before
    assert any(found is not None for *_, found in cases)


def test_a_step_that_nobody_sees_is_a_step() -> None:
    seen, unseen = (RoadCamEnv("roundabout", max_steps=30) for _ in range(2))
    seen.reset(seed=5)
    unseen.reset(seed=5)
    action = np.array([0.1, 0.4])
    for step in range(30):
        expected, reward, _, over, info = seen.step(action)
        if step < 29:
            assert unseen.skip(action) is over is False
    observation, again, _, over, told = unseen.step(action)
    assert np.array_equal(observation["camera"], expected["camera"])
    assert (again, over, told["labels"]) == (reward, True, info["labels"])


def test_a_step_that_nobody_sees_needs_a_reset_too() -> None:
    with pytest.raises(gym.error.ResetNeeded):
        RoadCamEnv("highway").skip(np.zeros(2))
