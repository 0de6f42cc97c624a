"""Light, cull, clip and paint facets, far ones first.

Axis legend: p facets, v corners, n things, h w image rows and columns.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from .facets import Array, Facets, Indices
from .look import Look, headlight_cone
from .projection import NEAR_M, SHIFT, Pinhole

Image = npt.NDArray[np.uint8]


def stand(corners: Array, place: Array, yaw: Array) -> Array:
    """Turn facets (p, v, 3) by ``yaw`` (p,) and set them at ``place`` (p, 2)."""
    cos, sin = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
    out = np.empty_like(corners)
    x, y = corners[..., 0], corners[..., 1]
    out[..., 0] = cos * x - sin * y + place[:, :1]
    out[..., 1] = sin * x + cos * y + place[:, 1:]
    out[..., 2] = corners[..., 2]
    return out


class Painter:
    """Paints facets, given in the ego frame, into pictures of one camera that are ``scale`` times finer."""

    def __init__(self, camera: Pinhole, scale: int) -> None:
        self.camera, self.scale = camera, scale

    def paint(self, canvas: Image, facets: Facets, corners: Array, far: Array, look: Look, sun: Array) -> None:
        """Paint onto ``canvas``.

        ``corners`` (p, v, 3) in the ego frame; ``far`` (p,) is the distance of each facet's thing, by which they are
        sorted; ``sun`` (3,) points at the sun in the ego frame.
        """
        edge_a, edge_b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        normal = np.empty_like(edge_a)
        normal[:, 0] = edge_a[:, 1] * edge_b[:, 2] - edge_a[:, 2] * edge_b[:, 1]
        normal[:, 1] = edge_a[:, 2] * edge_b[:, 0] - edge_a[:, 0] * edge_b[:, 2]
        normal[:, 2] = edge_a[:, 0] * edge_b[:, 1] - edge_a[:, 1] * edge_b[:, 0]
        faces = np.einsum("pc,pc->p", normal, corners[:, 0] - self.camera.position) < 0
        points = self.camera.to_camera(corners)
        seen = faces & (far < facets.reach) & (points[..., 2].max(axis=1) > NEAR_M)
        order = np.flatnonzero(seen)
        order = order[np.argsort(-far[order], kind="stable")]
        colours = self._light(facets, corners, normal, order, look, sun)
        pixels, counts = self.camera.outlines(points[order], facets.count[order], self.scale)
        for outline, count, colour in zip(pixels, counts, colours.tolist(), strict=True):
            cv2.fillConvexPoly(canvas, outline[:count], colour, cv2.LINE_AA, SHIFT)

    def _light(self, facets: Facets, corners: Array, normal: Array, order: Indices, look: Look, sun: Array) -> Array:
        """Colours (len(order), 3) after light and air."""
        unit = normal[order]
        unit = unit / np.maximum(np.sqrt(np.einsum("pc,pc->p", unit, unit)), 1e-9)[:, None]
        middle = corners[order, 0]
        facing = np.maximum(unit @ sun, 0.0)[:, None]
        light = np.array(look.ambient) * (0.86 + 0.14 * unit[:, 2:]) + facing * np.array(look.sun)
        if look.headlights:
            beam = headlight_cone(middle[:, 0], middle[:, 1]) * np.clip(0.25 - unit[:, 0], 0.1, 1.0)
            beam *= np.clip(1.5 - middle[:, 2] / 3.0, 0.15, 1.0)
            light = light + (look.headlights * beam)[:, None] * np.array([1.0, 0.95, 0.82])
        snowy = look.snow * 0.75 * np.clip(unit[:, 2:], 0, 1) ** 2
        own = facets.colour[order] * (1 - snowy) + 235.0 * snowy
        colour = own * light + facets.glow[order] * look.lamps + facets.shine[order]
        colour = np.minimum(colour, 255.0)
        distance = np.sqrt(np.einsum("pc,pc->p", middle, middle))
        air = look.transmission(distance)[:, None]
        return np.array(look.horizon) + (colour - np.array(look.horizon)) * air
