"""Calibrating a world: what its trust is made of, fitted to recorded drives. ``worldsim calibrate``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from worldsim.checkpoint import FILE_NAME, load_world, read_card, save_world, world_folder
from worldsim.data.store import EpisodeStore
from worldsim.engine import Engine, EngineConfig
from worldsim.evaluation.evaluate import BATCH, bars, held_out
from worldsim.evaluation.looks import Apart, fit_looks, rolled_apart, set_scale
from worldsim.evaluation.metrics import rank_correlation
from worldsim.evaluation.rollouts import CONTEXT_FRAMES, Drives, excerpt
from worldsim.evaluation.trust import fit_trust_scale
from worldsim.schema import option
from worldsim.text import TextEncoder
from worldsim.types import Episode


@dataclass
class CalibrateConfig:
    """Which world to calibrate, on what, and how it is drawn from now on. The world's file is written anew."""

    data: Path = option(help="folder of episodes; those held out (split val) are used")
    world: str = option(help="the folder of a world, or the name of one that ships")
    episodes: int = option(16, "held-out drives at most")
    steps: int = option(4, "sampling passes a frame: 1, 2, 4, ...")
    rolled: int = option(
        96, "drives of the split train along which it is rolled out, to learn how pictures look that have come apart; "
        "0: leaves that as it was",
    )  # fmt: skip
    seconds: float = option(15.0, "of each of those at most")
    temperature: float | None = option(
        None, "of the noise that frames are drawn from, in [0, 1]: lower is plainer and nearer to what is likeliest; "
        "none: what the world says",
    )  # fmt: skip
    mend_every: int | None = option(
        None, "each n-th frame of a long rollout is mended where it looks as if it had come apart; 0: none; none: what "
        "the world says",
    )  # fmt: skip
    seed: int = option(0, "of the model's own chance")
    device: str = option("cpu", "where the model runs: cpu, cuda, cuda:1, ...")
    threads: int = option(0, "of torch; 0 leaves its own choice")


def calibrate(config: CalibrateConfig) -> dict[str, Any]:
    """Fit what the world's trust is made of and write it into the world, with temperature and mending as asked for.

    The drives that it learns from are not mended: how pictures look that have come apart is what is to be learned.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    world = load_world(config.world, config.device)
    if config.temperature is not None:
        world.config = replace(world.config, temperature=config.temperature)
    if config.mend_every is not None:
        world.config = replace(world.config, mend_every=config.mend_every)
    engine = Engine(world, EngineConfig(steps=config.steps, start_steps=1, mend_every=0))
    episodes = held_out(config.data, config.episodes)
    before = float(engine.world.trust_scale)
    encoder = TextEncoder()
    drives = Drives.of(episodes, engine.world, encoder)
    scale = fit_trust_scale(engine, drives, [config.seed + i for i in range(len(episodes))], bars("calibrating"))
    looks = _learn_looks(engine, config, episodes, encoder)
    folder = world_folder(config.world)
    save_world(folder, engine.world, read_card(folder), _weights_dtype(folder))
    return {"trust_scale before": before, "trust_scale": scale, **looks, "world": folder}


def _learn_looks(
    engine: Engine, config: CalibrateConfig, episodes: list[Episode], encoder: TextEncoder
) -> dict[str, Any]:
    """Learn from drives of the split train, at 1, 2 and 4 passes by turns; see on ``episodes``, held out, what for."""
    world, most = engine.world, CONTEXT_FRAMES + round(config.seconds * engine.world.config.frame_rate_hz)
    least = CONTEXT_FRAMES + round(2 * world.config.frame_rate_hz)
    store = EpisodeStore(config.data)
    records = [record for record in store.select(split="train") if record.length > least]
    records = records[:: max(1, len(records) // max(1, config.rolled))][: config.rolled]
    long = [excerpt(episode, 0, most) for episode in episodes if len(episode) > least]
    if not records or not long:
        return {}
    passes = [steps for steps in (1, 2, 4) if steps <= engine.finest]
    found = []
    for number, first in enumerate(range(0, len(records), BATCH)):
        batch = [excerpt(e, 0, most) for _, e in store.iterate(records[first : first + BATCH])]
        driven = Engine(world, EngineConfig(steps=passes[number % len(passes)], start_steps=1, mend_every=0))
        seeds = [config.seed + first + i for i in range(len(batch))]
        drives = Drives.of(batch, world, encoder)
        found.append(rolled_apart(driven, drives, seeds, progress=bars(f"rolling out, {first + len(batch)} drives")))
    looks = fit_looks(Apart.joined(found), config.seed, bars("learning how they look"))
    drives = Drives.of(long, world, encoder)
    seeds = [config.seed + i for i in range(len(long))]
    unseen = rolled_apart(engine, drives, seeds, progress=bars("rolling out what was held out"))
    set_scale(looks, unseen)
    world.take_looks(looks.to(world.device))
    error, age = looks(unseen.tokens.to(world.device)).cpu().double().unbind(-1)
    return {
        "rank correlation of looks and error": rank_correlation(error.numpy(), unseen.error.double().numpy()),
        "rank correlation of looks and age": rank_correlation(age.numpy(), unseen.age.double().numpy()),
    }


def _weights_dtype(folder: Path) -> torch.dtype:
    """The type in which a world's weights are stored, to be kept."""
    with safe_open(folder / FILE_NAME, framework="pt") as handle:
        return handle.get_tensor("dynamics.embed.weight").dtype
