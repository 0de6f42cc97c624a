"""Recording a drive: an mp4 for people and an episode for programs.

Axis legend: h w c of a frame.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym

from envs.commands.rollout import shot
from envs.learned.infos import single
from worldsim.data.finalize import finalize
from worldsim.data.writer import EpisodeWriter
from worldsim.serving.video import open_video
from worldsim.types import FRAME_RATE_HZ, CameraSpec, FloatArray

from ..recorder import Recorder
from .futures import Futures

HUMAN = "human"


@dataclass(frozen=True)
class Recorded:
    """What was written: ``episode`` is its index in the data set at ``folder``."""

    video: Path
    folder: Path
    episode: int
    frames: int


class _Cameras(gym.Env[Any, Any]):
    """All that a recorder asks of an env."""

    def __init__(self, cameras: dict[str, CameraSpec]) -> None:
        self.cameras = cameras


class Recording:
    """The first drive of ``futures``, from now on."""

    def __init__(self, futures: Futures) -> None:
        self.world, self.course = futures.course.world.name, futures.course.name
        self.pilots: list[str] = []
        self._began_s, self._told = futures.step_count / FRAME_RATE_HZ, len(futures.info["events"][0])
        observation, info = self._seen(futures)
        self._recorder, self._infos = Recorder(_Cameras(futures.core.cameras), observation, info), [info]

    def __len__(self) -> int:
        return len(self._infos)

    def add(self, action: FloatArray, futures: Futures) -> None:
        """An action (2,) of the first drive, and where it led."""
        observation, info = self._seen(futures)
        self._recorder.add(action, observation, info)
        self._infos.append(info)
        name = futures.pilots[0].name
        self.pilots = list(dict.fromkeys([*self.pilots, HUMAN if name == "you" else name]))

    def write(self, out: Path) -> Recorded:
        """Write video and episode below ``out``. Raises OSError where the disk refuses."""
        episode = self._recorder.episode(
            driver=", ".join(self.pilots),
            source=f"cockpit, learned world {self.world!r}",
            licence="Apache-2.0",
        )
        name = re.sub(r"[^A-Za-z0-9]+", "-", self.world).strip("-") or "world"
        folder = out / name
        record = EpisodeWriter(folder, FRAME_RATE_HZ).write(episode)
        finalize(folder)
        target = out / f"{name}-{record.index:04d}.mp4"
        with open_video(target, FRAME_RATE_HZ) as video:
            for frame, info in zip(episode.frames, self._infos, strict=True):
                video.add(shot(frame, info, strip=True))
        return Recorded(target, folder, record.index, len(episode))

    def _seen(self, futures: Futures) -> tuple[dict[str, Any], dict[str, Any]]:
        """The first drive's observation and info, as an env of one drive that began with the recording gives them."""
        observation = {key: value[0] for key, value in futures.observation.items()}
        info = single(futures.info, 0)
        fresh = info["events"][self._told :]  # what came before is in its fields already
        unstaged = [each for each in info["events"] if each["began_s"] is None]
        info["events"] = unstaged + [each | {"began_s": each["began_s"] - self._began_s} for each in fresh]
        return observation | {"command": int(observation["command"])}, info
