"""Batches of clips for training the dynamics, drawn from latents held in memory.

Axis legend: b clips, t frames of a clip, n tokens, d channels, m motion, e ego, l labels, f scene fields.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from worldsim.data.latents import LatentStore, LatentViews
from worldsim.data.record import EpisodeRecord
from worldsim.data.store import EpisodeStore
from worldsim.types import LABEL_FIELDS

EVENT_COLUMNS = [LABEL_FIELDS.index(name) for name in ("collision", "offroad")]
ASTRAY_RAD = 0.15  # between vehicle and lane; a change of lane stays below it
CLOSE_M, CLOSING_MPS = 20.0, 2.0


@dataclass
class ClipShape:
    """A batch of ``clips`` clips of ``frames`` frames."""

    clips: int = 16
    frames: int = 16


@dataclass(frozen=True)
class Clips:
    """A batch of clips.

    ``motion[:, t]`` is what led *into* frame ``t``: the episode's ``motion[t - 1]``. It is 0 where
    ``motion_known`` is False: at the first frame of every clip, whose past the model does not see, and
    where the log does not know it. NaN in ``ego`` and ``labels`` means "not known", as in an episode.
    """

    latents: Tensor  # (b, t, n, d) float32
    motion: Tensor  # (b, t, m) float32
    motion_known: Tensor  # (b, t) bool
    labels: Tensor  # (b, t, l) float32
    command: Tensor  # (b, t) int64
    ego: Tensor  # (b, t, e) float32
    fields: Tensor  # (b, f) int64, SceneFields.codes()
    caption: Tensor  # (b,) int64, into ClipSampler.captions
    episode: Tensor  # (b,) int64, index of the episode
    start: Tensor  # (b,) int64, frame of the episode at which the clip starts

    def to(self, device: torch.device | str) -> Clips:
        """The same clips on another device."""
        return Clips(*(getattr(self, entry.name).to(device) for entry in fields(self)))

    def __len__(self) -> int:
        return len(self.caption)


def rare_frames(labels: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Which frames, of labels (f, l), show what good driving does not: (f,).

    A collision, leaving the road, heading away from the lane, or closing fast on the vehicle ahead.
    """
    label = dict(zip(LABEL_FIELDS, labels.T, strict=True))
    with np.errstate(invalid="ignore"):  # what is not known is not rare
        astray = np.abs(label["heading_error_rad"]) > ASTRAY_RAD
        closing = (label["lead_distance_m"] < CLOSE_M) & (label["closing_speed_mps"] > CLOSING_MPS)
        return np.asarray((labels[:, EVENT_COLUMNS] > 0.5).any(-1) | astray | closing)


class ClipSampler:
    """Draws clips of any length, uniformly over the starts at which an episode is long enough.

    ``rare_weight`` w >= 1 draws a clip with a rare frame (see ``rare_frames``) w times as often as one without;
    1 is uniform. Memory: 2 n d bytes a frame.
    Raises ValueError where the split is empty, or an episode's latents are missing or of another length.
    """

    def __init__(
        self, store: EpisodeStore, latents: LatentStore | LatentViews, split: str = "train", rare_weight: float = 1.0
    ) -> None:
        if not np.isfinite(rare_weight) or rare_weight < 1:
            raise ValueError(f"rare_weight: expected a number of at least 1, got {rare_weight}")
        records = store.select(split=split)
        if not records:
            raise ValueError(f"{store.root}: expected episodes in the split {split!r}, got none of {len(store)}")
        self.rare_weight = rare_weight
        self.captions = list(dict.fromkeys(record.caption for record in records))
        """Captions by the index in ``Clips.caption``."""
        self._lengths = np.array([record.length for record in records])
        self._offsets = np.concatenate([[0], np.cumsum(self._lengths)])
        self._indices = np.array([record.index for record in records])
        self._fields = np.array([record.fields.codes() for record in records], np.int64)
        numbers = {caption: number for number, caption in enumerate(self.captions)}
        self._caption = np.array([numbers[record.caption] for record in records], np.int64)
        self._latents = _gather_latents(records, latents, int(self._offsets[-1]))
        episodes = [episode for _, episode in store.iterate(records, frames=False)]
        self._motion = np.concatenate([np.roll(episode.motion, 1, axis=0) for episode in episodes])
        self._labels = np.concatenate([episode.labels for episode in episodes])
        self._ego = np.concatenate([episode.ego for episode in episodes])
        self._command = np.concatenate([episode.command for episode in episodes])
        self._rare_before = np.concatenate([[0], np.cumsum(rare_frames(self._labels))])  # rare frames before each frame
        self._starts: dict[int, tuple[npt.NDArray[np.int64], npt.NDArray[np.float64] | None]] = {}

    @property
    def frames(self) -> int:
        """Frames of the split."""
        return len(self._latents)

    def count(self, length: int) -> int:
        """How many different clips of this length there are."""
        return len(self._valid(length)[0])

    def sample(self, batch: int, length: int, generator: np.random.Generator) -> Clips:
        """Draw ``batch`` clips of ``length`` frames. ValueError where no episode is that long."""
        starts, cumulative = self._valid(length)
        if cumulative is None:
            chosen = starts[generator.integers(len(starts), size=batch)]
        else:
            chosen = starts[np.searchsorted(cumulative, generator.random(batch) * cumulative[-1], side="right")]
        return self._take(chosen, length)

    def _valid(self, length: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64] | None]:
        """Global first frames of all clips of this length, and their cumulative weights (None: uniform)."""
        if length not in self._starts:
            if not 1 <= length <= self._lengths.max():
                raise ValueError(
                    f"clip length: expected 1 to {self._lengths.max()} (the longest episode), got {length}"
                )
            frame = np.arange(self.frames)
            ends = np.repeat(self._offsets[1:], self._lengths)
            starts = frame[frame + length <= ends]
            cumulative = None
            if self.rare_weight > 1:
                rare = self._rare_before[starts + length] > self._rare_before[starts]
                cumulative = np.cumsum(np.where(rare, self.rare_weight, 1.0))
            self._starts[length] = (starts, cumulative)
        return self._starts[length]

    def _take(self, first: npt.NDArray[np.int64], length: int) -> Clips:
        frames = first[:, None] + np.arange(length)
        episode = np.searchsorted(self._offsets, first, side="right") - 1
        motion = self._motion[frames]
        known = ~np.isnan(motion).any(-1)
        known[:, 0] = False
        motion[~known] = 0.0
        return Clips(
            latents=torch.from_numpy(self._latents[frames]).float(),
            motion=torch.from_numpy(motion),
            motion_known=torch.from_numpy(known),
            labels=torch.from_numpy(self._labels[frames]),
            command=torch.from_numpy(self._command[frames]),
            ego=torch.from_numpy(self._ego[frames]),
            fields=torch.from_numpy(self._fields[episode]),
            caption=torch.from_numpy(self._caption[episode]),
            episode=torch.from_numpy(self._indices[episode]),
            start=torch.from_numpy(first - self._offsets[episode]),
        )


def _gather_latents(
    records: list[EpisodeRecord], latents: LatentStore | LatentViews, total: int
) -> npt.NDArray[np.float16]:
    """The latents of all records, one after the other, (total, n, d)."""
    gathered, filled = np.empty((total, *latents.shape), np.float16), 0
    for record in records:
        part = latents[record.index]
        if len(part) != record.length:
            raise ValueError(
                f"{latents.folder}: latents of episode {record.index}: expected {record.length} frames, "
                f"got {len(part)}; the episode was replaced after it was encoded: remove the latents and encode again"
            )
        gathered[filled : filled + len(part)] = part
        filled += len(part)
    return gathered
