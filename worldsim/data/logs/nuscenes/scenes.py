"""One scene of nuScenes as a recording.

Time       `timestamp` in microseconds, each camera with its own. Sweeps come at about 12 Hz, keyframes at 2 Hz.
Motion     Between the ego poses of the main camera's own pictures, moved from the rear axle to the vehicle's centre.
           Speed, yaw rate, acceleration and steering from the CAN bus where it was recorded, else derived.
Picture    The middle of the image at the asked shape (1600x900 to 2:1 keeps rows 50-849), then resized.
Words      The scene's description is the caption. Night and rain are read from it, day from the local hour of the log.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from worldsim.data.logs.ego_motion import Array, Drive, Signal, pose_signal
from worldsim.data.logs.faults import Faults
from worldsim.data.logs.nuscenes.canbus import can_signals
from worldsim.data.logs.nuscenes.lanes import Lanes, lane_labels
from worldsim.data.logs.nuscenes.tables import Row
from worldsim.data.logs.nuscenes.traffic import AXLE_TO_CENTRE_M, read_annotations, traffic
from worldsim.data.logs.picture import crop_camera, read_picture
from worldsim.data.logs.recording import Labelled, Pictures, Recording
from worldsim.data.logs.rotation import mounting, yaw
from worldsim.types import LABEL_FIELDS, CameraSpec, FrameArray, SceneFields

CAMERAS = ("CAM_FRONT", "CAM_FRONT_LEFT", "CAM_FRONT_RIGHT", "CAM_BACK", "CAM_BACK_LEFT", "CAM_BACK_RIGHT")
LICENCE = "CC BY-NC-SA 4.0 (nuScenes)"
DAY_HOURS = range(8, 17)


@dataclass(frozen=True)
class SceneReader:
    """What is the same for all scenes: the tables, which cameras and pictures are wanted, and their size."""

    root: Path
    tables: Any
    cameras: tuple[str, ...]
    keyframes: bool
    size: tuple[int, int]
    lanes: Callable[[str, Faults], Lanes | None]

    def recording(self, scene: Row, split: str, faults: Faults) -> Recording:
        """The recording of a scene; its pictures are read when they are asked for."""
        name, log = scene["name"], self.tables.get("log", scene["log_token"])
        chains = {camera: self._chain(scene, camera, faults) for camera in self.cameras}
        poses = self._poses([row for rows in chains.values() for row in rows])
        annotations = read_annotations(self.tables, scene)
        if not len(annotations.keyframes):
            faults.note("scenes_without_annotations", f"{name}: no annotations in {self.tables.version}")
        lanes = self.lanes(log["location"], faults)
        if lanes is None:
            faults.note("scenes_without_map", f"{name}: no map expansion of {log['location']}; its labels stay unknown")
        source = f"nuScenes {self.tables.version} {name}, {'keyframes' if self.keyframes else 'sweeps'}"
        return Recording(
            name=name,
            views={camera_name(camera): self._pictures(rows, faults) for camera, rows in chains.items()},
            poses=poses,
            signals=can_signals(self.root, name, faults),
            label=partial(_labels, annotations, lanes, poses),
            fields=scene_fields(scene, log),
            caption=scene["description"],
            scenario="nuscenes",
            split=split,
            source=source,
            licence=LICENCE,
        )

    def _chain(self, scene: Row, camera: str, faults: Faults) -> list[Row]:
        """The pictures of a camera over the scene, in the order of time. ValueError where the camera has none."""
        first = self.tables.get("sample", scene["first_sample_token"])["data"]
        if camera not in first:
            raise ValueError(f"{scene['name']}: expected pictures of {camera}, got those of {sorted(first)}")
        row = self.tables.get("sample_data", first[camera])
        while row["prev"]:
            row = self.tables.get("sample_data", row["prev"])
        rows = [row]
        while row["next"]:
            row = self.tables.get("sample_data", row["next"])
            if row["timestamp"] > rows[-1]["timestamp"]:
                rows.append(row)
                continue
            faults(
                "reversed_timestamps",
                f"{scene['name']}: sample_data {row['token']} of {camera}: expected a timestamp after "
                f"{rows[-1]['timestamp']}, got {row['timestamp']}",
            )
        return [row for row in rows if row["is_key_frame"] or not self.keyframes]

    def _poses(self, rows: list[Row]) -> Signal:
        found = [self.tables.get("ego_pose", row["ego_pose_token"]) for row in rows]
        heading = np.array([float(yaw(pose["rotation"])) for pose in found])
        axle = np.array([pose["translation"][:2] for pose in found])
        centre = axle + AXLE_TO_CENTRE_M * np.stack([np.cos(heading), np.sin(heading)], -1)
        return pose_signal([row["timestamp"] * 1e-6 for row in rows], centre, heading)

    def _pictures(self, rows: list[Row], faults: Faults) -> Pictures:
        def read(index: int) -> FrameArray | None:
            """The picture of a row, or None, with the fault noted, where it cannot be had."""
            row = rows[index]
            path = self.root / row["filename"]
            if not path.is_file():
                faults("missing_images", f"{path}: expected the image, but it does not exist")
                return None
            picture = read_picture(path.read_bytes(), self.size, (row["height"], row["width"]))
            if picture is None:
                faults("broken_images", f"{path}: expected a readable image, got {path.stat().st_size} B")
            return picture

        times = np.array([row["timestamp"] * 1e-6 for row in rows])
        return Pictures(times, read, self._camera(rows[0]))

    def _camera(self, row: Row) -> CameraSpec:
        mounted = self.tables.get("calibrated_sensor", row["calibrated_sensor_token"])
        (fx, _, cx), (_, fy, cy), _ = mounted["camera_intrinsic"]
        x, y, z = mounted["translation"]
        pitch, heading, roll = mounting(mounted["rotation"])
        place = (x - AXLE_TO_CENTRE_M, y, z)
        full = CameraSpec(row["width"], row["height"], fx, fy, cx, cy, place, pitch, heading, roll)
        return crop_camera(full, self.size)


def camera_name(channel: str) -> str:
    """CAM_FRONT_LEFT as front_left."""
    return channel.removeprefix("CAM_").lower()


def scene_fields(scene: Row, log: Row) -> SceneFields:
    """Weather and time of day, where the description or the log's local time tells them."""
    words = scene["description"].lower()
    rain = "rain" in words and "after rain" not in words
    local = local_time(log["logfile"])
    day = local is not None and local.hour in DAY_HOURS
    return SceneFields(
        weather="rain" if rain else None, time_of_day="night" if "night" in words else "day" if day else None
    )


def local_time(logfile: str) -> datetime | None:
    """When a log began by the clock of the place: n015-2018-07-24-11-22-45+0800 is 11:22; None for another form."""
    found = re.search(r"(\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d)([+-]\d{4})$", logfile)
    if found is None:
        return None
    moment = datetime.strptime("".join(found.groups()), "%Y-%m-%d-%H-%M-%S%z")
    return moment.astimezone(UTC).replace(tzinfo=None) + (moment.utcoffset() or timedelta())


def _labels(annotations: Any, lanes: Lanes | None, ahead: Signal, times: Array, found: Drive) -> Labelled:
    labels = dict.fromkeys(LABEL_FIELDS, np.full(len(times), np.nan))
    poses = ahead.at(times)
    around = traffic(annotations, times, poses, found.ego[:, 0].astype(np.float64), ahead)
    for name in ("lead_distance_m", "closing_speed_mps", "collision"):
        labels[name] = getattr(around, name)
    if lanes is not None:
        on = lane_labels(lanes, poses)
        labels |= {name: getattr(on, name) for name in vars(on)}
    stacked = np.stack([labels[name] for name in LABEL_FIELDS], -1)
    return Labelled(stacked.astype(np.float32), {"margin_m": around.margin_m.astype(np.float32)})
