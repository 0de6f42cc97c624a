"""The ground as the camera sees it: a clipmap of bird's-eye tiles, sampled through the ground homography.

Axis legend: h w image rows and columns, n texels along a level's side.

Three levels, each four times coarser, wrap around like a torus: as the ego moves, only tiles that come into view
are drawn (Tanner, Migdal and Jones, The Clipmap, SIGGRAPH 1998). Rows near the horizon cover many metres, so they
are sampled several times and averaged; otherwise dashes far away would flicker.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .look import Look, headlight_cone
from .paving import Paving
from .projection import Pinhole, ego_to_world
from .scene import RoadMap

Array = npt.NDArray[np.float64]
Image = npt.NDArray[np.uint8]
TILES = 4  # along a level's side
LEVEL_TEXEL_M = (0.0625, 0.25, 1.0)
LEVEL_RADIUS_M = (22.0, 90.0, 360.0)  # at most (TILES - 1) / 2 tiles of 256 texels
PAINT_M = 0.5  # along the road, between samples; wider, and lines that run across the picture would break up
FADE_M = (220.0, 340.0)  # the ground turns into distant air between these
SNOW_STEPS = 8  # the ground is paved anew so many times while snow comes or goes


class Level:
    """One resolution of the clipmap: a torus of TILES x TILES tiles around the ego."""

    def __init__(self, texel_m: float, tile_texels: int, supersample: int) -> None:
        self.texel_m, self.tile_texels, self.supersample = texel_m, tile_texels, supersample
        self.tile_m = texel_m * tile_texels
        side = TILES * tile_texels
        self.texture: Image = np.zeros((side, side, 3), np.uint8)
        self.held: dict[tuple[int, int], tuple[int, int]] = {}

    def cover(self, paving: Paving, low: Array, high: Array) -> None:
        """Draw the missing tiles of the world rectangle from ``low`` to ``high`` (2,)."""
        x0, y0 = np.floor(low / self.tile_m).astype(int).tolist()
        x1, y1 = np.floor(high / self.tile_m).astype(int).tolist()
        n = self.tile_texels
        for i in range(x0, min(x1, x0 + TILES - 1) + 1):
            for j in range(y0, min(y1, y0 + TILES - 1) + 1):
                slot = (i % TILES, j % TILES)
                if self.held.get(slot) != (i, j):
                    tile = paving.tile(i * self.tile_m, j * self.tile_m, self.texel_m, n, self.supersample)
                    self.texture[slot[1] * n : (slot[1] + 1) * n, slot[0] * n : (slot[0] + 1) * n] = tile
                    self.held[slot] = (i, j)

    def from_world(self, x: float, y: float) -> Array:
        """Homogeneous map (3, 3) of world points near (x, y) to texels, small enough for OpenCV's 16 bits."""
        span = self.tile_m * TILES
        ox, oy = math.floor(x / span) * span, math.floor(y / span) * span
        scale = 1.0 / self.texel_m
        return np.array([[scale, 0, -ox * scale - 0.5], [0, scale, -oy * scale - 0.5], [0, 0, 1.0]])


@dataclass(frozen=True)
class Band:
    """Image rows [top, bottom) that share a clipmap level and a number of samples per pixel (across, down)."""

    top: int
    bottom: int
    level: int
    across: int
    down: int


class Ground:
    """Samples the ground for one camera. Holds the tiles of the last road, seed and season it was asked for."""

    def __init__(self, camera: Pinhole) -> None:
        self.camera = camera
        spec = camera.spec
        finer = int(np.clip(round(math.log2(max(spec.fx, spec.fy) / 91.4)), 0, 1))
        self.levels = [
            Level(texel / 2**finer, 256 * 2**finer, 1 if index == 0 else 2) for index, texel in enumerate(LEVEL_TEXEL_M)
        ]
        self.cover, self.distance, self.points = self._survey()
        self.bands = self._divide()
        self.feet = [self._footprint(index) for index in range(len(self.levels))]
        self._paving: Paving | None = None
        self._paved: tuple[RoadMap, int, float] | None = None
        self._shades: dict[tuple[str, str], tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]] = {}

    def _survey(self) -> tuple[npt.NDArray[np.float32], Array, Array]:
        """Share of ground (h, w) in each pixel; ground distance (h, w) and ego-frame points (h, w, 2) of it."""
        spec, fine = self.camera.spec, 4
        v, u = np.mgrid[0 : spec.height * fine, 0 : spec.width * fine]
        rays = self.camera.rays((u + 0.5) / fine, (v + 0.5) / fine)
        below = (rays[..., 2] < -1e-9).astype(np.float32)
        size = (spec.width, spec.height)
        cover = np.asarray(cv2.resize(below, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
        v, u = np.mgrid[0 : spec.height, 0 : spec.width]
        rays = self.camera.rays(u + 0.5, v + 0.5)
        drop = np.minimum(rays[..., 2], -1e-6)
        reach = -self.camera.position[2] / drop
        points = self.camera.position[:2] + rays[..., :2] * reach[..., None]
        distance = np.linalg.norm(rays, axis=2) * reach
        return cover, distance, points

    def _divide(self) -> list[Band]:
        spec = self.camera.spec
        rows = [self._sampling(row) for row in range(spec.height)]
        bands: list[Band] = []
        for row, sampling in enumerate(rows):
            if sampling is None:
                continue
            level, across, down = sampling
            last = bands[-1] if bands else None
            if last and last.bottom == row and (last.level, last.across, last.down) == sampling:
                bands[-1] = Band(last.top, row + 1, level, across, down)
            else:
                bands.append(Band(row, row + 1, level, across, down))
        return bands

    def _sampling(self, row: int) -> tuple[int, int, int] | None:
        """Level and samples per pixel (across, down) for a row; None if it has no ground."""
        seen = self.cover[row] > 0
        if not seen.any():
            return None
        spec, height = self.camera.spec, self.camera.position[2]
        reach = float(np.hypot(*(self.points[row][seen] - self.camera.position[:2]).T).max())
        level = next((i for i, radius in enumerate(LEVEL_RADIUS_M) if reach <= radius), len(self.levels) - 1)
        nearest = float(np.minimum(self.distance[row][seen], FADE_M[1]).min())
        wide = nearest / spec.fx / self.levels[level].texel_m
        long = nearest**2 / (height * spec.fy)
        across = 1 if wide < 0.8 else 2 if wide < 3.0 else 4
        down = next((count for count in (1, 2, 4) if long / count <= PAINT_M), 8)
        return level, across, down

    def _footprint(self, level: int) -> Array:
        """Ego-frame ground points (k, 2) whose bounding box, in any heading, holds all that a level shows."""
        rows = [row for band in self.bands if band.level == level for row in (band.top, band.bottom - 1)]
        if not rows:
            return np.zeros((0, 2))
        spec, camera = self.camera.spec, self.camera
        v = np.array(sorted({edge for row in rows for edge in (row, row + 1.0)}))
        u = np.linspace(0, spec.width, 9)
        rays = camera.rays(*np.meshgrid(u, v)).reshape(-1, 3)
        reach = -camera.position[2] / np.minimum(rays[:, 2], -1e-6)
        flat = rays[:, :2] * reach[:, None]
        far = np.linalg.norm(flat, axis=1, keepdims=True)
        return camera.position[:2] + flat * np.minimum(1.0, LEVEL_RADIUS_M[level] / np.maximum(far, 1e-9))

    def sample(self, road: RoadMap, seed: int, snow: float, x: float, y: float, yaw: float) -> Image:
        """The unlit ground (h, w, 3) seen from an ego pose; black where there is none."""
        snow = round(snow * SNOW_STEPS) / SNOW_STEPS
        paved = (road, seed, snow)
        if self._paving is None or self._paved != paved:
            self._paving, self._paved = Paving(road, seed, snow), paved
            for level in self.levels:
                level.held.clear()
        spec = self.camera.spec
        image = np.zeros((spec.height, spec.width, 3), np.uint8)
        pose = ego_to_world(x, y, yaw)
        from_pixel = []
        for level, foot in zip(self.levels, self.feet, strict=True):
            if len(foot):
                points = foot @ pose[:2, :2].T + pose[:2, 2]
                level.cover(self._paving, points.min(0), points.max(0))
            from_pixel.append(level.from_world(x, y) @ pose @ self.camera.pixel_to_ground)
        for band in self.bands:
            size = (spec.width * band.across, (band.bottom - band.top) * band.down)
            sx, sy = 1 / band.across, 1 / band.down
            place = np.array([[sx, 0, 0.5 * sx], [0, sy, band.top + 0.5 * sy], [0, 0, 1.0]])
            rows = cv2.warpPerspective(
                self.levels[band.level].texture,
                from_pixel[band.level] @ place,
                size,
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_WRAP,
            )
            if band.across * band.down > 1:
                rows = cv2.resize(rows, (spec.width, band.bottom - band.top), interpolation=cv2.INTER_AREA)
            image[band.top : band.bottom] = rows
        return image

    def shade(self, look: Look) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Gain and offset, each (h, w, 3), that light the unlit ground; both are 0 where there is only sky."""
        if look.ends is not None:
            return self._shade(look)
        key = (look.weather, look.time_of_day)
        if key not in self._shades:
            self._shades[key] = self._shade(look)
        return self._shades[key]

    def _shade(self, look: Look) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        beam = headlight_cone(self.points[..., 0], self.points[..., 1])[..., None] * look.headlights
        light = look.ground_light + beam * np.array([1.0, 0.95, 0.82])
        air = look.transmission(self.distance)
        air = (air * np.clip((FADE_M[1] - self.distance) / (FADE_M[1] - FADE_M[0]), 0, 1))[..., None]
        grazing = np.clip(1 - self.camera.position[2] / self.distance, 0, 1)[..., None] ** 5  # Schlick 1994
        sheen = look.wetness * grazing * (0.42 * np.array(look.horizon) + 26 * beam)
        cover = self.cover[..., None]
        gain = light * (1 - 0.34 * look.wetness) * air * cover
        offset = (np.array(look.horizon) * (1 - air) + sheen * air) * cover
        return gain.astype(np.float32), offset.astype(np.float32)
