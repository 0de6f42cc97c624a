"""Pinhole geometry of a camera fixed to the ego, on flat ground.

Axis legend: n points, p polygons, v their corners, k corners of one polygon.

Ego frame: metres, x forward, y left, z up, origin on the ground below the ego's centre. Camera frame: x right,
y down, z along the optical axis. Pixels are continuous: the centre of the first pixel is (0.5, 0.5).
Source of the model: Hartley and Zisserman, Multiple View Geometry, sections 6.1 and 8.1.1 (plane homography).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from worldsim.types import CameraSpec

Array = npt.NDArray[np.float64]
Fixed = npt.NDArray[np.int32]
Indices = npt.NDArray[np.intp]
NEAR_M = 0.25
"""Nothing nearer to the image plane than this is drawn."""
SHIFT = 4
"""Fractional bits of the coordinates that OpenCV draws with."""
FARTHEST_PX = 20_000.0  # keeps OpenCV's fixed-point arithmetic exact


def rotation(spec: CameraSpec) -> Array:
    """Axes of the mounted camera body (forward, left, up) as the columns of a (3, 3) matrix in the ego frame.

    Yaw about z, then pitch about y, then roll about x, each right-handed.
    """
    cy, sy = math.cos(spec.yaw_rad), math.sin(spec.yaw_rad)
    cp, sp = math.cos(spec.pitch_rad), math.sin(spec.pitch_rad)
    cr, sr = math.cos(spec.roll_rad), math.sin(spec.roll_rad)
    about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1.0]])
    about_y = np.array([[cp, 0, sp], [0, 1.0, 0], [-sp, 0, cp]])
    about_x = np.array([[1.0, 0, 0], [0, cr, -sr], [0, sr, cr]])
    return about_z @ about_y @ about_x


def ego_to_world(x: float, y: float, yaw: float) -> Array:
    """Homogeneous (3, 3) map of ground points from the ego frame to the world."""
    c, s = math.cos(yaw), math.sin(yaw)
    return np.array([[c, -s, x], [s, c, y], [0, 0, 1.0]])


class Pinhole:
    """A `CameraSpec` as matrices. Raises ValueError if the camera is not above the ground."""

    def __init__(self, spec: CameraSpec) -> None:
        self.spec = spec
        self.position = np.array(spec.position_m, dtype=np.float64)
        if not np.isfinite(self.position).all() or self.position[2] <= 0:
            raise ValueError(
                "CameraSpec.position_m: expected finite (x, y, z) metres with z above the ground (z > 0), "
                f"got {spec.position_m}"
            )
        body = rotation(spec)
        self.axes = np.stack([-body[:, 1], -body[:, 2], body[:, 0]])  # ego -> camera
        self.intrinsics = np.array([[spec.fx, 0, spec.cx], [0, spec.fy, spec.cy], [0, 0, 1.0]])
        self.rays_matrix = self.axes.T @ np.linalg.inv(self.intrinsics)  # pixel -> ray in the ego frame
        x, y, z = self.position
        drop = np.array([[-z, 0, x], [0, -z, y], [0, 0, 1.0]])
        self.pixel_to_ground = drop @ self.rays_matrix  # pixel -> ground in the ego frame, homogeneous

    def rays(self, u: Array, v: Array) -> Array:
        """Ego-frame directions (..., 3) of pixels (u, v); their component along the optical axis is 1."""
        return np.stack([u, v, np.ones_like(u)], axis=-1) @ self.rays_matrix.T

    def to_camera(self, points: Array) -> Array:
        """Ego-frame points (..., 3) in the camera frame."""
        return (points - self.position) @ self.axes.T

    def to_pixels(self, points: Array) -> Array:
        """Camera-frame points (..., 3), all in front of the camera, to pixels (..., 2)."""
        scale = 1.0 / points[..., 2:]
        focal = np.array([self.spec.fx, self.spec.fy])
        centre = np.array([self.spec.cx, self.spec.cy])
        return points[..., :2] * (scale * focal) + centre

    def outlines(self, points: Array, counts: Indices, scale: float = 1.0) -> tuple[Fixed, list[int]]:
        """Polygons for OpenCV: cut off at the near plane, in fixed point with SHIFT bits.

        ``points`` (p, v, 3) in the camera frame, of which each polygon uses its first ``counts`` (p,), and each has
        one in front of the near plane; ``scale`` is how much finer the canvas is than the picture. Returns the
        corners (p, v', 2) and how many of them each polygon uses.
        """
        cut = np.flatnonzero((points[..., 2] < NEAR_M).any(axis=1))
        if len(cut):
            points, counts = np.concatenate([points, points[:, -1:]], axis=1), counts.copy()
            for index in cut:
                kept = clip_near(points[index, : counts[index]])
                counts[index] = len(kept)
                points[index, : len(kept)], points[index, len(kept) :] = kept, (0, 0, NEAR_M)
        fixed = np.empty((*points.shape[:2], 2), np.int32)
        finest, spec = scale * (1 << SHIFT), self.spec
        per_depth = finest / points[..., 2]
        most = FARTHEST_PX * (1 << SHIFT)
        for axis, focal, centre in ((0, spec.fx, spec.cx), (1, spec.fy, spec.cy)):
            along = points[..., axis] * per_depth
            along *= focal
            along += centre * finest - 0.5 * (1 << SHIFT)
            np.clip(along, -most, most, out=along)
            fixed[..., axis] = np.rint(along, out=along)
        return fixed, counts.tolist()


def clip_near(polygon: Array, near: float = NEAR_M) -> Array:
    """The part of a camera-frame polygon (k, 3) with z >= near; empty if none is (Sutherland and Hodgman, 1974)."""
    kept: list[list[float]] = []
    corners: list[list[float]] = polygon.tolist()  # plain floats: several times faster than rows of an array
    x0, y0, z0 = corners[-1]
    for x, y, z in corners:
        if (z >= near) != (z0 >= near):
            share = (near - z0) / (z - z0)
            kept.append([x0 + share * (x - x0), y0 + share * (y - y0), near])
        if z >= near:
            kept.append([x, y, z])
        x0, y0, z0 = x, y, z
    return np.array(kept, dtype=np.float64).reshape(-1, 3)
