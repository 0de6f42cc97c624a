"""What annotations say of a drive: the distance to the vehicle ahead, and how near anything came.

Axis legend: t frames, k keyframes of an object, p points of the path.

Annotations exist at keyframes (2 Hz); between two of the same object its box is interpolated, as the devkit does.
Nothing is said where no keyframe is near (MOST_AWAY_S). The lead is the next vehicle on the path that the ego went on
to drive, extended straight where the recording ends, so that it needs no map.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from worldsim.data.logs.ego_motion import Array, Signal, pose_signal
from worldsim.data.logs.rotation import yaw
from worldsim.types import LEAD_RANGE_M

LENGTH_M, WIDTH_M = 4.084, 1.730
"""The Renault Zoe's; its frame in the tables is the middle of the rear axle on the ground."""
AXLE_TO_CENTRE_M = 1.385
MOST_AWAY_S = 0.55
MARGIN_RANGE_M = 50.0


@dataclass(frozen=True)
class Track:
    """One annotated object: poses (k, 3) over time, its length and width, and whether it is a vehicle."""

    poses: Signal
    length_m: float
    width_m: float
    vehicle: bool


@dataclass(frozen=True)
class Annotations:
    """All objects of a scene, and the times (k,) of the keyframes that were annotated."""

    tracks: list[Track]
    keyframes: Array


def read_annotations(tables: Any, scene: dict[str, Any]) -> Annotations:
    """The objects of a scene. A version without annotations (v1.0-test) has no keyframes either."""
    rows: dict[str, list[tuple[float, dict[str, Any]]]] = {}
    times = []
    if tables.sample_annotation:
        token = scene["first_sample_token"]
        while token:
            sample = tables.get("sample", token)
            times.append(sample["timestamp"] * 1e-6)
            for annotation in (tables.get("sample_annotation", each) for each in sample["anns"]):
                rows.setdefault(annotation["instance_token"], []).append((times[-1], annotation))
            token = sample["next"]
    return Annotations([_track(each) for each in rows.values()], np.array(times))


def _track(rows: list[tuple[float, dict[str, Any]]]) -> Track:
    first = rows[0][1]
    poses = pose_signal(
        [time for time, _ in rows],
        [row["translation"][:2] for _, row in rows],
        [float(yaw(row["rotation"])) for _, row in rows],
    )
    width, length, _ = first["size"]
    return Track(poses, length, width, first["category_name"].startswith("vehicle."))


@dataclass(frozen=True)
class Traffic:
    """What is said of t frames; NaN where no annotation is near."""

    lead_distance_m: Array
    closing_speed_mps: Array
    collision: Array
    margin_m: Array


def traffic(found: Annotations, times: Array, poses: Array, speed: Array, ahead: Signal) -> Traffic:
    """Lead, contact and margin at frames of the ego's centre ``poses`` (t, 3); ``ahead`` is all of its drive."""
    t = len(times)
    lead, closing, margin = np.full(t, LEAD_RANGE_M), np.zeros(t), np.full(t, MARGIN_RANGE_M)
    where = [(track, track.poses.at(times), _velocity(track.poses, times)) for track in found.tracks]
    for i in range(t):
        path = _path(times[i], poses[i], ahead)
        for track, at, velocity in where:
            if np.isnan(at[i]).any() or np.hypot(*(at[i, :2] - poses[i, :2])) > 1.2 * LEAD_RANGE_M:
                continue
            corners = _corners(at[i], track.length_m, track.width_m)
            gap = _distance(_corners(poses[i], LENGTH_M, WIDTH_M), corners)
            margin[i] = min(margin[i], gap)
            if not track.vehicle:
                continue
            station = _rear_on(path, corners, at[i, :2])
            if station is not None and max(station - LENGTH_M / 2, 0.0) < lead[i]:
                lead[i] = max(station - LENGTH_M / 2, 0.0)
                closing[i] = speed[i] - velocity[i] @ _direction(path, station + LENGTH_M / 2)
    near = np.zeros(t, bool)
    if len(found.keyframes):
        near = np.abs(times[:, None] - found.keyframes).min(1) <= MOST_AWAY_S
    values = (lead, closing, (margin <= 0).astype(float), margin)
    return Traffic(*(np.where(near & ~np.isnan(poses[:, 0]), value, np.nan) for value in values))


def _velocity(poses: Signal, times: Array, around_s: float = 0.25) -> Array:
    """Velocity (t, 2) of an object in the world; zero for one that was seen once."""
    if len(poses.times) < 2:
        return np.zeros((len(times), 2))
    low, high = (np.clip(times + side, poses.times[0], poses.times[-1]) for side in (-around_s, around_s))
    span = np.maximum(high - low, 1e-6)[:, None]
    return np.nan_to_num((poses.at(high)[:, :2] - poses.at(low)[:, :2]) / span)


def _path(time: float, pose: Array, ahead: Signal) -> Array:
    """Points (p, 2) of the ego's own way from here, at least LEAD_RANGE_M long."""
    later = ahead.values[ahead.times > time, :2]
    points = [pose[:2]]
    for point in later:
        if np.hypot(*(point - points[-1])) > 0.5:
            points.append(point)
    heading = pose[2] if len(points) < 2 else np.arctan2(*(points[-1] - points[-2])[::-1])
    points.append(points[-1] + 1.3 * LEAD_RANGE_M * np.array([np.cos(heading), np.sin(heading)]))
    return np.stack(points)


def _rear_on(path: Array, corners: Array, centre: Array) -> float | None:
    """Distance along the path to an object's nearest part; None where it leaves the ego's width of the path free."""
    stations, offsets = _project(path, np.vstack([corners, centre]))
    low, high = offsets.min(), offsets.max()
    clear = low > WIDTH_M / 2 or high < -WIDTH_M / 2
    return None if clear or stations[-1] <= 0 else float(stations.min())


def _project(path: Array, points: Array) -> tuple[Array, Array]:
    """Station along the path and offset to its left of each point (n, 2); negative stations lie behind."""
    start, step = path[:-1], np.diff(path, axis=0)
    length = np.hypot(step[:, 0], step[:, 1])
    unit = step / length[:, None]
    to = points[:, None] - start
    along = (to * unit).sum(-1)
    low = np.where(np.arange(len(unit)) == 0, -np.inf, 0.0)
    held = np.clip(along, low, length)
    across = unit[:, 0] * to[..., 1] - unit[:, 1] * to[..., 0]
    away = np.hypot(across, along - held)
    best = away.argmin(1)
    rows = np.arange(len(points))
    before = np.concatenate([[0.0], np.cumsum(length)[:-1]])
    return before[best] + held[rows, best], across[rows, best]


def _direction(path: Array, station: float) -> Array:
    step = np.diff(path, axis=0)
    length = np.hypot(step[:, 0], step[:, 1])
    index = min(int(np.searchsorted(np.cumsum(length), station)), len(step) - 1)
    return np.asarray(step[index] / length[index])


def _corners(pose: Array, length: float, width: float) -> Array:
    cosine, sine = np.cos(pose[2]), np.sin(pose[2])
    box = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]]) * (length / 2, width / 2)
    return box @ np.array([[cosine, sine], [-sine, cosine]]) + pose[:2]


def _distance(a: Array, b: Array) -> float:
    """Least distance between two rectangles (4, 2); 0 where they overlap."""
    if _overlap(a, b):
        return 0.0
    return min(_to_edges(point, box) for point, box in itertools.chain(((p, b) for p in a), ((p, a) for p in b)))


def _overlap(a: Array, b: Array) -> bool:
    """Separating axes of two rectangles."""
    for box in (a, b):
        for edge in (box[1] - box[0], box[2] - box[1]):
            first, second = a @ edge, b @ edge
            if first.max() < second.min() or second.max() < first.min():
                return False
    return True


def _to_edges(point: Array, box: Array) -> float:
    start, step = box, np.roll(box, -1, 0) - box
    share = np.clip(((point - start) * step).sum(-1) / (step**2).sum(-1), 0.0, 1.0)
    return float(np.hypot(*(start + share[:, None] * step - point).T).min())
