"""The bicycle: signs, limits, exact composition, and batches."""

import numpy as np
import pytest

from envs import kinematics as kin


def drive(state: kin.EgoState, action: tuple[float, float], steps: int) -> tuple[kin.EgoState, np.ndarray, np.ndarray]:
    pose, motions = np.zeros(3), []
    for _ in range(steps):
        state, motion = kin.advance(state, action)
        motions.append(motion)
        pose = kin.compose(pose, motion)
    return state, pose, np.array(motions)


def test_left_steering_turns_left_and_right_mirrors_it() -> None:
    state, left, _ = drive(kin.EgoState.at_speed(10.0), (0.3, 0.0), 10)
    _, right, _ = drive(kin.EgoState.at_speed(10.0), (-0.3, 0.0), 10)
    assert left[1] > 0.5 and left[2] > 0.1 and state.yaw_rate > 0.1
    np.testing.assert_allclose(right, left * [1, -1, -1], atol=1e-6)


def test_composed_motion_equals_a_finely_integrated_bicycle() -> None:
    """The closed form against 2,000 Euler steps of the bicycle's equations."""
    wheel, speed, rate = 0.25, 8.0, 2.0
    distance, _ = kin.travelled_m(np.asarray(speed), np.asarray(rate), 1.0)
    forward, left, yaw = kin.arc(distance, wheel)
    x = y = heading = 0.0
    slip = float(kin.slip_rad(wheel))
    for k in range(2000):
        dt = 1.0 / 2000
        v = speed + rate * (k + 0.5) * dt
        middle = heading + 0.5 * v * np.sin(slip) / (kin.WHEELBASE_M / 2) * dt
        x, y = x + v * np.cos(middle + slip) * dt, y + v * np.sin(middle + slip) * dt
        heading += v * np.sin(slip) / (kin.WHEELBASE_M / 2) * dt
    np.testing.assert_allclose([forward, left, yaw], [x, y, heading], atol=1e-5)


def test_braking_stops_and_never_reverses() -> None:
    state, pose, motions = drive(kin.EgoState.at_speed(12.0), (0.0, -1.0), 40)
    assert state.speed == 0.0 and (motions[:, 0] >= 0).all()
    assert pose[0] == pytest.approx(12.0**2 / (2 * kin.MAX_BRAKING_MPS2), abs=1e-3)
    assert state.acceleration == 0.0, "a standing vehicle reports no acceleration although the pedal is down"


def test_speed_is_bounded() -> None:
    state, _, _ = drive(kin.EgoState.at_speed(38.0), (0.0, 1.0), 50)
    assert state.speed == kin.MAX_SPEED_MPS


@pytest.mark.parametrize("speed", [0.5, 3.0, 10.0, 25.0, 39.0])
def test_full_steering_stays_within_the_lateral_limit(speed: float) -> None:
    state, _, _ = drive(kin.EgoState.at_speed(speed), (1.0, 0.0), 10)
    assert abs(state.speed * state.yaw_rate) <= kin.MAX_LATERAL_MPS2 + 1e-6
    if speed > 10:
        assert abs(state.speed * state.yaw_rate) > 0.95 * kin.MAX_LATERAL_MPS2


def test_the_wheels_take_their_time() -> None:
    state = kin.EgoState.at_speed(10.0)
    state, _ = kin.advance(state, (-1.0, 0.0))
    assert state.steering == pytest.approx(-0.5)
    state, _ = kin.advance(state, (0.9, 0.0))
    assert state.steering == pytest.approx(0.0)


def test_curvature_and_steering_are_inverse() -> None:
    action = float(kin.steering_for_curvature(0.02, 12.0))
    state, _, _ = drive(kin.EgoState.at_speed(12.0), (action, 0.0), 10)
    assert state.yaw_rate / state.speed == pytest.approx(0.02, rel=1e-6)


def test_a_batch_equals_its_members() -> None:
    rng = np.random.default_rng(0)
    speeds, actions = rng.uniform(0, 40, 16), rng.uniform(-1, 1, (16, 2))
    batch, motions = kin.advance(kin.EgoState.at_speed(speeds), actions)
    assert motions.shape == (16, 4) and batch.array().shape == (16, 4)
    for i in range(16):
        alone, motion = kin.advance(kin.EgoState.at_speed(speeds[i]), actions[i])
        np.testing.assert_array_equal(motion, motions[i])
        np.testing.assert_array_equal(alone.array(), batch.array()[i])


def test_state_survives_the_observed_array() -> None:
    state, _ = kin.advance(kin.EgoState.at_speed(9.0), (0.4, 0.5))
    np.testing.assert_array_equal(kin.EgoState.from_array(state.array()).array(), state.array())
    with pytest.raises(ValueError, match="speed_mps"):
        kin.EgoState.from_array(np.zeros(3))


@pytest.mark.parametrize(("wheelbase", "speed"), [(0.26, 1.9), (2.8, 6.0), (4.5, 4.0)])
def test_the_wheelbase_of_a_log_is_found_again(wheelbase: float, speed: float) -> None:
    rng = np.random.default_rng(0)
    state, steering, motions = kin.EgoState.at_speed(speed), [], []
    for action in np.cumsum(rng.normal(0, 0.1, 60)):
        state, motion = kin.advance(state, (np.clip(action, -0.8, 0.8), 0.0), wheelbase)
        steering.append(state.steering)
        motions.append(motion)
    found = kin.fitted_wheelbase(np.array([*steering, np.nan]), np.array([*motions, np.full(4, np.nan)]))
    assert found == pytest.approx(wheelbase, rel=0.1)
    assert kin.fitted_wheelbase(steering[:10], motions[:10]) is None  # too few
    assert kin.fitted_wheelbase(steering[::-1], motions) is None  # the turning does not follow


def test_a_short_car_turns_tighter_and_each_drive_has_its_own() -> None:
    state, motion = kin.advance(kin.EgoState.at_speed([1.9, 1.9]), np.array([[0.5, 0.0]] * 2), [2.8, 0.28])
    assert motion[1, 2] == pytest.approx(10 * motion[0, 2], rel=0.3) and state.yaw_rate[1] > 5 * state.yaw_rate[0]
