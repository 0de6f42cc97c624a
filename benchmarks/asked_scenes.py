"""The part of ``benchmarks.scenarios`` that looks whether drawn scenes have the road, lanes and traffic asked for.

Axis legend: k frames, h w c of a frame, s numbers that describe one.

Start frames are drawn from scene fields, by clear day, and judged by estimators that have seen reference frames alone:
a linear classifier tells roads, and one tells numbers of lanes, from what the scene reader makes of a frame, its simple
statistics and a coarse grey picture; the reader also counts vehicles. The floor is what they say of reference frames
that they were not fitted to, as they are and through the tokenizer. A single frame does not show everything: the floor
is far from 1, and nothing can be said to obey better than it.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

from envs.learned.settings import cameras_of
from envs.reference.roadcam import RoadCamEnv
from envs.scenario import LANES_OF, Scenario
from worldsim.checkpoint import load_world
from worldsim.engine import Engine, EngineConfig
from worldsim.evaluation.evaluate import bars
from worldsim.evaluation.metrics import rank_correlation
from worldsim.evaluation.scene_reader import SceneReader, load_reader
from worldsim.evaluation.scene_statistics import LinearClassifier, statistics
from worldsim.say import say
from worldsim.types import TRAFFICS, CameraSpec, FrameArray, SceneFields

from .words import draw, reconstructed, structured

Array = npt.NDArray[np.float64]
FIRST_SEED = 5_000_000
FIT_SHARE = 0.7
SHRINKAGE = 0.2
COARSE, HORIZON_ROW = (16, 32), 6  # rows and columns of the grey picture, and where the road begins in it
KINDS = [(road, lanes) for road, choices in LANES_OF.items() for lanes in choices]


def scene_figures(arguments: argparse.Namespace, count: int) -> dict[str, Any]:
    """Shares obeyed and rank correlation, of ``count`` reference scenes and as many drawn ones as are not fitted to."""
    world = load_world(arguments.world)
    engine = Engine(world, EngineConfig(arguments.steps, start_steps=min(16, world.config.dynamics.finest_steps)))
    kinds = [KINDS[i % len(KINDS)] for i in range(count)]
    levels = [TRAFFICS[i // len(KINDS) % len(TRAFFICS)] for i in range(count)]
    wanted = [
        SceneFields(road=road, lanes=lanes, traffic=level, weather="clear", time_of_day="day")
        for (road, lanes), level in zip(kinds, levels, strict=True)
    ]
    frames = reference_frames(wanted, next(iter(cameras_of(world).values())))
    fitting = np.random.default_rng(0).random(count) < FIT_SHARE
    judge = Judge.fit(frames[fitting], [each for each, fit in zip(wanted, fitting, strict=True) if fit])
    rest = [each for each, fit in zip(wanted, fitting, strict=True) if not fit]
    drawn = draw(engine, structured(rest, world), arguments.seed, "fields")
    found = {
        "drawn": judge.figures(drawn, rest),
        "floor": judge.figures(frames[~fitting], rest),
        "floor_tokenizer": judge.figures(reconstructed(engine, frames[~fitting]), rest),
    }
    for name, figures in found.items():
        say(f"{name:>15}: " + ", ".join(f"{key} {value:.3f}" for key, value in figures.items()))
    return found | {"frames": len(rest), "chance": {"road": 1 / len(LANES_OF), "lanes": 0.2}}


def reference_frames(wanted: list[SceneFields], camera: CameraSpec) -> FrameArray:
    """The first frame (k, h, w, 3) of a drive in each scene."""
    env, frames = RoadCamEnv(cameras={"front": camera}, max_steps=20), []
    for i in bars("drawing the reference")(iter(range(len(wanted)))):
        observation, _ = env.reset(seed=FIRST_SEED + i, options={"scenario": Scenario(**vars(wanted[i]))})
        frames.append(observation["camera"])
    return np.stack(frames)


@dataclass(frozen=True)
class Judge:
    """Says of frames what road and how many lanes they show, and counts vehicles."""

    reader: SceneReader
    road: LinearClassifier
    lanes: LinearClassifier

    @classmethod
    def fit(cls, frames: FrameArray, shown: list[SceneFields]) -> Judge:
        """From reference frames (k, h, w, 3) and what they show."""
        reader, _ = load_reader()
        values = described(reader, frames)
        classifiers = (
            LinearClassifier.fit(values, [str(getattr(each, key)) for each in shown], SHRINKAGE)
            for key in ("road", "lanes")
        )
        return cls(reader, *classifiers)

    def figures(self, frames: FrameArray, asked: list[SceneFields]) -> dict[str, float]:
        """Shares of frames (k, h, w, 3) that show the road and lanes asked for, and vehicles against traffic."""
        values = described(self.reader, frames)
        right = {
            key: float(
                np.mean([str(getattr(a, key)) == seen for a, seen in zip(asked, by.predict(values), strict=True)])
            )
            for key, by in (("road", self.road), ("lanes", self.lanes))
        }
        levels = np.array([TRAFFICS.index(each.traffic or "none") for each in asked], np.float64)
        counted = self.reader.read(frames).count().astype(np.float64)
        return right | {"traffic_rank_correlation": rank_correlation(levels, counted)}


@torch.no_grad()
def described(reader: SceneReader, frames: FrameArray) -> Array:
    """Numbers (k, s) that describe frames (k, h, w, 3)."""
    small = np.stack([cv2.resize(frame, (128, 64), interpolation=cv2.INTER_AREA) for frame in frames])
    x = reader.stem(torch.from_numpy(small).permute(0, 3, 1, 2).float() / 127.5 - 1.0)
    for block in reader.blocks:
        x = x + block(x)
    for layer in list(reader.whole)[:-1]:
        x = layer(x)
    grey = [
        cv2.resize(cv2.cvtColor(each, cv2.COLOR_RGB2GRAY), COARSE[::-1], interpolation=cv2.INTER_AREA) for each in small
    ]
    coarse = np.stack(grey)[:, HORIZON_ROW:].reshape(len(frames), -1) / 255.0
    return np.hstack([x.numpy().astype(np.float64), statistics(frames), coarse])
