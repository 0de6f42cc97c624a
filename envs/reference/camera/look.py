"""How weather and time of day look: colours and light, as numbers that every part of the picture shares.

Colours are RGB in 0..255; light is a gain per RGB channel on a surface's own colour.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from worldsim.errors import choose
from worldsim.types import TIMES, WEATHERS

from .scene import Turn

Array = npt.NDArray[np.float64]
Colour = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Look:
    """Light and air of one weather at one time of day, or between two looks.

    Between two, ``weather`` and ``time_of_day`` are those of the nearer one, ``ends`` are both, and ``share`` is how
    far it has come from the first to the second.
    """

    weather: str
    time_of_day: str
    zenith: Colour  # colour of the sky overhead
    horizon: Colour  # colour of the sky at the horizon, and of distant air
    ambient: Colour  # light from the whole sky
    sun: Colour  # light on a surface that faces the sun (the moon at night)
    sun_elevation: float  # radians
    visibility_m: float  # where 5 % of the contrast is left (Koschmieder)
    clouds: float  # 0 none to 1 overcast
    headlights: float  # gain of the ego's headlights
    lamps: float  # 0 to 1: how lit windows, street lamps and tail lights are
    wetness: float  # 0 to 1: how dark and shiny the ground is
    snow: float  # 0 to 1: how white the roadside is
    ends: tuple[Look, Look] | None = None
    share: float = 0.0

    @cached_property
    def ground_light(self) -> Array:
        """Gain (3,) on level ground out of the headlights."""
        return np.array(self.ambient) + math.sin(self.sun_elevation) * np.array(self.sun)

    @cached_property
    def shadow(self) -> float:
        """Share of the light on level ground that a cast shadow takes away."""
        return float(1.0 - np.mean(np.array(self.ambient) / self.ground_light))

    def transmission(self, distance: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Share of a surface's colour left after ``distance`` metres of air; the rest is ``horizon``."""
        return np.exp(distance * (-3.0 / self.visibility_m))


SKY: dict[tuple[str, str], tuple[Colour, Colour]] = {  # (weather, time) -> zenith, horizon
    ("clear", "day"): ((72, 132, 214), (190, 216, 240)),
    ("rain", "day"): ((84, 98, 118), (136, 150, 168)),
    ("fog", "day"): ((186, 190, 192), (196, 199, 200)),
    ("snow", "day"): ((196, 202, 212), (222, 226, 232)),
    ("clear", "dusk"): ((62, 66, 128), (250, 152, 78)),
    ("rain", "dusk"): ((58, 52, 76), (134, 98, 98)),
    ("fog", "dusk"): ((158, 126, 112), (178, 138, 112)),
    ("snow", "dusk"): ((136, 122, 150), (206, 166, 166)),
    ("clear", "night"): ((4, 6, 20), (16, 22, 48)),
    ("rain", "night"): ((5, 8, 12), (12, 18, 26)),
    ("fog", "night"): ((40, 42, 45), (52, 54, 56)),
    ("snow", "night"): ((34, 38, 54), (54, 58, 74)),
}
AMBIENT: dict[str, Colour] = {"day": (0.56, 0.58, 0.62), "dusk": (0.50, 0.42, 0.48), "night": (0.10, 0.12, 0.19)}
SUN: dict[str, Colour] = {"day": (0.68, 0.64, 0.56), "dusk": (0.86, 0.47, 0.20), "night": (0.03, 0.04, 0.07)}
SUN_ELEVATION_DEG = {"day": 48.0, "dusk": 9.0, "night": 40.0}
SUNSHINE = {"clear": 1.0, "rain": 0.06, "fog": 0.03, "snow": 0.10}
SKYLIGHT: dict[str, Colour] = {  # what clouds do to the light of the whole sky
    "clear": (1.0, 1.0, 1.0),
    "rain": (0.92, 1.0, 1.1),
    "fog": (1.35, 1.35, 1.32),
    "snow": (1.35, 1.38, 1.44),
}
VISIBILITY_M = {"clear": 700.0, "rain": 170.0, "fog": 35.0, "snow": 120.0}
CLOUDS = {"clear": 0.35, "rain": 0.9, "fog": 1.0, "snow": 0.95}


@lru_cache(maxsize=len(WEATHERS) * len(TIMES))
def look(weather: str, time_of_day: str) -> Look:
    """The look of a weather at a time of day; ValueError suggests the nearest valid name."""
    choose(weather, WEATHERS, "weather")
    choose(time_of_day, TIMES, "time of day")
    zenith, horizon = SKY[weather, time_of_day]
    shine = SUNSHINE[weather]
    ambient = np.array(AMBIENT[time_of_day]) * SKYLIGHT[weather]
    sun = np.array(SUN[time_of_day]) * shine
    night = time_of_day == "night"
    return Look(
        weather=weather,
        time_of_day=time_of_day,
        zenith=zenith,
        horizon=horizon,
        ambient=(float(ambient[0]), float(ambient[1]), float(ambient[2])),
        sun=(float(sun[0]), float(sun[1]), float(sun[2])),
        sun_elevation=math.radians(SUN_ELEVATION_DEG[time_of_day]),
        visibility_m=VISIBILITY_M[weather],
        clouds=CLOUDS[weather],
        headlights=1.0 if night else 0.0,
        lamps={"day": 0.0, "dusk": 0.6, "night": 1.0}[time_of_day],
        wetness=1.0 if weather == "rain" else 0.0,
        snow=1.0 if weather == "snow" else 0.0,
    )


def look_now(weather: str | Turn, time_of_day: str | Turn) -> Look:
    """The look of a moment at which weather, time of day or both may be turning."""
    if isinstance(time_of_day, Turn):
        ends = look_now(weather, time_of_day.before), look_now(weather, time_of_day.after)
        return between(*ends, time_of_day.share)
    if isinstance(weather, Turn):
        return between(look(weather.before, time_of_day), look(weather.after, time_of_day), weather.share)
    return look(weather, time_of_day)


def between(first: Look, second: Look, share: float) -> Look:
    """The look ``share`` of the way from one to another: light evenly, sight by equal factors."""
    if not 0.0 < share < 1.0:
        return second if share > 0.5 else first

    def mixed(name: str) -> Any:
        a, b = getattr(first, name), getattr(second, name)
        if isinstance(a, tuple):
            return tuple(x + (y - x) * share for x, y in zip(a, b, strict=True))
        return a + (b - a) * share

    sight = first.visibility_m ** (1 - share) * second.visibility_m**share
    numbers = {name: mixed(name) for name in _NUMBERS}
    nearer = second if share > 0.5 else first
    return replace(nearer, **numbers, visibility_m=sight, ends=(first, second), share=share)


_NUMBERS = (
    "zenith", "horizon", "ambient", "sun", "sun_elevation", "clouds", "headlights", "lamps", "wetness", "snow",
)  # fmt: skip


def headlight_cone(x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Low-beam light, 0 to about 1, at ego-frame ground points: two metres ahead and on, widening, fading by 45 m."""
    ahead = np.maximum(x, 0.0)
    start = np.clip((ahead - 2.0) / 3.0, 0.0, 1.0)
    spread = y / (1.8 + 0.30 * ahead)
    return start * np.exp(-(spread**2) - (ahead / 30.0) ** 1.5) * 1.15


def sun_azimuth(seed: int) -> float:
    """World azimuth of the sun in radians, fixed by the seed."""
    return float(np.random.default_rng((seed & 0xFFFFFFFF, 11)).uniform(0, 2 * math.pi))
