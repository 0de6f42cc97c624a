"""Train a world's decoder on what the world draws, and nothing else of it: sharper pictures of the same latents.

The tokenizer was trained on latents of true frames, by errors that are least for a blur. What a world draws is less
sure than those, and looks duller still. Here the decoder learns from both kinds, with a critic that tells its pictures
from true ones. Latents keep their meaning, so whatever was trained on them (dynamics, heads, policies, start contexts)
stays as it is, and so does the cost of a picture.

Axis legend: b pictures, c channels, h w image rows and columns, n latent tokens, d latent channels.
"""

from __future__ import annotations

import copy
import logging
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from worldsim.checkpoint import load_world, read_card, save_world, world_folder, world_hash
from worldsim.data.encoding import Encoding
from worldsim.data.store import EpisodeStore
from worldsim.device import check_device
from worldsim.engine.starts import FILE_NAME as STARTS
from worldsim.evaluation.metrics import sharpness_ratio
from worldsim.evaluation.perceptual import perceptual_distance
from worldsim.precision import autocast, pick_precision
from worldsim.storage import atomic_path
from worldsim.tokenizer import (
    LossConfig,
    Tokenizer,
    images_from_frames,
    measure,
    reconstruction_loss,
    vehicle_weights,
)
from worldsim.training.critic import Critic, critic_loss, likeness_loss
from worldsim.training.drawn import DrawnConfig, DrawnFrames, draw_frames, joined
from worldsim.training.frames import FrameBank, seen_by
from worldsim.training.loop import LoopConfig, LoopResult, StepFn, run_loop, start_state
from worldsim.training.state import TrainState
from worldsim.types import Episode
from worldsim.world_model import WorldModel

logger = logging.getLogger(__name__)


def _loop_defaults() -> LoopConfig:
    return LoopConfig(out="runs/decoder", minutes=20.0, clip_norm=0.0, validate_every_s=300.0)


@dataclass
class DecoderLoss:
    """Weights of the terms of the decoder's loss."""

    truth: LossConfig = field(default_factory=LossConfig)  # of true frames: pixels, edges, vehicles
    look: float = 0.1  # looking true to the critic
    features: float = 0.3  # as the critic sees true frames, so should the decoded ones be
    coarse: float = 2.0  # of drawn frames: averages of 8 x 8 pixels stay as they were before this training
    smooth: float = 0.1  # how steady the critic must be


@dataclass
class TrainDecoderConfig:
    """Everything the command takes. The world that comes of it lies in ``loop.out``/world, with its starts."""

    world: str = "runs/dynamics/world"  # a name that ships, or a folder
    data: str = "data/road"  # folder of episodes; the splits "val" are what validation uses
    also: list[str] = field(default_factory=list)  # further folders
    drawn: DrawnConfig = field(default_factory=DrawnConfig)
    loss: DecoderLoss = field(default_factory=DecoderLoss)
    loop: LoopConfig = field(default_factory=_loop_defaults)
    keep: float = 0.7  # of what was trained; the rest of each weight stays as before
    batch: int = 16  # pictures a step, half of them drawn by the world
    decoder_rate: float = 1e-4
    critic_rate: float = 7e-4
    precision: str = "auto"
    device: str = "cpu"  # cpu, cuda, cuda:1, ...
    max_frames: int = 40_000  # in memory; at 64x128 a frame takes 25 kB
    validation_frames: int = 192

    def __post_init__(self) -> None:
        if not 0.0 < self.keep <= 1.0:
            raise ValueError(f"keep: expected a share above 0 and of at most 1, got {self.keep}")


class DecoderAndCritic(nn.Module):
    """What is trained; the tokenizer's other half is not."""

    def __init__(self, tokenizer: Tokenizer, critic: Critic) -> None:
        super().__init__()
        self.decoder, self.critic = tokenizer.decoder, critic


def train_decoder(config: TrainDecoderConfig) -> LoopResult:
    """Train until the budget is spent; resumes what ``config.loop.out`` holds.

    The world with the averaged decoder is written to ``config.loop.out/world`` at every validation. Raises as run_loop
    does, and ValueError for a missing world or data set, or drives that are too short to draw.
    """
    check_device(config.device)
    world = load_world(config.world, config.device)
    before = copy.deepcopy(world.tokenizer)
    train = _read(config, "train")
    held_out = _read(config, "val")
    out = Path(config.loop.out)
    made_by = {
        "world": world_hash(config.world),
        "data": [config.data, *config.also],
        "drawn": asdict(config.drawn),
        "seed": config.loop.seed,
    }
    drawn = DrawnFrames.load(out, made_by)
    if drawn is None:
        drawn = _drawn(config, world, train, config.drawn, "drawing what to learn from")
        drawn.save(out, made_by)
    small = replace(config.drawn, frames=config.validation_frames)
    unseen = _drawn(config, world, held_out, small, "drawing what is held out")
    bank, checks = (_bank(each, world, config) for each in (train, held_out))
    critic = Critic().initialise(torch.Generator().manual_seed(config.loop.seed)).to(config.device)
    world.tokenizer.decoder.requires_grad_(True)
    model = DecoderAndCritic(world.tokenizer, critic)
    state = start_state(model, _optimizers(config, model), config.loop)
    dtype = pick_precision(config.precision, config.device)

    def validate(current: TrainState) -> dict[str, float]:
        assert isinstance(current.evaluated, DecoderAndCritic)
        kept = copy.deepcopy(world)
        blend(kept.tokenizer.decoder, before.decoder, current.evaluated.decoder, config.keep)
        figures = decoder_figures(kept.tokenizer, unseen, checks, config.validation_frames)
        _save(config, kept.requires_grad_(False), figures)
        return figures

    first = decoder_figures(before, unseen, checks, config.validation_frames)
    logger.info("before: %s", ", ".join(f"{name} {value:.3f}" for name, value in first.items()))
    step = _step_function(config, model, world.tokenizer, before, bank, drawn, state, dtype)
    return run_loop(step, state, config.loop, validate)


@torch.no_grad()
def blend(decoder: nn.Module, before: nn.Module, after: nn.Module, share: float) -> None:
    """Give ``decoder`` weights between those of two others, ``share`` of the way.

    What a critic taught is edges and, further on, artefacts; part of the way keeps most of the former (network
    interpolation, Wang et al. 2018, "ESRGAN", section 3.4).
    """
    for weight, old, new in zip(decoder.parameters(), before.parameters(), after.parameters(), strict=True):
        weight.copy_(old.lerp(new, share))


@torch.no_grad()
def decoder_figures(tokenizer: Tokenizer, drawn: DrawnFrames, held_out: FrameBank, count: int) -> dict[str, float]:
    """How it decodes true latents (PSNR, sharpness) and drawn ones (distance to what was to be seen, sharpness)."""
    frames, boxes = held_out.spread(count)
    figures = measure(tokenizer, frames, boxes)
    pictures, true = tokenizer.decode(drawn.latents.float()).cpu().numpy(), drawn.frames.numpy()
    distance = perceptual_distance()
    return {
        "drawn_distance": float(np.mean(distance(pictures, true))),
        "distance": float(np.mean(distance(tokenizer.decode(tokenizer.encode(frames)).cpu().numpy(), frames))),
        "drawn_sharpness_ratio": sharpness_ratio(pictures, true),
        **{name: figures[name] for name in ("psnr_db", "sharpness_ratio", "vehicle_psnr_db") if name in figures},
    }


def _step_function(
    config: TrainDecoderConfig,
    model: DecoderAndCritic,
    tokenizer: Tokenizer,
    before: Tokenizer,
    bank: FrameBank,
    drawn: DrawnFrames,
    state: TrainState,
    dtype: torch.dtype,
) -> StepFn:
    loss, size, g = config.loss, bank.size, state.generator
    n_drawn = config.batch // 2

    def step(_: int) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch, half of it of drawn latents, and its parts."""
        seen, boxes = bank.draw(config.batch - n_drawn, g)
        guessed, instead = drawn.draw(n_drawn, g)
        true = images_from_frames(torch.cat((torch.from_numpy(seen), instead)).to(config.device))
        latents = torch.cat((_noised(tokenizer.encode(seen), tokenizer, g), guessed.to(config.device)))
        weights = torch.from_numpy(vehicle_weights(boxes, *size, loss.truth)).to(config.device)
        with autocast(dtype, config.device):
            images = tokenizer.to_images(latents)
            with torch.no_grad():
                dull = before.to_images(latents[len(seen) :])
            falseness, off = likeness_loss(model.critic, true, images)
            verdict = critic_loss(model.critic, true, images, g, loss.smooth)
        truth = reconstruction_loss(images[: len(seen)], true[: len(seen)], weights, loss.truth)[0]
        coarse = (F.avg_pool2d(images[len(seen) :], 8) - F.avg_pool2d(dull.float(), 8)).abs().mean()
        features = off[: len(seen)].mean()
        whole = truth + loss.look * falseness + loss.features * features + loss.coarse * coarse + verdict
        parts = {"truth": truth, "look": falseness, "features": features, "coarse": coarse, "critic": verdict}
        return whole, {name: float(value.detach()) for name, value in parts.items()}

    return step


def _noised(latents: Tensor, tokenizer: Tokenizer, generator: torch.Generator) -> Tensor:
    """Latents (b, n, d) with noise of a deviation drawn for each, as the tokenizer was trained."""
    sigma = tokenizer.config.latent_noise * torch.rand(len(latents), 1, 1, generator=generator, device=latents.device)
    return latents + sigma * torch.randn(latents.shape, generator=generator, device=latents.device)


def _optimizers(config: TrainDecoderConfig, model: DecoderAndCritic) -> list[torch.optim.Optimizer]:
    return [
        torch.optim.AdamW(model.decoder.parameters(), lr=config.decoder_rate, betas=(0.5, 0.98), weight_decay=0.0),
        torch.optim.AdamW(model.critic.parameters(), lr=config.critic_rate, betas=(0.5, 0.98), weight_decay=0.0),
    ]


def _read(config: TrainDecoderConfig, split: str) -> list[Episode]:
    """The episodes of one split, until there are as many frames as may be in memory."""
    total, read = 0, list[Episode]()
    for folder in (config.data, *config.also):
        store = EpisodeStore(Encoding.parse(folder).folder)
        records = store.select(split=split)
        bar = tqdm(
            store.iterate(records, on_error="skip"), desc=f"reading {split} of {folder}", unit=" episodes",
            total=len(records), disable=not config.loop.progress,
        )  # fmt: skip
        for _, episode in bar:
            if total + len(episode) > config.max_frames:
                logger.warning("stopped reading %s at %d frames; raise max_frames to use more", folder, total)
                return read
            total += len(episode)
            read.append(episode)
    return read


def _bank(episodes: list[Episode], world: WorldModel, config: TrainDecoderConfig) -> FrameBank:
    """All their frames, of every camera that the world names, at its size."""
    seen = (seen_by(episode, name) if name else episode for episode in episodes for name in world.cameras or [""])
    return FrameBank(seen, world.config.tokenizer.height, world.config.tokenizer.width, most=config.max_frames)


def _drawn(
    config: TrainDecoderConfig, world: WorldModel, episodes: list[Episode], settings: DrawnConfig, said: str
) -> DrawnFrames:
    with tqdm(total=settings.frames, desc=said, unit=" frames", disable=not config.loop.progress) as bar:
        parts = []
        for part in draw_frames(world, episodes, settings, config.loop.seed):
            parts.append(part)
            bar.update(len(part))
    return joined(parts)


def _save(config: TrainDecoderConfig, world: WorldModel, figures: dict[str, float]) -> None:
    card = read_card(config.world)
    command = " ".join(["worldsim train-decoder", *_changed(asdict(config), asdict(TrainDecoderConfig()))])
    folder = Path(config.loop.out) / "world"
    metrics = card.metrics | {f"decoder: {name}": value for name, value in figures.items()}
    save_world(folder, world, replace(card, command=f"{card.command}\n{command}".strip(), metrics=metrics))
    starts = world_folder(config.world) / STARTS
    if starts.is_file():
        with atomic_path(folder / STARTS) as temporary:
            shutil.copyfile(starts, temporary)


def _changed(settings: dict[str, Any], defaults: dict[str, Any], within: str = "") -> Iterator[str]:
    """What of ``settings`` is not as by default, as the command takes it."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _changed(value, defaults[name], f"{within}{name}.")
        elif value != defaults[name]:
            yield f"{within}{name}={value}".replace(" ", "").replace("'", "")
