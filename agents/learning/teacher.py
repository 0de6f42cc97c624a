"""A teacher for drives that begin anew now and then: a lane keeper that goes by what the model's heads say.

Axis legend: b drives, a = 2 actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from envs.kinematics import STEP_S
from envs.lane_keeping import LaneKeeping
from worldsim.types import FloatArray

from ..judging.family import usual_speed_mps
from ..policy.observe import Bools

Array = npt.NDArray[np.float64]

FEELS_FIRST_STEPS = 8
"""A lane keeper feels a bend only as it drives through it, so what it says before is not worth learning."""
SWAY_S = (2.5, 6.0)
"""How long it takes to sway to either side and back."""


class Teacher:
    """Drives b cars from side to side of their lanes, and says all the while how to drive in the middle.

    So it is seen how to come back from wherever one may get to. ``sway_m`` is the most that a drive leaves the middle.
    """

    def __init__(self, count: int, sway_m: float, rng: np.random.Generator) -> None:
        self.saying, self.swaying = LaneKeeping(np.zeros(count)), LaneKeeping(np.zeros(count))
        self.width, self.phase = rng.uniform(0.0, sway_m, count), rng.uniform(0.0, 2 * np.pi, count)
        self.turn = 2 * np.pi * STEP_S / rng.uniform(*SWAY_S, count)
        self.felt = np.zeros(count, np.int64)

    def act(self, info: Mapping[str, Any], began: Bools) -> tuple[FloatArray, FloatArray]:
        """What it does and what it says, (b, a) each; NaN where it has nothing to say. Drives in ``began`` are new."""
        self.felt = np.where(began, 0, self.felt + 1)
        self.phase = self.phase + self.turn
        done, said = (
            self._keep(keeping, info, began, offset)
            for keeping, offset in ((self.swaying, self.width * np.sin(self.phase)), (self.saying, 0.0))
        )
        said[self.felt < FEELS_FIRST_STEPS] = np.nan
        return done, said

    @staticmethod
    def _keep(keeping: LaneKeeping, info: Mapping[str, Any], began: Bools, offset: npt.ArrayLike) -> FloatArray:
        keeping.curvature = np.where(began, 0.0, keeping.curvature)
        keeping.target_speed_mps = usual_speed_mps(info)
        return keeping.act(info["labels"], info["ego"], info["motion"], offset)
