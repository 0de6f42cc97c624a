"""Real logs to episodes on disk: ``worldsim prepare source=nuscenes path=... out=...``.

A log is read part by part (a scene, a segment, a stretch of video), several at a time; its episodes are written in the
log's order whoever was first. ``meta/prepared.json`` in the data set says which parts are done and what was wrong with
them, so that a run that was stopped goes on without reading them again.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from worldsim.data.finalize import finalize
from worldsim.data.logs import donkeycar
from worldsim.data.logs.comma2k19 import open_segments
from worldsim.data.logs.faults import Faults
from worldsim.data.logs.lerobot import LeRobotOptions, open_lerobot
from worldsim.data.logs.log import Log, Part
from worldsim.data.logs.nuscenes.loader import NuScenesOptions, open_nuscenes
from worldsim.data.logs.plain_video import VideoOptions, open_videos
from worldsim.data.logs.recording import Cut
from worldsim.data.store import EpisodeStore
from worldsim.data.writer import EpisodeWriter
from worldsim.errors import choose
from worldsim.schema import option, plain
from worldsim.storage import read_json, write_json
from worldsim.types import FRAME_RATE_HZ, Episode

PROGRESS_PATH = "meta/prepared.json"
NOT_THE_DATA = ("out", "on_error", "workers")
"""Keys whose value does not change which episodes a log gives."""


@dataclass
class PrepareConfig:
    """What to prepare, and how it is cut and sampled."""

    path: Path = option(help="the log: a tub, the dataroot of nuScenes, a folder of segments or videos, one file")
    out: Path = option(help="folder of the data set to write; what is there already is not read again")
    source: str = option("donkeycar", "kind of log: nuscenes, comma2k19, donkeycar, lerobot or video")
    rate_hz: float = option(FRAME_RATE_HZ, "frames per second to keep")
    height: int = option(64, "image rows; the middle of the picture is kept")
    width: int = option(128, "image columns")
    max_frames: int = option(200, "longest episode, in frames")
    licence: str | None = option(
        None, "licence of the log, written into every episode; null: what is known of its kind"
    )
    on_error: Literal["raise", "skip"] = option("raise", "at a broken record: raise stops, skip counts it and goes on")
    workers: int = option(0, "parts read at a time; 0: one a core")
    nuscenes: NuScenesOptions = option(factory=NuScenesOptions, help="of source=nuscenes alone")
    lerobot: LeRobotOptions = option(factory=LeRobotOptions, help="of source=lerobot alone")
    video: VideoOptions = option(factory=VideoOptions, help="of source=video alone")

    @property
    def cut(self) -> Cut:
        """How recordings are sampled. ValueError for a rate, a size or a length that cannot be."""
        return Cut(self.rate_hz, (self.height, self.width), self.max_frames)


def _donkeycar(config: PrepareConfig) -> Log:
    return donkeycar.open_log(config.path, config.cut)


def _nuscenes(config: PrepareConfig) -> Log:
    return open_nuscenes(config.path, config.nuscenes, config.cut, Faults(config.on_error))


def _comma2k19(config: PrepareConfig) -> Log:
    return open_segments(config.path, config.cut, Faults(config.on_error))


def _lerobot(config: PrepareConfig) -> Log:
    return open_lerobot(config.path, config.lerobot, config.cut, Faults(config.on_error))


def _video(config: PrepareConfig) -> Log:
    return open_videos(config.path, config.video, config.cut, Faults(config.on_error))


SOURCES: dict[str, Callable[[PrepareConfig], Log]] = {
    "nuscenes": _nuscenes,
    "comma2k19": _comma2k19,
    "donkeycar": _donkeycar,
    "lerobot": _lerobot,
    "video": _video,
}
"""Kinds of logs by name."""


def run(config: PrepareConfig) -> dict[str, Any]:
    """Write the episodes of a log and return the report: what was found, what was skipped and why, what there is now.

    Parts that an earlier run wrote are kept. Raises ValueError for an unknown source (naming the
    nearest), a bad log, or an ``out`` that holds episodes of another log or another cut.
    """
    loader = SOURCES[choose(config.source, SOURCES, "source")]
    writer = EpisodeWriter(config.out, fps=config.rate_hz)
    log = loader(config)
    progress = Progress(config, writer)
    total, todo = Faults(config.on_error), [part for part in log.parts if not progress.has(part.name)]
    total.add(log.faults.summary())
    with tqdm(total=len(log.parts), initial=len(log.parts) - len(todo), desc=f"preparing {config.source}") as bar:
        frames = 0
        for part, episodes, faults in _read(todo, config):
            progress.write(part.name, episodes, faults)
            frames += sum(len(episode) for episode in episodes)
            bar.update()
            bar.set_postfix_str(f"{frames} frames", refresh=False)
    total.add(progress.faults().summary())
    if not writer.done():
        raise ValueError(f"{config.path}: expected episodes of at least 2 frames, got none ({dict(total.counts)})")
    finalize(config.out)
    return {"log": dict(total.counts), "first_of_each": total.words, "data_set": EpisodeStore(config.out).summary()}


def prepare(source: str, path: Path | str, out: Path | str, **options: Any) -> dict[str, Any]:
    """``run`` without a config: ``prepare("donkeycar", "tub.tar.gz", "data/tub", height=64, width=128)``."""
    return run(PrepareConfig(source=source, path=Path(path), out=Path(out), **options))


class Progress:
    """Which parts of a log are in the data set, kept in PROGRESS_PATH. Raises ValueError for another log's data set."""

    def __init__(self, config: PrepareConfig, writer: EpisodeWriter) -> None:
        self.writer, self.licence = writer, config.licence
        self.path = config.out / PROGRESS_PATH
        self.asked = {key: value for key, value in plain(config).items() if key not in NOT_THE_DATA}
        self.asked["path"] = str(config.path.resolve())
        self.parts: dict[str, Any] = {}
        done = writer.done()
        if self.path.exists():
            found = read_json(self.path, "what was prepared")
            for key, value in self.asked.items():
                if (there := found["asked"].get(key)) != value:
                    raise ValueError(
                        f"{config.out}: was prepared with {key}={there}, got {value}; write to another folder"
                    )
            for name, part in found["parts"].items():  # in order, up to the first whose episodes are not all there
                if not set(range(part["first"], part["first"] + part["episodes"])) <= done:
                    break
                self.parts[name] = part
        elif done:
            raise ValueError(f"{config.out}: holds episodes that were not prepared from a log; write to another folder")

    @property
    def next(self) -> int:
        """Index of the next episode."""
        return max((part["first"] + part["episodes"] for part in self.parts.values()), default=0)

    def has(self, name: str) -> bool:
        """Whether the part is done."""
        return name in self.parts

    def write(self, name: str, episodes: list[Episode], faults: Faults) -> None:
        """Write a part's episodes, and then that it is done. Those that a stopped run wrote are kept."""
        first, done = self.next, self.writer.done()
        if not self.parts and not self.path.exists():
            self._save()
        for index, episode in enumerate(episodes, first):
            if self.licence is not None:
                episode.licence = self.licence
            if index not in done:
                self.writer.write(episode, index)
        self.parts[name] = {"first": first, "episodes": len(episodes), **faults.summary()}
        self._save()

    def faults(self) -> Faults:
        """What was wrong with the parts that are done."""
        total = Faults("skip")
        for part in self.parts.values():
            total.add(part)
        return total

    def _save(self) -> None:
        write_json(self.path, {"asked": self.asked, "parts": self.parts})


def _read(parts: list[Part], config: PrepareConfig) -> Iterator[tuple[Part, list[Episode], Faults]]:
    """Every part with its episodes and faults, in order; ``workers`` are read at a time, and no more wait in memory.

    Threads suffice: decoding pictures, which takes the time, runs outside of Python.
    """

    def read(part: Part) -> tuple[Part, list[Episode], Faults]:
        faults = Faults(config.on_error)
        return part, list(part.read(faults)), faults

    workers = config.workers or os.cpu_count() or 1
    waiting: deque[Future[tuple[Part, list[Episode], Faults]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for part in parts:
                waiting.append(pool.submit(read, part))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
