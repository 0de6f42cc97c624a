"""No way of misbehaving pays: each earns less than keeping the lane at the target speed."""

from dataclasses import replace

import numpy as np
import pytest

from envs import rewards
from envs.kinematics import MAX_BRAKING_MPS2, STEP_S
from worldsim.types import LEAD_RANGE_M


def state(**changes: float) -> rewards.DriveState:
    values = dict(
        speed=20.0, acceleration=0.0, yaw_rate=0.0, steering=0.0, lane_offset=0.0, heading_error=0.0, offroad=0.0,
        collision=0.0, lead_distance=LEAD_RANGE_M, closing_speed=0.0, target_speed=20.0,
    )  # fmt: skip
    return rewards.DriveState(**{key: np.asarray(value) for key, value in (values | changes).items()})


def score(drive: rewards.DriveState) -> float:
    return float(rewards.total(rewards.terms(drive)))


LANE_KEEPING = state(lane_offset=0.3, heading_error=0.03, speed=18.0)

EXPLOITS = {
    "parked": [state(speed=0.0)],
    "parked beside the road's centre": [state(speed=0.0, lane_offset=1.0)],
    "creeping": [state(speed=2.0)],
    "spinning": [
        state(speed=6.0, yaw_rate=1.0, heading_error=angle, target_speed=20.0)
        for angle in np.linspace(-np.pi, np.pi, 33)
    ],
    "spinning where little is asked": [
        state(speed=6.0, yaw_rate=1.0, heading_error=angle, target_speed=6.0)
        for angle in np.linspace(-np.pi, np.pi, 33)
    ],
    "against the lane": [state(heading_error=np.pi)],
    "hugging the shoulder": [state(lane_offset=-1.9)],
    "straddling two lanes": [state(lane_offset=2.0)],
    "far too fast": [state(speed=30.0)],
    "tailgating": [state(lead_distance=4.0)],
    "closing in": [state(lead_distance=30.0, closing_speed=18.0)],
    "off the road": [state(offroad=1.0)],
    "in a crash": [state(collision=1.0)],
    "swerving": [state(heading_error=0.5 * sign, lane_offset=1.0, yaw_rate=0.3 * sign) for sign in (-1, 1)],
}


@pytest.mark.parametrize("exploit", EXPLOITS)
def test_misbehaving_earns_less_than_lane_keeping(exploit: str) -> None:
    assert np.mean([score(moment) for moment in EXPLOITS[exploit]]) < score(LANE_KEEPING) - 0.1


def test_standing_and_spinning_earn_nothing() -> None:
    for where in (state(speed=0.0), state(speed=0.0, lane_offset=1.7, heading_error=1.5, lead_distance=0.5)):
        assert score(where) == pytest.approx(0.0)
    assert np.mean([score(moment) for moment in EXPLOITS["spinning where little is asked"]]) < 0.0


def test_waiting_behind_a_standing_vehicle_is_not_punished() -> None:
    assert score(state(speed=0.0, lead_distance=3.0)) == pytest.approx(0.0)


@pytest.mark.parametrize("target_speed", [9.0, 16.0, 26.0])
@pytest.mark.parametrize("hazard", ["offroad", "collision"])
def test_an_end_costs_more_than_braking_to_a_stop_from_the_worst_of_states(hazard: str, target_speed: float) -> None:
    """So a policy that fears the future stops rather than crash. The state is held at its worst all the way."""
    end = score(state(speed=0.0, **{hazard: 1.0}))
    for heading_error in np.radians([0.0, 30.0, 60.0]):
        speeds = np.arange(target_speed, 0.0, -MAX_BRAKING_MPS2 * STEP_S)
        stopping = [
            state(
                speed=speed, acceleration=-MAX_BRAKING_MPS2, heading_error=heading_error, lane_offset=1.75,
                lead_distance=0.5, target_speed=target_speed,
            )
            for speed in speeds
        ]  # fmt: skip
        assert end < sum(map(score, stopping)), f"at {np.degrees(heading_error):.0f} degrees"


def test_faults_cost_by_the_way_driven_and_not_by_the_time() -> None:
    fault = dict(lane_offset=1.2, heading_error=0.2, lead_distance=4.0)
    slow, fast = (rewards.terms(state(speed=speed, **fault)) for speed in (2.0, 4.0))
    for name in ("lane_keeping", "heading"):
        assert fast[name] == pytest.approx(2 * slow[name]) and fast[name] < 0


def test_terms_are_named_bounded_and_summed_by_their_weights() -> None:
    rng = np.random.default_rng(0)
    shape = (200,)
    drive = rewards.DriveState(
        speed=rng.uniform(0, 40, shape), acceleration=rng.uniform(-8, 4, shape), yaw_rate=rng.uniform(-2, 2, shape),
        steering=rng.uniform(-1, 1, shape), lane_offset=rng.uniform(-9, 9, shape),
        heading_error=rng.uniform(-np.pi, np.pi, shape), offroad=rng.uniform(0, 1, shape),
        collision=rng.uniform(0, 1, shape), lead_distance=rng.uniform(0, 100, shape),
        closing_speed=rng.uniform(-20, 20, shape), target_speed=rng.uniform(1, 30, shape),
    )  # fmt: skip
    values = rewards.terms(drive)
    assert list(values) == list(rewards.WEIGHTS)
    for name, value in values.items():
        assert value.shape == shape and (value >= -1).all()
        assert (value <= (1 if name == "progress" else 0)).all()
    expected = sum(rewards.WEIGHTS[name] * value for name, value in values.items())
    np.testing.assert_allclose(rewards.total(values), expected)


def test_a_doubt_that_ends_nothing_costs_nothing() -> None:
    for hazard in ("offroad", "collision"):
        assert score(state(**{hazard: 0.49})) == score(state())
        assert score(state(**{hazard: 0.5})) < score(state()) - 10


@pytest.mark.parametrize(("offroad", "collision", "ends"), [(0.0, 0.0, False), (0.6, 0.0, True), (0.0, 0.5, True)])
def test_ends(offroad: float, collision: float, ends: bool) -> None:
    drive = replace(LANE_KEEPING, offroad=np.asarray(offroad), collision=np.asarray(collision))
    assert bool(rewards.ended(drive)) is ends
