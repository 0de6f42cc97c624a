"""Train the tokenizer: frames in, ``tokenizer.safetensors`` out."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import torch
from tqdm import tqdm

from worldsim.data.store import EpisodeStore
from worldsim.storage import write_json
from worldsim.tokenizer import (
    LossConfig,
    Tokenizer,
    TokenizerConfig,
    images_from_frames,
    measure,
    reconstruction_loss,
    save_tokenizer,
    vehicle_weights,
)
from worldsim.training.frames import FrameBank
from worldsim.training.loop import LoopConfig, LoopResult, StepFn, run_loop, start_state
from worldsim.training.precision import autocast, pick_precision
from worldsim.training.state import TrainState

logger = logging.getLogger(__name__)


def _loop_defaults() -> LoopConfig:
    return LoopConfig(out="runs/tokenizer", minutes=22.0)


@dataclass
class TrainTokenizerConfig:
    """Everything the command takes. ``data`` is a folder of episodes with splits "train" and "val"."""

    data: str = "data/road"
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    loop: LoopConfig = field(default_factory=_loop_defaults)
    batch: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    precision: str = "auto"
    device: str = "cpu"
    frame_stride: int = 1  # take every n-th frame of an episode
    max_frames: int = 200_000  # in memory; at 64x128 a frame takes 25 kB
    validation_frames: int = 192


def train_tokenizer(
    config: TrainTokenizerConfig, train: FrameBank | None = None, held_out: FrameBank | None = None
) -> LoopResult:
    """Train until the budget is spent; resumes what ``config.loop.out`` holds.

    Frames come from ``config.data`` unless banks are passed. The averaged weights are written to
    ``tokenizer.safetensors`` at every validation, figures to ``report.json``. Raises as run_loop does.
    """
    train = train or read_frames(config, "train")
    held_out = held_out or read_frames(config, "val")
    tokenizer = Tokenizer(config.tokenizer).initialise(torch.Generator().manual_seed(config.loop.seed))
    tokenizer.to(config.device)
    optimizer = torch.optim.AdamW(
        tokenizer.parameters(), lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=config.weight_decay
    )
    state = start_state(tokenizer, [optimizer], config.loop)
    logger.info("%d training frames, %d held out", len(train), len(held_out))
    frames, boxes = held_out.spread(config.validation_frames)
    calibration, _ = train.spread(config.validation_frames)
    dtype = pick_precision(config.precision, config.device)

    def validate(current: TrainState) -> dict[str, float]:
        assert isinstance(current.evaluated, Tokenizer)
        with autocast(dtype, config.device):
            current.evaluated.calibrate(calibration)
            figures = measure(current.evaluated, frames, boxes)
        save_tokenizer(config.loop.out, current.evaluated, figures)
        write_json(Path(config.loop.out) / "report.json", {"step": current.step, **figures})
        return figures

    return run_loop(_step_function(config, tokenizer, train, state.generator, dtype), state, config.loop, validate)


def read_frames(config: TrainTokenizerConfig, split: str) -> FrameBank:
    """The frames of one split of ``config.data``. A split other than "train" is thinned to what validation uses."""
    store = EpisodeStore(config.data)
    records = store.select(split=split)
    read = store.iterate(records, on_error="skip")
    bar = tqdm(read, desc=f"reading {split}", unit=" episodes", total=len(records), disable=not config.loop.progress)
    episodes = (episode for _, episode in bar)
    stride = config.frame_stride if split == "train" else max(config.frame_stride, 5)
    return FrameBank(episodes, config.tokenizer.height, config.tokenizer.width, stride, config.max_frames)


def _step_function(
    config: TrainTokenizerConfig, tokenizer: Tokenizer, bank: FrameBank, generator: torch.Generator, dtype: torch.dtype
) -> StepFn:
    height, width = config.tokenizer.height, config.tokenizer.width

    def step(_: int) -> tuple[torch.Tensor, dict[str, float]]:
        frames, boxes = bank.draw(config.batch, generator)
        images = images_from_frames(torch.from_numpy(frames).to(config.device))
        weights = None
        if any(map(len, boxes)):
            weights = torch.from_numpy(vehicle_weights(boxes, height, width, config.loss)).to(config.device)
        with autocast(dtype, config.device):
            copies, _latents = tokenizer(images, generator)
        loss, terms = reconstruction_loss(copies, images, weights, config.loss)
        return loss, {name: float(value.detach()) for name, value in terms.items()}

    return step
