"""Frames of many episodes in memory, to draw batches from.

Axis legend: t frames of an episode, b frames of a batch, h w image rows and columns, k boxes of a frame.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace

import cv2
import numpy as np
import torch

from worldsim.errors import choose
from worldsim.types import Episode, FloatArray, FrameArray

logger = logging.getLogger(__name__)


class FrameBank:
    """All frames as uint8, with vehicle boxes where they are known. Frames of another size are resized."""

    def __init__(
        self, episodes: Iterable[Episode], height: int, width: int, stride: int = 1, most: int = 200_000
    ) -> None:
        """Take every ``stride``-th frame until there are ``most`` of them. Raises ValueError if there are none."""
        chunks: list[FrameArray] = []
        self.boxes: list[FloatArray] = []
        room = most
        for episode in episodes:
            frames, boxes = _fitted(episode, height, width, stride)
            chunks.append(frames[:room])
            self.boxes += boxes[:room]
            room -= len(chunks[-1])
            if room <= 0:
                logger.warning("stopped reading at %d frames; raise max_frames to use more", most)
                break
        if not chunks or sum(map(len, chunks)) == 0:
            raise ValueError("FrameBank: expected episodes with frames, got none; collect episodes first")
        self.frames: FrameArray = chunks[0] if len(chunks) == 1 else np.concatenate(chunks)

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frames."""
        return self.frames.shape[1], self.frames.shape[2]

    def draw(self, batch: int, generator: torch.Generator) -> tuple[FrameArray, list[FloatArray]]:
        """``batch`` frames (b, h, w, 3), drawn evenly with replacement, and their boxes."""
        picked = torch.randint(len(self), (batch,), generator=generator, device=generator.device).tolist()
        return self.frames[picked], [self.boxes[i] for i in picked]

    def spread(self, count: int) -> tuple[FrameArray, list[FloatArray]]:
        """At most ``count`` frames evenly spaced over everything, always the same, and their boxes."""
        picked = np.unique(np.linspace(0, len(self) - 1, min(count, len(self))).round().astype(int)).tolist()
        return self.frames[picked], [self.boxes[i] for i in picked]


def seen_by(episode: Episode, camera: str) -> Episode:
    """The episode through one of its cameras alone; boxes are known in the main view. ValueError for one it lacks."""
    frames = episode.views[choose(camera, episode.views, "camera")]
    return replace(episode, views={camera: frames}, boxes=episode.boxes if frames is episode.frames else [])


def _fitted(episode: Episode, height: int, width: int, stride: int) -> tuple[FrameArray, list[FloatArray]]:
    frames = episode.frames[::stride]
    none = np.zeros((0, 5), np.float32)
    boxes = list(episode.boxes[::stride]) if episode.boxes else [none] * len(frames)
    rows, columns = frames.shape[1:3]
    if (rows, columns) == (height, width):
        return frames, boxes
    scale = np.array([width / columns, height / rows, width / columns, height / rows], np.float32)
    resized = np.stack([cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in frames])
    return resized.astype(np.uint8), [np.concatenate([box[:, :4] * scale, box[:, 4:]], 1) for box in boxes]
