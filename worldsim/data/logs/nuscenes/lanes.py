"""What the map expansion says of a drive: the offset from the lane, its neighbours, and whether this is a road at all.

Axis legend: t frames, p points of all lane centres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from worldsim.data.logs.ego_motion import Array

RESOLUTION_M = 0.5
NEAR_M = 3.0  # farther from any centre the ego is in no lane
SAME_WAY_RAD = 0.6
BESIDE_M = (2.0, 5.0)


@dataclass(frozen=True)
class Lanes:
    """Centres of all lanes and lane connectors of a map: points (p, 3) of x, y, heading, and their lane (p,)."""

    points: Array
    lane: Array
    surface: Any  # the drivable area, of shapely


@dataclass(frozen=True)
class LaneLabels:
    """Labels (t,) of the map; NaN where the ego is in no lane (offroad: never, where the pose is known)."""

    lane_offset_m: Array
    heading_error_rad: Array
    offroad: Array
    lane_left: Array
    lane_right: Array


def read_lanes(found: Any) -> Lanes:
    """The lanes and the drivable area of a devkit's NuScenesMap."""
    import shapely  # comes with the devkit

    tokens = [record["token"] for layer in (found.lane, found.lane_connector) for record in layer]
    parts = [np.asarray(part, float) for part in found.discretize_lanes(tokens, RESOLUTION_M).values()]
    points = [part.reshape(-1, 3) for part in parts]
    lane = np.repeat(np.arange(len(points)), [len(part) for part in points])
    areas = [found.extract_polygon(token) for record in found.drivable_area for token in record["polygon_tokens"]]
    surface = shapely.union_all(areas)
    shapely.prepare(surface)
    return Lanes(np.concatenate(points) if points else np.empty((0, 3)), lane, surface)


def lane_labels(lanes: Lanes, poses: Array) -> LaneLabels:
    """Labels at poses (t, 3) of the ego's centre, from the nearest lane that goes its way."""
    import shapely

    t = len(poses)
    offset, error, left, right = (np.full(t, np.nan) for _ in range(4))
    known = ~np.isnan(poses).any(1)
    for i in np.flatnonzero(known):
        x, y, yaw = poses[i]
        near = np.flatnonzero((np.abs(lanes.points[:, :2] - (x, y)) < 8.0).all(1))
        near = near[np.abs(wrap(lanes.points[near, 2] - yaw)) < SAME_WAY_RAD]
        if not len(near):
            continue
        to = np.array([x, y]) - lanes.points[near, :2]
        heading = lanes.points[near, 2]
        along = np.cos(heading) * to[:, 0] + np.sin(heading) * to[:, 1]
        across = np.cos(heading) * to[:, 1] - np.sin(heading) * to[:, 0]
        level = np.abs(along) <= RESOLUTION_M
        if not level.any() or np.abs(across[level]).min() > NEAR_M:
            continue
        near, across = near[level], across[level]
        own = int(np.abs(across).argmin())
        offset[i], error[i] = across[own], wrap(yaw - lanes.points[near[own], 2])
        others = (across - across[own])[lanes.lane[near] != lanes.lane[near[own]]]
        left[i] = float(((-others > BESIDE_M[0]) & (-others < BESIDE_M[1])).any())
        right[i] = float(((others > BESIDE_M[0]) & (others < BESIDE_M[1])).any())
    offroad = np.full(t, np.nan)
    offroad[known] = ~shapely.contains_xy(lanes.surface, poses[known, 0], poses[known, 1])
    return LaneLabels(offset, error, offroad, left, right)


def wrap(angle: Array) -> Array:
    """Angles in [-pi, pi)."""
    return (angle + np.pi) % (2 * np.pi) - np.pi
