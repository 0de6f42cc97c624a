"""Shadows on the ground: along the sun where it shines, and soft ones under every vehicle.

Axis legend: n things, s shadows, k corners of a shadow, h w image rows and columns. Ground points are in the ego frame.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from .facets import Array
from .look import Look
from .projection import NEAR_M, SHIFT, Pinhole

Image = npt.NDArray[np.uint8]
REACH_M = 60.0
CORNERS = 6
CONTACT = 0.55  # share of the light that is missing under a vehicle
LEAST_SUN = 0.15  # share of the light that the sun must have to cast shadows


def throw(sun: Array, size: Array) -> Array:
    """Where the tops (n,) metres above the ground cast their shadow, (n, 2) from their feet; at most five heights."""
    return size[:, None] * (-sun[:2] / max(float(sun[2]), 0.2))


def crown_shadows(place: Array, wide: Array, high: Array, sun: Array) -> Array:
    """Outlines (n, 6, 2) of what trees and buildings ``wide`` and ``high`` (n,) cast from ``place`` (n, 2)."""
    tip = throw(sun, high)[:, None, :]
    across = np.array([-sun[1], sun[0]]) / max(float(np.hypot(sun[0], sun[1])), 1e-9)
    half = (wide[:, None] * across)[:, None, :]
    along = np.array([0.0, 0.45, 0.85, 1.0, 0.85, 0.45])[None, :, None]
    aside = np.array([0.1, 1.0, 0.8, 0.0, -0.8, -1.0])[None, :, None]
    outlines: Array = place[:, None, :] + tip * along + half * aside
    return outlines


def footprints(place: Array, yaw: Array, size: Array, margin: float) -> Array:
    """Outlines (n, 4, 2) on the ground of vehicles of ``size`` (n, 3) length, width, height."""
    corner = np.array([(1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0), (1.0, -1.0)])
    local = corner[None] * (size[:, None, :2] / 2 + margin)
    cos, sin = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
    x, y = local[..., 0], local[..., 1]
    return np.stack([cos * x - sin * y, sin * x + cos * y], axis=2) + place[:, None, :]


def block_shadows(feet: Array, high: Array, sun: Array) -> Array:
    """Outlines (5 n, 4, 2) that together are the shadows of blocks on ``feet`` (n, 4, 2), ``high`` (n,) metres."""
    top = feet + throw(sun, high)[:, None, :]
    after = [1, 2, 3, 0]
    walls = np.stack([feet, feet[:, after], top[:, after], top], axis=2)
    return np.concatenate([walls.reshape(-1, 4, 2), top])


def cast(
    image: Image,
    camera: Pinhole,
    look: Look,
    sun: Array,
    vehicles: tuple[Array, Array, Array],
    crowns: tuple[Array, Array, Array],
) -> Image:
    """The picture (h, w, 3) with shadows on its ground.

    ``vehicles`` are places (n, 2), headings (n,) and sizes (n, 3); ``crowns`` are places (n, 2), widths and heights
    (n,) of what casts shadows beside the road; ``sun`` (3,) points at the sun in the ego frame.
    """
    near = np.hypot(vehicles[0][:, 0], vehicles[0][:, 1]) < REACH_M
    place, yaw, size = (column[near] for column in vehicles)
    parts: list[tuple[Array, float]] = [(footprints(place, yaw, size, 0.12), CONTACT)]
    if look.shadow > LEAST_SUN:
        shade = max(CONTACT, look.shadow)
        spots, wide, high = crowns
        near = np.hypot(spots[:, 0], spots[:, 1]) < REACH_M
        parts = [
            (crown_shadows(spots[near], wide[near], high[near], sun), look.shadow),
            (block_shadows(footprints(place, yaw, size, 0.05), size[:, 2], sun), look.shadow),
            (parts[0][0], shade),
        ]
    mask = np.zeros(image.shape[:2], np.uint8)
    for outlines, strength in parts:
        flat = camera.to_camera(np.concatenate([outlines, np.zeros_like(outlines[..., :1])], axis=2))
        flat = flat[(flat[..., 2] > NEAR_M).any(axis=1)]
        corners, counts = camera.outlines(flat, np.full(len(flat), flat.shape[1], dtype=np.intp))
        for corner, count in zip(corners, counts, strict=True):
            cv2.fillConvexPoly(mask, corner[:count], (255 * strength,), cv2.LINE_AA, SHIFT)
    light = cv2.bitwise_not(cv2.blur(mask, (3, 3)))
    return np.asarray(cv2.multiply(image, cv2.merge([light] * 3), scale=1 / 255), dtype=np.uint8)
