"""Moments of reference drives, and the branches that leave each: futures of one past that differ in action alone.

Axis legend: k moments, r branches of all moments, t frames of a branch (the moment itself is frame 0), h w c of a
frame, m motion, l labels.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from envs.reference.roadcam import RoadCamEnv
from envs.reference.truth import Truth
from worldsim.evaluation.rollouts import CONTEXT_FRAMES, excerpt
from worldsim.types import FRAME_RATE_HZ, LABEL_FIELDS, CameraSpec, Episode, FloatArray, FrameArray

from ..recorder import Recorder
from ..scripted import ScriptedDriver, Style

BRANCH_STEPS = 30
FIRST_SEED = 3_000_000
"""Seeds below are for training, starts and the judges' suite."""

GENTLE, HARD = 0.12, 0.5
"""Steering of a swerve beyond what keeps the lane: 0.7 and 3 m/s2 sideways."""
BRAKING, ACCELERATING = -0.6, 1.0
ZIGZAG, ZIGZAG_STEPS, PUMP_STEPS = 0.5, 5, 5

KINDS: dict[str, tuple[str, ...]] = {
    "bend": ("keep", "coast", "left", "right", "left_hard", "right_hard"),
    "straight": ("keep", "left", "right", "left_hard", "right_hard", "zigzag", "pump"),
    "lead": ("keep", "brake", "accelerate"),
}
"""Kind of moment -> its branches: ``keep`` keeps the lane, ``coast`` lets go of wheel and pedals, ``zigzag`` throws the
wheel and ``pump`` the pedals from side to side, as no driver does whom training has seen."""

SCENARIOS: dict[str, tuple[str, ...]] = {
    "bend": ("racetrack", "curves", "racetrack", "snow_curves", "roundabout", "curves"),
    "straight": ("highway", "two_way", "empty_road", "exit", "fog_highway", "merge"),
    "lead": ("two_way", "highway_dense", "dusk_city", "night_rain", "racetrack", "highway"),
}
"""Where each kind is looked for, in turn."""

_CALM = Style(speed=(1.0, 1.0), lane_changes_per_s=0.0)
_EARLIEST, _LATEST = CONTEXT_FRAMES + 8, 80  # steps of a drive between which its moment lies
_LEAST_SPEED_MPS = 6.0
_BEND_RAD, _STRAIGHT_RAD = 0.3, 0.02
_LEAD_M = (6.0, 24.0)
_SEEDS_EACH = 400


@dataclass(frozen=True)
class Moment:
    """Where futures part."""

    kind: str
    scenario: str
    seed: int
    context: Episode  # CONTEXT_FRAMES frames, the last of which is the moment


@dataclass(frozen=True)
class Branches:
    """Futures in the reference world, row by row."""

    moment: npt.NDArray[np.int64]  # (r,) which moment each leaves
    name: npt.NDArray[np.str_]  # (r,) what is done in it
    action: FloatArray  # (r, t - 1, 2)
    motion: FloatArray  # (r, t - 1, m)
    labels: FloatArray  # (r, t, l)
    frames: FrameArray  # (r, t, h, w, 3)

    def __len__(self) -> int:
        return len(self.moment)

    def rows(self, index: npt.NDArray[np.int64], moment: npt.NDArray[np.int64] | None = None) -> Branches:
        """The branches at ``index`` (k,); ``moment`` (k,) numbers their moments anew."""
        kept = {entry.name: getattr(self, entry.name)[index] for entry in fields(self)}
        return Branches(**(kept if moment is None else kept | {"moment": moment}))

    def and_more(self, other: Branches) -> Branches:
        """These branches, then ``other``'s, whose moments are numbered after these."""
        after = replace(other, moment=other.moment + int(self.moment.max()) + 1)
        both = ((getattr(self, entry.name), getattr(after, entry.name)) for entry in fields(self))
        return Branches(*(np.concatenate(each) for each in both))

    def label(self, name: str) -> npt.NDArray[np.float64]:
        """One label (r, t)."""
        return self.labels[..., LABEL_FIELDS.index(name)].astype(np.float64)


def find_moments(
    counts: dict[str, int],
    camera: CameraSpec,
    tick: Callable[[], object] = lambda: None,
    steps: int = BRANCH_STEPS,
    first_seed: int = FIRST_SEED,
) -> tuple[list[Moment], Branches]:
    """``counts`` moments of each kind, by seeds in turn, and all their branches of ``steps`` steps.

    ``tick`` is called after each moment. Raises ValueError where a kind is not found.
    """
    moments: list[Moment] = []
    rows: list[tuple[Any, ...]] = []
    for place, (kind, count) in enumerate(counts.items()):
        seed = first_seed + 100_000 * place
        for number in range(count):
            scenario, found = SCENARIOS[kind][number % len(SCENARIOS[kind])], None
            last = seed + _SEEDS_EACH
            while found is None:
                if seed >= last:
                    raise ValueError(f"moments: scenario {scenario!r} shows no {kind!r} within {_SEEDS_EACH} drives")
                found = _find(kind, scenario, seed, camera)
                seed += 1
            seat, moment = found
            rows += [(len(moments), name, *branch) for name, branch in _branches(seat, KINDS[kind], steps)]
            moments.append(moment)
            tick()
    columns = zip(*rows, strict=True)
    return moments, Branches(*(np.stack([np.asarray(value) for value in column]) for column in columns))


@dataclass
class _Seat:
    """A drive under way, to be copied whole: the driver's own view of its env is copied with it."""

    env: RoadCamEnv
    driver: ScriptedDriver
    seed: int
    observation: dict[str, Any]
    info: dict[str, Any]


def _find(kind: str, scenario: str, seed: int, camera: CameraSpec) -> tuple[_Seat, Moment] | None:
    """The first moment of ``kind`` in one drive, or None. Looked for unseen, then driven again before the camera."""
    seat = _begin(scenario, seed, camera)
    for step in range(_LATEST):
        if step >= _EARLIEST and _suits(kind, seat.env.truth):
            return _seen(_begin(scenario, seed, camera), step, kind)
        if seat.env.skip(seat.driver.act()) or seat.env.truth.collided:
            return None
    return None


def _begin(scenario: str, seed: int, camera: CameraSpec) -> _Seat:
    """The start of a calm drive."""
    env = RoadCamEnv(scenario, {"front": camera}, max_steps=_LATEST + 2 * BRANCH_STEPS, grace_steps=None)
    observation, info = env.reset(seed=seed)
    driver = ScriptedDriver(_CALM)
    driver.reset(env, np.random.default_rng([seed, 1]))
    return _Seat(env, driver, seed, observation, info)


def _seen(seat: _Seat, steps: int, kind: str) -> tuple[_Seat, Moment]:
    """The drive at its moment, ``steps`` steps from its start, with the frames that led there."""
    for _ in range(steps - CONTEXT_FRAMES):
        seat.env.skip(seat.driver.act())
    seat.observation, _, _, _, seat.info = seat.env.step(seat.driver.act())
    recorder = Recorder(seat.env, seat.observation, seat.info)
    while len(recorder) < CONTEXT_FRAMES:
        action = seat.driver.act()
        seat.observation, _, _, _, seat.info = seat.env.step(action)
        recorder.add(action, seat.observation, seat.info)
    context = excerpt(recorder.episode(seed=seat.seed, split="val"), 0)
    return seat, Moment(kind, seat.info["scenario"], seat.seed, context)


def _suits(kind: str, truth: Truth) -> bool:
    if truth.speed < _LEAST_SPEED_MPS or abs(truth.lateral) > 0.8 or truth.offroad:
        return False
    reach_m = truth.speed * BRANCH_STEPS / FRAME_RATE_HZ
    turn = abs(_heading(truth, 0.75 * reach_m) - _heading(truth, 0.0))
    if kind == "bend":
        return turn > _BEND_RAD and truth.lead_distance > 20.0
    if kind == "straight":
        ahead = [abs(_heading(truth, share * reach_m) - _heading(truth, 0.0)) for share in (0.5, 1.0)]
        return max(ahead) < _STRAIGHT_RAD and truth.lead_distance > 60.0
    assert kind == "lead"
    return _LEAD_M[0] < truth.lead_distance < _LEAD_M[1] and turn < _BEND_RAD


def _heading(truth: Truth, distance_m: float) -> float:
    """Heading of the ego's route ``distance_m`` ahead, relative to the ego's, in [-pi, pi)."""
    lane, station = truth.on_path(truth.path, distance_m)
    return float((lane.heading_at(station) - truth.heading + np.pi) % (2 * np.pi) - np.pi)


def _branches(seat: _Seat, names: Sequence[str], steps: int) -> Iterator[tuple[str, tuple[npt.NDArray[Any], ...]]]:
    """Each branch: action, motion, labels, frames."""
    kept = _drive(seat, steps, lambda driver, step: driver.act())
    for name in names:
        yield name, kept if name == "keep" else _drive(seat, steps, _plan(name, kept[0]))


def _plan(name: str, kept: FloatArray) -> Callable[[ScriptedDriver, int], FloatArray]:
    """What is done at each step of a branch. Swerves add to what keeping the lane did; pedals keep the lane."""
    if name == "coast":
        return lambda driver, step: np.zeros(2, np.float32)
    if name in ("brake", "accelerate"):
        pedal = BRAKING if name == "brake" else ACCELERATING
        return lambda driver, step: np.array([driver.act()[0], pedal], np.float32)
    if name == "pump":
        return lambda driver, step: np.array([driver.act()[0], 1.0 if step // PUMP_STEPS % 2 else -1.0], np.float32)
    if name == "zigzag":
        swings = [ZIGZAG if step // ZIGZAG_STEPS % 2 else -ZIGZAG for step in range(len(kept))]
        return lambda driver, step: np.clip(kept[step] + np.array([swings[step], 0.0], np.float32), -1.0, 1.0)
    side, amount = name.partition("_")[0], HARD if name.endswith("_hard") else GENTLE
    beyond = np.array([amount if side == "left" else -amount, 0.0], np.float32)
    return lambda driver, step: np.clip(kept[step] + beyond, -1.0, 1.0)


def _drive(seat: _Seat, steps: int, plan: Callable[[ScriptedDriver, int], FloatArray]) -> tuple[npt.NDArray[Any], ...]:
    seat = copy.deepcopy(seat)
    frames, infos, actions = [seat.observation["camera"]], [seat.info], []
    for step in range(steps):
        actions.append(plan(seat.driver, step))
        observation, _, _, _, info = seat.env.step(actions[-1])
        frames.append(observation["camera"])
        infos.append(info)
    labels = [[info["labels"][name] for name in LABEL_FIELDS] for info in infos]
    motion = np.stack([info["motion"] for info in infos[1:]])
    return np.stack(actions).astype(np.float32), motion, np.array(labels, np.float32), np.stack(frames)
