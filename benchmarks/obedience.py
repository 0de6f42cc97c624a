"""Does the model do as it is told? `python -m benchmarks.obedience [--quick] [--world road]`

From held-out starts in the reference world the model is steered left, straight and right, and braked, held and
accelerated, each for 1.5 s. What its pictures then do is measured from the pictures alone, by an estimator that was
trained on reference frames (``worldsim.evaluation.motion_estimator``). The same probes in the reference world itself,
from the same moment, give the floor: how often the estimator is right about true frames. The last line is one JSON
object.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from agents.recorder import Recorder
from agents.scripted import ScriptedDriver
from envs import kinematics
from envs.reference.roadcam import RoadCamEnv
from worldsim.checkpoint import load_world
from worldsim.engine import Engine, EngineConfig
from worldsim.evaluation.evaluate import bars
from worldsim.evaluation.filmstrip import save_png, sheet
from worldsim.evaluation.metrics import correlation
from worldsim.evaluation.motion_estimator import MotionEstimator, load_estimator
from worldsim.evaluation.obedience import PEDALS, PROBES, TURNS, judge
from worldsim.evaluation.rollouts import CONTEXT_FRAMES, Drives, excerpt, fitted, read_context
from worldsim.say import say
from worldsim.text import TextEncoder
from worldsim.types import Episode, FloatArray, FrameArray

from .held_out import BROAD, FIRST_SEED
from .report import begin, finish, options

Array = npt.NDArray[np.float64]

WARM_UP_STEPS = 20
PROBE_STEPS = 15
SETTLED = 4
"""Steps of a probe after which its turn is measured, once the wheels have moved; its speed: over the last five."""

STEER, BRAKE, ACCELERATE = 0.5, -0.6, 0.8
LEAST_SPEED_MPS, LEAST_ROOM_M = 5.0, 25.0


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Probe the model and the reference from the same starts, and judge both by the same estimator."""
    parser = options("obedience", "Whether steering and pedals do to the picture what they should.")
    arguments = begin(parser, argv)
    engine = Engine(load_world(arguments.world), EngineConfig(steps=arguments.steps, start_steps=1))
    estimator, made = load_estimator()
    say(
        f"estimator, on held-out reference frames: side of turns {made['side_of_turns']:.3f}, correlation of yaw rate "
        f"{made['correlation_yaw_rate_radps']:.3f}, of speed {made['correlation_speed_mps']:.3f}"
    )
    count = arguments.episodes or (8 if arguments.quick else 48)
    starts = find_starts(count)
    true = [[fitted(frames, engine.world) for frames in start.frames] for start in starts]
    drawn = probe_model(engine, starts, arguments.seed)
    seen, floor = measure(estimator, drawn), measure(estimator, true)
    model, reference, through = judge(*seen), judge(*floor), judge(*measure(estimator, reconstructed(engine, true)))
    for name, result in (("model", model), ("reference", reference), ("tokenizer", through)):
        shares = ", ".join(f"{probe} {share:.2f}" for probe, share in result["by_probe"].items())
        say(f"{name:9s} obeyed {result['obeyed']:.3f} ({shares}), swaps {result['left_right_swaps']}")
    picture = save_png(arguments.out / "obedience.png", strip(drawn, true))
    say(f"pictures: {picture}")
    figures = model | {
        "floor": reference["obeyed"],
        "floor_by_probe": reference["by_probe"],
        "floor_swaps": reference["left_right_swaps"],
        "floor_tokenizer": through["obeyed"],
        "turn_correlation": correlation(seen[0].ravel(), floor[0].ravel()),
        "speed_correlation": correlation(seen[1].ravel(), floor[1].ravel()),
        "speed_share": speed_share(seen[1], floor[1]),
        "estimator": made,
        "starts": len(starts),
        "probes": len(starts) * len(PROBES),
        "sampling_steps": arguments.steps,
    }
    return finish(figures, arguments, (starts[0].seed, starts[-1].seed))


def speed_share(seen: Array, true: Array) -> dict[str, float]:
    """How much of the true difference to ``hold`` each pedal makes, on the mean of speeds (k, 3), as they are seen."""
    drawn, meant = (speeds.mean(axis=0) - speeds.mean(axis=0)[1] for speeds in (seen, true))
    return {name: float(drawn[i] / meant[i]) for i, name in enumerate(PEDALS) if name != "hold"}


@dataclass(frozen=True)
class Start:
    """A moment of a drive in the reference world, and what follows from it under each of PROBES."""

    seed: int
    context: Episode  # CONTEXT_FRAMES frames
    motion: list[FloatArray]  # (PROBE_STEPS, m) a probe
    frames: list[FrameArray]  # (1 + PROBE_STEPS, h, w, 3) a probe, from the last context frame on


def find_starts(count: int) -> list[Start]:
    """``count`` starts with some speed and room ahead, from seeds in turn and all kinds of roads."""
    starts: list[Start] = []
    seeds = iter(range(FIRST_SEED, FIRST_SEED + 20 * count))
    for _ in bars("driving the reference")(iter(range(count))):
        found = None
        while found is None:
            seed = next(seeds)
            found = _start(seed, BROAD[seed % len(BROAD)])
        starts.append(found)
    return starts


def _start(seed: int, scenario: str) -> Start | None:
    """The start of a seed; None where the drive is too slow there, or somebody is close ahead."""
    env = RoadCamEnv(scenario, max_steps=WARM_UP_STEPS + PROBE_STEPS + 5, grace_steps=None)
    driver = ScriptedDriver()
    observation, info = env.reset(seed=seed)
    driver.reset(env, np.random.default_rng([seed, 1]))
    recorder = Recorder(env, observation, info)
    for _ in range(WARM_UP_STEPS):
        action = driver.act()
        observation, _, _, _, info = env.step(action)
        recorder.add(action, observation, info)
    labels = info["labels"]
    if observation["ego"][0] < LEAST_SPEED_MPS or labels["lead_distance_m"] < LEAST_ROOM_M or labels["collision"]:
        return None
    episode = recorder.episode(seed=seed, split="val")
    context = excerpt(episode, len(episode) - CONTEXT_FRAMES)
    motion, frames = [], []
    for action in actions(float(observation["ego"][3])):
        motion.append(planned_motion(observation["ego"], action))
        twin = copy.deepcopy(env)  # a second future from the same moment
        frames.append(np.stack([observation["camera"], *(twin.step(action)[0]["camera"] for _ in range(PROBE_STEPS))]))
    return Start(seed, context, motion, frames)


def actions(held: float) -> list[FloatArray]:
    """The action (2,) of each of PROBES; pedals are probed with the wheels ``held`` where they are."""
    table = {
        "left": (STEER, 0.0), "straight": (0.0, 0.0), "right": (-STEER, 0.0),
        "brake": (held, BRAKE), "hold": (held, 0.0), "accelerate": (held, ACCELERATE),
    }  # fmt: skip
    return [np.array(table[name], np.float32) for name in PROBES]


def planned_motion(ego: FloatArray, action: FloatArray) -> FloatArray:
    """Motion (PROBE_STEPS, m) of holding an action from an ego state (4,): what the learned env would be told."""
    state, rows = kinematics.EgoState.from_array(ego), []
    for _ in range(PROBE_STEPS):
        state, motion = kinematics.advance(state, action)
        rows.append(motion)
    return np.stack(rows)


def probe_model(engine: Engine, starts: Sequence[Start], seed: int) -> list[list[FrameArray]]:
    """What the model draws: for each start and probe (1 + PROBE_STEPS, h, w, 3). Probes branch from one state."""
    drives = Drives.of([start.context for start in starts], engine.world, TextEncoder())
    state, last = read_context(engine, drives, [seed + i for i in range(len(starts))], CONTEXT_FRAMES)
    branch = torch.arange(len(starts)).repeat_interleave(len(PROBES))
    motion = torch.from_numpy(np.stack([each for start in starts for each in start.motion]))
    command = drives.command[branch, -1]
    state, latents = state.select(branch), [last.latents[branch]]
    for step in bars("probing the model")(iter(range(PROBE_STEPS))):
        latents.append(engine.step(state, motion[:, step], command).latents)
    frames = np.stack([engine.decode(each).cpu().numpy() for each in latents], axis=1)
    return [list(frames[i : i + len(PROBES)]) for i in range(0, len(frames), len(PROBES))]


def reconstructed(engine: Engine, frames: Sequence[Sequence[FrameArray]]) -> list[list[FrameArray]]:
    """True frames through the tokenizer: as sharp as the model's could be at best."""

    def through(probe: FrameArray) -> FrameArray:
        return engine.decode(engine.world.encode(torch.from_numpy(probe))).cpu().numpy()

    return [[through(probe) for probe in start] for start in frames]


def measure(estimator: MotionEstimator, frames: Sequence[Sequence[FrameArray]]) -> tuple[Array, Array]:
    """Yaw rate (k, 3) under TURNS and speed (k, 3) under PEDALS, as the estimator sees them."""
    said = np.array([[estimator.estimate(probe) for probe in start] for start in frames], np.float64)
    turn = np.median(said[:, : len(TURNS), SETTLED:, 0], axis=2)
    speed = np.median(said[:, -len(PEDALS) :, -5:, 1], axis=2)
    return turn, speed


def strip(drawn: Sequence[Sequence[FrameArray]], true: Sequence[Sequence[FrameArray]], count: int = 4) -> FrameArray:
    """The last frame of every probe of the first few starts: reference above model."""
    rows = [[probe[-1] for probe in start] for pair in zip(true[:count], drawn[:count], strict=True) for start in pair]
    return sheet(rows, PROBES, ["reference", "model"] * (len(rows) // 2))


if __name__ == "__main__":
    main()
