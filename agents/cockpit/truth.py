"""The reference world beside the learned one, under the same actions.

Axis legend: h w c of a frame.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from envs.commands.twins import bring_reference
from envs.reference.camera.ego_camera import EgoCamera
from worldsim.types import FloatArray, FrameArray

from .beginnings import IMAGE, Course
from .changes import Change

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
    """The reference world of one drive; it is brought to the drive's start, follows its actions and looks as it does.

    What was changed in words is changed in the picture alone: in the reference world neither the road nor the traffic
    depends on the weather or the time of day.
    """

    def __init__(self, course: Course, start: int) -> None:
        assert course.bank is not None and not why_not(course, start)
        self._env, observation, self.info = bring_reference(course.world.model, course.bank, start)
        self.frame: FrameArray = observation["camera"]
        self.done = 0
        self._eye = EgoCamera(next(iter(self._env.cameras.values())))

    def follow(self, actions: Sequence[FloatArray], changes: Sequence[Change] = (), seconds: float = A_STEP_S) -> int:
        """Take what is left of ``actions``, for so long at most but one at least; how many are left then."""
        until = time.perf_counter() + seconds
        while self.done < len(actions):
            observation, _, _, _, self.info = self._env.step(actions[self.done])
            self.frame, self.done = observation["camera"], self.done + 1
            if time.perf_counter() >= until:
                break
        looks: dict[str, Any] = {
            key: to for change in changes if change.step <= self.done for key, to in change.looks.items()
        }
        if looks:
            self.frame = self._eye.render(replace(self._env.scene(), **looks))
        return len(actions) - self.done

    def readings(self) -> dict[str, Any]:
        """What is true now."""
        labels = self.info["labels"]
        return {"offroad": labels["offroad"] >= 0.5, "collision": labels["collision"] >= 0.5}
