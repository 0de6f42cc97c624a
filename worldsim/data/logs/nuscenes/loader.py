"""Which scenes of nuScenes become episodes, and in which split."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from worldsim.data.logs.faults import Faults
from worldsim.data.logs.log import Log, Part
from worldsim.data.logs.nuscenes.lanes import Lanes, read_lanes
from worldsim.data.logs.nuscenes.scenes import CAMERAS, SceneReader
from worldsim.data.logs.nuscenes.tables import Row, official_splits, open_map, open_tables
from worldsim.data.logs.recording import Cut, episodes
from worldsim.errors import choose
from worldsim.schema import option
from worldsim.types import Episode

HELD_OUT = ("val", "test", "mini_val")
KEYFRAME_RATE_HZ = 2.0


@dataclass
class NuScenesOptions:
    """Which part of nuScenes to prepare."""

    version: str | None = option(None, "version folder, such as v1.0-mini; null: the only one that is there")
    cameras: list[str] = option(factory=lambda: ["CAM_FRONT"], help="cameras to keep; the first is the main view")
    frames: Literal["sweeps", "keyframes"] = option(
        "sweeps", "sweeps: all pictures (12 Hz); keyframes: 2 Hz, rate_hz=2"
    )
    scenes: list[str] = option(factory=list, help="names of scenes, such as scene-0103; none: all")


def open_nuscenes(root: Path, options: NuScenesOptions, cut: Cut, faults: Faults) -> Log:
    """The scenes below ``root``, a part each. Raises ValueError, naming file, expected and got, where that fails."""
    for camera in options.cameras:
        choose(camera, CAMERAS, "camera of nuScenes")
    if not options.cameras or len(set(options.cameras)) < len(options.cameras):
        raise ValueError(f"nuscenes.cameras: expected one or more of {list(CAMERAS)}, each once, got {options.cameras}")
    if options.frames == "keyframes" and cut.rate_hz > KEYFRAME_RATE_HZ:
        raise ValueError(f"nuscenes.frames=keyframes: expected rate_hz up to {KEYFRAME_RATE_HZ:g}, got {cut.rate_hz:g}")
    tables = open_tables(root, options.version)
    reader = SceneReader(
        root, tables, tuple(options.cameras), options.frames == "keyframes", cut.size, _Maps(root).lanes
    )
    wanted = {choose(name, [row["name"] for row in tables.scene], "scene") for name in options.scenes}
    held_out = {name for split, names in official_splits().items() if split in HELD_OUT for name in names}
    scenes = sorted((row for row in tables.scene if not wanted or row["name"] in wanted), key=lambda row: row["name"])
    return Log([Part(row["name"], partial(_read, reader, row, row["name"] in held_out, cut)) for row in scenes], faults)


def _read(reader: SceneReader, scene: Row, held_out: bool, cut: Cut, faults: Faults) -> Iterator[Episode]:
    try:
        recording = reader.recording(scene, "val" if held_out else "train", faults)
    except KeyError as error:
        words = f"{scene['name']}: a row refers to {error}, which is in none of the tables, or lacks that field"
        faults("broken_scenes", words, error)
        return
    yield from episodes(recording, cut, faults)


class _Maps:
    """Lanes by location, read once whoever asks first."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.read: dict[str, Lanes | None] = {}
        self.lock = threading.Lock()

    def lanes(self, location: str, faults: Faults) -> Lanes | None:
        """The lanes of a location; None where its map is not there, or broken and skipped."""
        with self.lock:
            if location not in self.read:
                self.read[location] = None
                try:
                    found = open_map(self.root, location)
                    self.read[location] = None if found is None else read_lanes(found)
                except ValueError as error:
                    faults("broken_maps", str(error), error)
            return self.read[location]
