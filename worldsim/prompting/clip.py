"""A clip: some seconds of video at a world's size and rate, and the motion that was driven in it, where it is known.

Axis legend: t frames, h w c of a frame, m motion, n latent tokens, d latent channels.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from worldsim.data.logs.film import Film
from worldsim.data.logs.picture import crop_resize
from worldsim.data.store import EpisodeStore
from worldsim.evaluation.rollouts import fitted
from worldsim.prompting.motion import turned_around
from worldsim.types import MOTION_FIELDS, FloatArray, FrameArray, SceneFields
from worldsim.world_model import WorldModel

MOST_SECONDS = 60.0
ENCODED_AT_ONCE = 32


@dataclass(frozen=True)
class Clip:
    """``motion[t]`` takes frame ``t`` to ``t + 1`` and is NaN where it is not known, as in its last row."""

    frames: FrameArray  # (t, h, w, 3)
    motion: FloatArray  # (t, m)
    fields: SceneFields = field(default_factory=SceneFields)
    caption: str = ""

    def __post_init__(self) -> None:
        t = len(self.frames)
        if self.frames.ndim != 4 or self.frames.shape[-1] != 3 or not t:
            raise ValueError(f"clip: expected frames (t, h, w, 3), at least one, got shape {self.frames.shape}")
        if self.motion.shape != (t, len(MOTION_FIELDS)):
            raise ValueError(f"clip: expected motion {(t, len(MOTION_FIELDS))}, got {self.motion.shape}")

    def __len__(self) -> int:
        return len(self.frames)

    @classmethod
    def silent(cls, frames: FrameArray) -> Clip:
        """A clip of whose motion nothing is known."""
        return cls(frames, np.full((len(frames), len(MOTION_FIELDS)), np.nan, np.float32))

    @property
    def motion_into(self) -> Tensor:
        """(1, t, m): what led into each frame, as the engine takes it; NaN for the first."""
        into = np.roll(self.motion, 1, axis=0)
        into[0] = np.nan
        return torch.from_numpy(into)[None]

    def last(self, frames: int) -> Clip:
        """Its last frames, all of them where it is shorter."""
        return replace(self, frames=self.frames[-frames:], motion=self.motion[-frames:])

    def backwards(self) -> Clip:
        """Played backwards, each step's motion undone."""
        motion = np.concatenate([turned_around(self.motion[:-1]), self.motion[-1:] * np.nan])
        return replace(self, frames=self.frames[::-1].copy(), motion=motion)

    def then(self, frames: FrameArray, motion: FloatArray) -> Clip:
        """This clip and more frames (k, h, w, 3); ``motion`` (k, m) led into each of them."""
        nothing = np.full_like(self.motion[:1], np.nan)
        return replace(
            self,
            frames=np.concatenate([self.frames, frames]),
            motion=np.concatenate([self.motion[:-1], motion, nothing]).astype(np.float32),
        )

    def latents(self, world: WorldModel) -> Tensor:
        """(1, t, n, d) in the world's latents."""
        parts = torch.from_numpy(fitted(self.frames, world)).split(ENCODED_AT_ONCE)
        with torch.no_grad():
            return torch.cat([world.encode(part) for part in parts])[None]


def open_clip(path: Path, world: WorldModel, episode: int | None = None, least: int = 1) -> Clip:
    """A clip from a video file, or an episode of the data set in the folder ``path``, at the world's size and rate.

    An episode brings its motion, its scene and its caption; of a video nothing is known but its pictures. Raises
    ValueError for what is neither, or is shorter than ``least`` frames or longer than MOST_SECONDS.
    """
    if not path.exists():
        raise ValueError(f"clip: expected a video or the folder of a data set at {path}, but it does not exist")
    clip = _of_episode(path, world, episode) if path.is_dir() else _of_video(path, world)
    if len(clip) < least:
        rate = world.config.frame_rate_hz
        raise ValueError(
            f"clip: expected at least {least} frames ({least / rate:.1f} s at {rate:g} frames/s), got {len(clip)} in "
            f"{path}; give a longer one"
        )
    return clip


def _of_episode(folder: Path, world: WorldModel, index: int | None) -> Clip:
    if index is None:
        raise ValueError(f"clip: expected the number of an episode of the data set {folder}, got none; say episode=0")
    store = EpisodeStore(folder)
    if abs(store.fps - world.config.frame_rate_hz) > 0.01:
        raise ValueError(
            f"clip: {folder}: expected {world.config.frame_rate_hz:g} frames/s as the world has, got {store.fps:g}"
        )
    _check_seconds(store.record(index).length / store.fps, folder)
    episode = store.read(index)
    return Clip(fitted(episode.frames, world), episode.motion, episode.fields, episode.caption)


def _of_video(path: Path, world: WorldModel) -> Clip:
    film, rate, size = Film(path), world.config.frame_rate_hz, world.config.tokenizer
    _check_seconds(float(film.times[-1]), path)
    moments = np.arange(int(film.times[-1] * rate + 1e-6) + 1) / rate
    wanted = np.abs(moments[:, None] - film.times[None]).argmin(1)
    shown: dict[int, FrameArray] = {}  # a slow video's pictures are shown more than once
    for index in map(int, np.unique(wanted)):
        picture = film.picture(index)
        if picture is None:
            raise ValueError(f"clip: {path}: expected a picture at {film.times[index]:.2f} s, got none; it is damaged")
        shown[index] = crop_resize(picture, (size.height, size.width))
    film.close()
    return Clip.silent(np.stack([shown[int(index)] for index in wanted]))


def _check_seconds(seconds: float, path: Path) -> None:
    if seconds > MOST_SECONDS + 0.5:
        raise ValueError(f"clip: {path}: expected at most {MOST_SECONDS:g} s, got {seconds:.1f} s; cut it shorter")
