"""Any Gymnasium vector env of this project as a ``VecEnv`` of stable-baselines3.

    env = SB3VecEnv(gym.make_vec("envs:worldsim/Drive-v0", num_envs=8, autoreset_mode="SameStep"))

stable-baselines3 resets a drive at once when it ends and finds its last observation in the info, which is what
Gymnasium calls SAME_STEP. Needs the extra ``rl``; importing this module imports it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode

from ..learned.infos import single

try:
    from stable_baselines3.common.vec_env import VecEnv
except ImportError as error:
    raise ImportError(f"stable-baselines3 cannot be imported ({error}): pip install 'worldsim[rl]'") from error


class SB3VecEnv(VecEnv):
    """A batch of drives for stable-baselines3. Raises ValueError unless ``env`` resets in the same step.

    The info of a drive that ended holds ``terminal_observation``, ``TimeLimit.truncated`` and the rest of its last
    info; the infos of the others are empty. Attributes and methods are those of the whole batch.
    """

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any]) -> None:
        mode = env.metadata.get("autoreset_mode")
        if mode != AutoresetMode.SAME_STEP:
            raise ValueError(
                f"SB3VecEnv: expected an env made with autoreset_mode={AutoresetMode.SAME_STEP.value!r}, got {mode}"
            )
        self.env, self.actions = env, np.zeros(0)
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    def reset(self) -> dict[str, Any]:
        """Begin every drive, with the seeds and options that ``seed()`` and ``set_options()`` were given."""
        observation, _ = self.env.reset(seed=self._seeds, options=self._options[0] or None)  # type: ignore[arg-type]
        self._reset_seeds()
        self._reset_options()
        return observation

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions (b, 2) for ``step_wait``."""
        self.actions = actions

    def step_wait(self) -> tuple[dict[str, Any], np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Observations, rewards (b,), ends (b,) and infos; of a drive that ended, the next one's first observation."""
        observation, reward, terminated, truncated, info = self.env.step(self.actions)
        ended = terminated | truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(ended):
            infos[i] = single(info["final_info"], i)
            infos[i]["terminal_observation"] = info["final_obs"][i]
            infos[i]["TimeLimit.truncated"] = bool(truncated[i] and not terminated[i])
        return observation, reward.astype(np.float32), ended, infos

    def close(self) -> None:
        """Close the batch."""
        self.env.close()

    def get_images(self) -> Sequence[np.ndarray | None]:
        """A picture (h, w, 3) of each drive, or None for each where the env does not render."""
        pictures: Any = self.env.render()
        return pictures or [None] * self.num_envs

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The batch's attribute, once for each drive asked for."""
        return [getattr(self.env, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set the batch's attribute, for all drives whatever ``indices`` are."""
        setattr(self.env, attr_name, value)

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Call the batch's method once; its result, once for each drive asked for."""
        result = getattr(self.env, method_name)(*method_args, **method_kwargs)
        return [result for _ in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """False for each drive asked for: a batch wraps no envs of single drives."""
        return [False for _ in self._get_indices(indices)]
