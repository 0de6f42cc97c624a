"""From one continuous recording, whose sensors have clocks of their own, to episodes on one clock.

Axis legend: t frames of an episode, k pictures a camera took, h w image rows and columns.

The clock is the first camera's: where its rate is a multiple of the asked one, every so-many-th picture is kept,
otherwise the picture nearest to each tick. Every other camera gives the picture nearest in time. Times in an episode
are those at which the main camera's pictures were taken, and the motion is between just these times, so what was seen
and what was done belong together however uneven the clock is.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from worldsim.data.logs.ego_motion import Array, Drive, Signal, absurd, drive
from worldsim.data.logs.faults import Faults
from worldsim.types import COMMANDS, LABEL_FIELDS, CameraSpec, Episode, FloatArray, FrameArray, SceneFields

RATE_SLACK = 0.05
"""A clock this near to a multiple of the asked one is that multiple."""


@dataclass(frozen=True)
class Cut:
    """How recordings are sampled and cut: pictures (rows, columns) and frames a second; frames in an episode."""

    rate_hz: float
    size: tuple[int, int]
    max_frames: int

    def __post_init__(self) -> None:
        if not self.rate_hz > 0 or self.max_frames < 2 or min(self.size) < 8:
            raise ValueError(
                "expected rate_hz above 0, max_frames of at least 2 and a size of at least 8 px, "
                f"got {self.rate_hz}, {self.max_frames} and {self.size}"
            )


@dataclass(frozen=True)
class Pictures:
    """One camera: when its pictures were taken (k,), and how the k-th is read (None: it cannot be)."""

    times: Array
    read: Callable[[int], FrameArray | None]
    camera: CameraSpec | None = None


@dataclass(frozen=True)
class Labelled:
    """What a labeller says of t frames: labels (t, len(LABEL_FIELDS)) and further signals (t,) by name."""

    labels: FloatArray
    signals: dict[str, FloatArray]


@dataclass
class Recording:
    """What a log knows of one continuous drive; see the module docstring for how it becomes episodes.

    ``estimate`` reads the motion from the pictures where no sensor told it; ``source`` gets the words it returns.
    """

    name: str
    views: dict[str, Pictures]
    poses: Signal | None = None
    signals: dict[str, Signal] = field(default_factory=dict)
    label: Callable[[Array, Drive], Labelled] | None = None
    estimate: Callable[[FrameArray, Array], tuple[Drive, str]] | None = None
    fields: SceneFields = field(default_factory=SceneFields)
    caption: str = ""
    scenario: str = ""
    driver: str = "human"
    split: str = "train"
    source: str = ""
    licence: str = "unknown"


def episodes(recording: Recording, cut: Cut, faults: Faults) -> Iterator[Episode]:
    """Episodes of 2 to ``cut.max_frames`` frames in the order of time; a gap or an absurd step starts a new one.

    Raises ValueError where the camera is slower than the asked rate, and, as ``faults`` says, for what is wrong.
    """
    main = next(iter(recording.views.values()))
    ticks = pick(main.times, cut.rate_hz, recording.name)
    frames: list[dict[str, FrameArray]] = []
    run: list[int] = []

    def ended() -> Iterator[Episode]:
        if len(run) == 1:
            faults.note("frames_alone_between_gaps", f"{recording.name}: picture {run[0]} has no neighbour")
        elif run:
            yield _episode(recording, main.times[run], frames)

    breaks = _breaks(recording, main.times, ticks, cut, faults)
    for place, index in enumerate(ticks):
        pictures = _read(recording, index, main.times[index], cut, faults)
        if run and (pictures is None or place in breaks or len(run) == cut.max_frames):
            yield from ended()
            run, frames = [], []
        if pictures is not None:
            run.append(index)
            frames.append(pictures)
    yield from ended()


def pick(times: Array, rate_hz: float, name: str) -> list[int]:
    """Indices of the pictures nearest to a clock of ``rate_hz``, each once. ValueError where there are too few."""
    if len(times) < 2:
        return list(range(len(times)))
    interval, step = float(np.median(np.diff(times))), 1 / rate_hz
    if interval > step * (1 + RATE_SLACK):
        raise ValueError(
            f"{name}: expected at least {rate_hz:g} pictures a second, got {1 / interval:.3g}; ask for less"
        )
    stride = round(step / interval)
    if abs(stride * interval - step) <= RATE_SLACK * step:
        starts = [0, *(np.flatnonzero(np.diff(times) > 1.5 * interval) + 1), len(times)]
        return [i for a, b in itertools.pairwise(starts) for i in range(a, b, stride)]
    ticks = times[0] + step * np.arange(int((times[-1] - times[0]) / step + 1 + RATE_SLACK))
    after = np.clip(np.searchsorted(times, ticks), 1, len(times) - 1)
    nearest = np.where(ticks - times[after - 1] <= times[after] - ticks, after - 1, after)
    near = np.abs(times[nearest] - ticks) <= step / 2 + 1e-9
    return list(dict.fromkeys(nearest[near].tolist()))


GAP = 0.05
"""Share of a recording between what trains and what is held out, which belongs to neither."""


def held_out_parts(times: Array, cut: Cut, held_out: float) -> list[tuple[str, int, int]]:
    """Stretches (split, first picture, one past the last) of about one episode each; the end is held out."""
    if len(times) < 2:
        return [("train", 0, len(times))] if len(times) else []
    length, seconds = times[-1] - times[0], cut.max_frames / cut.rate_hz
    edges = [("train", 0.0, length if held_out == 0 else (1 - held_out - GAP) * length)]
    edges += [("val", (1 - held_out) * length, length)] if held_out else []
    found = []
    for split, low, high in edges:
        count = max(1, int(np.ceil((high - low) / seconds - 1e-6)))
        for a, b in itertools.pairwise(np.linspace(low, high, count + 1)):
            first, end = np.searchsorted(times - times[0], (a, b))
            found.append((split, int(first), int(end) + (b == length)))
    return found


def _breaks(recording: Recording, times: Array, ticks: list[int], cut: Cut, faults: Faults) -> set[int]:
    """Places in ``ticks`` before which an episode must end: gaps in time, and motion that cannot be."""
    chosen = times[ticks]
    gaps = np.flatnonzero(np.diff(chosen) > 1.5 / cut.rate_hz)
    for place in gaps:
        seconds = chosen[place + 1] - chosen[place]
        words = f"{recording.name}: expected a picture every {1 / cut.rate_hz:g} s, got none for {seconds:.2f} s"
        faults.note("gaps", words)
    bad = np.flatnonzero(absurd(chosen, drive(chosen, recording.poses, recording.signals)))
    for place in bad:
        faults(
            "absurd_motion",
            f"{recording.name}: expected the motion of a road vehicle, got a jump, speed or turn beyond any at "
            f"{chosen[place] - chosen[0]:.2f} s",
        )
    return {int(place) + 1 for place in (*gaps, *bad)}


def _read(recording: Recording, index: int, time: float, cut: Cut, faults: Faults) -> dict[str, FrameArray] | None:
    """The pictures of all cameras at a tick, or None where one of them is not there."""
    found = {}
    for number, (name, view) in enumerate(recording.views.items()):
        near = index if number == 0 else int(np.argmin(np.abs(view.times - time))) if len(view.times) else -1
        if near < 0 or abs(view.times[near] - time) > 0.5 / cut.rate_hz + 1e-9:
            off = abs(view.times[near] - time) if near >= 0 else np.inf
            faults(
                "unsynchronised_pictures",
                f"{recording.name}: camera {name}: expected a picture within {0.5 / cut.rate_hz:g} s of the main "
                f"camera's, got one {off:.3g} s away",
            )
            return None
        picture = view.read(near)
        if picture is None:
            return None
        found[name] = picture
    return found


def _episode(recording: Recording, times: Array, frames: list[dict[str, FrameArray]]) -> Episode:
    t, source = len(times), recording.source
    views = {name: np.stack([each[name] for each in frames]) for name in recording.views}
    if recording.estimate is not None:
        found, words = recording.estimate(next(iter(views.values())), times)
        source = f"{source}; {words}"
    else:
        found = drive(times, recording.poses, recording.signals)
    unknown = np.full((t, len(LABEL_FIELDS)), np.nan, np.float32)
    labelled = recording.label(times, found) if recording.label is not None else Labelled(unknown, {})
    return Episode(
        views=views,
        motion=found.motion,
        ego=found.ego,
        timestamps=times - times[0],
        action=actions(times, found),
        labels=labelled.labels,
        pose=found.pose,
        command=np.full(t, COMMANDS.index("follow"), np.int64),
        signals=labelled.signals,
        cameras={name: view.camera for name, view in recording.views.items() if view.camera is not None},
        fields=recording.fields,
        caption=recording.caption,
        scenario=recording.scenario,
        driver=recording.driver,
        split=recording.split,
        source=source,
        licence=recording.licence,
    )


FULL_ACCELERATION_MPS2, FULL_BRAKING_MPS2 = 4.0, 8.0
"""What an action of 1 and of -1 asks of the vehicle: the same as in envs/kinematics.py (a test compares them)."""


def actions(times: Array, found: Drive) -> npt.NDArray[np.float32]:
    """Actions (t, 2) where the log tells them: steering and acceleration over each step, both means of its ends."""
    action = np.full((len(times), 2), np.nan, np.float32)
    steering, speed = found.ego[:, 3], found.ego[:, 0]
    action[:-1, 0] = (steering[:-1] + steering[1:]) / 2
    change = np.diff(speed) / np.diff(times)
    action[:-1, 1] = np.where(change >= 0, change / FULL_ACCELERATION_MPS2, change / FULL_BRAKING_MPS2)
    return np.clip(action, -1.0, 1.0)
