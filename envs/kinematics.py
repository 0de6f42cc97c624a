"""From the driver's action to ego motion: one kinematic bicycle for the reference world and the learned one.

Axis legend: ... any batch shape. Frame: x forward, y left, yaw and steering positive to the left.

The model is the bicycle about the vehicle's centre (Polack et al. 2017, "The kinematic bicycle model", eq. 1, which
highway-env uses too). Over one step the wheel angle is constant, so the centre moves on a circle and the motion has a
closed form: it is exact for any speed profile within the step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worldsim.types import EGO_FIELDS, FRAME_RATE_HZ, FloatArray

Array = npt.NDArray[np.float64]

STEP_S = 1.0 / FRAME_RATE_HZ
WHEELBASE_M = 2.8
MAX_WHEEL_RAD = 0.6
MAX_LATERAL_MPS2 = 6.0  # full steering never asks for more than this, at any speed
MAX_ACCELERATION_MPS2 = 4.0
MAX_BRAKING_MPS2 = 8.0
MAX_SPEED_MPS = 40.0
STEERING_RATE_PER_S = 5.0  # from full right to full left in 0.4 s


@dataclass(frozen=True)
class EgoState:
    """Ego state in the order of ``EGO_FIELDS``; every value is an array (...).

    ``steering`` is the last steering action in [-1, 1] after the rate limit, so these four numbers are the whole
    state of the vehicle apart from its pose.
    """

    speed: Array
    yaw_rate: Array
    acceleration: Array
    steering: Array

    @classmethod
    def at_speed(cls, speed_mps: npt.ArrayLike) -> EgoState:
        """Driving straight on at a steady speed."""
        speed = np.asarray(speed_mps, dtype=np.float64)
        return cls(speed, np.zeros_like(speed), np.zeros_like(speed), np.zeros_like(speed))

    @classmethod
    def from_array(cls, ego: npt.ArrayLike) -> EgoState:
        """From (..., len(EGO_FIELDS)), as observed or recorded."""
        ego = np.asarray(ego, dtype=np.float64)
        if ego.shape[-1:] != (len(EGO_FIELDS),):
            raise ValueError(f"EgoState: expected (..., {len(EGO_FIELDS)}) in the order {EGO_FIELDS}, got {ego.shape}")
        return cls(*np.moveaxis(ego, -1, 0))

    def array(self) -> FloatArray:
        """(..., len(EGO_FIELDS)) float32."""
        return np.stack([self.speed, self.yaw_rate, self.acceleration, self.steering], axis=-1).astype(np.float32)


def max_wheel_rad(speed_mps: npt.ArrayLike, wheelbase_m: npt.ArrayLike = WHEELBASE_M) -> Array:
    """Wheel angle (...) of full steering: 0.6 rad, less where that would exceed the lateral acceleration allowed."""
    speed = np.asarray(speed_mps, dtype=np.float64)
    curvature = MAX_LATERAL_MPS2 / np.maximum(speed, 1e-3) ** 2
    slip = np.arcsin(np.minimum(curvature * np.asarray(wheelbase_m) / 2, 0.99))
    return np.minimum(np.arctan(2 * np.tan(slip)), MAX_WHEEL_RAD)


def slip_rad(wheel_rad: npt.ArrayLike) -> Array:
    """Angle (...) between the heading and the velocity of the centre."""
    return np.asarray(np.arctan(0.5 * np.tan(wheel_rad)))


def steering_for_curvature(curvature: npt.ArrayLike, speed_mps: npt.ArrayLike) -> Array:
    """The steering action (...) in [-1, 1] that drives a circle of ``curvature`` (1/m, left positive)."""
    slip = np.arcsin(np.clip(np.asarray(curvature, dtype=np.float64) * WHEELBASE_M / 2, -0.9, 0.9))
    return np.clip(np.arctan(2 * np.tan(slip)) / max_wheel_rad(speed_mps), -1.0, 1.0)


def arc(
    distance_m: npt.ArrayLike, wheel_rad: npt.ArrayLike, wheelbase_m: npt.ArrayLike = WHEELBASE_M
) -> tuple[Array, Array, Array]:
    """(forward, left, yaw), each (...), after driving ``distance_m`` with the wheels held at ``wheel_rad``."""
    distance, slip = np.asarray(distance_m, dtype=np.float64), slip_rad(wheel_rad)
    yaw = np.sin(slip) / (np.asarray(wheelbase_m) / 2) * distance
    chord = distance * np.sinc(yaw / (2 * np.pi))  # numpy's sinc is sin(pi x) / (pi x)
    return chord * np.cos(slip + yaw / 2), chord * np.sin(slip + yaw / 2), yaw


def travelled_m(speed: Array, acceleration: Array, seconds: float) -> tuple[Array, Array]:
    """Distance and final speed (...) after ``seconds``; the speed stays within [0, MAX_SPEED_MPS]."""
    final = np.clip(speed + acceleration * seconds, 0.0, MAX_SPEED_MPS)
    rate = np.where(np.abs(acceleration) < 1e-9, 1.0, acceleration)
    changing = np.clip(np.where(np.abs(acceleration) < 1e-9, seconds, (final - speed) / rate), 0.0, seconds)
    return 0.5 * (speed + final) * changing + final * (seconds - changing), final


@dataclass(frozen=True)
class Controls:
    """What one action makes the vehicle do over a step: values (...)."""

    steering: Array
    wheel_rad: Array
    acceleration_mps2: Array


def controls(state: EgoState, action: npt.ArrayLike, wheelbase_m: npt.ArrayLike = WHEELBASE_M) -> Controls:
    """Scale an action (..., 2) of steering and acceleration in [-1, 1] and limit how fast the wheels turn."""
    action = np.asarray(action, dtype=np.float64)
    reach = STEERING_RATE_PER_S * STEP_S
    steering = state.steering + np.clip(action[..., 0] - state.steering, -reach, reach)
    pedal = action[..., 1]
    acceleration = np.where(pedal >= 0, pedal * MAX_ACCELERATION_MPS2, pedal * MAX_BRAKING_MPS2)
    fastest = np.clip(np.maximum(state.speed, state.speed + acceleration * STEP_S), 0.0, MAX_SPEED_MPS)
    return Controls(steering, steering * max_wheel_rad(fastest, wheelbase_m), acceleration)


def advance(
    state: EgoState, action: npt.ArrayLike, wheelbase_m: npt.ArrayLike = WHEELBASE_M
) -> tuple[EgoState, FloatArray]:
    """One step: the new state, and the motion (..., len(MOTION_FIELDS)) float32 that led there.

    ``state`` holds arrays (...), ``action`` is (..., 2) in [-1, 1]: steering, longitudinal acceleration (1 is
    4 m/s^2, -1 brakes with 8 m/s^2; braking stops at standstill). ``wheelbase_m`` (...) is the vehicle's.
    """
    taken = controls(state, action, wheelbase_m)
    distance, speed = travelled_m(state.speed, taken.acceleration_mps2, STEP_S)
    forward, left, yaw = arc(distance, taken.wheel_rad, wheelbase_m)
    yaw_rate = np.sin(slip_rad(taken.wheel_rad)) / (np.asarray(wheelbase_m) / 2) * speed
    motion = np.stack([forward, left, yaw, speed], axis=-1).astype(np.float32)
    return EgoState(speed, yaw_rate, (speed - state.speed) / STEP_S, taken.steering), motion


WHEELBASES_M = np.geomspace(0.1, 10.0, 200)
"""What ``fitted_wheelbase`` chooses from."""
LEAST_STEPS, LEAST_CORRELATION = 20, 0.5


def fitted_wheelbase(steering: npt.ArrayLike, motion: npt.ArrayLike) -> float | None:
    """The wheelbase with which steering (t,) in [-1, 1] turns as a log's motion (t, >= 4) did; NaN is not known.

    A log seldom tells full lock and wheelbase, and a 1/10-scale car turns tenfold. Of those that fit about as well it
    is the one nearest to the usual; None where too few steps are known, or the turning does not follow the steering.
    """
    steering, motion = np.asarray(steering, dtype=np.float64), np.asarray(motion, dtype=np.float64)
    known = np.isfinite(steering) & np.isfinite(motion[:, :4]).all(-1)
    wheel, (forward, left, yaw, speed) = steering[known], motion[known, :4].T
    if len(wheel) < LEAST_STEPS or wheel.std() == 0 or yaw.std() == 0:
        return None
    if np.corrcoef(wheel, yaw)[0, 1] < LEAST_CORRELATION:
        return None
    base = WHEELBASES_M[:, None]
    turned = arc(np.hypot(forward, left), wheel * max_wheel_rad(speed, base), base)[2]
    error = np.square(turned - yaw).mean(1)
    good = WHEELBASES_M[error <= 1.02 * error.min()]
    return float(good[np.abs(np.log(good / WHEELBASE_M)).argmin()])


def compose(pose: npt.ArrayLike, motion: npt.ArrayLike) -> Array:
    """The pose (..., 3) of x, y, yaw after a motion (..., >= 3); yaw is wrapped to [-pi, pi)."""
    pose = np.asarray(pose, dtype=np.float64)
    motion = np.asarray(motion, dtype=np.float64)
    cosine, sine = np.cos(pose[..., 2]), np.sin(pose[..., 2])
    x = pose[..., 0] + cosine * motion[..., 0] - sine * motion[..., 1]
    y = pose[..., 1] + sine * motion[..., 0] + cosine * motion[..., 1]
    return np.stack([x, y, wrap(pose[..., 2] + motion[..., 2])], axis=-1)


def wrap(angle_rad: npt.ArrayLike) -> Array:
    """Angles (...) in [-pi, pi)."""
    return np.asarray((np.asarray(angle_rad) + np.pi) % (2 * np.pi) - np.pi)
