"""``worldsim play``: drive the learned world with the keyboard, in the terminal; p looks into the reference world."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from worldsim.checkpoint import DEFAULT_WORLD
from worldsim.engine.starts import StartBank
from worldsim.schema import option
from worldsim.types import EGO_FIELDS, FRAME_RATE_HZ, FloatArray, FrameArray

from ..learned.drive import DriveEnv
from ..learned.settings import STARTS, DriveSettings
from ..rewards import END_PROBABILITY
from . import terminal
from .twins import bring_reference

SPEED, STEERING = EGO_FIELDS.index("speed_mps"), EGO_FIELDS.index("steering")
HELP = "←→ or a d steer · ↑ or w faster · ↓ or s brake · p other world · r again · q quit"
READING_LINES = 3
GAUGE = 21


@dataclass
class PlayConfig:
    """Where to drive."""

    scenario: str = option("highway", "scenario, or the path of its YAML file")
    world: str = option(DEFAULT_WORLD, "world to drive: a name that ships, or a folder")
    start: str = option("auto", f"how the drive begins: {', '.join(STARTS)}")
    steps: int = option(4, "sampling passes a frame: 1, 2, 4, ...; fewer are faster")
    seed: int = option(0, "chooses the start and what is left to chance")


def play(config: PlayConfig) -> None:
    """Drive until q or Ctrl-C. ValueError without a terminal, or for an unknown world or scenario."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ValueError(
            "play: expected a terminal to draw in and to read keys from, got a pipe or a file; "
            "run it in a terminal, or write a video: worldsim rollout out=drive.mp4"
        )
    seat = Seat(config)
    with contextlib.suppress(KeyboardInterrupt), terminal.taken_over() as keyboard:
        _drive(seat, keyboard)


def _drive(seat: Seat, keyboard: terminal.Keyboard) -> None:
    """Show, read keys, step: at most ten times a second, until q."""
    wheel, colours = Wheel(), terminal.true_colour()
    due, shown_at, rate = time.monotonic(), time.monotonic(), FRAME_RATE_HZ
    while True:
        columns, rows = shutil.get_terminal_size()
        frame = terminal.fitted(seat.frame, columns, rows - READING_LINES)
        terminal.show(terminal.half_blocks(frame, colours) + [line[: columns - 1] for line in readings(seat, rate)])
        due = max(due + 1.0 / FRAME_RATE_HZ, time.monotonic())
        keys = keyboard.until(due)
        if "q" in keys:
            return
        if "r" in keys:
            seat.begin()
            wheel = Wheel()
        if "p" in keys:
            seat.change_world()
        for key in keys:
            wheel.press(key)
        seat.step(wheel.turn())
        now = time.monotonic()
        rate, shown_at = 0.8 * rate + 0.2 / max(now - shown_at, 1e-3), now


class Wheel:
    """Steering and pedal from keys. A terminal tells when a key is typed, not when it is let go: each holds awhile."""

    HOLD_STEPS = 4  # a key that is held down repeats within this time
    TURN, RETURN = 0.12, 0.55  # steering added in a step while a key holds; share that is left when none does
    KEYS = {  # noqa: RUF012 (a constant)
        "left": "left", "a": "left", "right": "right", "d": "right", "up": "up", "w": "up", "down": "down", "s": "down",
    }  # fmt: skip

    def __init__(self) -> None:
        self.steering = 0.0
        self.pedal = 0.0
        self._held = {"left": 0, "right": 0, "up": 0, "down": 0}

    def press(self, key: str) -> None:
        """A key was typed. Its opposite is let go."""
        key = self.KEYS.get(key, "")
        if key:
            self._held[key] = self.HOLD_STEPS
            self._held[{"left": "right", "right": "left", "up": "down", "down": "up"}[key]] = 0

    def turn(self) -> FloatArray:
        """The action (2,) of the next step."""
        side = bool(self._held["left"]) - bool(self._held["right"])
        if side * self.steering < 0 or not side:
            self.steering *= self.RETURN
        self.steering = min(max(self.steering + self.TURN * side, -1.0), 1.0)
        self.pedal = 0.7 * bool(self._held["up"]) - 0.6 * bool(self._held["down"])
        self._held = {key: max(left - 1, 0) for key, left in self._held.items()}
        return np.array([self.steering, self.pedal], np.float32)


class Seat:
    """The driver's seat: the learned world, and the reference world at the same moment when it is looked at.

    Both get the same actions. The reference world is made at the first look and catches up from the start.
    """

    def __init__(self, config: PlayConfig) -> None:
        settings = DriveSettings(world=config.world, start=config.start)
        self.model, self.bank = settings.open()
        self.learned = DriveEnv(
            config.scenario, world=self.model, starts=self.bank, start=config.start, steps=config.steps
        )
        self.message = ""
        self._seed: int | None = config.seed
        self.begin()

    def begin(self) -> None:
        """Begin another drive, in the learned world."""
        observation, self._info = self.learned.reset(seed=self._seed)
        self._seed, self._frame = None, observation["camera"]
        self.actions: list[FloatArray] = []
        self._reference: Any = None
        self.in_reference, self.message = False, ""

    def step(self, action: FloatArray) -> None:
        """One step of the drive."""
        self.actions.append(action)
        observation, _, terminated, _, self._info = self.learned.step(action)
        self._frame = observation["camera"]
        if terminated and not self.message:
            what = "off the road" if self._info["labels"]["offroad"] >= END_PROBABILITY else "a collision"
            self.message = f"{what}, says the learned world: r begins again"
        if self.in_reference:
            self._catch_up()

    def change_world(self) -> None:
        """Look at the other world, if there is one to look at."""
        if self.in_reference:
            self.in_reference = False
        elif self.reference_start() is None:
            self.message = "no reference world here: this drive did not begin in it"
        else:
            self.in_reference = True
            self._catch_up()

    def reference_start(self) -> tuple[StartBank, int] | None:
        """The bank and the start that the reference world can be brought to; None where it cannot."""
        start = self.learned.start
        if self.bank is None or start is None or self.bank.records[start].seed is None:
            return None
        return self.bank, start

    @property
    def frame(self) -> FrameArray:
        """What the driver sees (h, w, 3)."""
        return self._reference_frame if self.in_reference else self._frame

    @property
    def info(self) -> dict[str, Any]:
        """``info`` of the world that is seen."""
        return self._reference_info if self.in_reference else self._info

    @property
    def hazard(self) -> tuple[str, float]:
        """What threatens within a second, as the learned world says, and how likely it is."""
        name, chance = max(self.learned.hazards.items(), key=lambda item: item[1])
        return name.removesuffix("_soon"), chance

    def _catch_up(self) -> None:
        begun = self.reference_start()
        assert begun is not None
        if self._reference is None:
            self._reference, observation, self._reference_info = bring_reference(self.model, *begun)
            self._reference_frame, self._caught_up = observation["camera"], 0
        for action in self.actions[self._caught_up :]:
            observation, _, _, _, self._reference_info = self._reference.step(action)
            self._reference_frame = observation["camera"]
        self._caught_up = len(self.actions)


def readings(seat: Seat, rate: float) -> list[str]:
    """The lines below the picture: the state, what happened, the keys."""
    info = seat.info
    ego, labels = info["ego"], info["labels"]
    world = "reference" if seat.in_reference else "learned"
    what, chance = seat.hazard
    hazard = f"{what} {chance:3.0%} within 1 s" if not seat.in_reference else "hazards known only in the learned world"
    return [
        f"{world:<9} {info['step'] / FRAME_RATE_HZ:5.1f} s  {ego[SPEED]:4.1f} m/s  {gauge(float(ego[STEERING]))}  "
        f"lane {labels['lane_offset_m']:+.1f} m  trust {info['trust']:.2f}  {rate:4.1f} frames/s  {hazard}",
        seat.message or info["caption"],
        HELP,
    ]


def gauge(steering: float) -> str:
    """Steering in [-1, 1] as a mark on a line; left is left."""
    middle = GAUGE // 2
    at = middle - round(middle * min(max(steering, -1.0), 1.0))
    return "".join("●" if i == at else "┼" if i == middle else "─" for i in range(GAUGE))
