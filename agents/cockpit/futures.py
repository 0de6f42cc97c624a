"""One drive in the learned world, or two that share a past.

Axis legend: b drives, one or two; h w c of a frame. Drive 0 is the first, the page's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from envs.learned.core import DriveCore
from envs.learned.drives import Drives
from envs.rewards import END_PROBABILITY
from worldsim.engine import Engine, EngineConfig
from worldsim.types import FloatArray, FrameArray

from .beginnings import Course
from .pilots import Pilot, row

START_PASSES = 16


class Futures:
    """Drives of one course that advance together, as one batch."""

    def __init__(self, course: Course, core: DriveCore, pilots: list[Pilot], actions: list[list[FloatArray]]) -> None:
        self.course, self.core, self.pilots, self.actions = course, core, pilots, actions
        self._look()

    @classmethod
    def begin(cls, course: Course, pilot: Pilot, seed: int | None) -> Futures:
        """One drive from the beginning of ``course``. Raises ValueError where it cannot begin."""
        core = DriveCore(course.settings(), 1)
        core.engine = _engine(core, 1)
        rng = np.random.default_rng(seed)
        core.begin(np.zeros(1, np.int64), [rng], course.options(rng))
        return cls(course, core, [pilot], [[]])

    @classmethod
    def resume(
        cls, course: Course, states: Sequence[Drives], pilots: list[Pilot], actions: Sequence[Sequence[FloatArray]]
    ) -> Futures:
        """As many drives as pilots, all from one state, after ``actions`` that led there."""
        (state,) = states
        core = DriveCore(course.settings(), len(pilots))
        core.restore(state)
        return cls(course, core, pilots, [list(each) for each in actions])

    def __len__(self) -> int:
        return len(self.pilots)

    @property
    def step_count(self) -> int:
        """Steps since the beginning."""
        return int(self.core.drives.step[0])

    @property
    def frames(self) -> FrameArray:
        """What each driver sees, (b, h, w, 3)."""
        return self.core.drives.frames[:, 0]  # the main view

    def step(self, wheel: FloatArray, passes: int) -> FloatArray:
        """Advance all drives, drawing frames in so many passes; the actions (b, 2) that were taken."""
        if self.core.engine.config.steps != passes:
            self.core.engine = _engine(self.core, passes)
        acts = [pilot.act(wheel, row(self.observation, i), row(self.info, i)) for i, pilot in enumerate(self.pilots)]
        for past, action in zip(self.actions, acts, strict=True):
            past.append(action)
        taken = np.stack(acts)
        self.core.step(taken)
        self._look()
        return taken

    def state(self, i: int = 0) -> Drives:
        """Where drive ``i`` stands, as a value."""
        return self.core.drives.select(np.array([i]))

    def ended(self, i: int) -> str:
        """What ended drive ``i`` now, as the learned world says; nothing where nothing did."""
        if not self.core.ends()[0][i]:
            return ""
        return "off the road" if self.core.drive_state().offroad[i] >= END_PROBABILITY else "a collision"

    def hazard(self, i: int) -> tuple[str, float]:
        """What threatens drive ``i`` within a second, and how likely it is."""
        name, chances = max(self.core.hazards().items(), key=lambda item: item[1][i])
        return name.removesuffix("_soon"), float(chances[i])

    def _look(self) -> None:
        self.observation: dict[str, Any] = self.core.observe()
        self.info: dict[str, Any] = self.core.info()


def _engine(core: DriveCore, passes: int) -> Engine:
    finest = core.world.config.dynamics.finest_steps
    return Engine(core.world, EngineConfig(min(passes, finest), min(START_PASSES, finest)))
