"""Where a policy learns: a batch of drives in either world, seen through a world model.

Axis legend: b drives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
from gymnasium.vector import AutoresetMode

from envs.learned.settings import DriveSettings, camera_of
from envs.learned.vector import DriveVectorEnv
from envs.reference.vector import road_cams
from worldsim.engine.starts import StartBank
from worldsim.world_model import WorldModel

LEARNED, REFERENCE = "Drive-v0", "RoadCam-v0"


@dataclass(frozen=True)
class Place:
    """One of the two worlds, the model that policies see it through, and scenarios that are dealt to its drives."""

    name: str  # LEARNED or REFERENCE
    world: WorldModel
    starts: StartBank | None
    scenarios: list[str]
    precision: str = "float32"  # of the learned world's products

    @classmethod
    def open(
        cls, name: str, model: str, scenarios: list[str], device: str = "cpu", precision: str = "float32"
    ) -> Place:
        """``model`` is a world that ships or a folder. Raises ValueError for an unknown or damaged one."""
        settings = DriveSettings.of(world=model, device=device, precision=precision)
        return cls(name, *settings.open(), scenarios, precision)

    def drives(
        self,
        count: int,
        max_steps: int,
        *,
        passes: int = 1,
        min_trust: float = 0.0,
        parallel: bool = False,
        render_mode: str | None = None,
    ) -> gym.vector.VectorEnv[Any, Any, Any]:
        """``count`` drives that begin anew as they end (SAME_STEP), drive i in scenario i modulo their number.

        ``passes`` and ``min_trust`` concern the learned world. ``parallel`` gives each drive of the reference world a
        process; the learned one advances all drives in one batch. Raises ValueError where that cannot be, for an
        unknown scenario, and for more scenarios than drives.
        """
        if self.name == LEARNED:
            if parallel:
                raise ValueError(f"parallel: expected world={REFERENCE}; {LEARNED} advances all drives in one batch")
            return DriveVectorEnv(
                count, self.scenarios, render_mode, max_steps=max_steps, autoreset_mode=AutoresetMode.SAME_STEP,
                world=self.world, starts=self.starts, steps=passes, min_trust=min_trust, pixels=False,
                device=str(self.world.device), precision=self.precision,
            )  # fmt: skip
        return road_cams(
            count, self.scenarios, AutoresetMode.SAME_STEP, parallel, cameras={"front": camera_of(self.world)},
            render_mode=render_mode, max_steps=max_steps,
        )  # fmt: skip
