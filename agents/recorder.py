"""From what an environment returns to an episode.

Axis legend: t frames, h w image rows and columns, k boxes of a frame.

Row ``t`` of the episode is frame ``t``: its observation and the ``info`` that came with it. ``action[t]`` and
``motion[t]`` take it to frame ``t + 1``, so the motion that an env reports *after* a step is written one row earlier,
and the last row of both stays NaN. ``rewards[term][t]`` is the term of the state at frame ``t``.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import gymnasium as gym
import numpy as np

from envs.events import NOT_STAGED
from envs.spaces import camera_keys
from worldsim.types import (
    EGO_FIELDS,
    FRAME_RATE_HZ,
    LABEL_FIELDS,
    MOTION_FIELDS,
    CameraSpec,
    Episode,
    FloatArray,
    Happening,
    SceneFields,
)

_HAPPENING = tuple(item.name for item in dataclasses.fields(Happening))


class Recorder:
    """Collects the frames of one episode from an env with this project's observation and info keys.

    What an env does not report stays NaN. Raises ValueError for an env without a camera in its observation.
    """

    def __init__(self, env: gym.Env[Any, Any], observation: dict[str, Any], info: dict[str, Any]) -> None:
        if not isinstance(observation, dict) or "camera" not in observation:
            found = sorted(observation) if isinstance(observation, dict) else type(observation).__name__
            raise ValueError(f"{env}: expected an observation with the key `camera` (h, w, 3), got {found}")
        self.cameras: dict[str, CameraSpec] = dict(getattr(env.unwrapped, "cameras", {}))
        self._keys = dict(zip(self.cameras or ["front"], camera_keys(self.cameras) or ["camera"], strict=True))
        self._observations, self._infos = [observation], [info]
        self._actions: list[FloatArray] = []

    def add(self, action: Any, observation: dict[str, Any], info: dict[str, Any]) -> None:
        """Note an action and the frame that it led to."""
        self._actions.append(np.asarray(action, np.float32))
        self._observations.append(observation)
        self._infos.append(info)

    def __len__(self) -> int:
        return len(self._infos)

    def episode(self, **provenance: Any) -> Episode:
        """The episode so far; ``provenance`` sets driver, seed, split, source, licence."""
        t, infos, first = len(self), self._infos, self._infos[0]
        missing = np.full((1, 2), np.nan, np.float32)
        has_boxes = all(info.get("boxes") is not None for info in infos)
        return Episode(
            views={name: np.stack([seen[key] for seen in self._observations]) for name, key in self._keys.items()},
            motion=self._motion(),
            ego=self._column("ego", len(EGO_FIELDS)),
            timestamps=np.arange(t) / FRAME_RATE_HZ,
            action=np.concatenate([*(action[None] for action in self._actions), missing]).astype(np.float32),
            labels=self._named("labels", LABEL_FIELDS),
            pose=self._column("pose", 3),
            command=np.array([int(seen.get("command", 0)) for seen in self._observations], np.int64),
            rewards=self._rewards(),
            boxes=[np.asarray(info["boxes"], np.float32).reshape(-1, 5) for info in infos] if has_boxes else [],
            cameras=self.cameras,
            fields=first.get("fields", SceneFields()),
            happenings=self._happenings(),
            caption=first.get("caption", ""),
            scenario=first.get("scenario", ""),
            **provenance,
        )

    def _happenings(self) -> tuple[Happening, ...] | None:
        """What the last frame's ``info`` says has begun; None where the env stages no events, or does not say."""
        events = self._infos[-1].get("events")
        if events is None or any(each["state"] == NOT_STAGED for each in events):
            return None
        began = sorted((each for each in events if each["began_s"] is not None), key=lambda each: each["began_s"])
        return tuple(Happening(**{name: each[name] for name in _HAPPENING}) for each in began)

    def _motion(self) -> FloatArray:
        led_into = self._column("motion", len(MOTION_FIELDS))
        return np.concatenate([led_into[1:], np.full_like(led_into[:1], np.nan)])

    def _rewards(self) -> dict[str, FloatArray]:
        terms = tuple(dict.fromkeys(term for info in self._infos for term in info.get("reward_terms", {})))
        values = self._named("reward_terms", terms)
        return {term: values[:, column].copy() for column, term in enumerate(terms)}

    def _named(self, key: str, names: tuple[str, ...]) -> FloatArray:
        rows = [[info.get(key, {}).get(name, np.nan) for name in names] for info in self._infos]
        return np.array(rows, np.float32).reshape(len(rows), len(names))

    def _column(self, key: str, width: int) -> FloatArray:
        unknown = np.full(width, np.nan, np.float32)
        return np.stack([np.asarray(info.get(key, unknown), np.float32) for info in self._infos])
