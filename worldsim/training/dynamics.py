"""Train the dynamics on encoded episodes: latents in, a world model out.

Axis legend: b clips, t frames, k captions.
"""

from __future__ import annotations

import copy
import logging
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from worldsim.chance import drawn_from
from worldsim.checkpoint import ModelCard, load_world, open_tokenizer, save_world
from worldsim.data.clips import ClipSampler, ClipShape
from worldsim.data.encoding import Encoding, mountings
from worldsim.data.latents import LatentViews
from worldsim.data.record import EpisodeRecord
from worldsim.data.store import EpisodeStore
from worldsim.device import check_device
from worldsim.dynamics.conditioning import Scene
from worldsim.dynamics.config import DynamicsConfig
from worldsim.dynamics.heads import HEAD_FIELDS
from worldsim.dynamics.targets import head_targets, vehicle_tokens
from worldsim.dynamics.transformer import Dynamics
from worldsim.precision import autocast, pick_precision
from worldsim.text import TextEncoder, TextEncoderMissing, caption_from_fields
from worldsim.tokenizer import Tokenizer, tokenizer_hash
from worldsim.training.agreement import check_agreement
from worldsim.training.astray import AstrayConfig, Veils
from worldsim.training.backwards import play_backwards
from worldsim.training.ego_warp import EgoWarpConfig, Picture, fit_ego_warp
from worldsim.training.loop import LoopConfig, LoopResult, StepFn, run_loop, start_state
from worldsim.training.mixture import Buckets
from worldsim.training.objective import ClipBatch, ObjectiveConfig, drop_conditions, objective
from worldsim.training.state import TrainState, holds_state
from worldsim.training.veil import Veil
from worldsim.types import FRAME_RATE_HZ, Episode
from worldsim.views import Views
from worldsim.world_model import LatentScale, WorldConfig, WorldModel

logger = logging.getLogger(__name__)


def _shapes() -> list[ClipShape]:
    """Short clips, long ones beyond the context window, and single frames that teach start frames."""
    return [
        ClipShape(12, 12),
        ClipShape(12, 12),
        ClipShape(3, 48),
        ClipShape(12, 12),
        ClipShape(12, 12),
        ClipShape(3, 48),
        ClipShape(96, 1),
    ]


def _loop_defaults() -> LoopConfig:
    return LoopConfig(out="runs/dynamics", minutes=75.0, checkpoint_every_s=120.0, validate_every_s=300.0)


@dataclass
class TrainDynamicsConfig:
    """Everything the command takes. ``tokenizer`` is the folder of a trained tokenizer, or a world with one.

    A folder is followed by @HEIGHTxWIDTH or @CAMERA+CAMERA where it was encoded so. ``data`` says what the world's own
    frames consist of; data sets of other views take turns with it, a batch each.
    """

    data: str = "data/road"  # folder of encoded episodes; validation uses its split "val" alone
    also: dict[str, float] = field(default_factory=dict)  # further folder: its share of the batches, as {data/tub: 0.1}
    tokenizer: str = "runs/tokenizer"
    dynamics: DynamicsConfig = field(default_factory=DynamicsConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    astray: AstrayConfig = field(default_factory=AstrayConfig)
    ego_warp: EgoWarpConfig = field(default_factory=EgoWarpConfig)
    loop: LoopConfig = field(default_factory=_loop_defaults)
    shapes: list[ClipShape] = field(default_factory=_shapes)  # taken in turn
    matrix_rate: float = 3e-3  # learning rate of Muon, for the matrices inside the blocks
    other_rate: float = 1e-3  # learning rate of AdamW, for everything else
    weight_decay: float = 0.05
    rare_weight: float = 3.0  # how much more often clips are drawn that leave lane or road, close in or collide
    backward_share: float = 0.08  # of clips that are played backwards, so that the past can be drawn too
    phrasings: int = 6  # other ways to say each caption
    start_from: str = ""  # a world whose weights to start from: a name that ships, or a folder
    name: str = "road"
    precision: str = "auto"
    device: str = "cpu"  # cpu, cuda, cuda:1, ...
    validation: ClipShape = field(default_factory=lambda: ClipShape(32, 24))


def train_dynamics(config: TrainDynamicsConfig) -> LoopResult:
    """Train until the budget is spent; resumes what ``config.loop.out`` holds.

    At every validation the averaged weights are joined with the tokenizer and written as a world model to
    ``config.loop.out/world``. Raises as run_loop does, and ValueError where data or tokenizer do not fit, or the
    device is not there.
    """
    check_device(config.device)
    tokenizer = open_tokenizer(config.tokenizer)
    WorldConfig(tokenizer.config, config.dynamics)  # says now what would not fit when the world is put together
    source = ClipSource(config, tokenizer, config.data, "train")
    held_out = ClipSource(config, tokenizer, config.data, "val")
    others = {ClipSource(config, tokenizer, folder, "train"): share for folder, share in config.also.items()}
    batches, tokenizer = Buckets(source, others), source.tokenizer
    start = load_world(config.start_from) if config.start_from else None
    several = any(each.views != source.views for each in others) or bool(source.views.cameras)
    told = several or config.dynamics.any_view or (start is not None and start.config.dynamics.any_view)
    held_out.scale.load_state_dict(source.scale.state_dict())
    with drawn_from(torch.Generator().manual_seed(config.loop.seed)):
        dynamics = Dynamics(replace(config.dynamics, any_view=told).at(source.views))
    if start is not None:
        take_weights(dynamics, source.scale, start, tokenizer, source.encoding.folder)
        held_out.scale.load_state_dict(source.scale.state_dict())
    dynamics.to(config.device)
    unfit = dynamics.warp is not None and (config.ego_warp.again or not dynamics.warp.fitted)
    if dynamics.warp is not None and unfit and not holds_state(config.loop.out):
        fit_ego_warp(
            dynamics.warp, source.scale, pictures([source, *others] if told else [source]), batches, config.ego_warp,
            config.loop.seed, config.loop.progress,
        )  # fmt: skip
    state = start_state(dynamics, optimizers(dynamics, config), config.loop)
    dtype = pick_precision(config.precision, config.device)
    logger.info("%d training frames, %d held out", source.sampler.frames, held_out.sampler.frames)

    def validate(current: TrainState) -> dict[str, float]:
        """The held-out loss of the averaged weights, which are written as a world."""
        assert isinstance(current.evaluated, Dynamics)
        with autocast(dtype, config.device):
            figures = held_out_loss(current.evaluated, held_out, config)
        world = assemble(current.evaluated, tokenizer, source.scale)
        card = ModelCard(
            name=config.name, summary=f"In training, step {current.step}.", data=config.data, metrics=figures
        )
        save_world(Path(config.loop.out) / "world", world, card)
        return figures

    return run_loop(_step_function(config, dynamics, batches, state, dtype, tokenizer), state, config.loop, validate)


def take_weights(dynamics: Dynamics, scale: LatentScale, world: WorldModel, tokenizer: Tokenizer, data: str) -> None:
    """Start from the weights of ``world`` and keep its standardisation of latents.

    A world without an ego warp may start one that has it; what that says is not read at first. A world of other views
    may start one of these, and where it is not told of views, what that says adds nothing at first.
    Raises ValueError unless it has the same sizes, and a tokenizer that says much the same of the frames of ``data``.
    """
    config, found = dynamics.config, world.config.dynamics
    new_warp = dynamics.warp is not None and world.dynamics.warp is None
    if new_warp:
        found = replace(found, warp_width=config.warp_width, warp_blocks=config.warp_blocks)
    if replace(found, any_view=config.any_view).at(config.views) != config:
        raise ValueError(
            f"start_from: expected a world whose dynamics is {config}, got {world.config.dynamics}; "
            "use the preset it was trained with"
        )
    check_agreement(tokenizer, world.tokenizer.at(tokenizer.config.height, tokenizer.config.width), data)
    weights = world.dynamics.state_dict()
    if config.any_view:
        weights = {name: value for name, value in dynamics.state_dict().items() if "view." in name} | weights
    if dynamics.warp is not None and new_warp:
        unread = torch.zeros(config.width, config.latent_dim)
        weights["embed.weight"] = torch.cat((weights["embed.weight"], unread), dim=1)
        new = dynamics.state_dict()
        weights |= {name: value for name, value in new.items() if name.startswith(("warp.", "carry."))}
    dynamics.load_state_dict(weights)
    scale.load_state_dict(world.scale.state_dict())


def pictures(sources: list[ClipSource]) -> list[Picture]:
    """What to fit the ego warp to: each kind of view that the sources have, from the first that has it."""
    found: dict[Views, Picture] = {}
    for source in sources:
        for camera in source.views.cameras or (None,):
            view = replace(source.views, cameras=(camera,) if camera else ())
            if view not in found:
                store = EpisodeStore(source.encoding.folder)
                found[view] = Picture(store, source.tokenizer, camera[0] if camera else "")
    return list(found.values())


class ClipSource:
    """Clips of one split of a data set as the objective takes them: standardised, with head targets and captions."""

    def __init__(self, config: TrainDynamicsConfig, tokenizer: Tokenizer, data: str, split: str) -> None:
        self.encoding = encoding = Encoding.parse(data)
        self.tokenizer = tokenizer.at(*encoding.size) if encoding.size else tokenizer
        store = EpisodeStore(encoding.folder)
        records = store.select(split=split)
        self.views = Views(*self.tokenizer.config.grid, mountings(records, encoding.cameras))
        latents = LatentViews.open(encoding.folder, tokenizer_hash(self.tokenizer), encoding.cameras)
        rare = config.rare_weight if split == "train" else 1.0
        self.sampler = ClipSampler(store, latents, split, rare)
        self.device = config.device
        self.scale = LatentScale(config.dynamics.latent_dim)
        sample = self.sampler.sample(min(4096, self.sampler.count(1)), 1, np.random.default_rng(0))
        self.scale.fit(sample.latents)
        self.targets: dict[int, Tensor] = {}
        self.vehicles: dict[int, Tensor] = {}
        for record, episode in store.iterate(records, frames=False):
            self.targets[record.index] = torch.from_numpy(head_targets(episode.labels, FRAME_RATE_HZ))
            self.vehicles[record.index] = torch.from_numpy(_touched(record, episode, self.views))
        self.text = embed_phrasings(records, config.phrasings, config.dynamics.text_dim)

    def draw(self, shape: ClipShape, generator: np.random.Generator) -> ClipBatch:
        """A batch on the training device."""
        clips = self.sampler.sample(shape.clips, shape.frames, generator)
        frames, episodes = clips.latents.shape[1], clips.episode.tolist()
        places = list(zip(episodes, clips.start.tolist(), strict=True))
        targets = torch.stack([self.targets[k][start : start + frames] for k, start in places])
        vehicles = torch.stack([self.vehicles[k][start : start + frames] for k, start in places])
        assert targets.shape[-1] == len(HEAD_FIELDS)
        text = torch.stack([self.text[k][generator.integers(len(self.text[k]))] for k in episodes])
        known = text.abs().sum(-1) > 0
        device = self.device
        return ClipBatch(
            self.scale.standardise(clips.latents).to(device),
            clips.motion.to(device),
            clips.motion_known.to(device),
            targets.to(device),
            clips.command.to(device),
            Scene(clips.fields.to(device), text.to(device), known.to(device)),
            vehicles.to(device),
        )


def _touched(record: EpisodeRecord, episode: Episode, views: Views) -> npt.NDArray[np.bool_]:
    """Tokens (t, n) that a vehicle touches. Boxes are known in the main view alone."""
    main = record.videos[0]
    seen = vehicle_tokens(episode.boxes, record.length, (main.height, main.width), (views.rows, views.columns))
    return np.concatenate([seen & (name == main.camera) for name in views.names or [main.camera]], axis=1)


def embed_phrasings(records: list[EpisodeRecord], count: int, text_dim: int) -> dict[int, Tensor]:
    """Embeddings (k, text_dim) of each episode's caption and of ``count`` other ways to say it, by episode.

    A row is zero where there are no words: nothing is known of the scene, or the text extra is not installed.
    """
    phrases = {record.index: ways_to_say(record, count) for record in records}
    try:
        encoder = TextEncoder()
        return {k: torch.from_numpy(encoder.encode(texts)) for k, texts in phrases.items()}
    except TextEncoderMissing as error:
        logger.warning("training without words: %s", error)
        return {k: torch.zeros(1, text_dim) for k in phrases}


def ways_to_say(record: EpisodeRecord, count: int) -> list[str]:
    """An episode's caption and up to ``count`` other ways to say it.

    They are those that ``worldsim caption`` stored, of its three lengths in turn, or else made from its fields alone.
    """
    first = record.caption or caption_from_fields(record.fields, np.random.default_rng(record.index))
    lengths = zip_longest(record.captions.short, record.captions.medium, record.captions.long)
    stored = [text for row in lengths for text in row if text is not None]
    made = (caption_from_fields(record.fields, np.random.default_rng((record.index, i))) for i in range(count))
    return list(dict.fromkeys([first, *(stored[:count] or made)]))


def optimizers(dynamics: Dynamics, config: TrainDynamicsConfig) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for the matrices inside the blocks, AdamW for everything else."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in dynamics.named_parameters():
        if not parameter.requires_grad:
            continue
        inside = name.startswith("blocks.") and parameter.ndim == 2 and "modulation" not in name
        (matrices if inside else others).append(parameter)
    return [
        torch.optim.Muon(
            matrices, lr=config.matrix_rate, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(others, lr=config.other_rate, betas=(0.9, 0.98), weight_decay=config.weight_decay),
    ]


def assemble(dynamics: Dynamics, tokenizer: Tokenizer, scale: LatentScale) -> WorldModel:
    """A world model of these parts (copies)."""
    world = WorldModel(WorldConfig(tokenizer.config, dynamics.config, FRAME_RATE_HZ))
    world.tokenizer.load_state_dict(tokenizer.state_dict())
    world.dynamics.load_state_dict(dynamics.state_dict())
    world.scale.load_state_dict(scale.state_dict())
    return world


@torch.no_grad()
def held_out_loss(dynamics: Dynamics, source: ClipSource, config: TrainDynamicsConfig) -> dict[str, float]:
    """The objective's parts on the same held-out clips and noise at every call."""
    plain = copy.copy(config.objective)
    plain.bootstrap_fraction = plain.own_fraction = plain.swayed_fraction = plain.vehicle_weight = 0.0
    draw, noise = np.random.default_rng(1), torch.Generator(config.device).manual_seed(1)
    _, values = objective(dynamics, source.draw(config.validation, draw), plain, noise)
    return {f"val/{name}": value for name, value in values.items()}


def _step_function(
    config: TrainDynamicsConfig,
    dynamics: Dynamics,
    source: Buckets[ClipSource],
    state: TrainState,
    dtype: torch.dtype,
    tokenizer: Tokenizer,
) -> StepFn:
    veils = Veils(config.astray, source.mixtures[0][1], config.loop.seed)

    def veil(number: int, batch: ClipBatch, views: Views) -> Veil | None:
        """What lies over the past of a step's clips, where anything does."""
        if views != source.main.views:  # what is rolled out consists of the main ones
            return None
        if veils.due(number):
            assert isinstance(state.evaluated, Dynamics)
            with autocast(dtype, config.device):
                veils.roll(assemble(state.evaluated, tokenizer, source.main.scale).to(config.device), number)
        clips, frames = batch.latents.shape[:2]
        return veils.draw(number, clips, frames, views)

    def step(number: int) -> tuple[Tensor, dict[str, float]]:
        """The loss of batch ``number`` and its parts."""
        mature = number >= config.objective.bootstrap_after
        shape = config.shapes[number % len(config.shapes)]
        views, batch = source.draw(shape, np.random.default_rng((config.loop.seed, number)))
        batch = play_backwards(batch, config.backward_share, state.generator)
        over = veil(number, batch, views) if mature and shape.frames > 1 else None
        batch = drop_conditions(batch, config.objective, state.generator)
        with autocast(dtype, config.device):
            return objective(dynamics.at(views), batch, config.objective, state.generator, mature, over)

    return step
