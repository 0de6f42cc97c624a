"""The reference world's ego camera: a scene in, a picture out.

Axis legend: h w image rows and columns, k visible vehicles, n things, p facets.

The picture is made in layers, each written by a module of its own: ground and sky, shadows, things and vehicles,
rain and snow. It depends on nothing but the scene, the camera and the code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from worldsim.types import CameraSpec

from .facets import Array, Facets
from .ground import Ground
from .look import Look, look, sun_azimuth
from .painter import Painter, stand
from .particles import fall
from .projection import NEAR_M, Pinhole, clip_near
from .roadside import Roadside
from .scene import RoadMap, Scene
from .sky import Sky
from .vehicles import vehicle_facets

Image = npt.NDArray[np.uint8]
REACH_M = 170.0  # beyond this, nothing that stands on the ground is drawn
BOX_REACH_M = 80.0
BOX_MIN_PX = 3.0
BOX_MIN_VISIBLE = 0.08  # share of a vehicle's outline that must not be hidden
REFRESH_M = 25.0
SHADOW_REACH_M = 60.0
FINE_BELOW_PX = 320  # narrower pictures are painted twice as fine and averaged


@dataclass
class _Grove:
    """The roadside of the last road and seed, and the part of it near the last pose."""

    road: RoadMap
    seed: int
    roadside: Roadside
    centre: tuple[float, float]
    near: npt.NDArray[np.intp]


class EgoCamera:
    """Draws what a camera on the ego sees. Give each thread its own.

    Raises ValueError for a camera below the ground, a pose that is not finite, or unknown names in the scene.
    """

    def __init__(self, spec: CameraSpec = CameraSpec()) -> None:  # noqa: B008 (a frozen value)
        self.spec = spec
        self._pinhole = Pinhole(spec)
        self._ground = Ground(self._pinhole)
        self._sky = Sky(self._pinhole, self._ground.cover)
        self._scale = 2 if spec.width < FINE_BELOW_PX else 1
        self._painter = Painter(self._pinhole, self._scale)
        self._grove: _Grove | None = None

    def render(self, scene: Scene) -> Image:
        """The picture of a scene: a fresh (h, w, 3) uint8 RGB array."""
        _check_pose(scene)
        now = look(scene.weather, scene.time_of_day)
        turn = sun_azimuth(scene.seed) - scene.yaw
        level = math.cos(now.sun_elevation)
        sun = np.array([level * math.cos(turn), level * math.sin(turn), math.sin(now.sun_elevation)])
        place, yaw = _in_ego_frame(scene)
        image = self._background(scene, now)
        things = self._things(scene)
        image = self._cast_shadows(image, scene, now, sun, place, yaw, things)
        if self._scale > 1:
            size = (self.spec.width * self._scale, self.spec.height * self._scale)
            image = cv2.resize(image, size, interpolation=cv2.INTER_NEAREST)
        self._paint_things(image, scene, now, sun, place, yaw, things)
        if self._scale > 1:
            image = cv2.resize(image, (self.spec.width, self.spec.height), interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(fall(image, self._pinhole, scene, now), dtype=np.uint8)

    def boxes(self, scene: Scene) -> npt.NDArray[np.float32]:
        """Visible vehicles, nearest first: (k, 5) float32 x0, y0, x1, y1 in pixels within the picture, distance in m.

        Visible means nearer than 80 m, at least 3 px wide and high, not hidden behind nearer vehicles, and not lost in
        fog. The distance is from the camera to the vehicle's centre along the ground.
        """
        _check_pose(scene)
        now = look(scene.weather, scene.time_of_day)
        place, yaw = _in_ego_frame(scene)
        distance = np.hypot(*(place - self._pinhole.position[:2]).T)
        reach = min(BOX_REACH_M, 1.4 * now.visibility_m)
        mask = np.full((self.spec.height, self.spec.width), -1, np.int32)
        found: dict[int, tuple[Array, float]] = {}
        for index in np.argsort(-distance, kind="stable").tolist():
            outline = self._outline(scene, index, place[index], float(yaw[index]))
            if outline is None:
                continue
            alone = np.zeros(mask.shape, np.uint8)
            cv2.fillConvexPoly(alone, np.round((outline - 0.5) * 16).astype(np.int32), 1, cv2.LINE_8, 4)
            mask[alone > 0] = index
            low = np.clip(outline.min(0), 0, [self.spec.width, self.spec.height])
            high = np.clip(outline.max(0), 0, [self.spec.width, self.spec.height])
            if (high - low).min() >= BOX_MIN_PX and distance[index] < reach:
                found[index] = (np.concatenate([low, high]), float(alone.sum()))
        rows = [
            [*box, distance[index]]
            for index, (box, area) in found.items()
            if area and (mask == index).sum() >= BOX_MIN_VISIBLE * area
        ]
        return np.array(rows[::-1], dtype=np.float32).reshape(-1, 5)

    def _outline(self, scene: Scene, index: int, place: Array, yaw: float) -> Array | None:
        """Convex outline (k, 2) in pixels of one vehicle's block; None if it is behind the camera."""
        vehicle = scene.vehicles[index]
        corners = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (0, 1)])
        corners = corners * [vehicle.length, vehicle.width, vehicle.height]
        points = self._pinhole.to_camera(stand(corners[None], place[None], np.array([yaw]))[0])
        if points[:, 2].max() <= NEAR_M:
            return None
        if points[:, 2].min() < NEAR_M:
            edges = [(a, b) for a in range(8) for b in range(a) if (a ^ b) in (1, 2, 4)]
            points = np.concatenate([clip_near(points[list(edge)]) for edge in edges])
        pixels = np.clip(self._pinhole.to_pixels(points), -20_000, 20_000)
        hull: Array = cv2.convexHull(pixels.astype(np.float32))[:, 0].astype(np.float64)
        return hull

    def _background(self, scene: Scene, now: Look) -> Image:
        ground = self._ground.sample(scene.road, scene.seed, now.snow, scene.x, scene.y, scene.yaw)
        gain, offset = self._ground.shade(now)
        picture = ground * gain
        picture += offset
        if self._sky.rows:
            picture[: self._sky.rows] += self._sky.share * self._sky.sample(scene.seed, now, scene.yaw)
        return cv2.convertScaleAbs(picture)

    def _near_roadside(self, scene: Scene) -> tuple[Roadside, npt.NDArray[np.intp]]:
        grove = self._grove
        if grove is None or grove.road is not scene.road or grove.seed != scene.seed:
            roadside = Roadside.plant(scene.road, scene.seed)
            grove = _Grove(scene.road, scene.seed, roadside, (math.inf, math.inf), np.zeros(0, np.intp))
            self._grove = grove
        if not math.hypot(scene.x - grove.centre[0], scene.y - grove.centre[1]) < REFRESH_M:
            away = np.hypot(grove.roadside.place[:, 0] - scene.x, grove.roadside.place[:, 1] - scene.y)
            grove.near = np.flatnonzero(away < REACH_M + REFRESH_M)
            grove.centre = (scene.x, scene.y)
        return grove.roadside, grove.near

    def _things(self, scene: Scene) -> tuple[Roadside, npt.NDArray[np.intp], Array, Array]:
        """The roadside in view: rows of it, their places (n, 2) and headings (n,) in the ego frame."""
        roadside, near = self._near_roadside(scene)
        cos, sin = math.cos(scene.yaw), math.sin(scene.yaw)
        offset = roadside.place[near] - [scene.x, scene.y]
        place = offset @ np.array([[cos, -sin], [sin, cos]])
        seen = place - self._pinhole.position[:2]
        away = np.hypot(seen[:, 0], seen[:, 1])
        ahead = seen @ self._pinhole.axes[2, :2]
        aside = seen @ self._pinhole.axes[0, :2]
        spec = self.spec
        right, left = (spec.width - spec.cx) / spec.fx, -spec.cx / spec.fx
        margin = 14.0
        kept = (away < REACH_M) & (ahead > -margin)
        kept &= (aside < right * ahead + 2 * margin) & (aside > left * ahead - 2 * margin)
        rows, place, seen = near[kept], place[kept], seen[kept]
        at_camera = np.arctan2(seen[:, 1], seen[:, 0])
        yaw = np.where(roadside.faces_camera[rows], at_camera, roadside.yaw[rows] - scene.yaw)
        return roadside, rows, place, yaw

    def _cast_shadows(
        self, image: Image, scene: Scene, now: Look, sun: Array, place: Array, yaw: Array,
        things: tuple[Roadside, npt.NDArray[np.intp], Array, Array],
    ) -> Image:  # fmt: skip
        """Darken the ground below vehicles and, where the sun shines, along its light."""
        spec = self.spec
        mask = np.zeros((spec.height, spec.width), np.uint8)
        throw = -sun[:2] / max(float(sun[2]), 0.2)
        shine = now.shadow if now.shadow > 0.15 else 0.0
        if shine:
            roadside, rows, spots, _ = things
            wide, high = roadside.shade[rows].T
            near = np.flatnonzero((wide > 0) & (np.hypot(*spots.T) < SHADOW_REACH_M))
            side = np.array([-throw[1], throw[0]]) / max(float(np.hypot(*throw)), 1e-9)
            for index in near.tolist():
                tip, half = throw * high[index], side * wide[index]
                self._shadow(mask, spots[index] + _kite(tip, half), 255 * shine)
        for vehicle, spot, heading in zip(scene.vehicles, place, yaw, strict=True):
            if np.hypot(*spot) > SHADOW_REACH_M:
                continue
            flat = _footprint(vehicle.length, vehicle.width, 0.1, heading) + spot
            if shine:
                both = np.concatenate([flat, flat + throw * vehicle.height]).astype(np.float32)
                self._shadow(mask, cv2.convexHull(both)[:, 0].astype(np.float64), 255 * shine)
            self._shadow(mask, _footprint(vehicle.length, vehicle.width, 0.12, heading) + spot, 255 * max(0.55, shine))
        if not mask.any():
            return image
        soft = cv2.blur(mask, (3, 3)) if spec.width >= 64 else mask
        return cv2.multiply(image, cv2.merge([cv2.bitwise_not(soft)] * 3), scale=1 / 255)

    def _shadow(self, mask: Image, outline: Array, strength: float) -> None:
        points = self._pinhole.to_camera(np.column_stack([outline, np.zeros(len(outline))]))
        points = clip_near(points)
        if len(points) < 3:
            return
        pixels = np.clip(self._pinhole.to_pixels(points) - 0.5, -20_000, 20_000)
        cv2.fillConvexPoly(mask, np.round(pixels * 16).astype(np.int32), strength, cv2.LINE_AA, 4)

    def _paint_things(
        self, canvas: Image, scene: Scene, now: Look, sun: Array, place: Array, yaw: Array,
        things: tuple[Roadside, npt.NDArray[np.intp], Array, Array],
    ) -> None:  # fmt: skip
        roadside, rows, spots, headings = things
        bank, starts = roadside.bank, roadside.starts
        variant = roadside.variant[rows]
        counts = starts[variant + 1] - starts[variant]
        owner = np.repeat(np.arange(len(rows)), counts)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        facet = starts[variant][owner] + within
        far = np.hypot(spots[:, 0], spots[:, 1])[owner]
        kept = far < bank.reach[facet]
        facet, owner, far = facet[kept], owner[kept], far[kept]
        fleet = vehicle_facets(scene.vehicles)
        away = np.hypot(*(place - self._pinhole.position[:2]).T)
        merged = Facets(
            corners=np.concatenate([bank.corners[facet], fleet.corners]),
            count=np.concatenate([bank.count[facet], fleet.count]),
            colour=np.concatenate([bank.colour[facet], fleet.colour]),
            glow=np.concatenate([bank.glow[facet], fleet.glow]),
            shine=np.concatenate([bank.shine[facet], fleet.shine]),
            tint=np.concatenate([bank.tint[facet], fleet.tint]),
            reach=np.concatenate([bank.reach[facet], fleet.reach]),
            owner=np.concatenate([owner, fleet.owner + len(rows)]),
        )
        where = np.concatenate([spots[owner], place[fleet.owner]])
        turn = np.concatenate([headings[owner], yaw[fleet.owner]])
        corners = stand(merged.corners, where, turn)
        self._painter.paint(canvas, merged, corners, np.concatenate([far, away[fleet.owner]]), now, sun)


def _check_pose(scene: Scene) -> None:
    values = [scene.x, scene.y, scene.yaw, scene.time_s]
    values += [value for v in scene.vehicles for value in (v.x, v.y, v.yaw, v.length, v.width, v.height)]
    if not all(map(math.isfinite, values)):
        raise ValueError(
            "Scene: expected finite ego pose, time and vehicles, got "
            f"x={scene.x}, y={scene.y}, yaw={scene.yaw}, time_s={scene.time_s} and {len(scene.vehicles)} vehicles; "
            "check the physics that made this scene"
        )


def _in_ego_frame(scene: Scene) -> tuple[Array, Array]:
    """Places (n, 2) and headings (n,) of the vehicles in the ego frame."""
    pose = np.array([(v.x, v.y, v.yaw) for v in scene.vehicles], dtype=np.float64).reshape(-1, 3)
    cos, sin = math.cos(scene.yaw), math.sin(scene.yaw)
    place = (pose[:, :2] - [scene.x, scene.y]) @ np.array([[cos, -sin], [sin, cos]])
    return place, pose[:, 2] - scene.yaw


def _footprint(length: float, width: float, margin: float, yaw: float) -> Array:
    half_x, half_y = length / 2 + margin, width / 2 + margin
    flat = np.array([(half_x, half_y), (-half_x, half_y), (-half_x, -half_y), (half_x, -half_y)])
    cos, sin = math.cos(yaw), math.sin(yaw)
    return flat @ np.array([[cos, sin], [-sin, cos]])


def _kite(tip: Array, half: Array) -> Array:
    """Outline (6, 2) of the shadow of something round on a stem."""
    return np.array([half * 0.1, tip * 0.45 + half, tip * 0.85 + half * 0.8, tip, tip * 0.85 - half * 0.8,
                     tip * 0.45 - half])  # fmt: skip
