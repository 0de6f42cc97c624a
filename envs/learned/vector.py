"""``worldsim/Drive-v0`` many at a time: one batch through the engine, with Gymnasium's vector semantics.

Axis legend: b = num_envs drives. The semantics of seeds, autoreset, ``reset_mask`` and infos are those of
``gymnasium.vector.SyncVectorEnv`` (Gymnasium 1.4), which a test compares with.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from worldsim.errors import choose
from worldsim.types import FrameArray
from worldsim.world_model import WorldModel

from .. import spaces
from .core import DriveCore
from .drive import DriveEnv
from .drives import Drives, objects
from .infos import masked, single
from .settings import DriveSettings, Scenarios

Bools = npt.NDArray[np.bool_]
Stepped = tuple[dict[str, Any], npt.NDArray[np.float64], Bools, Bools, dict[str, Any]]


class DriveVectorEnv(gym.vector.VectorEnv[dict[str, Any], np.ndarray, np.ndarray]):
    """``num_envs`` drives in the learned world.

    Args:
        num_envs: how many drives.
        scenario: one for all drives, or a list of at most ``num_envs`` that is dealt in turn: drive ``i`` is always
            in scenario ``i % n``. The reset option "scenario" takes the same, and stays.
        autoreset_mode: what happens to a drive that ended. NEXT_STEP: the next step begins it anew, whatever its
            action. SAME_STEP: it begins anew at once; ``info["final_obs"]`` and ``info["final_info"]`` hold its end.
            DISABLED: the caller resets it, with ``reset(options={"reset_mask": ended})``, before the next step.
        others: as in ``DriveEnv``.

    Drive ``i`` of ``reset(seed=s)`` is the drive of a ``DriveEnv`` in its scenario reset with seed ``s + i``. All that
    is returned is the caller's own. The option "start" may be one index of the bank or a list, one for each drive.
    """

    metadata = DriveEnv.metadata

    def __init__(
        self,
        num_envs: int = 1,
        scenario: Scenarios = "highway",
        render_mode: str | None = None,
        weather: str | None = None,
        time_of_day: str | None = None,
        traffic: str | None = None,
        max_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        **settings: Any,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs: expected at least 1, got {num_envs}")
        if render_mode is not None:
            choose(render_mode, self.metadata["render_modes"], "render_mode")
        if not isinstance(autoreset_mode, AutoresetMode):
            autoreset_mode = AutoresetMode(choose(autoreset_mode, [m.value for m in AutoresetMode], "autoreset_mode"))
        self.num_envs, self.render_mode, self.autoreset_mode = num_envs, render_mode, autoreset_mode
        self.metadata = {**DriveEnv.metadata, "autoreset_mode": autoreset_mode}
        self._core = DriveCore(
            DriveSettings.of(
                scenario=scenario, weather=weather, time_of_day=time_of_day, traffic=traffic, max_steps=max_steps,
                **settings,
            ),
            count=num_envs,
        )  # fmt: skip
        self.single_observation_space = self._core.observation_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.single_action_space = spaces.action_space()
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._random = [seeding.np_random() for _ in range(num_envs)]  # generator and seed of each drive
        self._ended = np.zeros(num_envs, np.bool_)

    # --- Gymnasium ----------------------------------------------------------------------------------------------

    def reset(  # type: ignore[override]
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin every drive, or those in "reset_mask" (b,) bool. Other options: "scenario", "start", "command"."""
        if seed is None or isinstance(seed, int | np.integer):
            seeds = [None if seed is None else int(seed) + i for i in range(self.num_envs)]
        else:
            seeds = list(seed)
        if len(seeds) != self.num_envs:
            raise ValueError(f"seed: expected one for each of num_envs={self.num_envs}, got {len(seeds)}")
        options = dict(options or {})
        chosen = self._reset_mask(options.pop("reset_mask", None))
        if not chosen.all():
            self._check_began("reset() of a part")
        for i in np.flatnonzero(chosen):
            if seeds[i] is not None:
                self._random[i] = seeding.np_random(seeds[i])
        self._begin(chosen, options)
        self._ended = self._ended & ~chosen
        return self._core.observe(), masked(self._core.info(), chosen)

    def step(self, actions: Any) -> Stepped:
        """Take an action (2,) in every drive, (b, 2)."""
        self._check_began()
        values = spaces.check_action(actions, (self.num_envs,))
        if self.autoreset_mode == AutoresetMode.DISABLED and self._ended.any():
            raise gym.error.ResetNeeded(
                f"autoreset is disabled and drives {np.flatnonzero(self._ended).tolist()} have ended: call "
                "`env.reset(options={'reset_mask': terminated | truncated})` before the next step"
            )
        self._core.step(values)
        if self.autoreset_mode == AutoresetMode.NEXT_STEP and self._ended.any():
            self._begin(self._ended)
        terminated, truncated = self._core.ends()
        info = self._core.info()
        reward = info["reward"].copy()
        if self.autoreset_mode == AutoresetMode.NEXT_STEP:  # a drive that just began has not ended, and earns nothing
            reward[self._ended] = 0.0
            terminated, truncated = terminated & ~self._ended, truncated & ~self._ended
        self._ended = terminated | truncated
        if self.autoreset_mode == AutoresetMode.SAME_STEP and self._ended.any():
            final = self._final(info)
            self._begin(self._ended)
            return self._core.observe(), reward, terminated, truncated, final | self._everywhere(self._core.info())
        return self._core.observe(), reward, terminated, truncated, self._everywhere(info)

    def render(self) -> tuple[FrameArray, ...] | None:  # type: ignore[override]
        """Each drive's present frame enlarged, (h, w, 3), in mode "rgb_array"."""
        if self.render_mode is None:
            return None
        self._check_began("render()")
        return tuple(self._core.pictures())

    @property  # type: ignore[misc]
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """Each drive's generator."""
        return tuple(generator for generator, _ in self._random)

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """What each drive was last seeded with."""
        return tuple(seed for _, seed in self._random)

    # --- state as a value ---------------------------------------------------------------------------------------

    def save_state(self) -> Drives:
        """Where all drives stand, as a value; ``select`` takes some of them."""
        self._check_began("save_state()")
        return self._core.drives.clone()

    def restore_state(self, state: Drives) -> None:
        """Go on from ``state``; a state of one drive is branched into all."""
        self._core.restore(state)
        self._ended = np.zeros(self.num_envs, np.bool_)

    @property
    def starts(self) -> npt.NDArray[np.int64]:
        """The bank's start (b,) that each drive began from; -1: imagined."""
        return self._core.drives.start.copy()

    @property
    def world(self) -> WorldModel:
        """What draws the drives; it is shared and never written to."""
        return self._core.world

    @property
    def hazards(self) -> dict[str, npt.NDArray[np.float64]]:
        """As ``DriveEnv.hazards``, each (b,)."""
        return self._core.hazards()

    # --- inside -------------------------------------------------------------------------------------------------

    def _begin(self, chosen: Bools, options: dict[str, Any] | None = None) -> None:
        index = np.flatnonzero(chosen)
        self._core.begin(index, [self._random[i][0] for i in index], options)

    def _final(self, info: dict[str, Any]) -> dict[str, Any]:
        """``final_obs`` and ``final_info`` of the drives that ended."""
        seen = self._core.observe()
        last = [single(seen, i) if ended else None for i, ended in enumerate(self._ended)]
        return {
            "final_obs": objects(last),
            "_final_obs": self._ended.copy(),
            "final_info": masked(info, self._ended),
            "_final_info": self._ended.copy(),
        }

    def _everywhere(self, info: dict[str, Any]) -> dict[str, Any]:
        return masked(info, np.ones(self.num_envs, np.bool_))

    def _reset_mask(self, mask: Any) -> Bools:
        if mask is None:
            return np.ones(self.num_envs, np.bool_)
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
            got = f"an array of {mask.dtype}" if isinstance(mask, np.ndarray) else type(mask).__name__
            raise TypeError(f"options['reset_mask']: expected a numpy array of bool, got {got}")
        if mask.shape != (self.num_envs,) or not mask.any():
            raise ValueError(
                f"options['reset_mask']: expected shape ({self.num_envs},) with at least one True, got {mask}"
            )
        return mask

    def _check_began(self, call: str = "step()") -> None:
        if not self._core.began:
            raise gym.error.ResetNeeded(spaces.STEP_BEFORE_RESET.replace("step()", call))
