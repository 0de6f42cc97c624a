"""``worldsim/Drive-v0``: the learned world as a Gymnasium environment, the twin of ``worldsim/RoadCam-v0``.

Axis legend: h, w, c of a frame. A step is 0.1 s.
"""

from __future__ import annotations

import copy
from typing import Any

import gymnasium as gym
import numpy as np

from worldsim.errors import choose
from worldsim.types import FRAME_RATE_HZ, CameraSpec, FrameArray

from .. import spaces
from ..cameras import Shot
from ..scenario import Scenario
from .core import DriveCore
from .drives import Drives
from .infos import single
from .settings import DriveSettings

FIRST = np.zeros(1, np.int64)


class DriveEnv(gym.Env[dict[str, Any], np.ndarray]):
    """Drive in the learned world.

    Args:
        scenario, render_mode, weather, time_of_day, traffic, max_steps: as in ``RoadCamEnv``.
        settings: the rest of ``DriveSettings``: world, starts, start, caption, steps, pixels, min_trust, size,
            device, precision.

    ``reset(options=...)`` takes "scenario" (it stays), "start" (an index of the bank), "command" (a route command) and
    "state" (a value of ``save_state``, which then is all that counts). Observations, ``info`` and rewards are those of
    RoadCam; lane offset, distances and hazards in them are predicted. For a window, ``gym.make(...,
    render_mode="human")``.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": int(FRAME_RATE_HZ)}  # noqa: RUF012 (gymnasium's form)

    def __init__(
        self,
        scenario: str | Scenario = "highway",
        render_mode: str | None = None,
        weather: str | None = None,
        time_of_day: str | None = None,
        traffic: str | None = None,
        max_steps: int | None = None,
        **settings: Any,
    ) -> None:
        if render_mode is not None:
            choose(render_mode, self.metadata["render_modes"], "render_mode")
        self.render_mode = render_mode
        self._core = DriveCore(
            DriveSettings.of(
                scenario=scenario, weather=weather, time_of_day=time_of_day, traffic=traffic, max_steps=max_steps,
                **settings,
            ),
            count=1,
        )  # fmt: skip
        self.observation_space = self._core.observation_space
        self.action_space = spaces.action_space()

    # --- Gymnasium ----------------------------------------------------------------------------------------------

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin an episode. Options: "scenario", "start", "command", "state"."""
        super().reset(seed=seed)
        if options and "state" in options:
            self.restore_state(options["state"])
        else:
            self._core.begin(FIRST, [self.np_random], options)
        return self._observe(), single(self._core.info(), 0)

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Take an action (2,): steering, acceleration."""
        self._check_began()
        self._core.step(spaces.check_action(action)[None])
        terminated, truncated = self._core.ends()
        info = single(self._core.info(), 0)
        return self._observe(), info["reward"], bool(terminated[0]), bool(truncated[0]), info

    def render(self) -> FrameArray | None:  # type: ignore[override]
        """The present frame enlarged, (h, w, 3), in mode "rgb_array"."""
        if self.render_mode is None:
            return None
        self._check_began("render()")
        return self._core.pictures()[0]

    # --- state as a value ---------------------------------------------------------------------------------------

    def save_state(self) -> Drives:
        """Where the drive stands, as a value. What ``reset`` will draw is not part of it."""
        self._check_began("save_state()")
        return self._core.drives.clone()

    def restore_state(self, state: Drives) -> None:
        """Go on from ``state``, this env's or another's in the same world: equal actions repeat an equal future."""
        self._core.restore(state)

    def branch(self) -> DriveEnv:
        """Another env that stands where this one does: the two futures differ in what is done in them alone."""
        other = copy.copy(self)
        other._core = copy.copy(self._core)
        other._core.restore(self.save_state())
        other.np_random = copy.deepcopy(self.np_random)
        return other

    def instruct(self, command: str) -> None:
        """Give a route command (one of COMMANDS); it is "follow" again 60 m later."""
        self._core.instruct(FIRST, command)

    # --- what may be looked at ----------------------------------------------------------------------------------

    @property
    def cameras(self) -> dict[str, CameraSpec]:
        """Those that the world was trained with, at the size of this env; the first is the main view."""
        return self._core.cameras

    @property
    def shots(self) -> tuple[Shot, ...]:
        """What the scenario wants a film of the drive to be cut from; a choice is always made alike."""
        return tuple(each.concretise(np.random.default_rng(0)) for each in self._core.scenarios[0].shots)

    @property
    def start(self) -> int | None:
        """The bank's start that this episode began from; None: imagined."""
        row = int(self._core.drives.start[0])
        return row if row >= 0 else None

    @property
    def target_speed_mps(self) -> float:
        """The speed that this episode rewards."""
        return float(self._core.drives.target_speed[0])

    @property
    def hazards(self) -> dict[str, float]:
        """Probabilities that the ego leaves the road, or collides, within the next second.

        Not in ``info``: the reference world cannot know them at the time of the step.
        """
        return {name: float(values[0]) for name, values in self._core.hazards().items()}

    def _observe(self) -> dict[str, Any]:
        seen = {key: value[0] for key, value in self._core.observe().items()}
        return seen | {"command": int(seen["command"])}

    def _check_began(self, call: str = "step()") -> None:
        if not self._core.began:
            raise gym.error.ResetNeeded(spaces.STEP_BEFORE_RESET.replace("step()", call))
