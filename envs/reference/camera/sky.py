"""The sky and what lies beyond the ground: a panorama indexed by world heading, so that turning is visible.

Axis legend: h w image rows and columns; a panorama has rows of falling elevation and columns of rising azimuth.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from .look import Look, sun_azimuth
from .noise import periodic_noise
from .projection import Pinhole

Array = npt.NDArray[np.float64]
Image = npt.NDArray[np.uint8]
BELOW = math.radians(4.0)  # how far the panorama reaches below the horizon
KEPT = 6  # panoramas


class Sky:
    """Samples the panorama of a seed and a look for one camera."""

    def __init__(self, camera: Pinhole, cover: npt.NDArray[np.float32]) -> None:
        spec = camera.spec
        self.rows = int(np.max(np.flatnonzero((cover < 1).any(axis=1)), initial=-1)) + 1
        self.share = (1 - cover[: self.rows, :, None]).astype(np.float32)
        v, u = np.mgrid[0 : self.rows, 0 : spec.width]
        rays = camera.rays(u + 0.5, v + 0.5)
        azimuth = np.arctan2(rays[..., 1], rays[..., 0])
        elevation = np.arctan2(rays[..., 2], np.hypot(rays[..., 0], rays[..., 1]))
        self.top = float(elevation.max(initial=0.1)) + 0.02
        self.density = min(spec.fx, 400.0)  # panorama pixels per radian
        self.cols = round(2 * math.pi * self.density)
        self.density = self.cols / (2 * math.pi)
        self.map_x = ((azimuth + math.pi) * self.density).astype(np.float32)
        self.map_y = ((self.top - elevation) * self.density - 0.5).astype(np.float32)
        self._panoramas: dict[tuple[int, str, str], Image] = {}

    def sample(self, seed: int, look: Look, yaw: float) -> Image:
        """The sky (rows, w, 3) of the top ``rows`` image rows, at an ego heading."""
        if look.ends is not None:
            before, after = (self.sample(seed, end, yaw) for end in look.ends)
            return np.asarray(cv2.addWeighted(before, 1 - look.share, after, look.share, 0.0), dtype=np.uint8)
        key = (seed, look.weather, look.time_of_day)
        if key not in self._panoramas:
            while len(self._panoramas) >= KEPT:
                self._panoramas.pop(next(iter(self._panoramas)))
            once = self._panorama(seed, look)
            self._panoramas[key] = np.concatenate([once, once, once[:, :2]], axis=1)
        turn = ((yaw - math.pi) % (2 * math.pi)) * self.density - 0.5
        picture = cv2.remap(
            self._panoramas[key], self.map_x + np.float32(turn), self.map_y, cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        return np.asarray(picture, dtype=np.uint8)

    def _panorama(self, seed: int, look: Look) -> Image:
        fine = 2
        rng = np.random.default_rng((seed & 0xFFFFFFFF, 37))
        rows = math.ceil((self.top + BELOW) * self.density)
        density = self.density * fine
        elevation = self.top - (np.arange(rows * fine) + 0.5)[:, None] / density
        azimuth = (np.arange(self.cols * fine) + 0.5)[None, :] / density
        image = self._air(rng, look, elevation, azimuth)
        image = _celestial(rng, look, image, elevation, azimuth, sun_azimuth(seed))
        image = _land(rng, look, image, elevation, azimuth, density)
        small = cv2.resize(image.astype(np.float32), (self.cols, rows), interpolation=cv2.INTER_AREA)
        return np.clip(small, 0, 255).astype(np.uint8)

    def _air(self, rng: np.random.Generator, look: Look, elevation: Array, azimuth: Array) -> Array:
        """The gradient from horizon to zenith, with clouds."""
        rise = np.clip(1 - np.exp(-np.maximum(elevation, 0) / 0.22), 0, 1)[..., None]
        horizon, zenith = np.array(look.horizon), np.array(look.zenith)
        image = horizon + (zenith - horizon) * rise + 0 * azimuth[..., None]
        wave = _clouds(rng, elevation, azimuth)
        cloud = np.clip((wave - (0.72 - 0.35 * look.clouds)) / 0.30, 0, 1) * np.clip(elevation / 0.10, 0, 1)
        strength = {"clear": 0.6, "rain": 0.5, "fog": 0.0, "snow": 0.3}[look.weather]
        tint = {"day": (250, 250, 252), "dusk": (236, 130, 110), "night": (26, 30, 46)}[look.time_of_day]
        if look.weather != "clear":
            tint = tuple(0.72 * zenith)
        return image + (np.array(tint) - image) * (cloud * strength)[..., None]


def _clouds(rng: np.random.Generator, elevation: Array, azimuth: Array) -> Array:
    """Cloud thickness in about [0, 1] at elevations (rows, 1) and azimuths (1, cols), alike at every resolution."""
    rows, cols, top = 96, 720, 1.2
    field = periodic_noise(rng, rows, cols, cols / 60, cols / 6, stretch=0.3)
    row, col = np.broadcast_arrays((top - elevation) / top * rows, azimuth / (2 * math.pi) * cols)
    maps = col.astype(np.float32), row.astype(np.float32)
    return np.asarray(cv2.remap(field, *maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP), dtype=np.float64)


def _celestial(
    rng: np.random.Generator, look: Look, image: Array, elevation: Array, azimuth: Array, sun: float
) -> Array:
    """Add sun and glow, or moon and stars, where the air is clear."""
    away = np.abs((azimuth - sun + math.pi) % (2 * math.pi) - math.pi) * np.cos(elevation)
    height = {"day": 0.30, "dusk": 0.10, "night": 0.24}[look.time_of_day]
    angle = np.hypot(away, elevation - height)[..., None]
    if look.time_of_day == "night":
        if look.weather == "clear":
            image = image + np.exp(-((angle / 0.03) ** 4)) * (np.array([226, 226, 210]) - image)
            for star_az, star_el in rng.uniform([0, 0.08], [2 * math.pi, 0.7], (140, 2)):
                row, col = np.searchsorted(-elevation[:, 0], -star_el), np.searchsorted(azimuth[0], star_az)
                image[row : row + 2, col : col + 2] += rng.uniform(60, 150)
        return image
    share = {"clear": 1.0, "rain": 0.06, "fog": 0.05, "snow": 0.14}[look.weather]
    warm = np.array([255, 244, 214]) if look.time_of_day == "day" else np.array([255, 214, 130])
    glow = 0.75 * np.exp(-angle / 0.16) if look.time_of_day == "day" else 0.8 * np.exp(-angle / 0.28)
    disc = np.exp(-((angle / 0.045) ** 4))
    return image + (warm - image) * np.clip(glow + disc, 0, 1) * share


def _land(
    rng: np.random.Generator, look: Look, image: Array, elevation: Array, azimuth: Array, density: float
) -> Array:
    """Two ranges of hills and a town on the horizon, each paler with distance."""
    light = look.ground_light
    horizon = np.array(look.horizon)
    hill = np.array([92.0, 112.0, 96.0]) * (1 - look.snow) + np.array([206.0, 212.0, 222.0]) * look.snow
    clarity = {"clear": 1.0, "rain": 0.55, "fog": 0.04, "snow": 0.42}[look.weather]
    for base, swing, share in ((0.055, 0.045, 0.34), (0.022, 0.020, 0.62)):
        ridge = base + sum(
            swing / order**0.7 * math.sin(rng.uniform(0, 6.28)) * np.sin(order * azimuth + rng.uniform(0, 6.28))
            for order in (2, 3, 5, 9, 14)
        )
        inside = np.clip((np.maximum(ridge, 0.006) - elevation) * density + 0.5, 0, 1)[..., None]
        colour = horizon + (hill * light - horizon) * share * clarity
        image = image + (colour - image) * inside
    centre = rng.uniform(0, 2 * math.pi)
    for _ in range(26):
        middle, half = (centre + rng.normal(0, 0.28)) % (2 * math.pi), rng.uniform(0.008, 0.022)
        top = rng.uniform(0.03, 0.12) * math.exp(-abs(((middle - centre + 3.14) % 6.28) - 3.14) / 0.6)
        away = np.abs((azimuth - middle + math.pi) % (2 * math.pi) - math.pi)
        inside = np.clip((half - away) * density + 0.5, 0, 1) * np.clip((top - elevation) * density + 0.5, 0, 1)
        block = np.array([118.0, 120.0, 134.0]) * rng.uniform(0.7, 1.1) * light + look.lamps * np.array([34, 26, 10])
        colour = horizon + (block - horizon) * 0.6 * clarity
        image = image + (colour - image) * inside[..., None]
    return image
