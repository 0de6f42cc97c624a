"""One drive in the learned world, or two that share a past.

Axis legend: b drives, one or two; h w c of a frame. Drive 0 is the first, the page's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.learned.core import DriveCore
from envs.learned.drives import Drives
from envs.learned.past import Past
from envs.rewards import END_PROBABILITY
from worldsim.engine import Engine, EngineConfig
from worldsim.types import FloatArray, FrameArray

from .beginnings import Course
from .changes import Change, changed
from .pilots import Pilot, row

START_PASSES = 16


@dataclass(frozen=True, eq=False)
class Moment:
    """Where one drive stood, what it had seen, and what had been done until then."""

    course: Course
    state: Drives  # of one drive
    past: Past  # of one drive
    actions: tuple[FloatArray, ...]
    changes: tuple[Change, ...]

    @property
    def step(self) -> int:
        """Steps since the drive began."""
        return int(self.state.step[0])

    def leads_to(self, later: Moment) -> bool:
        """Whether ``later`` is this moment, or comes after it in the same drive."""
        same = self.course is later.course and len(self.actions) <= len(later.actions)
        same = same and all(mine is theirs for mine, theirs in zip(self.actions, later.actions, strict=False))
        return same and self.changes == later.changes[: len(self.changes)]


class Futures:
    """Drives of one course that advance together, as one batch."""

    def __init__(
        self, course: Course, core: DriveCore, pilots: list[Pilot], actions: list[list[FloatArray]], past: Past
    ) -> None:
        self.course, self.core, self.pilots, self.actions, self.past = course, core, pilots, actions, past
        self.changes: tuple[Change, ...] = ()
        self._look()

    @classmethod
    def begin(cls, course: Course, pilot: Pilot, seed: int | None) -> Futures:
        """One drive from the beginning of ``course``. Raises ValueError where it cannot begin."""
        core = DriveCore(course.settings(), 1)
        core.engine = _engine(core, 1)
        rng = np.random.default_rng(seed)
        core.begin(np.zeros(1, np.int64), [rng], course.options(rng))
        return cls(course, core, [pilot], [[]], Past.of_beginning(core))

    @classmethod
    def resume(cls, moment: Moment, pilots: list[Pilot]) -> Futures:
        """As many drives as pilots, all from one moment."""
        core = DriveCore(moment.course.settings(), len(pilots))
        core.restore(moment.state)
        past = moment.past.select(np.zeros(len(pilots), np.int64))
        futures = cls(moment.course, core, pilots, [list(moment.actions) for _ in pilots], past)
        futures.changes = moment.changes
        return futures

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
        self.past = self.past.then(self.core.drives)
        self._look()
        return taken

    def change(self, looks: Mapping[str, str]) -> None:
        """Go on from here in a scene that looks otherwise; see ``changes``."""
        self.core.drives, self.past = changed(self.core, self.past, looks)
        self.changes = (*self.changes, Change(self.step_count, dict(looks)))
        self._look()

    def instruct(self, command: str) -> None:
        """Give all drives a route command."""
        self.core.instruct(np.arange(len(self)), command)
        self._look()

    def moment(self, i: int = 0) -> Moment:
        """Where drive ``i`` stands, as a value."""
        row = np.array([i])
        return Moment(
            self.course, self.core.drives.select(row), self.past.select(row), tuple(self.actions[i]), self.changes
        )

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
