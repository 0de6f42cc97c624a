"""Bird's-eye tiles of the ground: grass, gravel shoulder, asphalt and paint, drawn once and sampled many times.

Axis legend: k points of a line, q painted quads, n texels along a tile's side. Tiles are (n, n, 3) uint8 RGB by
day under white light; rows run along world y, columns along world x.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from .noise import periodic_noise
from .projection import SHIFT
from .scene import LaneLine, RoadMap

Array = npt.NDArray[np.float64]
Image = npt.NDArray[np.uint8]
DASH_M, DASH_PERIOD_M = 4.0, 12.0
"""A period longer than twice the motion of one frame, or dashes would seem to run backwards."""
SHOULDER_M = 0.9
NOISE_PERIOD_M, NOISE_TEXEL_M = 128.0, 0.5
PAINT = {"white": np.array([236.0, 236.0, 230.0]), "yellow": np.array([240.0, 190.0, 50.0])}
SMOOTH = 4  # texture is drawn this much coarser than edges and paint


def resample(points: Array, longest: float) -> Array:
    """The polyline (k, 2) with extra points so that no segment is longer than ``longest``."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    extra = np.arange(0.0, along[-1], longest)
    where = np.unique(np.concatenate([along, extra]))
    return np.stack([np.interp(where, along, points[:, 0]), np.interp(where, along, points[:, 1])], axis=1)


def paint_quads(line: LaneLine) -> Array:
    """Quads (q, 4, 2) that cover a line's paint."""
    points = np.asarray(line.points, dtype=np.float64)
    keep = np.concatenate([[True], np.linalg.norm(np.diff(points, axis=0), axis=1) > 1e-6])
    points = points[keep]
    if len(points) < 2:
        return np.zeros((0, 4, 2))
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    if line.style == "dashed":
        starts = np.arange(0.0, along[-1], DASH_PERIOD_M)
        cuts = np.stack([starts, np.minimum(starts + DASH_M / 2, along[-1])], axis=1)
        cuts = np.concatenate([cuts, np.clip(cuts + DASH_M / 2, 0, along[-1])])  # two halves bend with the road
    else:
        knots = np.unique(np.concatenate([along, np.arange(0.0, along[-1], 20.0)]))
        cuts = np.stack([knots[:-1], knots[1:]], axis=1)
    ends = np.stack([np.interp(cuts, along, points[:, 0]), np.interp(cuts, along, points[:, 1])], axis=2)
    step = ends[:, 1] - ends[:, 0]
    length = np.linalg.norm(step, axis=1, keepdims=True)
    ends, step = ends[length[:, 0] > 1e-3], (step / np.maximum(length, 1e-9))[length[:, 0] > 1e-3]
    side = np.stack([-step[:, 1], step[:, 0]], axis=1) * line.width_m / 2
    return np.stack([ends[:, 0] + side, ends[:, 1] + side, ends[:, 1] - side, ends[:, 0] - side], axis=1)


class Paving:
    """Draws ground tiles of one road map in one season.

    ``seed`` fixes tones and texture; ``snow`` in 0..1 whitens the roadside and greys the asphalt.
    """

    def __init__(self, road: RoadMap, seed: int, snow: float) -> None:
        rng = np.random.default_rng((seed & 0xFFFFFFFF, 23))
        self.surfaces = [np.asarray(surface, dtype=np.float64) for surface in road.surfaces]
        self.surface_boxes = np.array([np.r_[s.min(0), s.max(0)] for s in self.surfaces]).reshape(-1, 4)
        quads = [paint_quads(line) for line in road.lines]
        self.quads = np.concatenate([np.zeros((0, 4, 2)), *quads])
        self.quad_boxes = np.concatenate([self.quads.min(1), self.quads.max(1)], axis=1)
        widths = [np.full(len(q), line.width_m) for q, line in zip(quads, road.lines, strict=True)]
        colours = [np.tile(PAINT.get(line.colour, PAINT["white"]), (len(q), 1))
                   for q, line in zip(quads, road.lines, strict=True)]  # fmt: skip
        self.quad_width = np.concatenate([np.zeros(0), *widths])
        self.quad_colour = np.concatenate([np.zeros((0, 3)), *colours])
        size = int(NOISE_PERIOD_M / NOISE_TEXEL_M)
        grain = [periodic_noise(rng, size, size, 14, 90), periodic_noise(rng, size, size, 18, 120)]
        self.noise = (np.stack(grain, axis=2) * 255).astype(np.uint8)
        self._choose_tones(rng, snow)

    def _choose_tones(self, rng: np.random.Generator, snow: float) -> None:
        meadow = np.array([[74, 118, 50], [96, 122, 52], [120, 122, 62], [62, 108, 58]][rng.integers(4)], dtype=float)
        shade = rng.uniform(0.9, 1.1)
        dark, light = meadow * shade * 0.80, meadow * shade * 1.22 + [14, 6, 0]
        tarmac = np.array([92.0, 92.0, 96.0]) * rng.uniform(0.9, 1.08)
        self.tarmac = tarmac * (1 - 0.35 * snow) + np.array([150.0, 152.0, 158.0]) * 0.35 * snow
        gravel = np.array([150.0, 138.0, 116.0])
        white = np.array([226.0, 230.0, 236.0])
        blend = 0.92 * snow
        self.gravel = gravel * (1 - 0.75 * snow) + white * 0.75 * snow
        ramp = np.linspace(0, 1, 256)[:, None]
        grass = dark + (light - dark) * ramp
        self.grass_ramp = np.clip(grass * (1 - blend) + (white - 14 + 18 * ramp) * blend, 0, 255).astype(np.uint8)
        slush = self.tarmac * (0.93 + 0.14 * ramp) + snow * 26 * np.maximum(ramp - 0.55, 0) / 0.45
        self.tarmac_ramp = np.clip(slush, 0, 255).astype(np.uint8)

    def tile(self, x0: float, y0: float, texel_m: float, n: int, supersample: int) -> Image:
        """The square from world (x0, y0) with sides of ``n * texel_m`` metres, (n, n, 3)."""
        fine, m = texel_m / supersample, n * supersample
        grain = self._grain(x0, y0, fine * SMOOTH, m // SMOOTH)
        image = _ramp(grain[..., 0], self.grass_ramp, m)
        box = np.array([x0, y0, x0 + m * fine, y0 + m * fine])
        if self._pave(image, grain[..., 1], box, fine):
            self._paint(image, box, fine)
        if supersample > 1:
            image = np.asarray(cv2.resize(image, (n, n), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        return image

    def _grain(self, x0: float, y0: float, texel_m: float, n: int) -> Image:
        """Noise (n, n, 2) of the square from world (x0, y0)."""
        scale, half = texel_m / NOISE_TEXEL_M, 0.5 * texel_m
        start_x = ((x0 + half) % NOISE_PERIOD_M) / NOISE_TEXEL_M
        start_y = ((y0 + half) % NOISE_PERIOD_M) / NOISE_TEXEL_M
        place = np.array([[scale, 0, start_x], [0, scale, start_y]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        grain = cv2.warpAffine(self.noise, place, (n, n), flags=flags, borderMode=cv2.BORDER_WRAP)
        return np.asarray(grain, dtype=np.uint8)

    def _pave(self, image: Image, grain: Image, box: Array, texel_m: float) -> bool:
        """Lay shoulder and asphalt; False if none of the road is in ``box``."""
        near = _touching(self.surface_boxes, box, SHOULDER_M)
        if not len(near):
            return False
        outlines = [_texels(self.surfaces[i], box, texel_m) for i in near]
        thick = max(1, round(2 * SHOULDER_M / texel_m))
        cv2.polylines(image, outlines, True, self.gravel.tolist(), thick, cv2.LINE_8, SHIFT)
        mask = np.zeros(image.shape[:2], np.uint8)
        for outline in outlines:
            cv2.fillPoly(mask, [outline], (255,), cv2.LINE_8, SHIFT)
        cv2.copyTo(_ramp(grain, self.tarmac_ramp, len(image)), mask, image)
        return True

    def _paint(self, image: Image, box: Array, texel_m: float) -> None:
        near = _touching(self.quad_boxes, box, texel_m)
        cover = np.minimum(1.0, 1.3 * self.quad_width[near] / (self.quad_width[near] + texel_m))[:, None]
        colours = (self.tarmac + (self.quad_colour[near] - self.tarmac) * cover).tolist()
        for quad, colour in zip(_texels(self.quads[near], box, texel_m), colours, strict=True):
            cv2.fillConvexPoly(image, quad, colour, cv2.LINE_AA, SHIFT)


def _ramp(grain: Image, ramp: Image, n: int) -> Image:
    """Noise to colours (n, n, 3)."""
    colours = cv2.LUT(cv2.merge([grain] * 3), ramp[:, None, :])
    return np.asarray(cv2.resize(colours, (n, n), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _touching(boxes: Array, box: Array, margin: float) -> npt.NDArray[np.intp]:
    inside = (boxes[:, 0] <= box[2] + margin) & (boxes[:, 2] >= box[0] - margin)
    return np.flatnonzero(inside & (boxes[:, 1] <= box[3] + margin) & (boxes[:, 3] >= box[1] - margin))


def _texels(points: Array, box: Array, texel_m: float) -> npt.NDArray[np.int32]:
    """World points (..., 2) in the fixed-point texels that OpenCV draws with."""
    fixed = ((points - box[:2]) / texel_m - 0.5) * (1 << SHIFT)
    return np.round(fixed).astype(np.int32)
