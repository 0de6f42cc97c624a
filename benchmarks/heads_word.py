"""The reference world by a world model's word: true frames, and rewards and labels as the model's heads read them.

Axis legend: b drives, h w c of a frame, r head outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch

from envs import rewards
from envs.learned.drives import HAZARDS, READING, read
from worldsim.dynamics.conditioning import Scene
from worldsim.engine import Engine, EngineConfig
from worldsim.types import LABEL_FIELDS, MOTION_FIELDS
from worldsim.world_model import WorldModel

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


class HeadsWord(gym.vector.VectorWrapper):
    """A vector env of RoadCam-v0 (SAME_STEP autoreset, or one that never resets) with all that is earned read by heads.

    Frames, motion and ends stay true. A hazard counts when two frames in a row show it, as in Drive-v0.
    """

    def __init__(self, env: gym.vector.VectorEnv, world: WorldModel) -> None:
        super().__init__(env)
        self.world, self.engine = world, Engine(world, EngineConfig(steps=1, start_steps=1))

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin every drive."""
        observation, info = self.env.reset(seed=seed, options=options)
        everywhere = np.ones(self.num_envs, np.bool_)
        self.rollout = self.engine.empty(self._scene(info, everywhere), list(range(self.num_envs)))
        self.reading, self.target_speed = np.zeros((self.num_envs, len(READING))), np.zeros(self.num_envs)
        self._begin(observation, info, everywhere)
        return observation, self._told(info)

    def step(self, actions: Any) -> tuple[dict[str, Any], Array, Bools, Bools, dict[str, Any]]:
        """Take an action (2,) in every drive."""
        observation, _, terminated, truncated, info = self.env.step(actions)
        ended = terminated | truncated
        anew = ended & ("final_obs" in info)
        camera, motion, ego, command = self._as_it_was(observation, info, anew)
        before = self.reading
        seen = self.world.encode(torch.from_numpy(camera))
        drawn = self.engine.observe(self.rollout, seen, torch.from_numpy(motion), torch.from_numpy(command))
        self.reading = read(drawn.state)
        terms = rewards.terms(self._drive_state(ego, before))
        reward = rewards.total(terms)
        if anew.any():
            final = dict(info["final_info"]) | {"reward_terms": terms, "reward": reward}
            self._begin(observation, info, anew)
            return observation, reward, terminated, truncated, self._told(info) | {"final_info": final}
        return observation, reward, terminated, truncated, self._told(info) | {"reward_terms": terms, "reward": reward}

    def _as_it_was(
        self, observation: Mapping[str, Any], info: Mapping[str, Any], anew: Bools
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], Array, npt.NDArray[np.int64]]:
        """Camera, motion, ego and command that the step led to, where the drive has begun anew since too."""
        last, motion = dict(observation), np.array(info["motion"], np.float32)
        values = {key: np.array(last[key]) for key in ("camera", "ego", "command")}
        for row in np.flatnonzero(anew):
            motion[row] = info["final_info"]["motion"][row]
            for key, value in values.items():
                value[row] = info["final_obs"][row][key]
        return values["camera"], motion, values["ego"].astype(np.float64), values["command"]

    def _begin(self, observation: Mapping[str, Any], info: Mapping[str, Any], chosen: Bools) -> None:
        """The drives in ``chosen`` (b,) have just begun: the heads have seen one frame."""
        rows = np.flatnonzero(chosen)
        fresh = self.engine.empty(self._scene(info, chosen), rows.tolist())
        unknown = torch.full((len(rows), len(MOTION_FIELDS)), torch.nan)
        seen = self.world.encode(torch.from_numpy(np.asarray(observation["camera"])[rows]))
        command = torch.from_numpy(np.asarray(observation["command"])[rows])
        self.reading[rows] = read(self.engine.observe(fresh, seen, unknown, command).state)
        self.rollout.put(torch.from_numpy(rows), fresh)
        drives: Any = self.env.unwrapped
        for row in rows:
            self.target_speed[row] = drives.envs[row].unwrapped.scenario.target_speed_mps

    def _drive_state(self, ego: Array, before: Array) -> rewards.DriveState:
        said = dict(zip(READING, self.reading.T, strict=True))
        offroad, collision = (np.minimum(said[name], before[:, READING.index(name)]) for name in HAZARDS)
        speed, yaw_rate, acceleration, steering = ego.T
        return rewards.DriveState(
            speed=speed, acceleration=acceleration, yaw_rate=yaw_rate, steering=steering,
            lane_offset=said["lane_offset_m"], heading_error=said["heading_error_rad"], offroad=offroad,
            collision=collision, lead_distance=said["lead_distance_m"], closing_speed=said["closing_speed_mps"],
            target_speed=self.target_speed,
        )  # fmt: skip

    def _told(self, info: Mapping[str, Any]) -> dict[str, Any]:
        """The info with what the heads say for labels."""
        said = dict(zip(READING, self.reading.T, strict=True))
        return dict(info) | {"labels": {name: said[name].copy() for name in LABEL_FIELDS}}

    def _scene(self, info: Mapping[str, Any], chosen: Bools) -> Scene:
        scenes = [fields.codes() for fields in info["fields"][chosen]]
        nothing = torch.zeros(len(scenes), self.world.config.dynamics.text_dim)
        return Scene(torch.tensor(scenes), nothing, torch.zeros(len(scenes), dtype=torch.bool))
