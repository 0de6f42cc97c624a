"""What a policy sees, in either world: the last frames as latents, the ego's own numbers, the route command.

Axis legend: b drives, k frames of history (the last is the present), n latent tokens, d latent channels, e ego.

Drive-v0 gives latents (``pixels=False``) or a camera, RoadCam-v0 a camera; a camera goes through the world's tokenizer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from torch import Tensor

from worldsim.types import COMMANDS, EGO_FIELDS
from worldsim.world_model import WorldModel

Bools = npt.NDArray[np.bool_]

LATENT_RANGE = 10.0
"""Latents are clipped to this many standard deviations, as Drive-v0 does."""


@dataclass(frozen=True)
class PolicyInput:
    """What b policies see at one moment."""

    latents: Tensor  # (b, k, n, d) float32, standardised
    ego: Tensor  # (b, e) float32, EGO_FIELDS in SI units
    command: Tensor  # (b,) int64, index into COMMANDS

    def __len__(self) -> int:
        return len(self.command)

    def select(self, index: Tensor) -> PolicyInput:
        """The rows at ``index`` (j,)."""
        return PolicyInput(*(getattr(self, entry.name)[index] for entry in fields(self)))

    def to(self, device: torch.device | str) -> PolicyInput:
        """The same on another device."""
        return PolicyInput(*(getattr(self, entry.name).to(device) for entry in fields(self)))

    def blurred(self, most: float, generator: torch.Generator) -> PolicyInput:
        """The same with noise on the latents, of a deviation drawn for each row from 0 to ``most``."""
        deviation = most * torch.rand(len(self), 1, 1, 1, generator=generator)
        return replace(self, latents=self.latents + deviation * torch.randn(self.latents.shape, generator=generator))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """As an observation of ``PolicyViewEnv``, arrays of the caller's own."""
        return {entry.name: getattr(self, entry.name).cpu().numpy().copy() for entry in fields(self)}

    @classmethod
    def of(cls, observation: Mapping[str, Any]) -> PolicyInput:
        """From an observation of ``PolicyViewEnv``, arrays or tensors."""
        latents, ego, command = (torch.as_tensor(observation[entry.name]) for entry in fields(cls))
        return cls(latents.float(), ego.float(), command.long())

    @staticmethod
    def space(history: int, n_tokens: int, latent_dim: int) -> gym.spaces.Dict:
        """The Gymnasium space of one drive's input."""
        return gym.spaces.Dict(
            {
                "latents": gym.spaces.Box(-LATENT_RANGE, LATENT_RANGE, (history, n_tokens, latent_dim), np.float32),
                "ego": gym.spaces.Box(-np.inf, np.inf, (len(EGO_FIELDS),), np.float32),
                "command": gym.spaces.Discrete(len(COMMANDS)),
            }
        )


class PolicyView:
    """Turns the observations of b drives, one moment after the other, into what their policies see."""

    def __init__(self, world: WorldModel, count: int, history: int) -> None:
        self.world, self.count, self.history = world, count, history
        self.past: Tensor | None = None  # (b, k, n, d)

    def look(self, observation: Mapping[str, Any], began: Bools | None = None) -> PolicyInput:
        """Push a frame. Drives in ``began`` (b,), all at first, forget their past: the frame is repeated for it."""
        latents = self._latents(observation)
        fresh = latents[:, None].expand(-1, self.history, -1, -1)
        if self.past is None:
            self.past = fresh.clone()
        else:
            self.past = torch.cat((self.past[:, 1:], latents[:, None]), dim=1)
            if began is not None:
                again = torch.from_numpy(np.asarray(began, np.bool_))
                self.past[again] = fresh[again]
        return self._input(self.past, observation)

    def peek(self, observation: Mapping[str, Any], rows: npt.NDArray[np.int64]) -> PolicyInput:
        """What the drives at ``rows`` (j,) would see of a frame (j, ...) that is not pushed: the end of a drive."""
        assert self.past is not None, "look before you peek"
        latents = self._latents(observation)
        return self._input(torch.cat((self.past[torch.from_numpy(rows), 1:], latents[:, None]), dim=1), observation)

    def _latents(self, observation: Mapping[str, Any]) -> Tensor:
        if "latents" in observation:
            return torch.as_tensor(np.asarray(observation["latents"])).float()
        latents = self.world.encode(torch.from_numpy(np.ascontiguousarray(observation["camera"])))
        return latents.float().clamp(-LATENT_RANGE, LATENT_RANGE).cpu()

    @staticmethod
    def _input(past: Tensor, observation: Mapping[str, Any]) -> PolicyInput:
        ego = torch.as_tensor(np.asarray(observation["ego"])).float()
        return PolicyInput(past.clone(), ego, torch.as_tensor(np.asarray(observation["command"])).long())


class PolicyViewEnv(gym.vector.VectorWrapper):
    """A vector env of either world whose observation is what a policy sees (``PolicyInput.space``), for any trainer.

    Knows NEXT_STEP and SAME_STEP autoreset; with the latter, ``final_obs`` is what the policy saw at the end.
    """

    def __init__(self, env: gym.vector.VectorEnv, world: WorldModel, history: int = 3) -> None:
        super().__init__(env)
        self.mode = env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        if self.mode not in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP):
            raise ValueError(f"PolicyViewEnv: expected an env that resets itself, got autoreset_mode={self.mode}")
        c = world.config.dynamics
        self.world, self.history = world, history
        self.single_observation_space = PolicyInput.space(history, c.n_tokens, c.latent_dim)
        self.observation_space = batch_space(self.single_observation_space, env.num_envs)

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin every drive."""
        observation, info = self.env.reset(seed=seed, options=options)
        self.view = PolicyView(self.world, self.num_envs, self.history)
        self.ended = np.zeros(self.num_envs, np.bool_)
        return self.view.look(observation).arrays(), info

    def step(self, actions: Any) -> tuple[dict[str, Any], Any, Any, Any, dict[str, Any]]:
        """Take an action (2,) in every drive."""
        observation, reward, terminated, truncated, info = self.env.step(actions)
        ended = terminated | truncated
        if self.mode == AutoresetMode.SAME_STEP and ended.any():
            info = dict(info) | {"final_obs": self._final(info["final_obs"], ended)}
        began = ended if self.mode == AutoresetMode.SAME_STEP else self.ended
        self.ended = ended
        return self.view.look(observation, began).arrays(), reward, terminated, truncated, info

    def _final(self, final: Any, ended: Bools) -> npt.NDArray[np.object_]:
        rows = np.flatnonzero(ended)
        last = {key: np.stack([np.asarray(final[i][key]) for i in rows]) for key in final[rows[0]]}
        seen = self.view.peek(last, rows).arrays()
        result = np.empty(self.num_envs, object)
        for place, row in enumerate(rows):
            result[row] = {key: value[place] for key, value in seen.items()}
        return result
