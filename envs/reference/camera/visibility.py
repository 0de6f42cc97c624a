"""Which vehicles a camera shows, and where: boxes from outlines, far ones covered by near ones.

Axis legend: h w image rows and columns, k outline corners or visible vehicles.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from .painter import stand
from .projection import FARTHEST_PX, NEAR_M, SHIFT, Pinhole, clip_near
from .scene import VehicleView

Array = npt.NDArray[np.float64]
REACH_M = 80.0
LEAST_PX = (1.5, 3.0)  # shorter and longer side of a box
LEAST_SHOWN = 0.08  # share of a vehicle's outline within the picture that must not be hidden
CUBE = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (0.0, 1.0)])
CUBE_EDGES = [(a, b) for a in range(8) for b in range(a) if (a ^ b) in (1, 2, 4)]


def outline(camera: Pinhole, vehicle: VehicleView, place: Array, yaw: float) -> Array | None:
    """Convex outline (k, 2) in pixels of a vehicle's bounding block; None if it is behind the camera.

    ``place`` (2,) and ``yaw`` are in the ego frame.
    """
    corners = CUBE * [vehicle.length, vehicle.width, vehicle.height]
    points = camera.to_camera(stand(corners[None], place[None], np.array([yaw]))[0])
    if points[:, 2].max() <= NEAR_M:
        return None
    if points[:, 2].min() < NEAR_M:
        points = np.concatenate([clip_near(points[list(edge)]) for edge in CUBE_EDGES])
    pixels = np.clip(camera.to_pixels(points), -FARTHEST_PX, FARTHEST_PX)
    return cv2.convexHull(pixels.astype(np.float32))[:, 0].astype(np.float64)


def visible_boxes(
    camera: Pinhole, vehicles: tuple[VehicleView, ...], place: Array, yaw: Array, visibility_m: float
) -> npt.NDArray[np.float32]:
    """Boxes (k, 5) of visible vehicles, nearest first: x0, y0, x1, y1 in pixels within the picture, distance in m.

    ``place`` (n, 2) and ``yaw`` (n,) are in the ego frame; ``visibility_m`` is where fog leaves 5 % of contrast.
    """
    spec = camera.spec
    distance = np.hypot(*(place - camera.position[:2]).T)
    reach = min(REACH_M, 1.4 * visibility_m)
    owner = np.full((spec.height, spec.width), -1, np.int32)
    found: dict[int, tuple[Array, float]] = {}
    for index in np.argsort(-distance, kind="stable").tolist():
        hull = outline(camera, vehicles[index], place[index], float(yaw[index]))
        if hull is None:
            continue
        alone = np.zeros(owner.shape, np.uint8)
        fixed = np.round((hull - 0.5) * (1 << SHIFT)).astype(np.int32)
        cv2.fillConvexPoly(alone, fixed, (1,), cv2.LINE_8, SHIFT)
        owner[alone > 0] = index
        low = np.clip(hull.min(0), 0, [spec.width, spec.height])
        high = np.clip(hull.max(0), 0, [spec.width, spec.height])
        if (np.sort(high - low) >= LEAST_PX).all() and distance[index] < reach:
            found[index] = (np.concatenate([low, high]), float(alone.sum()))
    rows = [
        [*box, distance[index]]
        for index, (box, area) in found.items()
        if area and (owner == index).sum() >= LEAST_SHOWN * area
    ]
    return np.array(rows[::-1], dtype=np.float32).reshape(-1, 5)
