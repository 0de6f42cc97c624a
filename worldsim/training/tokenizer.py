"""Train the tokenizer: frames in, ``tokenizer.safetensors`` out."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from worldsim.checkpoint import open_tokenizer
from worldsim.data.encoding import Encoding
from worldsim.data.store import EpisodeStore
from worldsim.device import check_device
from worldsim.precision import autocast, pick_precision
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
from worldsim.training.frames import FrameBank, seen_by
from worldsim.training.kernels import KernelMuon
from worldsim.training.loop import LoopConfig, LoopResult, StepFn, run_loop, start_state
from worldsim.training.state import TrainState
from worldsim.types import FloatArray, FrameArray

logger = logging.getLogger(__name__)


def _loop_defaults() -> LoopConfig:
    return LoopConfig(out="runs/tokenizer", minutes=22.0)


@dataclass
class TrainTokenizerConfig:
    """Everything the command takes. Validation uses the split "val" of ``data`` alone.

    A folder may be followed by @HEIGHTxWIDTH and by @CAMERA+CAMERA, whose pictures are then all learned from. ``data``
    says which size the tokenizer is saved at; other sizes take turns with it, a batch each.
    """

    data: str = "data/road"  # folder of episodes
    also: dict[str, float] = field(default_factory=dict)  # further folder: its share of the batches, as {data/tub: 0.1}
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    loop: LoopConfig = field(default_factory=_loop_defaults)
    start_from: str = ""  # a trained tokenizer or a world, to go on from its weights; none: from nothing
    batch: int = 32
    kernel_rate: float = 3e-3  # learning rate of convolution kernels, under Muon
    other_rate: float = 1.5e-3  # of everything else, under AdamW
    weight_decay: float = 0.01
    precision: str = "auto"
    device: str = "cpu"  # cpu, cuda, cuda:1, ...
    frame_stride: int = 1  # take every n-th frame of an episode
    max_frames: int = 200_000  # in memory; at 64x128 a frame takes 25 kB
    validation_frames: int = 192


def train_tokenizer(
    config: TrainTokenizerConfig, train: FrameBank | None = None, held_out: FrameBank | None = None
) -> LoopResult:
    """Train until the budget is spent; resumes what ``config.loop.out`` holds.

    Frames come from ``config.data`` unless banks are passed. The averaged weights are written to
    ``tokenizer.safetensors`` at every validation, figures to ``report.json``. Raises as run_loop does, and ValueError
    for a device that is not there.
    """
    check_device(config.device)
    train = train or read_frames(config, config.data, "train")
    held_out = held_out or read_frames(config, config.data, "val")
    others = {read_frames(config, folder, "train"): share for folder, share in config.also.items()}
    sizes = replace(config.tokenizer, height=train.size[0], width=train.size[1])
    tokenizer = Tokenizer(sizes).initialise(torch.Generator().manual_seed(config.loop.seed))
    if config.start_from:
        tokenizer.load_state_dict(open_tokenizer(config.start_from).state_dict())
    tokenizer.to(config.device)
    state = start_state(tokenizer, _optimizers(config, tokenizer), config.loop)
    logger.info("%d training frames, %d held out", len(train), len(held_out))
    frames, boxes = held_out.spread(config.validation_frames)
    fixed = torch.Generator().manual_seed(config.loop.seed)
    calibration = [kind[0] for kind in _Batches(train, others, config.validation_frames, fixed).one_of_each()]
    dtype = pick_precision(config.precision, config.device)

    def validate(current: TrainState) -> dict[str, float]:
        assert isinstance(current.evaluated, Tokenizer)
        with autocast(dtype, config.device):
            current.evaluated.calibrate(*calibration)
            figures = measure(current.evaluated, frames, boxes)
        save_tokenizer(config.loop.out, current.evaluated, figures)
        write_json(Path(config.loop.out) / "report.json", {"step": current.step, **figures})
        return figures

    batches = _Batches(train, others, config.batch, state.generator)
    return run_loop(_step_function(config, tokenizer, batches, dtype), state, config.loop, validate)


def read_frames(config: TrainTokenizerConfig, folder: str, split: str) -> FrameBank:
    """The frames of one split of the data set in ``folder``, of all cameras it names; of "val", every fifth will do."""
    encoding = Encoding.parse(folder)
    store, size = EpisodeStore(encoding.folder), encoding.size or (config.tokenizer.height, config.tokenizer.width)
    records = store.select(split=split)
    read = store.iterate(records, on_error="skip")
    bar = tqdm(read, desc=f"reading {split}", unit=" episodes", total=len(records), disable=not config.loop.progress)
    views = encoding.cameras or [""]
    episodes = (seen_by(episode, name) if name else episode for _, episode in bar for name in views)
    stride = config.frame_stride if split == "train" else max(config.frame_stride, 5)
    return FrameBank(episodes, *size, stride, config.max_frames)


def _optimizers(config: TrainTokenizerConfig, tokenizer: Tokenizer) -> list[torch.optim.Optimizer]:
    """Muon for the kernels between the first and the last layer, AdamW for those two, norms and biases.

    Measured at equal CPU time on reference frames: 1.1 dB above AdamW for everything after 80 s.
    """
    ends = (tokenizer.encoder[1].weight, tokenizer.decoder[-2].weight)
    kernels: list[torch.Tensor] = []
    others: list[torch.Tensor] = []
    for parameter in tokenizer.parameters():
        inner = parameter.ndim == 4 and all(parameter is not end for end in ends)
        (kernels if inner else others).append(parameter)
    decay, rate = config.weight_decay, config.other_rate
    return [
        KernelMuon(kernels, lr=config.kernel_rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.98), weight_decay=decay, fused=True),
    ]


Batch = tuple[FrameArray, list[FloatArray]]


class _Batches:
    """Draws frames of one size (b, h, w, 3) and their boxes, of each bank as often as its share says.

    A batch is as many pixels as ``batch`` frames of ``main``, from every bank of that size its part. Raises ValueError
    for shares that leave nothing to ``main``.
    """

    def __init__(self, main: FrameBank, others: dict[FrameBank, float], batch: int, generator: torch.Generator) -> None:
        self.generator = generator
        shares = {main: 1.0 - sum(others.values()), **others}
        sizes = list(dict.fromkeys(bank.size for bank in shares))
        kinds = [{bank: share for bank, share in shares.items() if bank.size == size} for size in sizes]
        self.chances = torch.tensor([sum(kind.values()) for kind in kinds])
        self.counts: list[dict[FrameBank, int]] = []
        for (height, width), kind in zip(sizes, kinds, strict=True):
            frames = max(1, round(batch * main.size[0] * main.size[1] / (height * width)))
            first, *rest = kind
            counts = {bank: max(1, round(kind[bank] / sum(kind.values()) * frames)) for bank in rest}
            counts[first] = frames - sum(counts.values())
            if shares[main] <= 0 or counts[first] < 1:
                raise ValueError(
                    f"also: expected shares that leave room for `data`, got {list(others.values())} of {batch}"
                )
            self.counts.append(counts)

    def draw(self) -> Batch:
        """A batch of one size."""
        if len(self.counts) == 1:
            return self._draw(self.counts[0])
        device = self.generator.device
        return self._draw(self.counts[int(torch.multinomial(self.chances.to(device), 1, generator=self.generator))])

    def one_of_each(self) -> list[Batch]:
        """A batch of every size."""
        return [self._draw(counts) for counts in self.counts]

    def _draw(self, counts: dict[FrameBank, int]) -> Batch:
        parts = [bank.draw(count, self.generator) for bank, count in counts.items()]
        return np.concatenate([frames for frames, _ in parts]), [box for _, boxes in parts for box in boxes]


def _step_function(config: TrainTokenizerConfig, tokenizer: Tokenizer, batches: _Batches, dtype: torch.dtype) -> StepFn:
    def step(_: int) -> tuple[torch.Tensor, dict[str, float]]:
        frames, boxes = batches.draw()
        height, width = frames.shape[1:3]
        images = images_from_frames(torch.from_numpy(frames).to(config.device))
        weights = None
        if any(map(len, boxes)):
            weights = torch.from_numpy(vehicle_weights(boxes, height, width, config.loss)).to(config.device)
        with autocast(dtype, config.device):
            copies, _latents = tokenizer.at(height, width)(images, batches.generator)
        loss, terms = reconstruction_loss(copies, images, weights, config.loss)
        return loss, {name: float(value.detach()) for name, value in terms.items()}

    return step
