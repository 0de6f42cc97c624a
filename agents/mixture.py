"""Who drives when episodes are collected: mostly well, and badly on purpose, so that the model sees both.

A world model that has only seen experts believes that nothing ever goes wrong (ReSim, Yang et al. 2025). Every driver
here draws from the np.random.Generator it is given, and from nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from worldsim.errors import choose
from worldsim.types import FRAME_RATE_HZ, FloatArray

from .scripted import Driver, ScriptedDriver, Style

_STEP_S = 1.0 / FRAME_RATE_HZ


def _clipped(steering: float, pedal: float) -> FloatArray:
    return np.clip(np.array([steering, pedal]), -1.0, 1.0).astype(np.float32)


class NoisyDriver(ScriptedDriver):
    """A good driver whose hands and feet wander: Ornstein-Uhlenbeck noise on both actions."""

    def __init__(self) -> None:
        super().__init__(Style(lane_changes_per_s=1 / 10), "noisy")

    def reset(self, env: Any, rng: np.random.Generator) -> None:
        super().reset(env, rng)
        self.noise = np.zeros(2)
        self.spread = rng.uniform(0.05, 0.3, size=2)
        self.return_s = float(rng.uniform(0.4, 1.5))

    def act(self) -> FloatArray:
        """The good driver's action plus noise that forgets itself within ``return_s``."""
        kick = np.sqrt(2 * _STEP_S / self.return_s) * self.rng.normal(size=2)
        self.noise += -self.noise * _STEP_S / self.return_s + self.spread * kick
        steering, pedal = super().act() + self.noise
        return _clipped(steering, pedal)


class _EpisodicDriver(ScriptedDriver):
    """A driver that alternates between driving on well and misbehaving, each for a random time."""

    calm_s: tuple[float, float] = (2.0, 8.0)
    wild_s: tuple[float, float] = (0.5, 2.0)

    def reset(self, env: Any, rng: np.random.Generator) -> None:
        super().reset(env, rng)
        self.misbehaving = False
        self.left_s = float(rng.uniform(*self.calm_s))

    def act(self) -> FloatArray:
        """Drive on or misbehave, whichever it is the time for."""
        self.left_s -= _STEP_S
        if self.left_s <= 0:
            self.misbehaving = not self.misbehaving
            self.left_s = float(self.rng.uniform(*(self.wild_s if self.misbehaving else self.calm_s)))
            if self.misbehaving:
                self.begin()
            else:
                self.finish()
        return self.misbehave() if self.misbehaving else super().act()

    def begin(self) -> None:
        """Called when misbehaviour begins."""

    def finish(self) -> None:
        """Called when it ends."""

    def misbehave(self) -> FloatArray:
        """The action (2,) while misbehaving."""
        return super().act()


class WildDriver(_EpisodicDriver):
    """Bursts of arbitrary steering and pedals: uniform every step, or held, or weaving; then it recovers."""

    wild_s = (0.5, 2.5)

    def __init__(self) -> None:
        super().__init__(Style(), "wild")

    def begin(self) -> None:
        """Choose how to be wild this time, and how much."""
        self.manner = str(self.rng.choice(["uniform", "held", "weave"]))
        self.held = self.rng.uniform(-1, 1, size=2)
        self.phase = float(self.rng.uniform(0, 2 * np.pi))
        self.pace = float(self.rng.uniform(2.0, 6.0))

    def misbehave(self) -> FloatArray:
        """Anything, one thing held, or swings from side to side."""
        if self.manner == "uniform":
            return _clipped(*self.rng.uniform(-1, 1, size=2))
        if self.manner == "held":
            return _clipped(*self.held)
        self.phase += self.pace * _STEP_S
        return _clipped(abs(self.held[0]) * np.sin(self.phase), self.held[1])


class DrifterDriver(_EpisodicDriver):
    """Stops steering, or steers a little wrong, and lets the road come and go; then it steers again.

    In good driving the turn of the road and the turn of the vehicle are one, so a model that sees little else draws a
    lane that follows the vehicle whatever it does. These drives pull the two apart.
    """

    calm_s = (0.5, 3.0)
    wild_s = (1.0, 4.0)

    def __init__(self) -> None:
        super().__init__(Style(lane_changes_per_s=1 / 20), "drifter")

    def begin(self) -> None:
        """Choose where the wheel stays: straight ahead, where it is, or beside where it should be."""
        self.manner = str(self.rng.choice(["straight", "kept", "beside"]))
        self.kept = float(ScriptedDriver.act(self)[0])
        self.error = float(self.rng.normal(0.0, 0.2))

    def misbehave(self) -> FloatArray:
        """Pedals as a good driver's, so that nothing but the steering tells this drive from a good one."""
        steering, pedal = ScriptedDriver.act(self)
        wheel = {"straight": 0.0, "kept": self.kept, "beside": float(steering) + self.error}[self.manner]
        return _clipped(wheel, float(pedal))


class SwerverDriver(ScriptedDriver):
    """Swings to and fro by a will of its own, quickly or slowly, and is drawn back to the lane more or less.

    How the vehicle turns then says nothing of how the road does.
    """

    def __init__(self) -> None:
        super().__init__(Style(lane_changes_per_s=0.0), "swerver")

    def reset(self, env: Any, rng: np.random.Generator) -> None:
        """Begin a drive with swings of its own width and pace."""
        super().reset(env, rng)
        self.swing = float(rng.normal())
        self.width = float(rng.uniform(0.3, 1.0))
        self.pace_s = float(np.exp(rng.uniform(np.log(0.2), np.log(3.0))))
        self.hold = float(rng.uniform(0.05, 0.4))

    def act(self) -> FloatArray:
        """The good driver's wheel, held more loosely, and an Ornstein-Uhlenbeck swing of it."""
        steering, pedal = super().act()
        self.swing += -self.swing * _STEP_S / self.pace_s + np.sqrt(2 * _STEP_S / self.pace_s) * self.rng.normal()
        return _clipped(self.hold * float(steering) + self.width * self.swing, float(pedal))


class StrayDriver(_EpisodicDriver):
    """Turns its back on the road: drives where it likes, over lanes and verge, and seldom finds its way back."""

    calm_s = (0.2, 2.0)
    wild_s = (3.0, 9.0)

    def __init__(self) -> None:
        super().__init__(Style(lane_changes_per_s=0.0), "stray")

    def begin(self) -> None:
        """Choose a turn, and how often it changes."""
        self.change_s = float(np.exp(self.rng.uniform(np.log(0.3), np.log(4.0))))
        self.turn = float(self.rng.normal(0.0, 0.6))

    def misbehave(self) -> FloatArray:
        """Hold the turn until another comes to mind; pedals as a good driver's."""
        if self.rng.random() < _STEP_S / self.change_s:
            self.turn = float(self.rng.normal(0.0, 0.6))
        return _clipped(self.turn, float(ScriptedDriver.act(self)[1]))


class SurgerDriver(ScriptedDriver):
    """Accelerates and brakes by a will of its own, up to whoever is ahead and away again, and keeps its lane.

    A good driver's pedals hold the gap, so they say nothing of how it would change; these do.
    """

    def __init__(self) -> None:
        super().__init__(Style(lane_changes_per_s=1 / 40), "surger")

    def reset(self, env: Any, rng: np.random.Generator) -> None:
        """Begin a drive with a nerve of its own: how near a collision may come before it brakes."""
        super().reset(env, rng)
        self.left_s, self.pedal = 0.0, 0.0
        self.nerve_s = float(np.exp(rng.uniform(np.log(0.4), np.log(3.0))))

    def act(self) -> FloatArray:
        """The good driver's wheel; a pedal held for 0.3 to 3 s, away from the gap or speed that is wrong for long."""
        steering, _ = super().act()
        self.left_s -= _STEP_S
        if self.left_s <= 0:
            self.left_s = float(self.rng.uniform(0.3, 3.0))
            fast = self.truth.speed / max(self.cruise, 1.0)
            far = self.truth.lead_distance > 30.0
            self.pedal = float(self.rng.uniform(-1.0, 1.0) + (0.4 if far else 0.0) + 0.5 * (1.0 - fast))
        near = self.truth.lead_distance < 4.0 + self.nerve_s * max(self.truth.closing_speed, 0.0)
        return _clipped(float(steering), -1.0 if near else self.pedal)


class OffroadDriver(_EpisodicDriver):
    """Drifts off the road, gently or sharply, and sometimes comes back."""

    calm_s = (1.0, 10.0)
    wild_s = (2.0, 6.0)

    def __init__(self) -> None:
        super().__init__(Style(lane_changes_per_s=0.0), "offroad")

    def begin(self) -> None:
        """Wish to drive 3 to 16 m to one side of the lane."""
        self.bias = float(self.rng.choice([-1.0, 1.0]) * self.rng.uniform(3.0, 16.0))

    def finish(self) -> None:
        """Wish for the lane again."""
        self.bias = 0.0


class CrasherDriver(_EpisodicDriver):
    """Drives well until it accelerates, without looking, into whoever is ahead."""

    calm_s = (1.0, 10.0)
    wild_s = (4.0, 15.0)

    def __init__(self) -> None:
        super().__init__(Style(lane_changes_per_s=0.0), "crasher")

    def begin(self) -> None:
        """Choose how hard to accelerate."""
        self.pedal = float(self.rng.uniform(0.2, 1.0))

    def misbehave(self) -> FloatArray:
        """Steer well, so that whoever is ahead is hit, and do not look at the distance."""
        return _clipped(float(ScriptedDriver.act(self)[0]), self.pedal)


class StopperDriver(_EpisodicDriver):
    """Brakes to a stop for no reason, waits, and starts again."""

    calm_s = (3.0, 10.0)
    wild_s = (0.5, 4.0)  # of waiting, once it stands

    def __init__(self) -> None:
        super().__init__(Style(), "stopper")

    def begin(self) -> None:
        """Choose how hard to brake; the time drawn for misbehaviour is how long it will stand."""
        self.pedal = -float(self.rng.uniform(0.2, 1.0))
        self.wait_s = self.left_s

    def misbehave(self) -> FloatArray:
        """Brake; the waiting time does not run until it stands."""
        if self.truth.speed > 0.2:
            self.left_s = self.wait_s
        return _clipped(float(ScriptedDriver.act(self)[0]), self.pedal)


AGGRESSIVE = Style(
    speed=(1.15, 1.5),
    cornering=1.25,
    time_gap_s=0.5,
    standstill_m=2.0,
    acceleration_mps2=3.8,
    braking_mps2=6.0,
    lane_changes_per_s=1 / 4,
    lane_change_mps=2.0,
    room_s=0.3,
)

DRIVERS: dict[str, tuple[float, Callable[[], Driver]]] = {
    "good": (0.12, ScriptedDriver),
    "noisy": (0.08, NoisyDriver),
    "aggressive": (0.07, lambda: ScriptedDriver(AGGRESSIVE, "aggressive")),
    "wild": (0.08, WildDriver),
    "drifter": (0.12, DrifterDriver),
    "swerver": (0.16, SwerverDriver),
    "stray": (0.12, StrayDriver),
    "surger": (0.07, SurgerDriver),
    "offroad": (0.05, OffroadDriver),
    "crasher": (0.10, CrasherDriver),
    "stopper": (0.03, StopperDriver),
}
"""Name -> share of collected episodes, and how to make one."""


def make_driver(name: str) -> Driver:
    """A driver by name; raises ValueError, with the nearest name, for an unknown one."""
    return DRIVERS[choose(name, DRIVERS, "driver")][1]()


def mixture(rng: np.random.Generator) -> Driver:
    """A driver drawn by the shares of ``DRIVERS``."""
    names = list(DRIVERS)
    shares = np.array([DRIVERS[name][0] for name in names])
    return make_driver(str(rng.choice(names, p=shares / shares.sum())))
