"""``worldsim/RoadCam-v0`` many at a time, with the arguments of ``DriveVectorEnv``: in one process, or each in its own.

env = gym.make_vec("envs:worldsim/RoadCam-v0", num_envs=8, scenario=["highway", "merge"], parallel=True)
"""

from __future__ import annotations

import functools
import signal
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
from gymnasium.vector import AutoresetMode

from worldsim.errors import choose

from ..scenario import Scenario
from .roadcam import RoadCamEnv

Scenarios = str | Scenario | Sequence[str | Scenario]


def road_cams(
    num_envs: int = 1,
    scenario: Scenarios = "highway",
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    parallel: bool = False,
    **settings: Any,
) -> gym.vector.VectorEnv[Any, Any, Any]:
    """``num_envs`` of RoadCamEnv as Gymnasium's ``SyncVectorEnv``, or ``AsyncVectorEnv`` if ``parallel``.

    ``scenario`` is one for all drives, or a list of at most ``num_envs`` that is dealt in turn. ``settings`` are
    RoadCamEnv's. Raises ValueError for an empty list or one that is too long: some would never be driven.
    """
    several = [scenario] if isinstance(scenario, str | Scenario) else scenario
    if not 1 <= len(several) <= num_envs:
        raise ValueError(
            f"scenario: expected one, or a list of 1 to {num_envs} (the number of drives), got {len(several)} of them"
        )
    if not isinstance(autoreset_mode, AutoresetMode):
        autoreset_mode = AutoresetMode(choose(autoreset_mode, [m.value for m in AutoresetMode], "autoreset_mode"))
    makers = [functools.partial(_road_cam, several[i % len(several)], settings, parallel) for i in range(num_envs)]
    if parallel:
        return gym.vector.AsyncVectorEnv(makers, context="spawn", autoreset_mode=autoreset_mode)
    return gym.vector.SyncVectorEnv(makers, autoreset_mode=autoreset_mode)


def _road_cam(scenario: str | Scenario, settings: dict[str, Any], alone: bool) -> RoadCamEnv:
    if alone:  # in a process of its own, Ctrl-C is left to the process that steps it
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return RoadCamEnv(scenario, **settings)
