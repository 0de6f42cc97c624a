"""Encode every episode of a data set once, so that the dynamics can train on latents alone."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from tqdm import tqdm

from worldsim.checkpoint import open_tokenizer
from worldsim.data.encoding import Encoding
from worldsim.data.latents import LatentWriter
from worldsim.data.record import EpisodeRecord
from worldsim.data.store import EpisodeStore
from worldsim.errors import choose
from worldsim.precision import autocast, pick_precision
from worldsim.tokenizer import Tokenizer, tokenizer_hash
from worldsim.types import FloatArray, FrameArray

logger = logging.getLogger(__name__)


@dataclass
class EncodeConfig:
    """``tokenizer`` is a trained tokenizer's file or folder, or a world."""

    data: str = "data/road"  # folder of episodes; FOLDER@128x256 at another size, FOLDER@front+left of several cameras
    tokenizer: str = "runs/tokenizer"
    batch: int = 64
    precision: str = "float32"
    device: str = "cpu"  # cpu, cuda, cuda:1, ...
    threads: int = 0  # 0 leaves torch's own choice
    on_error: str = "skip"  # a broken episode is logged and left out, or stops: "raise"
    progress: bool = True


def encode(config: EncodeConfig) -> Path:
    """Write the latents of every episode not yet encoded; returns their folder. Safe to interrupt and to run again.

    Of several cameras it is the first one's folder. Raises ValueError for a missing or damaged tokenizer or data set, a
    camera that no episode has, or a device that is not there.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    encoding, tokenizer = Encoding.parse(config.data), open_tokenizer(config.tokenizer, config.device)
    if encoding.size is not None:
        tokenizer = tokenizer.at(*encoding.size)
    store, sizes = EpisodeStore(encoding.folder), tokenizer.config
    records = _with_cameras(store, encoding.cameras)
    dtype = pick_precision(config.precision, config.device)
    with ExitStack() as open_writers:
        writers = {
            camera: open_writers.enter_context(
                LatentWriter(encoding.folder, tokenizer_hash(tokenizer), sizes.n_tokens, sizes.latent_dim, camera)
            )
            for camera in encoding.cameras or [""]
        }
        waiting = [record for record in records if any(record.index not in each.done for each in writers.values())]
        logger.info("%d of %d episodes to encode", len(waiting), len(records))
        total = sum(record.length for record in waiting)
        with tqdm(total=total, desc="encoding", unit=" frames", disable=not config.progress) as bar:
            for record, episode in store.iterate(waiting, on_error=config.on_error):
                for camera, writer in writers.items():
                    if record.index not in writer.done:
                        frames = episode.views[camera] if camera else episode.frames
                        writer.add(record.index, _latents(tokenizer, frames, config, dtype))
                bar.update(record.length)
    return next(iter(writers.values())).folder


def _with_cameras(store: EpisodeStore, cameras: tuple[str, ...]) -> list[EpisodeRecord]:
    """The episodes that have all ``cameras``; ValueError, with the nearest name, for one that no episode has."""
    names = {record.index: {video.camera for video in record.videos} for record in store.records}
    for camera in cameras:
        choose(camera, sorted(set().union(*names.values())), f"camera of {store.root}")
    having = [record for record in store.records if names[record.index] >= set(cameras)]
    if len(having) < len(store):
        logger.warning("%d episodes lack one of the cameras %s: left out", len(store) - len(having), list(cameras))
    return having


def _latents(tokenizer: Tokenizer, frames: FrameArray, config: EncodeConfig, dtype: torch.dtype) -> FloatArray:
    """(t, h, w, 3) uint8 of any size -> (t, n, d)."""
    size = (tokenizer.config.height, tokenizer.config.width)
    if frames.shape[1:3] != size:
        resized = [cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA) for frame in frames]
        frames = np.stack(resized).astype(np.uint8)
    with autocast(dtype, config.device):
        latents: FloatArray = tokenizer.encode(frames, config.batch).cpu().numpy()
    return latents
