"""Ego motion and state at the frames of a camera, from poses and signals that have clocks of their own.

Axis legend: t frames, k poses or samples of a signal. x forward, y left, yaw to the left; all times in seconds.

Nothing is extrapolated: outside of a signal, or within a gap longer than MOST_GAP_S, values are NaN. Speed and yaw rate
that no sensor measured are derived from the poses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worldsim.types import EGO_FIELDS, FloatArray

Array = npt.NDArray[np.float64]

MOST_GAP_S = 0.6
MOST_SPEED_MPS = 70.0
MOST_YAW_RATE_RADPS = 3.0
_CLOSE_S = 0.05  # half the interval over which poses are differentiated


@dataclass(frozen=True)
class Signal:
    """Values (k,) or (k, n) at increasing times (k,)."""

    times: Array
    values: Array

    def at(self, times: Array) -> Array:
        """Linear interpolation at ``times`` (t,): (t,) or (t, n); NaN outside and in gaps."""
        values = np.asarray(self.values, np.float64)
        columns = values.reshape(len(values), -1).T
        if len(self.times) == 0:
            return np.full((len(times), *values.shape[1:]), np.nan)
        found = np.stack([np.interp(times, self.times, column, np.nan, np.nan) for column in columns], -1)
        after = np.clip(np.searchsorted(self.times, times), 1, max(len(self.times) - 1, 1))
        before = np.maximum(after - 1, 0)
        after = np.minimum(after, len(self.times) - 1)
        exact = (self.times[before] == times) | (self.times[after] == times)
        found[(self.times[after] - self.times[before] > MOST_GAP_S) & ~exact] = np.nan
        return found.reshape(len(times), *values.shape[1:])

    def shifted(self, seconds: float) -> Signal:
        """The same signal on a clock that is ``seconds`` later."""
        return Signal(self.times + seconds, self.values)


def pose_signal(times: npt.ArrayLike, xy: npt.ArrayLike, yaw: npt.ArrayLike) -> Signal:
    """Poses (k, 3) of x, y and unwrapped yaw, sorted, each time once."""
    moments, first = np.unique(np.asarray(times, np.float64), return_index=True)
    poses = np.column_stack([np.asarray(xy, np.float64)[first], np.unwrap(np.asarray(yaw, np.float64)[first])])
    return Signal(moments, poses)


def relative(start: Array, end: Array) -> Array:
    """Motion (t, 3) of forward, left, yaw from poses ``start`` to ``end`` (t, 3), in the frame of the start."""
    delta = end - start
    cosine, sine = np.cos(start[:, 2]), np.sin(start[:, 2])
    forward, left = cosine * delta[:, 0] + sine * delta[:, 1], cosine * delta[:, 1] - sine * delta[:, 0]
    return np.stack([forward, left, delta[:, 2]], -1)


@dataclass(frozen=True)
class Drive:
    """What is known of the ego at ``t`` frames: motion (t, 4), ego (t, 4), pose (t, 3), as in an Episode."""

    motion: FloatArray
    ego: FloatArray
    pose: FloatArray


def drive(times: Array, poses: Signal | None, signals: Mapping[str, Signal]) -> Drive:
    """The ego at frames that were taken at ``times`` (t,).

    ``signals`` may hold any of EGO_FIELDS; without poses the motion is integrated from speed and yaw rate.
    """
    pose = np.full((len(times), 3), np.nan) if poses is None else poses.at(times)
    known = {name: signal.at(times) for name, signal in signals.items()}
    if poses is None:
        steps = _integrated(times, signals)
    else:
        around = relative(_within(poses, times - _CLOSE_S), _within(poses, times + _CLOSE_S))
        span = np.diff(np.stack([_clip(poses, times - _CLOSE_S), _clip(poses, times + _CLOSE_S)]), axis=0)[0]
        span = np.where(span > 0, span, np.nan)
        speed = np.hypot(around[:, 0], around[:, 1]) * np.sign(around[:, 0]) / span
        for name, derived in (("speed_mps", speed), ("yaw_rate_radps", around[:, 2] / span)):
            measured = known.get(name, np.full(len(times), np.nan))
            known[name] = np.where(np.isnan(measured), derived, measured)
        steps = relative(pose[:-1], pose[1:])
    if "acceleration_mps2" not in known and "speed_mps" in known and len(times) > 1:
        known["acceleration_mps2"] = np.gradient(known["speed_mps"], times)
    nothing = np.full(len(times), np.nan)
    ego = np.stack([known.get(name, nothing) for name in EGO_FIELDS], -1)
    motion = np.full((len(times), 4), np.nan)
    motion[:-1, :3], motion[:-1, 3] = steps, ego[1:, 0]
    return Drive(motion.astype(np.float32), ego.astype(np.float32), pose.astype(np.float32))


def absurd(times: Array, found: Drive) -> npt.NDArray[np.bool_]:
    """Which steps (t - 1,) no road vehicle can make: jumps, speeds and turns beyond any car's."""
    seconds = np.diff(times)
    with np.errstate(invalid="ignore"):
        far = np.hypot(found.motion[:-1, 0], found.motion[:-1, 1]) > MOST_SPEED_MPS * seconds
        spun = np.abs(found.motion[:-1, 2]) > MOST_YAW_RATE_RADPS * seconds
        fast = (np.abs(found.ego[:, :2]) > (MOST_SPEED_MPS, MOST_YAW_RATE_RADPS)).any(-1)
    return np.asarray(far | spun | fast[:-1] | fast[1:])


def _clip(poses: Signal, times: Array) -> Array:
    return np.clip(times, poses.times[0], poses.times[-1])


def _within(poses: Signal, times: Array) -> Array:
    return poses.at(_clip(poses, times))


def _integrated(times: Array, signals: Mapping[str, Signal], substeps: int = 10) -> Array:
    """Motion (t - 1, 3) on arcs of many short steps; NaN where speed or yaw rate is not known."""
    unknown = np.full((max(len(times) - 1, 0), 3), np.nan)
    if "speed_mps" not in signals or "yaw_rate_radps" not in signals or len(times) < 2:
        return unknown
    share = (np.arange(substeps) + 0.5) / substeps
    moments = (times[:-1, None] + np.diff(times)[:, None] * share).ravel()
    speed, rate = (signals[name].at(moments).reshape(-1, substeps) for name in ("speed_mps", "yaw_rate_radps"))
    short = np.diff(times)[:, None] / substeps
    yaw = np.cumsum(rate * short, -1)
    heading = yaw - rate * short / 2
    forward, left = (speed * short * np.cos(heading)).sum(-1), (speed * short * np.sin(heading)).sum(-1)
    return np.stack([forward, left, yaw[:, -1]], -1)


def dead_reckoned(motion: npt.NDArray[np.floating], start: npt.ArrayLike = (0.0, 0.0, 0.0)) -> Array:
    """Poses (t + 1, 3) after each of the motions (t, >= 3), from ``start`` on."""
    pose = np.asarray(start, np.float64)
    poses = [pose]
    for forward, left, yaw in np.asarray(motion, np.float64)[:, :3]:
        cosine, sine = np.cos(pose[2]), np.sin(pose[2])
        pose = pose + np.array([cosine * forward - sine * left, sine * forward + cosine * left, yaw])
        poses.append(pose)
    return np.stack(poses)
