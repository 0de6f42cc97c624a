"""The cameras of a scenario, and the shots that its film is cut from.

In a scenario file ``cameras`` are names, ``[front, left, right, rear]``, or names with what is set anew,
``{front: {hfov_deg: 90}, roof: {up_m: 2.5, pitch_deg: {min: 10, max: 20}}}``; all of them see the same drive.
``shots`` are names of them, ``[front, rear, all]``, each shown as long as the next, or
``[{camera: front, at_s: 0}, {camera: rear, at_s: 4}]``. A number, and a shot's camera, may be any choice; see
``choices``.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from worldsim.errors import nearest
from worldsim.types import CameraSpec

from .choices import draw, is_number, is_open, possible, read_choice

ALL = "all"
"""What a shot is called that shows all cameras at once."""

MOST_CAMERAS = 8

_SIDE_DEG, _SIDE_FOV_DEG, _REAR_FOV_DEG = 80.0, 90.0, 110.0  # with the front's 70 they see all around, without a gap
MOUNTINGS = {
    "front": CameraSpec(),
    "left": CameraSpec.from_fov(
        128, 64, _SIDE_FOV_DEG, yaw_rad=math.radians(_SIDE_DEG), position_m=(0.6, 0.9, 1.3), pitch_rad=0.06
    ),
    "right": CameraSpec.from_fov(
        128, 64, _SIDE_FOV_DEG, yaw_rad=-math.radians(_SIDE_DEG), position_m=(0.6, -0.9, 1.3), pitch_rad=0.06
    ),
    "rear": CameraSpec.from_fov(
        128, 64, _REAR_FOV_DEG, yaw_rad=math.pi, position_m=(-2.0, 0.0, 1.3), pitch_rad=0.06
    ),
}  # fmt: skip
"""How the cameras that need no more than a name are mounted."""

_LIMITS = {
    "hfov_deg": (10.0, 150.0),
    "yaw_deg": (-180.0, 180.0),
    "pitch_deg": (-60.0, 60.0),
    "roll_deg": (-45.0, 45.0),
    "forward_m": (-10.0, 10.0),
    "left_m": (-3.0, 3.0),
    "up_m": (0.3, 10.0),
}
_ANGLES = {"yaw_deg": "yaw_rad", "pitch_deg": "pitch_rad", "roll_deg": "roll_rad"}
_PLACES = ("forward_m", "left_m", "up_m")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_CLOSE = {"hfov_deg": 0.5, **dict.fromkeys(_ANGLES, 0.5), **dict.fromkeys(_PLACES, 0.05)}


@dataclass(frozen=True)
class Camera:
    """A camera by name. None: as the camera of that name is mounted, or one of another name as the front is.

    Positive yaw looks left, positive pitch down; the place is from the ground below the vehicle's centre. A number may
    be a choice. Raises ValueError for a bad name, a number out of bounds, and a name that says nothing.
    """

    name: str
    hfov_deg: Any = None
    yaw_deg: Any = None
    pitch_deg: Any = None
    roll_deg: Any = None
    forward_m: Any = None
    left_m: Any = None
    up_m: Any = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name) or self.name == ALL:
            raise ValueError(
                f"expected a camera's name of small letters, digits and _, and not {ALL!r}, got {self.name!r}"
            )
        for key, (low, high) in _LIMITS.items():
            value = self._read(key)
            object.__setattr__(self, key, value)
            for number in possible(value):
                if value is not None and not (is_number(number) and low <= number <= high):
                    raise ValueError(
                        f"camera {self.name!r}: key `{key}`: expected a number in [{low:g}, {high:g}], got {number!r}"
                    )
        if self.name not in MOUNTINGS and not self.said:
            raise ValueError(
                f"camera {self.name!r}: expected one of {list(MOUNTINGS)}, or a name of your own with at least one of "
                f"{list(_LIMITS)}{nearest(self.name, MOUNTINGS)}"
            )

    def _read(self, key: str) -> Any:
        try:
            return read_choice(getattr(self, key))
        except ValueError as error:
            raise ValueError(f"camera {self.name!r}: key `{key}`: {error}") from error

    @property
    def said(self) -> dict[str, Any]:
        """The keys that are set anew."""
        return {key: getattr(self, key) for key in _LIMITS if getattr(self, key) is not None}

    @property
    def is_concrete(self) -> bool:
        """Whether nothing is left to chance."""
        return not any(is_open(value) for value in self.said.values())

    def concretise(self, rng: np.random.Generator) -> Camera:
        """Choose one number wherever there are several."""
        return dataclasses.replace(self, **{key: draw(value, rng) for key, value in self.said.items()})

    def spec(self, size: tuple[int, int] | None = None) -> CameraSpec:
        """The camera at ``size`` (h, w), None: that of ``CameraSpec()``. Of a choice, its first value."""
        said = {key: float(possible(value)[0]) for key, value in self.said.items()}
        usual = MOUNTINGS.get(self.name, CameraSpec())
        height, width = size or (usual.height, usual.width)
        place = tuple(said.get(key, own) for key, own in zip(_PLACES, usual.position_m, strict=True))
        mounting: dict[str, Any] = {"position_m": place} | {
            rad: math.radians(said[deg]) if deg in said else getattr(usual, rad) for deg, rad in _ANGLES.items()
        }
        if "hfov_deg" not in said and width * usual.height == height * usual.width:
            return dataclasses.replace(usual.resized(width, height), **mounting)
        return CameraSpec.from_fov(width, height, said.get("hfov_deg", round(_hfov_deg(usual), 2)), **mounting)

    def is_shown_by(self, spec: CameraSpec) -> bool:
        """Whether ``spec`` is mounted as this camera says, where it says anything; of a choice any value does."""
        has = {
            "hfov_deg": _hfov_deg(spec),
            **{deg: math.degrees(getattr(spec, rad)) for deg, rad in _ANGLES.items()},
            **dict(zip(_PLACES, spec.position_m, strict=True)),
        }
        return all(
            any(
                min(possible(value)) - _CLOSE[key] <= has[key] + turn <= max(possible(value)) + _CLOSE[key]
                for turn in turns
            )
            for key, value in self.said.items()
            for turns in [(-360.0, 0.0, 360.0) if key in _ANGLES else (0.0,)]
        )


def _hfov_deg(spec: CameraSpec) -> float:
    return 2.0 * math.degrees(math.atan(spec.width / 2 / spec.fx))


def read_cameras(value: Any) -> tuple[Camera, ...]:
    """Cameras from names, from a mapping of names to what is set anew, or from cameras. ValueError for the rest."""
    if isinstance(value, Mapping):
        cameras = [_camera(name, said) for name, said in value.items()]
    elif isinstance(value, list | tuple):
        cameras = [each if isinstance(each, Camera) else _camera(each, None) for each in value]
    elif isinstance(value, str):
        cameras = [_camera(value, None)]
    else:
        raise ValueError(f"expected names such as {list(MOUNTINGS)}, or {{name: {{key: value}}}}, got {value!r}")
    names = [camera.name for camera in cameras]
    if len(set(names)) < len(names):
        raise ValueError(f"expected every camera once, got {names}")
    if len(cameras) > MOST_CAMERAS:
        raise ValueError(f"expected at most {MOST_CAMERAS} cameras, got {len(cameras)}")
    return tuple(cameras)


def _camera(name: Any, said: Any) -> Camera:
    if said is not None and not isinstance(said, Mapping):
        raise ValueError(f"camera {name!r}: expected keys of {list(_LIMITS)}, got {said!r}")
    for key in said or {}:
        if key not in _LIMITS:
            raise ValueError(
                f"camera {name!r}: unknown key `{key}`: expected one of {list(_LIMITS)}{nearest(key, _LIMITS)}"
            )
    return Camera(name, **(said or {}))


def specs(cameras: Sequence[Camera], size: tuple[int, int] | None = None) -> dict[str, CameraSpec]:
    """Name and mounting of each camera at ``size`` (h, w); of none, the front alone."""
    return {camera.name: camera.spec(size) for camera in cameras or (Camera("front"),)}


def missing(cameras: Sequence[Camera], shown: Mapping[str, CameraSpec]) -> list[str]:
    """Names of the cameras that are asked for and not in ``shown``, or mounted otherwise there."""
    return [each.name for each in cameras if each.name not in shown or not each.is_shown_by(shown[each.name])]


@dataclass(frozen=True)
class Shot:
    """What a film shows from ``at_s`` seconds on: a camera, or ALL of them. None: each shot as long as the next."""

    camera: Any
    at_s: Any = None

    @property
    def is_concrete(self) -> bool:
        """Whether nothing is left to chance."""
        return not is_open(self.camera) and not is_open(self.at_s)

    def concretise(self, rng: np.random.Generator) -> Shot:
        """Choose camera and time."""
        return Shot(draw(self.camera, rng), draw(self.at_s, rng))


def read_shots(value: Any, cameras: Iterable[Camera], horizon_s: float) -> tuple[Shot, ...]:
    """Shots from names or from mappings with ``camera`` and ``at_s``, of a film that lasts at most ``horizon_s``.

    Raises ValueError for a camera that is not among ``cameras``, times that do not begin at 0 or do not grow, and
    times that only some of the shots have.
    """
    if not isinstance(value, list | tuple):
        raise ValueError(f"expected a list of cameras, or of {{camera: name, at_s: seconds}}, got {value!r}")
    shots = tuple(_shot(number, each) for number, each in enumerate(value, 1))
    known = [*(camera.name for camera in cameras or (Camera("front"),)), ALL]
    for number, shot in enumerate(shots, 1):
        for name in possible(shot.camera):
            if name not in known:
                raise ValueError(
                    f"shot {number}: expected one of the cameras {known}, got {name!r}{nearest(name, known)}"
                )
    timed = [shot.at_s is not None for shot in shots]
    if any(timed) and not all(timed):
        raise ValueError("expected the key `at_s` in every shot or in none, got it in some")
    if all(timed):
        _check_times(shots, horizon_s)
    return shots


def _shot(number: int, value: Any) -> Shot:
    if isinstance(value, Shot):
        return value
    if isinstance(value, str):
        return Shot(value)
    if not isinstance(value, Mapping) or "camera" not in value or not set(value) <= {"camera", "at_s"}:
        raise ValueError(f"shot {number}: expected a camera's name, or the keys camera and at_s, got {value!r}")
    try:
        return Shot(read_choice(value["camera"]), read_choice(value.get("at_s")))
    except ValueError as error:
        raise ValueError(f"shot {number}: {error}") from error


def _check_times(shots: Sequence[Shot], horizon_s: float) -> None:
    latest = -1.0
    for number, shot in enumerate(shots, 1):
        times = possible(shot.at_s)
        if not times or not all(is_number(time) and 0.0 <= time < horizon_s for time in times):
            raise ValueError(f"shot {number}: key `at_s`: expected a number in [0, {horizon_s:g}), got {shot.at_s}")
        if number == 1 and max(times) > 0.0:
            raise ValueError(f"shot 1: key `at_s`: expected 0, for a film begins with its first shot, got {shot.at_s}")
        if min(times) <= latest:
            raise ValueError(
                f"shot {number}: key `at_s`: expected a time after that of shot {number - 1} ({latest:g} s), got "
                f"{shot.at_s}"
            )
        latest = max(times)
