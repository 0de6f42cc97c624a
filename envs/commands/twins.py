"""One drive in two worlds: the same start and the same actions in the learned world and in the reference world.

Axis legend: t frames, h w c of a frame, e ego, l labels, k actions.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from worldsim.engine.starts import StartBank
from worldsim.types import EGO_FIELDS, FRAME_RATE_HZ, LABEL_FIELDS, FloatArray, FrameArray
from worldsim.world_model import WorldModel

from ..learned.collect_starts import bring
from ..learned.drive import DriveEnv
from ..learned.settings import DriveSettings, camera_of
from ..reference.roadcam import RoadCamEnv
from .drivers import Driver

Sight = Literal["learned", "reference"]
SAME = 1e-2  # labels this close are the same place: metres, radians, probabilities


@dataclass(frozen=True)
class Track:
    """A drive in one world, frame by frame; frame 0 is the start."""

    frames: FrameArray  # (t, h, w, 3)
    ego: FloatArray  # (t, e) in the order of EGO_FIELDS
    labels: FloatArray  # (t, l) in the order of LABEL_FIELDS; predicted in the learned world
    trust: FloatArray  # (t,)

    def label(self, name: str) -> FloatArray:
        """One label (t,)."""
        return self.labels[:, LABEL_FIELDS.index(name)]

    def state(self, name: str) -> FloatArray:
        """One of the ego's numbers (t,)."""
        return self.ego[:, EGO_FIELDS.index(name)]


@dataclass(frozen=True)
class Twins:
    """One drive in both worlds."""

    scenario: str
    caption: str
    start: int  # of the bank
    context_s: float  # what the learned world was shown before
    actions: FloatArray  # (t - 1, 2)
    learned: Track
    reference: Track
    steps_per_s: float  # that the learned world made, decoding every frame

    @property
    def seconds(self) -> FloatArray:
        """Time of each frame (t,) from the start."""
        return (np.arange(len(self.learned.trust)) / FRAME_RATE_HZ).astype(np.float32)


def open_world(world: str) -> tuple[WorldModel, StartBank]:
    """A world with the starts beside it. ValueError where either is missing or damaged."""
    model, bank = DriveSettings(world=world, start="bank").open()
    assert bank is not None  # start="bank" insists
    return model, bank


def choose_start(bank: StartBank, scenario: str, rng: np.random.Generator) -> int:
    """A start of ``scenario`` that the reference world can be brought to. ValueError where there is none."""
    driven = [int(row) for row in bank.select(scenario) if bank.records[row].seed is not None]
    if not driven:
        raise ValueError(
            f"scenario {scenario!r}: expected a start driven in the reference world, but all were cut from a log; "
            "use `worldsim rollout`, which needs none"
        )
    return driven[rng.integers(len(driven))]


def drive_twins(
    model: WorldModel,
    bank: StartBank,
    start: int,
    driver: Driver,
    steps: int,
    passes: int,
    sight: Sight = "learned",
    seed: int = 0,
    tick: Callable[[], object] = lambda: None,
) -> Twins:
    """Drive both worlds ``steps`` steps from ``start``, on after every end, under what ``driver`` does.

    The driver looks at the ``info`` of the world named by ``sight``. ``passes`` is the learned world's number of
    sampling passes a frame; ``tick`` is called after every step. Raises ValueError where the reference world does not
    come to the recorded start.
    """
    env = DriveEnv(world=model, starts=bank, steps=passes)
    learned = _Recording(env, *env.reset(seed=seed, options={"start": start}))
    reference = _Recording(*bring_reference(model, bank, start))
    actions, taken_s = [], 0.0
    watched = {"learned": learned, "reference": reference}[sight]
    for _ in range(steps):
        actions.append(driver.act(watched.info))
        began = time.perf_counter()
        learned.step(actions[-1])
        taken_s += time.perf_counter() - began
        reference.step(actions[-1])
        tick()
    record = bank.records[start]
    return Twins(
        record.scenario,
        record.caption,
        start,
        bank.context_frames / bank.frame_rate_hz,
        np.stack(actions),
        learned.track(),
        reference.track(),
        steps / taken_s,
    )


def bring_reference(
    model: WorldModel, bank: StartBank, start: int
) -> tuple[RoadCamEnv, dict[str, Any], dict[str, Any]]:
    """The reference world through the camera that ``model`` knows, brought to ``start``; it never ends of itself.

    Returns the env, observation and info. Raises ValueError where it does not come to what was recorded.
    """
    env = RoadCamEnv(cameras={"front": camera_of(model)}, grace_steps=None)
    observation, info = bring(env, bank, start)
    _check_same_start(bank, start, info)
    return env, observation, info


def _check_same_start(bank: StartBank, start: int, info: dict[str, Any]) -> None:
    known = bank.arrays.labels[start, -1].numpy()
    come = np.array([info["labels"][name] for name in LABEL_FIELDS])
    if not np.allclose(come, known, atol=SAME, equal_nan=True):
        said = ", ".join(f"{name} {a:.2f}, not {b:.2f}" for name, a, b in zip(LABEL_FIELDS, come, known, strict=True)
                         if not abs(a - b) <= SAME)  # fmt: skip
        raise ValueError(
            f"start {start}: the reference world came to another place than was recorded ({said}); the starts were "
            "driven in another version of it: make them again with `worldsim make-starts`"
        )


class _Recording:
    """An env, and what has been seen in it."""

    def __init__(self, env: DriveEnv | RoadCamEnv, observation: dict[str, Any], info: dict[str, Any]) -> None:
        self.env = env
        self.frames: list[FrameArray] = [observation["camera"]]
        self.infos: list[dict[str, Any]] = [info]

    def step(self, action: FloatArray) -> None:
        observation, _, _, _, info = self.env.step(action)
        self.frames.append(observation["camera"])
        self.infos.append(info)

    @property
    def info(self) -> dict[str, Any]:
        return self.infos[-1]

    def track(self) -> Track:
        """All that was seen, as arrays."""
        labels = [[info["labels"][name] for name in LABEL_FIELDS] for info in self.infos]
        return Track(
            np.stack(self.frames),
            np.stack([info["ego"] for info in self.infos]).astype(np.float32),
            np.array(labels, np.float32),
            np.array([info["trust"] for info in self.infos], np.float32),
        )
