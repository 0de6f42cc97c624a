"""The contracts that every part of worldsim shares.

Axis legend: t frames, h w image rows and columns, c colour channels.

Time       ``action[t]`` and ``motion[t]`` take frame ``t`` to frame ``t + 1``. Arrays of an
           episode all have length ``t``; the last row of ``action`` and ``motion`` is NaN.
Units      SI: metres, seconds, radians. x forward, y left, z up. Positive yaw, yaw rate and
           steering turn left. Loaders convert at the border.
Missing    NaN in a float array means "not known". It is never filled in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import nearest

FloatArray = npt.NDArray[np.float32]
FrameArray = npt.NDArray[np.uint8]

FRAME_RATE_HZ = 10.0
"""Frames and actions per second of every world that ships."""

ROADS = ("highway", "curves", "racetrack", "merge", "roundabout", "intersection", "two_way", "exit")
WEATHERS = ("clear", "rain", "fog", "snow")
TIMES = ("day", "dusk", "night")
TRAFFICS = ("none", "light", "medium", "heavy")
COMMANDS = ("follow", "left", "straight", "right")
"""Route commands, as in conditional imitation learning (Codevilla et al. 2018, section III)."""

MOTION_FIELDS = ("forward_m", "left_m", "yaw_rad", "speed_mps")
"""Ego motion over one step, in the ego frame at its start; ``speed_mps`` is the speed at its end."""

EGO_FIELDS = ("speed_mps", "yaw_rate_radps", "acceleration_mps2", "steering")
"""Ego state at a frame. ``steering`` is the last steering action in [-1, 1]."""

LABEL_FIELDS = (
    "lane_offset_m",  # ego centre left of the lane centre: positive
    "heading_error_rad",  # ego heading left of the lane's: positive
    "offroad",  # 1 when the ego centre is off the drivable surface
    "collision",  # 1 from the frame of contact on
    "lead_distance_m",  # bumper to bumper along the lane; LEAD_RANGE_M when nobody is ahead
    "closing_speed_mps",  # ego minus lead; positive closes; 0 when nobody is ahead
    "lane_left",  # 1 when a drivable lane in the same direction is to the left
    "lane_right",
)
LEAD_RANGE_M = 100.0


@dataclass(frozen=True)
class SceneFields:
    """What a scene looks like, in structured fields; ``None`` means "not known".

    Raises ValueError, with the nearest valid name, for a value outside its vocabulary.
    """

    road: str | None = None
    weather: str | None = None
    time_of_day: str | None = None
    traffic: str | None = None
    lanes: int | None = None

    def __post_init__(self) -> None:
        for name, vocabulary in SCENE_VOCABULARY.items():
            value = getattr(self, name)
            if value is not None and value not in vocabulary:
                raise ValueError(
                    f"SceneFields.{name}: expected one of {list(vocabulary)}, got {value!r}{nearest(value, vocabulary)}"
                )

    def codes(self) -> list[int]:
        """Integer codes in the order of SCENE_VOCABULARY; 0 is "not known"."""
        return [
            0 if (value := getattr(self, name)) is None else 1 + vocabulary.index(value)
            for name, vocabulary in SCENE_VOCABULARY.items()
        ]


SCENE_VOCABULARY: dict[str, tuple[Any, ...]] = {
    "road": ROADS,
    "weather": WEATHERS,
    "time_of_day": TIMES,
    "traffic": TRAFFICS,
    "lanes": (1, 2, 3, 4, 5),
}


@dataclass(frozen=True)
class CameraSpec:
    """A pinhole camera on the ego vehicle.

    ``position_m`` is (x, y, z) from the ground below the vehicle's centre. At zero rotation it
    looks along +x; positive ``pitch_rad`` looks down, positive ``yaw_rad`` looks left.
    """

    width: int = 128
    height: int = 64
    fx: float = 91.4
    fy: float = 91.4
    cx: float = 64.0
    cy: float = 32.0
    position_m: tuple[float, float, float] = (0.8, 0.0, 1.4)
    pitch_rad: float = 0.06
    yaw_rad: float = 0.0
    roll_rad: float = 0.0

    def __post_init__(self) -> None:
        if self.width < 8 or self.height < 8 or self.fx <= 0 or self.fy <= 0:
            raise ValueError(
                "CameraSpec: expected width and height of at least 8 px and positive focal lengths, "
                f"got width={self.width}, height={self.height}, fx={self.fx}, fy={self.fy}"
            )

    @classmethod
    def from_fov(cls, width: int, height: int, hfov_deg: float = 70.0, **mounting: Any) -> CameraSpec:
        """A camera with square pixels and its principal point in the middle."""
        if not 1.0 <= hfov_deg < 179.0:
            raise ValueError(f"CameraSpec: expected hfov_deg in [1, 179), got {hfov_deg}")
        focal = width / 2 / math.tan(math.radians(hfov_deg) / 2)
        return cls(width, height, focal, focal, width / 2, height / 2, **mounting)

    def resized(self, width: int, height: int) -> CameraSpec:
        """The same view sampled at another resolution."""
        sx, sy = width / self.width, height / self.height
        return replace(
            self, width=width, height=height, fx=self.fx * sx, fy=self.fy * sy, cx=self.cx * sx, cy=self.cy * sy
        )


@dataclass(frozen=True)
class Happening:
    """Something that happened on a drive: ``kind`` is one of ``envs.events.EVENTS``, None is "not known"."""

    kind: str
    began_s: float | None = None  # seconds from the first frame
    side: str | None = None  # where it came from: left or right
    vehicle: str | None = None
    to: str | None = None  # what weather or time of day turned to


@dataclass(frozen=True)
class Captions:
    """Ways to say what a drive shows, at three lengths; each holds several phrasings, or none."""

    short: tuple[str, ...] = ()
    medium: tuple[str, ...] = ()
    long: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Every phrasing once, short ones first."""
        return tuple(dict.fromkeys((*self.short, *self.medium, *self.long)))


@dataclass
class Episode:
    """One recorded drive. Arrays share their first axis ``t``; see the module docstring."""

    views: dict[str, FrameArray]  # camera name -> (t, h, w, 3) RGB; the first is the main view
    motion: FloatArray  # (t, len(MOTION_FIELDS)); last row NaN
    ego: FloatArray  # (t, len(EGO_FIELDS))
    timestamps: npt.NDArray[np.float64]  # (t,) seconds from the first frame
    action: FloatArray  # (t, 2) steering, acceleration in [-1, 1]; NaN where not logged
    labels: FloatArray  # (t, len(LABEL_FIELDS)); NaN where not known
    pose: FloatArray  # (t, 3) x, y, yaw in a fixed world frame; NaN where not known
    command: npt.NDArray[np.int64]  # (t,) index into COMMANDS
    rewards: dict[str, FloatArray] = field(default_factory=dict)  # reward term -> (t,)
    signals: dict[str, FloatArray] = field(default_factory=dict)  # what else a log tells, such as margin_m -> (t,)
    boxes: list[FloatArray] = field(default_factory=list)  # t arrays (k, 5): x0 y0 x1 y1 px, distance m
    cameras: dict[str, CameraSpec] = field(default_factory=dict)
    fields: SceneFields = field(default_factory=SceneFields)
    happenings: tuple[Happening, ...] | None = None  # in the order in which they began; None: not known
    caption: str = ""
    scenario: str = ""
    driver: str = ""
    seed: int | None = None
    split: str = "train"
    source: str = "unknown"
    licence: str = "unknown"

    @property
    def frames(self) -> FrameArray:
        """The main view, (t, h, w, 3) uint8."""
        return next(iter(self.views.values()))

    def __len__(self) -> int:
        return len(self.timestamps)

    def validate(self, origin: str = "episode") -> Episode:
        """Return self, or raise ValueError that names the field, what was expected and what came."""
        t = len(self.timestamps)
        if not self.views:
            raise ValueError(f"{origin}: expected at least one camera in `views`, got none")
        for name, frames in self.views.items():
            if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or len(frames) != t:
                raise ValueError(
                    f"{origin}: field `views[{name}]`: expected ({t}, h, w, 3) uint8, got {frames.shape} {frames.dtype}"
                )
        widths = {
            "motion": len(MOTION_FIELDS), "ego": len(EGO_FIELDS), "action": 2,
            "labels": len(LABEL_FIELDS), "pose": 3,
        }  # fmt: skip
        for name, width in widths.items():
            value = getattr(self, name)
            if value.shape != (t, width):
                raise ValueError(f"{origin}: field `{name}`: expected shape ({t}, {width}), got {value.shape}")
        if self.command.shape != (t,) or ((self.command < 0) | (self.command >= len(COMMANDS))).any():
            raise ValueError(f"{origin}: field `command`: expected ({t},) indices below {len(COMMANDS)}")
        if t > 1 and not (np.diff(self.timestamps) > 0).all():
            raise ValueError(f"{origin}: field `timestamps`: expected strictly increasing seconds")
        if np.nanmax(np.abs(self.action), initial=0.0) > 1.0 + 1e-6:
            raise ValueError(f"{origin}: field `action`: expected values in [-1, 1]")
        if self.boxes and len(self.boxes) != t:
            raise ValueError(f"{origin}: field `boxes`: expected {t} arrays, got {len(self.boxes)}")
        if self.split not in ("train", "val"):
            raise ValueError(f"{origin}: field `split`: expected 'train' or 'val', got {self.split!r}")
        return self
