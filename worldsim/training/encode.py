"""Encode every episode of a data set once, so that the dynamics can train on latents alone."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from tqdm import tqdm

from worldsim.checkpoint import open_tokenizer
from worldsim.data.latents import LatentWriter
from worldsim.data.store import EpisodeStore
from worldsim.tokenizer import Tokenizer, tokenizer_hash
from worldsim.training.precision import autocast, pick_precision
from worldsim.types import FloatArray, FrameArray

logger = logging.getLogger(__name__)


@dataclass
class EncodeConfig:
    """``data`` is a folder of episodes, ``tokenizer`` a trained tokenizer's file or folder, or a world."""

    data: str = "data/road"
    tokenizer: str = "runs/tokenizer"
    batch: int = 64
    precision: str = "float32"
    device: str = "cpu"  # cpu, cuda, cuda:1, ...
    threads: int = 0  # 0 leaves torch's own choice
    on_error: str = "skip"  # a broken episode is logged and left out, or stops: "raise"
    progress: bool = True


def encode(config: EncodeConfig) -> Path:
    """Write the latents of every episode not yet encoded; returns their folder. Safe to interrupt and to run again.

    Raises ValueError for a missing or damaged tokenizer or data set, or a device that is not there.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    tokenizer = open_tokenizer(config.tokenizer, config.device)
    store = EpisodeStore(config.data)
    sizes = tokenizer.config
    dtype = pick_precision(config.precision, config.device)
    with LatentWriter(config.data, tokenizer_hash(tokenizer), sizes.n_tokens, sizes.latent_dim) as writer:
        waiting = [record for record in store.records if record.index not in writer.done]
        logger.info("%d of %d episodes to encode", len(waiting), len(store))
        total = sum(record.length for record in waiting)
        with tqdm(total=total, desc="encoding", unit=" frames", disable=not config.progress) as bar:
            for record, episode in store.iterate(waiting, on_error=config.on_error):
                writer.add(record.index, _latents(tokenizer, episode.frames, config, dtype))
                bar.update(record.length)
    return writer.folder


def _latents(tokenizer: Tokenizer, frames: FrameArray, config: EncodeConfig, dtype: torch.dtype) -> FloatArray:
    """(t, h, w, 3) uint8 of any size -> (t, n, d)."""
    size = (tokenizer.config.height, tokenizer.config.width)
    if frames.shape[1:3] != size:
        resized = [cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA) for frame in frames]
        frames = np.stack(resized).astype(np.uint8)
    with autocast(dtype, config.device):
        latents: FloatArray = tokenizer.encode(frames, config.batch).cpu().numpy()
    return latents
