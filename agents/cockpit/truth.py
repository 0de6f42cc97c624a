"""The reference world beside the learned one, under the same actions.

Axis legend: h w c of a frame.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from envs.commands.twins import bring_reference
from worldsim.types import FloatArray, FrameArray

from .beginnings import IMAGE, Course

A_STEP_S = 0.03  # that catching up may take of a step


def why_not(course: Course, start: int) -> str:
    """Why a drive from ``start`` of the course's bank (-1: imagined) has no truth; nothing where it has one."""
    if course.name == IMAGE:
        return "This drive began from your image: there is no reference world of it."
    if start < 0:
        return "The learned world imagined how this drive begins: there is no reference world of it."
    if course.bank is None or course.bank.records[start].seed is None:
        return "This drive began in a recorded log, not in the reference world."
    return ""


class Truth:
    """The reference world of one drive; it is brought to the drive's start and follows its actions."""

    def __init__(self, course: Course, start: int) -> None:
        assert course.bank is not None and not why_not(course, start)
        self._env, observation, self.info = bring_reference(course.world.model, course.bank, start)
        self.frame: FrameArray = observation["camera"]
        self.done = 0

    def follow(self, actions: Sequence[FloatArray], seconds: float = A_STEP_S) -> int:
        """Take what is left of ``actions``, for so long at most but one at least; how many are left then."""
        until = time.perf_counter() + seconds
        while self.done < len(actions):
            observation, _, _, _, self.info = self._env.step(actions[self.done])
            self.frame, self.done = observation["camera"], self.done + 1
            if time.perf_counter() >= until:
                break
        return len(actions) - self.done

    def readings(self) -> dict[str, Any]:
        """What is true now."""
        labels = self.info["labels"]
        return {"offroad": labels["offroad"] >= 0.5, "collision": labels["collision"] >= 0.5}
