"""The reference world's ego camera: a scene in, a picture out.

Axis legend: h w image rows and columns, k visible vehicles, n things, p facets.

The picture is made in layers, each written by a module of its own: ground and sky, shadows, things and vehicles,
rain and snow. It depends on nothing but the scene, the camera and the code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from worldsim.types import CameraSpec

from .facets import Array, Facets, Indices
from .ground import Ground
from .look import Look, look_now, sun_azimuth
from .painter import Painter, stand
from .particles import fall
from .projection import Pinhole
from .roadside import Roadside
from .scene import RoadMap, Scene
from .shadows import cast
from .sky import Sky
from .vehicles import vehicle_facets
from .visibility import visible_boxes

Image = npt.NDArray[np.uint8]
REACH_M = 170.0  # beyond this, nothing that stands on the ground is drawn
REFRESH_M = 25.0  # how far the ego goes before the roadside near it is looked up again
WIDEST_M = 14.0  # how far from its centre the largest thing reaches
FINE_BELOW_PX = 320  # narrower pictures are painted twice as fine and averaged


@dataclass
class _Surroundings:
    """The roadside of the last road and seed, and which of it is near the last pose."""

    road: RoadMap
    seed: int
    roadside: Roadside
    centre: tuple[float, float] = (math.inf, math.inf)
    near: Indices = field(default_factory=lambda: np.zeros(0, dtype=np.intp))


@dataclass(frozen=True)
class _View:
    """What is in front of the camera, in the ego frame."""

    vehicle_place: Array  # (n, 2)
    vehicle_yaw: Array  # (n,)
    roadside: Roadside
    rows: Indices  # (m,) rows of the roadside
    place: Array  # (m, 2)
    yaw: Array  # (m,)


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
        self._surroundings: _Surroundings | None = None

    def render(self, scene: Scene) -> Image:
        """The picture of a scene: a fresh (h, w, 3) uint8 RGB array."""
        _check(scene)
        now = look_now(scene.weather, scene.time_of_day)
        turn = sun_azimuth(scene.seed) - scene.yaw
        level = math.cos(now.sun_elevation)
        sun = np.array([level * math.cos(turn), level * math.sin(turn), math.sin(now.sun_elevation)])
        view = self._look_around(scene)
        size = np.array([(v.length, v.width, v.height) for v in scene.vehicles], dtype=np.float64).reshape(-1, 3)
        wide, high = view.roadside.shade[view.rows].T
        shady = wide > 0
        image = cast(
            self._background(scene, now), self._pinhole, now, sun,
            (view.vehicle_place, view.vehicle_yaw, size), (view.place[shady], wide[shady], high[shady]),
        )  # fmt: skip
        if self._scale > 1:
            image = _resized(image, self.spec.width * self._scale, self.spec.height * self._scale, cv2.INTER_NEAREST)
        self._paint_things(image, scene, view, now, sun)
        if self._scale > 1:
            image = _resized(image, self.spec.width, self.spec.height, cv2.INTER_AREA)
        return fall(image, self._pinhole, scene, now)

    def boxes(self, scene: Scene) -> npt.NDArray[np.float32]:
        """Visible vehicles, nearest first: (k, 5) float32 x0, y0, x1, y1 in pixels within the picture, distance in m.

        Visible means nearer than 80 m, at least 3 px along its longer side, not hidden behind nearer vehicles, and not
        lost in fog. The distance is from the camera to the vehicle's centre along the ground.
        """
        _check(scene)
        place, yaw = _in_ego_frame(scene)
        visibility_m = look_now(scene.weather, scene.time_of_day).visibility_m
        return visible_boxes(self._pinhole, scene.vehicles, place, yaw, visibility_m)

    def _background(self, scene: Scene, now: Look) -> Image:
        """Lit ground and sky (h, w, 3)."""
        ground = self._ground.sample(scene.road, scene.seed, now.snow, scene.x, scene.y, scene.yaw)
        gain, offset = self._ground.shade(now)
        picture = ground * gain
        picture += offset
        if self._sky.rows:
            picture[: self._sky.rows] += self._sky.share * self._sky.sample(scene.seed, now, scene.yaw)
        return np.asarray(cv2.convertScaleAbs(picture), dtype=np.uint8)

    def _near_roadside(self, scene: Scene) -> tuple[Roadside, Indices]:
        held = self._surroundings
        if held is None or held.road is not scene.road or held.seed != scene.seed:
            held = _Surroundings(scene.road, scene.seed, Roadside.plant(scene.road, scene.seed))
            self._surroundings = held
        if not math.hypot(scene.x - held.centre[0], scene.y - held.centre[1]) < REFRESH_M:
            away = np.hypot(held.roadside.place[:, 0] - scene.x, held.roadside.place[:, 1] - scene.y)
            held.near, held.centre = np.flatnonzero(away < REACH_M + REFRESH_M), (scene.x, scene.y)
        return held.roadside, held.near

    def _look_around(self, scene: Scene) -> _View:
        """Vehicles, and the roadside within reach and within the picture's sides."""
        roadside, near = self._near_roadside(scene)
        place = (roadside.place[near] - [scene.x, scene.y]) @ _turn(scene.yaw)
        seen = place - self._pinhole.position[:2]
        ahead = seen @ self._pinhole.axes[2, :2]
        aside = seen @ self._pinhole.axes[0, :2]
        right, left = (self.spec.width - self.spec.cx) / self.spec.fx, -self.spec.cx / self.spec.fx
        kept = (ahead > -WIDEST_M) & (np.einsum("nc,nc->n", seen, seen) < REACH_M**2)
        kept &= (aside < right * ahead + 2 * WIDEST_M) & (aside > left * ahead - 2 * WIDEST_M)
        rows, place, seen = near[kept], place[kept], seen[kept]
        towards = np.arctan2(seen[:, 1], seen[:, 0])
        yaw = np.where(roadside.faces_camera[rows], towards, roadside.yaw[rows] - scene.yaw)
        return _View(*_in_ego_frame(scene), roadside, rows, place, yaw)

    def _paint_things(self, canvas: Image, scene: Scene, view: _View, now: Look, sun: Array) -> None:
        """Paint roadside and vehicles together, far ones first."""
        away = np.hypot(*(view.place - self._pinhole.position[:2]).T)
        things, owner = view.roadside.facets(view.rows, away)
        fleet = vehicle_facets(scene.vehicles)
        fleet_away = np.hypot(*(view.vehicle_place - self._pinhole.position[:2]).T)
        both = Facets.join(things, fleet)
        place = np.concatenate([view.place[owner], view.vehicle_place[fleet.owner]])
        yaw = np.concatenate([view.yaw[owner], view.vehicle_yaw[fleet.owner]])
        far = np.concatenate([away[owner], fleet_away[fleet.owner]])
        self._painter.paint(canvas, both, stand(both.corners, place, yaw), far, now, sun)


def _check(scene: Scene) -> None:
    values = [scene.x, scene.y, scene.yaw, scene.time_s]
    values += [value for v in scene.vehicles for value in (v.x, v.y, v.yaw, v.length, v.width, v.height)]
    if not all(map(math.isfinite, values)):
        raise ValueError(
            "Scene: expected finite ego pose, time and vehicles, got "
            f"x={scene.x}, y={scene.y}, yaw={scene.yaw}, time_s={scene.time_s} and {len(scene.vehicles)} vehicles; "
            "check the physics that made this scene"
        )


def _turn(yaw: float) -> Array:
    """World offsets (row vectors) times this are ego-frame offsets."""
    cos, sin = math.cos(yaw), math.sin(yaw)
    return np.array([[cos, -sin], [sin, cos]])


def _in_ego_frame(scene: Scene) -> tuple[Array, Array]:
    """Places (n, 2) and headings (n,) of the vehicles in the ego frame."""
    pose = np.array([(v.x, v.y, v.yaw) for v in scene.vehicles], dtype=np.float64).reshape(-1, 3)
    return (pose[:, :2] - [scene.x, scene.y]) @ _turn(scene.yaw), pose[:, 2] - scene.yaw


def _resized(image: Image, width: int, height: int, how: int) -> Image:
    return np.asarray(cv2.resize(image, (width, height), interpolation=how), dtype=np.uint8)
