"""How fast the world model drives: `python -m benchmarks.speed [--quick] [--world road]`

Wall-clock rates on ``--threads`` cores: Drive-v0 with its picture, a batch of sixteen without, and one rollout that is
followed until the cost of a step or the memory would have grown. The last line is one JSON object, with the load of the
machine before and after: rates fall when others compute, ratios do not, since what they compare is timed in turns.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import gymnasium as gym
import numpy as np
import torch

from envs.learned.drive import DriveEnv
from worldsim.checkpoint import load_world
from worldsim.diffusion.sampler import sample
from worldsim.dynamics.conditioning import FrameCondition, Scene
from worldsim.engine import Engine, EngineConfig, RolloutState
from worldsim.evaluation.evaluate import bars
from worldsim.say import say
from worldsim.types import MOTION_FIELDS, TIMES, WEATHERS, CameraSpec
from worldsim.world_model import WorldModel

from . import camera
from .report import begin, finish, options

BATCH = 16
EARLY_STEP, LATE_STEP, LATE_STEP_QUICK = 50, 5000, 1000
TURNS = 40
SPEED_MPS = 15.0


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure every rate and ratio."""
    parser = options("speed", "How fast the world model drives, and that it stays so.")
    parser.add_argument("--late", type=int, help=f"steps of the long rollout (default {LATE_STEP})")
    parser.add_argument("--seconds", type=float, help="how long each rate is measured")
    arguments = begin(parser, argv)
    world = load_world(arguments.world)
    seconds = arguments.seconds or (2.0 if arguments.quick else 15.0)
    before = load_average()
    figures: dict[str, Any] = {"decoded_steps_per_s": decoded_rate(world, arguments.steps, seconds)}
    say(f"Drive-v0, one env, with pictures: {figures['decoded_steps_per_s']:.1f} steps/s")
    figures["latent_steps_per_s"] = latent_rate(world, arguments.steps, seconds)
    figures["latent_steps_per_s_bfloat16"] = latent_rate(world, arguments.steps, seconds, "bfloat16")
    say(
        f"Drive-v0, {BATCH} envs, latents only: {figures['latent_steps_per_s']:.1f} env steps/s, with products in "
        f"bfloat16 {figures['latent_steps_per_s_bfloat16']:.1f}"
    )
    engine = Engine(world, EngineConfig(arguments.steps, start_steps=1))
    figures |= recompute_figures(engine, arguments.seed, turns=5 if arguments.quick else 20)
    say(
        f"one step: {figures['streaming_ms']:.1f} ms streaming, {figures['recompute_ms']:.1f} ms when the window of "
        f"{world.config.dynamics.context_frames} frames is computed anew: {figures['speedup_over_recompute']:.1f} times"
    )
    late = arguments.late or (LATE_STEP_QUICK if arguments.quick else LATE_STEP)
    figures |= growth_figures(engine, arguments.seed, late)
    say(
        f"step {late:,} against step {EARLY_STEP}: {figures['step_time_ratio']:.3f} times as long, "
        f"{figures['memory_growth_mb']:+.1f} MB"
    )
    figures["camera_frames_per_s"] = camera_rate(60 if arguments.quick else 200)
    say(f"the reference camera on one core: {figures['camera_frames_per_s']:.0f} frames per CPU second")
    figures |= {"late_step": late, "sampling_steps": arguments.steps, "load_average": [before, load_average()]}
    return finish(figures, arguments, None)


def decoded_rate(world: WorldModel, steps: int, seconds: float) -> float:
    """Steps a second of one Drive-v0 that observes pictures."""
    env = DriveEnv(world=world, start="imagine", steps=steps, max_steps=10**9)
    env.reset(seed=0)
    rng = np.random.default_rng(0)

    def step() -> None:
        _, _, terminated, truncated, _ = env.step(rng.uniform(-0.2, 0.2, 2).astype(np.float32))
        if terminated or truncated:
            env.reset(options={"state": start})

    start = env.save_state()
    return rate_of(step, seconds)


def latent_rate(world: WorldModel, steps: int, seconds: float, precision: str = "float32") -> float:
    """Env steps a second of a batch of sixteen that observes latents; an env that ends goes on from its start."""
    envs = gym.make_vec(
        "envs:worldsim/Drive-v0", num_envs=BATCH, world=world, start="imagine", steps=steps, pixels=False,
        max_steps=10**9, precision=precision,
    )  # fmt: skip
    envs.reset(seed=0)
    envs.action_space.seed(0)
    rate = BATCH * rate_of(lambda: envs.step(0.2 * envs.action_space.sample()), seconds)
    envs.close()
    return rate


def rate_of(step: Callable[[], object], seconds: float) -> float:
    """Calls a second, after a few that warm up."""
    for _ in range(3):
        step()
    calls, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        step()
        calls += 1
    return calls / passed


def recompute_figures(engine: Engine, seed: int, turns: int) -> dict[str, float]:
    """A streaming step against the same model that computes its whole window at every sampling pass, in turns."""
    world, window = engine.world, engine.world.config.dynamics.context_frames
    state, motion = rolling(engine, seed), steady_motion()
    for _ in range(window):
        engine.step(state, motion)
    c = world.config.dynamics
    past = torch.randn(1, window - 1, c.n_tokens, c.latent_dim, generator=torch.Generator().manual_seed(seed))
    streaming, recompute = [], []
    for _ in range(turns):
        streaming.append(timed(lambda: engine.step(state, motion)))
        recompute.append(timed(lambda: recomputed_step(engine, past, state.scene)))
    mine, theirs = float(np.median(streaming)), float(np.median(recompute))
    return {"speedup_over_recompute": theirs / mine, "streaming_ms": 1e3 * mine, "recompute_ms": 1e3 * theirs}


@torch.no_grad()
def recomputed_step(engine: Engine, past: torch.Tensor, scene: Scene) -> torch.Tensor:
    """One drawn frame (1, n, d) after ``past`` (1, w - 1, n, d), without a cache: every pass sees the whole window."""
    window = past.shape[1] + 1
    nothing = torch.zeros(1, window, dtype=torch.int64)
    motion = steady_motion().expand(1, window, -1)

    def predict(x: torch.Tensor, signal: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        levels = torch.full((1, window), engine.config.context_signal)
        levels[:, -1] = signal[:, 0]
        sizes = nothing.clone()
        sizes[:, -1] = step[:, 0]
        condition = FrameCondition(levels, sizes, motion, nothing == 0, nothing)
        return engine.world.predict(torch.cat((past, x), 1), condition, scene).latents[:, -1:]

    return sample(predict, torch.zeros_like(past[:, :1]), engine.config.steps, engine.finest).latents


def growth_figures(engine: Engine, seed: int, late: int) -> dict[str, float]:
    """What a rollout of ``late`` steps costs at its end, against step EARLY_STEP: time in turns, and memory.

    On the way each frame is drawn in one pass, which leaves the same memory behind; what is timed has all passes.
    """
    state, motion = rolling(engine, seed), steady_motion()
    quick = Engine(engine.world, EngineConfig(1, start_steps=1))
    for _ in range(EARLY_STEP):
        engine.step(state, motion)
    early, memory = state.clone(), resident_mb()
    for _ in bars("a long rollout")(iter(range(late - EARLY_STEP))):
        quick.step(state, motion)
    grown = resident_mb() - memory
    then, now = [], []
    for _ in range(TURNS):
        then.append(timed(lambda: engine.step(early, motion)))
        now.append(timed(lambda: engine.step(state, motion)))
    return {
        "step_time_ratio": float(np.median(now) / np.median(then)),
        "step_ms": 1e3 * float(np.median(now)),
        "memory_growth_mb": grown,
        "cache_mb": state.cache.nbytes / 2**20,
    }


def rolling(engine: Engine, seed: int) -> RolloutState:
    """One rollout with an imagined start."""
    return engine.imagine(Scene.unknown(1, engine.world.config.dynamics.text_dim), [seed])[0]


def steady_motion() -> torch.Tensor:
    """(1, m): straight on."""
    motion = torch.zeros(1, len(MOTION_FIELDS))
    motion[:, MOTION_FIELDS.index("forward_m")] = SPEED_MPS / 10
    motion[:, MOTION_FIELDS.index("speed_mps")] = SPEED_MPS
    return motion


def timed(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def camera_rate(frames: int) -> float:
    """Frames a CPU second of the reference camera at 64x128: the harmonic mean over weathers and times of day."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    scenes = [camera.drive(frames, weather, moment, 0.004) for weather in WEATHERS for moment in TIMES]
    rates = [camera.frames_per_second(CameraSpec(), each) for each in scenes]
    cv2.setNumThreads(threads)
    return len(rates) / sum(1 / rate for rate in rates)


def resident_mb() -> float:
    """Resident memory of this process; NaN where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return float("nan")
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def load_average() -> float | None:
    """Processes that want to compute, averaged over the last minute."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


if __name__ == "__main__":
    main()
