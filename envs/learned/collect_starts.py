"""Making a bank of start contexts: from drives in the reference world, or from held-out episodes of a log.

Axis legend: t frames of a context, v views, h w c of a picture, m motion, e ego, l labels.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch

from worldsim.data.store import EpisodeStore
from worldsim.engine.starts import StartArrays, StartBank, StartRecord, latents_hash
from worldsim.errors import choose
from worldsim.text import TEXT_DIM, TextEncoder, TextEncoderMissing
from worldsim.types import (
    FRAME_RATE_HZ,
    LABEL_FIELDS,
    Episode,
    FloatArray,
    FrameArray,
    SceneFields,
)
from worldsim.world_model import WorldModel

from ..kinematics import fitted_wheelbase
from ..reference.roadcam import RoadCamEnv
from ..scenario import TARGET_SPEED_MPS, Scenario
from ..spaces import camera_keys
from .settings import cameras_of

logger = logging.getLogger(__name__)

CONTEXT_FRAMES = 12
FIRST_SEED = 1_000_000
"""Seeds from here on are for starts, so that no start was seen in training."""

_SEEDS_PER_SCENARIO = 10_000
UNKNOWN_SPEED_MPS = 15.0
"""Speed at which one drives on from a log that tells none."""

Act = Callable[[], FloatArray]
Sit = Callable[[RoadCamEnv, np.random.Generator], Act]
"""Whoever drives: takes a seat in an env that was just reset, and returns the function that acts."""


@dataclass(frozen=True)
class Context:
    """The first frames of a drive; rows of ``motion`` and ``action`` take frame t to t + 1, the last is NaN."""

    record: StartRecord
    fields: SceneFields
    frames: FrameArray  # (t, v, h, w, 3)
    motion: FloatArray  # (t, m)
    ego: FloatArray  # (t, e)
    action: FloatArray  # (t, 2)
    labels: FloatArray  # (t, l)
    command: npt.NDArray[np.int64]  # (t,)


def drive_contexts(
    sit: Sit,
    world: WorldModel,
    scenarios: Sequence[str],
    per_scenario: int,
    frames: int = CONTEXT_FRAMES,
    first_seed: int = FIRST_SEED,
) -> Iterator[Context]:
    """Contexts of drives in the reference world, ``per_scenario`` each; a drive that ends too soon is left out."""
    env = RoadCamEnv(cameras=cameras_of(world))
    for place, scenario in enumerate(scenarios):
        seed, made = first_seed + _SEEDS_PER_SCENARIO * place, 0
        while made < per_scenario:
            context = drive_context(env, sit, scenario, seed, frames)
            seed += 1
            if context is not None:
                made += 1
                yield context
            elif seed >= first_seed + _SEEDS_PER_SCENARIO * (place + 1):
                raise ValueError(f"starts: scenario {scenario!r} ends within {frames} frames whatever the seed")


def log_contexts(
    store: EpisodeStore, frames: int = CONTEXT_FRAMES, every: int = 50, split: str = "val", cameras: Sequence[str] = ()
) -> Iterator[Context]:
    """Contexts cut at every ``every``-th frame from the episodes of a split that are long enough.

    Of ``cameras``, or of the main view; ValueError, with the nearest name, for one that an episode lacks.
    """
    for record in store.select(split=split):
        if record.length >= frames:
            episode = store.read(record.index)
            for first in range(0, record.length - frames + 1, every):
                yield _cut(episode, first, frames, cameras)


def make_bank(world: WorldModel, contexts: Iterable[Context]) -> StartBank:
    """The bank of these contexts for ``world``. Raises ValueError where there is none."""
    found = list(contexts)
    if not found:
        raise ValueError("starts: expected at least one context of enough frames, got none")
    latents = torch.stack([_encoded(world, each.frames).half().cpu() for each in found])
    text, known = _embeddings([each.record.caption for each in found])

    def stacked(name: str) -> torch.Tensor:
        return torch.from_numpy(np.stack([getattr(each, name) for each in found]))

    arrays = StartArrays(
        latents=latents, motion=stacked("motion"), ego=stacked("ego"), action=stacked("action"),
        labels=stacked("labels"), command=stacked("command"),
        fields=torch.tensor([each.fields.codes() for each in found]), text=text, text_known=known,
    )  # fmt: skip
    return StartBank(arrays, [each.record for each in found], latents_hash(world), FRAME_RATE_HZ)


def bring(env: gym.Env[Any, Any], bank: StartBank, start: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Bring RoadCam-v0, made without ``max_steps``, to where a drive from ``start`` begins: observation and info.

    Resets by the start's seed and repeats its actions. Raises ValueError for a start that was cut from a log.
    """
    record = bank.records[bank.index(start)]
    if record.seed is None:
        raise ValueError(f"start {start}: expected one driven in the reference world, got one cut from a recorded log")
    observation, info = env.reset(seed=record.seed, options={"scenario": record.scenario})
    for action in bank.arrays.action[start, :-1].numpy():
        observation, _, _, _, info = env.step(action)
    return observation, info


def run_up(env: RoadCamEnv, sit: Sit, world: WorldModel, scenario: str | Scenario, seed: int) -> StartBank:
    """A bank of one start, driven for this scenario and seed; its learned twin begins where ``env`` stands.

    The scene is told by its fields alone. Raises ValueError where the drive ends before.
    """
    context = drive_context(env, sit, scenario, seed, CONTEXT_FRAMES)
    if context is None:
        raise ValueError(
            f"start: scenario {env.scenario.name!r} with seed {seed} ends within {CONTEXT_FRAMES} frames; "
            "choose another seed, or a longer horizon_s"
        )
    wordless = dataclasses.replace(context, record=dataclasses.replace(context.record, caption=""))
    bank = make_bank(world, [wordless])
    bank.records = [context.record]
    return bank


def drive_context(env: RoadCamEnv, sit: Sit, scenario: str | Scenario, seed: int, frames: int) -> Context | None:
    """The first frames of the drive of a scenario and seed; None where it ends before."""
    observation, info = env.reset(seed=seed, options={"scenario": scenario})
    act = sit(env, np.random.default_rng([seed, 1]))
    observations, infos, actions = [observation], [info], []
    while len(infos) < frames:
        actions.append(np.asarray(act(), np.float32))
        observation, _, terminated, truncated, info = env.step(actions[-1])
        if terminated or truncated:
            return None
        observations.append(observation)
        infos.append(info)
    target = float(env.scenario.target_speed_mps)
    return Context(
        record=StartRecord(info["scenario"], info["caption"], target, seed),
        fields=info["fields"],
        frames=np.stack([[seen[key] for key in camera_keys(env.cameras)] for seen in observations]),
        motion=_last_unknown(np.stack([each["motion"] for each in (*infos[1:], infos[0])])),
        ego=np.stack([each["ego"] for each in infos]),
        action=_last_unknown(np.stack([*actions, actions[0]])),
        labels=np.array([[each["labels"][name] for name in LABEL_FIELDS] for each in infos], np.float32),
        command=np.array([each["command"] for each in infos], np.int64),
    )


def _cut(episode: Episode, first: int, frames: int, cameras: Sequence[str]) -> Context:
    rows = slice(first, first + frames)
    views = [episode.views[choose(name, episode.views, "camera")] for name in cameras] or [episode.frames]
    speeds = episode.ego[:, 0][np.isfinite(episode.ego[:, 0])]
    usual = TARGET_SPEED_MPS.get(episode.fields.road or "", UNKNOWN_SPEED_MPS)
    target = max(float(np.median(speeds)) if len(speeds) else usual, 1.0)
    wheelbase = fitted_wheelbase(episode.action[:, 0], episode.motion)
    return Context(
        record=StartRecord(episode.scenario, episode.caption, target, None, first, wheelbase),
        fields=episode.fields,
        frames=np.stack([view[rows] for view in views], axis=1),
        motion=_last_unknown(episode.motion[rows]),
        ego=episode.ego[rows],
        action=_last_unknown(episode.action[rows]),
        labels=episode.labels[rows],
        command=episode.command[rows],
    )


def _last_unknown(rows: FloatArray) -> FloatArray:
    """A copy whose last row is NaN: what leaves the last frame is not part of a context."""
    return np.concatenate([rows[:-1], np.full_like(rows[-1:], np.nan)])


def _encoded(world: WorldModel, frames: FrameArray) -> torch.Tensor:
    """Latents (t, n, d) of frames (t, v, h, w, 3) of any size."""
    (t, v), size = frames.shape[:2], (world.config.tokenizer.height, world.config.tokenizer.width)
    if frames.shape[2:4] != size:
        pictures = frames.reshape(t * v, *frames.shape[2:])
        scaled = [cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA) for picture in pictures]
        frames = np.stack(scaled).astype(np.uint8).reshape(t, v, *size, 3)
    return world.encode(torch.from_numpy(frames if world.cameras else frames[:, 0]))


def _embeddings(captions: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings (k, x) float16 and which are known (k,): none where the text extra is missing."""
    try:
        text = torch.from_numpy(TextEncoder().encode(captions)).half()
    except TextEncoderMissing as error:
        logger.warning("starts without words: %s", error)
        return torch.zeros(len(captions), TEXT_DIM, dtype=torch.float16), torch.zeros(len(captions), dtype=torch.bool)
    return text, torch.tensor([bool(caption) for caption in captions])
