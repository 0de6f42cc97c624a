"""A Donkeycar tub (catalog v2, folder or tar archive) as episodes.

Axis legend: t frames of an episode, k records of the tub (20 per second), h w image rows and columns.

What a tub is   images/K_cam_image_array_.jpg, and catalogs with one JSON object a line: `_index`, `cam/image_array`,
                `user/angle` in [-1, 1] (+ is right), `user/throttle` in [-1, 1]. Source: donkeycar, parts/tub_v2.py.
Time            `_timestamp_ms` may be the time of a conversion, so frames are taken to be 1 / RECORD_RATE_HZ apart,
                Donkey's default loop rate. A lower rate keeps every second (third, ...) frame.
Sign and lag    Steering becomes positive to the left. The wheels answer LAG_RECORDS records after the command was
                logged: against the mean horizontal optical flow the correlation is strongest, -0.94, at 4 records
                (tests/worldsim/test_data_donkeycar.py measures it again). `action[t]` is what moves frame t to t + 1,
                hence the mean of the commands logged 4 records earlier over that interval.
Estimated       A tub knows no speed and no yaw rate. `motion` and `ego` come from a bicycle with the nominal constants
                of a 1/10-scale car below and are marked as estimated in `source`. Its throttle stands in the place of
                the acceleration in `action`, as logged. Pose, labels and camera geometry are not known.
Picture         The middle of the image at the asked shape (160x120 to 2:1 keeps rows 20-99), then resized.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from worldsim.data.logs.faults import Faults
from worldsim.data.logs.log import Log, Part
from worldsim.data.logs.picture import read_picture
from worldsim.data.logs.recording import Cut
from worldsim.data.logs.tub_files import TubFiles, open_files
from worldsim.types import COMMANDS, LABEL_FIELDS, Episode, FloatArray, FrameArray, SceneFields

RECORD_RATE_HZ = 20.0
LAG_RECORDS = 4
WHEELBASE_M = 0.26  # nominal, 1/10-scale touring car
MAX_WHEEL_RAD = 0.35  # nominal, wheel angle at full steering
SPEED_AT_FULL_THROTTLE_MPS = 3.0  # nominal, steady speed indoors
TRAIN_UNTIL, VAL_FROM = 0.80, 0.85
"""Shares of the tub: the first 80 % train, the last 15 % val; the gap keeps neighbouring frames apart."""
CAPTION = "a small car on an indoor track marked with tape"
FIELDS = SceneFields(road="racetrack", traffic="none")

MOST_RECORDS = 10_000_000
IMAGE, ANGLE, THROTTLE = "cam/image_array", "user/angle", "user/throttle"


@dataclass
class Tub:
    """A tub whose catalogs were read; images are decoded as episodes are made.

    ``faults`` counts what was found and what was wrong; after ``episodes`` it is complete.
    """

    path: Path
    images: dict[int, str]  # record -> file name
    angle: FloatArray  # (k,) as logged, + right; NaN where there is no record
    throttle: FloatArray  # (k,)
    files: TubFiles
    faults: Faults = field(default_factory=Faults)

    @property
    def report(self) -> Counter[str]:
        """Counts of what was found, and of what was wrong."""
        return self.faults.counts

    def image(self, record: int, size: tuple[int, int]) -> FrameArray | None:
        """The picture of a record as (h, w, 3) RGB; None where it is missing or broken and errors are skipped."""
        name = self.images.get(record)
        if name is None:
            return None
        content = self.files.read(f"images/{name}")
        if content is None:
            self.faults("missing_images", f"{self.path}: expected the image images/{name}, but it does not exist")
            return None
        picture = read_picture(content, size)
        if picture is None:
            self.faults("broken_images", f"{self.path}: images/{name}: expected a readable image, got {len(content)} B")
        return picture

    def episodes(
        self, rate_hz: float = 10.0, size: tuple[int, int] = (64, 128), max_frames: int = 200
    ) -> Iterator[Episode]:
        """Episodes of 2 to ``max_frames`` frames at ``rate_hz``, in the order of the tub; gaps start a new one.

        Raises ValueError for a rate that does not divide RECORD_RATE_HZ, and with ``on_error="raise"``
        for the first missing or broken image.
        """
        stride = round(RECORD_RATE_HZ / rate_hz) if rate_hz > 0 else 0
        if stride < 1 or abs(stride * rate_hz - RECORD_RATE_HZ) > 1e-6:
            raise ValueError(
                f"rate_hz: expected {RECORD_RATE_HZ:g} divided by a whole number (20, 10, 5, ...), got {rate_hz}"
            )
        if max_frames < 2 or min(size) < 8:
            raise ValueError(f"expected max_frames >= 2 and a size of at least 8 px, got {max_frames} and {size}")
        total = len(self.angle)
        for split, first, end in (
            ("train", 0, round(TRAIN_UNTIL * total)),
            ("val", round(VAL_FROM * total), total),
        ):
            for records, frames in self._runs(range(first, end, stride), size, max_frames):
                if len(records) < 2:
                    self.report["frames_alone_between_gaps"] += len(records)
                    continue
                self.report["episodes"] += 1
                yield self._episode(records, np.stack(frames), split, stride)

    def _runs(
        self, records: range, size: tuple[int, int], max_frames: int
    ) -> Iterator[tuple[list[int], list[FrameArray]]]:
        """Neighbouring records that all have a picture, at most ``max_frames`` together."""
        run: list[int] = []
        frames: list[FrameArray] = []
        for record in records:
            picture = self.image(record, size)
            if picture is not None:
                run.append(record)
                frames.append(picture)
            if run and (picture is None or len(run) == max_frames):
                yield run, frames
                run, frames = [], []
        if run:
            yield run, frames

    def _episode(self, records: list[int], frames: FrameArray, split: str, stride: int) -> Episode:
        t, step_s = len(records), stride / RECORD_RATE_HZ
        first = np.array([records[0] - stride, *records])  # one interval more: what led into the first frame
        steering, throttle = (self._during(first, values, stride) for values in (-self.angle, self.throttle))
        led = nominal_motion(steering, throttle, step_s)
        motion, action = led[1:].copy(), np.stack([steering, throttle], -1)[1:].copy()
        motion[-1], action[-1] = np.nan, np.nan
        speed = led[:t, 3]
        acceleration = np.concatenate([[np.nan], np.diff(speed)]) / step_s
        ego = np.stack([speed, led[:t, 2] / step_s, acceleration, steering[:t]], -1).astype(np.float32)
        unknown = np.full((t, 1), np.nan, np.float32)
        return Episode(
            views={"front": frames},
            motion=motion,
            ego=ego,
            timestamps=np.arange(t) * step_s,
            action=action,
            labels=np.repeat(unknown, len(LABEL_FIELDS), 1),
            pose=np.repeat(unknown, 3, 1),
            command=np.full(t, COMMANDS.index("follow"), np.int64),
            fields=FIELDS,
            caption=CAPTION,
            scenario="donkeycar",
            driver="human",
            split=split,
            source=(
                f"Donkeycar tub {self.path.name}, records {records[0]} to {records[-1]} of {len(self.angle)}; "
                "speed and yaw estimated from throttle and steering with a nominal bicycle"
            ),
            licence="see the tub's source",
        )

    def _during(self, first: np.ndarray, values: FloatArray, stride: int) -> FloatArray:
        """Mean (t,) of the commands that acted from each record to the next; NaN where one is not known."""
        wanted = first[:, None] + np.arange(stride) - LAG_RECORDS
        known = (wanted >= 0) & (wanted < len(values))
        return np.where(known, values[np.clip(wanted, 0, len(values) - 1)], np.nan).mean(-1).astype(np.float32)


def open_log(path: Path, cut: Cut) -> Log:
    """The tub at ``path`` as one part of a log."""

    def read(faults: Faults) -> Iterator[Episode]:
        yield from open_tub(path, faults=faults).episodes(cut.rate_hz, cut.size, cut.max_frames)

    return Log([Part(path.name, read)])


def open_tub(path: Path | str, on_error: str = "raise", faults: Faults | None = None) -> Tub:
    """Read the catalogs of the tub at ``path``: its folder, a folder or tar archive that holds one.

    ``on_error="skip"`` counts broken lines and values in ``faults`` and leaves them out; "raise" stops at
    the first. ``faults`` takes its place where a caller counts them itself. Raises ValueError, naming file
    and line, expected and got.
    """
    path = Path(path)
    nothing = np.empty(0, np.float32)
    tub = Tub(path, {}, nothing, nothing, open_files(path), faults or Faults(on_error))
    deleted = _deleted_records(tub)
    values: dict[int, tuple[float, float]] = {}
    for name in tub.files.catalogs():
        for number, line in enumerate((tub.files.read(name) or b"").splitlines(), 1):
            parsed = _parse(tub, line, f"{path}: {name} line {number}")
            if parsed is None:
                continue
            record, image, angle, throttle = parsed
            if record in deleted:
                tub.report["deleted"] += 1
                continue
            tub.report["records"] += 1
            values[record], tub.images[record] = (angle, throttle), image
    if not values:
        raise ValueError(f"Donkeycar tub {path}: expected records in its catalogs, got none ({dict(tub.report)})")
    dense = np.full((max(values) + 1, 2), np.nan, np.float32)
    dense[list(values)] = list(values.values())
    tub.angle, tub.throttle = dense[:, 0].copy(), dense[:, 1].copy()
    return tub


def nominal_motion(steering: FloatArray, throttle: FloatArray, step_s: float) -> FloatArray:
    """Motion (t, 4) over steps of ``step_s`` for steering (+ left) and throttle in [-1, 1], from nominal constants.

    A kinematic bicycle about its rear axle (Rajamani 2012, "Vehicle Dynamics and Control", section 2.2) on
    a circular arc, at a speed that is proportional to the throttle.
    """
    speed = np.asarray(throttle, np.float64) * SPEED_AT_FULL_THROTTLE_MPS
    distance = speed * step_s
    yaw = distance * np.tan(np.asarray(steering, np.float64) * MAX_WHEEL_RAD) / WHEELBASE_M
    chord = distance * np.sinc(yaw / (2 * np.pi))
    return np.stack([chord * np.cos(yaw / 2), chord * np.sin(yaw / 2), yaw, speed], -1).astype(np.float32)


def _parse(tub: Tub, line: bytes, where: str) -> tuple[int, str, float, float] | None:
    """Record, image name, angle, throttle of a catalog line; None for an empty line or one to skip."""
    text = line.strip(b"\x00 \t\r\n")
    if not text:
        return None
    try:
        value = json.loads(text)
        if not isinstance(value, dict):
            raise ValueError(f"got {type(value).__name__}")
    except ValueError as error:
        tub.faults("broken_lines", f"{where}: expected a JSON object, got {text[:60]!r} ({error})")
        return None
    for key, kinds in (("_index", int), (IMAGE, str), (ANGLE, (int, float)), (THROTTLE, (int, float))):
        if not isinstance(value.get(key), kinds):
            tub.faults("bad_values", f"{where}: field `{key}`: expected a value, got {value.get(key)!r}")
            return None
    for key, low, high in (("_index", 0, MOST_RECORDS), (ANGLE, -1.0, 1.0), (THROTTLE, -1.0, 1.0)):
        if not low <= value[key] <= high:
            tub.faults("bad_values", f"{where}: field `{key}`: expected [{low}, {high}], got {value[key]!r}")
            return None
    return value["_index"], PurePosixPath(value[IMAGE]).name, float(value[ANGLE]), float(value[THROTTLE])


def _deleted_records(tub: Tub) -> set[int]:
    """Records that the driver marked as deleted, from the last JSON line of manifest.json."""
    lines = (tub.files.read("manifest.json") or b"").strip().splitlines()
    try:
        last: Any = json.loads(lines[-1]) if lines else {}
        return set(last.get("deleted_indexes", []))
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError, TypeError) as error:
        tub.faults("broken_manifest", f"{tub.path}: manifest.json: expected JSON lines, the last an object ({error})")
        return set()
