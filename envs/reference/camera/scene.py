"""What the reference camera is shown: a value, free of highway-env and of OpenCV.

World frame: metres, x east, y north (left of x), z up; yaw counter-clockwise. k points of a line or polygon.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LaneLine:
    """A painted line along ``points`` (k, 2)."""

    points: Points
    style: str = "solid"  # "solid" or "dashed"
    colour: str = "white"  # "white" or "yellow"
    width_m: float = 0.2


@dataclass(frozen=True, eq=False)
class RoadMap:
    """The static ground: asphalt, paint, where the roadside begins. Compared by identity, so it can be cached on."""

    surfaces: tuple[Points, ...]  # polygons (k, 2) of drivable asphalt; they may overlap
    lines: tuple[LaneLine, ...]
    edges: tuple[Points, ...]  # polylines (k, 2) of outer road borders; the roadside lies to their left
    bounds: tuple[float, float, float, float]  # x0, y0, x1, y1 of all of it


@dataclass(frozen=True)
class VehicleView:
    """A vehicle (or obstacle) as the camera sees it."""

    x: float
    y: float
    yaw: float
    length: float = 4.8
    width: float = 2.0
    height: float = 1.5
    kind: str = "car"  # "car", "van", "truck", "obstacle", "pedestrian", "cyclist"
    colour: tuple[int, int, int] = (180, 40, 40)  # RGB of the body by day
    braking: bool = False
    speed: float = 0.0
    phase: float = 0.0  # of walking or pedalling, in cycles


@dataclass(frozen=True)
class Turn:
    """On the way from one weather to another, or from one time of day to another: ``share`` in [0, 1] of the way."""

    before: str
    after: str
    share: float


@dataclass(frozen=True)
class Scene:
    """One moment, seen from the ego pose."""

    road: RoadMap
    x: float
    y: float
    yaw: float
    vehicles: tuple[VehicleView, ...] = field(default_factory=tuple)  # without the ego
    weather: str | Turn = "clear"
    time_of_day: str | Turn = "day"
    seed: int = 0  # fixes roadside objects, sky and ground for the whole episode
    time_s: float = 0.0  # moves rain and snow
