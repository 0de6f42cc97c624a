"""Segments of comma2k19 as episodes: a minute of video, CAN bus and fused poses each.

Axis legend: k frames of the video, n samples of a signal.

What a segment is   A folder with video.hevc (1164x874, 20 frames/s, without times of its own), and .npy arrays without
                    that suffix: global_pose/frame_{times,positions,orientations} (k), processed_log/CAN/{speed,
                    steering_angle}/{t,value} (n, 83 Hz). Source: github.com/commaai/comma2k19, README.
Time                Seconds since the phone was started, one clock for all; frame_times[i] is picture i.
Motion              Positions are ECEF metres and orientations turn the device (x forward, y right, z down) into ECEF
                    (measured: the turned x axis points along the velocity within 4 degrees). Both are taken into the
                    plane that is level at the first picture: x east, y north.
Steering            `steering_angle` is that of the steering wheel in degrees, positive to the left (measured: it
                    correlates with the yaw rate of the poses, see tests/worldsim/test_data_comma2k19.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from worldsim.data.logs.ego_motion import Array, Signal, pose_signal
from worldsim.data.logs.faults import Faults
from worldsim.data.logs.film import Film
from worldsim.data.logs.log import Log, Part
from worldsim.data.logs.picture import crop_camera, crop_resize
from worldsim.data.logs.recording import Cut, Pictures, Recording, episodes, held_out_parts
from worldsim.data.logs.rotation import matrix
from worldsim.types import CameraSpec, Episode, FrameArray

FRAME_RATE_HZ = 20.0
MOST_WHEEL_DEG = 500.0  # nominal: steering wheel angle of full steering
CAMERA = CameraSpec(1164, 874, 910.0, 910.0, 582.0, 437.0, position_m=(0.0, 0.0, 1.22))
"""The phone's camera, as comma gives it; the device is the point whose motion is told."""
HELD_OUT = 0.15
LICENCE = "MIT (comma2k19)"
VIDEOS = ("video.hevc", "video.mp4")


def open_segments(path: Path, cut: Cut, faults: Faults) -> Log:
    """All segments at or below ``path``. Raises ValueError where there is none."""
    if not path.is_dir():
        raise ValueError(f"comma2k19 {path}: expected a folder of segments, but it does not exist")
    segments = sorted(found.parent for found in (path, *path.rglob("*")) if found.name == "global_pose")
    if not segments and (path / "global_pose").is_dir():
        segments = [path]
    if not segments:
        raise ValueError(f"comma2k19 {path}: expected segments, folders that hold global_pose, got none")
    names = ["/".join(segment.parts[-2:]) for segment in segments]
    return Log([Part(n, partial(_read, s, n, cut)) for n, s in zip(names, segments, strict=True)], faults)


def _read(segment: Path, name: str, cut: Cut, faults: Faults) -> Iterator[Episode]:
    try:
        film = Film(
            next((segment / each for each in VIDEOS if (segment / each).is_file()), segment / VIDEOS[0]), FRAME_RATE_HZ
        )
        times, poses, signals = frame_times(segment), pose_track(segment), can_signals(segment, faults)
    except ValueError as error:
        faults("broken_segments", str(error), error)
        return
    if abs(len(film.times) - len(times)) > 2:
        faults("frames_without_time", f"{segment}: expected {len(times)} pictures, got {len(film.times)}")
    times = times[: len(film.times)]

    def read(first: int, index: int) -> FrameArray | None:
        picture = film.picture(first + index)
        if picture is None:
            faults("broken_pictures", f"{film.path}: picture {first + index}: expected one that decodes, got none")
            return None
        return crop_resize(picture, cut.size)

    for split, first, end in held_out_parts(times, cut, HELD_OUT):
        recording = Recording(
            name=f"{name}, frames {first} to {end - 1}",
            views={"front": Pictures(times[first:end], partial(read, first), crop_camera(CAMERA, cut.size))},
            poses=poses,
            signals=signals,
            scenario="comma2k19",
            split=split,
            source=f"comma2k19 {name}, frames {first} to {end - 1}",
            licence=LICENCE,
        )
        yield from episodes(recording, cut, faults)
    film.close()


def frame_times(segment: Path) -> Array:
    """When each picture was taken, (k,) seconds. ValueError, naming the file, where times do not rise."""
    times = _array(segment / "global_pose" / "frame_times", 1)
    if not (np.diff(times) > 0).all():
        place = int(np.flatnonzero(np.diff(times) <= 0)[0]) + 1
        raise ValueError(
            f"{segment}/global_pose/frame_times: expected times that rise, got one that does not at {place}"
        )
    return times


def pose_track(segment: Path) -> Signal:
    """Poses in the level plane of the first picture: x east, y north in metres, yaw from east to north."""
    folder = segment / "global_pose"
    times, positions = _array(folder / "frame_times", 1), _array(folder / "frame_positions", 2)
    turned = matrix(_array(folder / "frame_orientations", 2))
    if not len(times) == len(positions) == len(turned):
        raise ValueError(f"{folder}: expected as many positions and orientations as times, got {len(positions)}, "
                         f"{len(turned)} and {len(times)}")  # fmt: skip
    up = positions[0] / np.linalg.norm(positions[0])
    east = np.cross([0.0, 0.0, 1.0], up)
    east /= np.linalg.norm(east)
    plane = np.stack([east, np.cross(up, east)])
    forward = turned[:, :, 0] @ plane.T
    return pose_signal(times, (positions - positions[0]) @ plane.T, np.arctan2(forward[:, 1], forward[:, 0]))


def can_signals(segment: Path, faults: Faults) -> dict[str, Signal]:
    """Speed and steering of the CAN bus; what is missing or broken is left out."""
    found = {}
    for name, message, factor in (("speed_mps", "speed", 1.0), ("steering", "steering_angle", 1 / MOST_WHEEL_DEG)):
        folder = segment / "processed_log" / "CAN" / message
        if not folder.is_dir():
            faults.note("segments_without_can", f"{folder}: no such message; derived from the poses where it can be")
            continue
        try:
            times, values = _array(folder / "t", 1), _array(folder / "value").reshape(-1)
            if len(times) != len(values):
                raise ValueError(f"{folder}: expected as many values as times, got {len(values)} and {len(times)}")
        except ValueError as error:
            faults("broken_can", str(error), error)
            continue
        times, order = np.unique(times, return_index=True)
        found[name] = Signal(times, values[order] * factor)
    return found


def _array(path: Path, dimensions: int | None = None) -> Array:
    """A .npy array, whatever its suffix. ValueError, naming the file, where it is missing, cut or misshapen."""
    try:
        with open(path, "rb") as handle:
            found = np.load(handle, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path}: expected a .npy array, got {error}; it may be missing or cut short") from error
    if dimensions is not None and found.ndim != dimensions:
        raise ValueError(f"{path}: expected {dimensions} dimensions, got shape {found.shape}")
    return np.asarray(found, np.float64)
