"""Real logs to episodes on disk: ``worldsim prepare source=donkeycar path=... out=...``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from worldsim.data.donkeycar import open_tub
from worldsim.data.finalize import finalize
from worldsim.data.store import EpisodeStore
from worldsim.data.writer import EpisodeWriter
from worldsim.errors import choose
from worldsim.schema import option
from worldsim.types import FRAME_RATE_HZ, Episode


@dataclass
class PrepareConfig:
    """What to prepare, and how it is cut and sampled."""

    path: Path = option(help="the log: for a Donkeycar tub its folder or .tar.gz")
    out: Path = option(help="folder of the data set to write; episodes that are there are kept")
    source: str = option("donkeycar", "kind of log")
    rate_hz: float = option(FRAME_RATE_HZ, "frames per second to keep")
    height: int = option(64, "image rows; the middle of the picture is kept")
    width: int = option(128, "image columns")
    max_frames: int = option(200, "longest episode, in frames")
    licence: str = option("unknown", "licence of the log, written into every episode")
    on_error: Literal["raise", "skip"] = option("raise", "at a broken record: raise stops, skip counts it and goes on")


@dataclass
class Log:
    """A log that was opened: its episodes in a fixed order, and counts that are complete once they were drawn."""

    episodes: Iterator[Episode]
    report: Counter[str]


Loader = Callable[[PrepareConfig], Log]


def _donkeycar(config: PrepareConfig) -> Log:
    tub = open_tub(config.path, config.on_error)
    return Log(tub.episodes(config.rate_hz, (config.height, config.width), config.max_frames), tub.report)


SOURCES: dict[str, Loader] = {"donkeycar": _donkeycar}
"""Kinds of logs by name. A loader yields episodes in an order that depends on the log alone."""


def run(config: PrepareConfig) -> dict[str, Any]:
    """Write the episodes of a log and return the report: what was found, what was wrong, what the data set holds.

    Episodes that an earlier run wrote are kept. Raises ValueError for an unknown source (naming the
    nearest), a bad log, or an ``out`` that holds other episodes.
    """
    loader = SOURCES[choose(config.source, SOURCES, "source")]
    writer = EpisodeWriter(config.out, fps=config.rate_hz)
    log = loader(config)
    known = {r.index: r for r in EpisodeStore(config.out).records} if writer.done() else {}
    with tqdm(desc=f"preparing {config.source}", unit=" frames") as bar:
        for index, episode in enumerate(log.episodes):
            episode.licence = config.licence
            if index not in known:
                writer.write(episode, index)
            elif (known[index].source, known[index].length) != (episode.source, len(episode)):
                raise ValueError(
                    f"{config.out}: episode {index}: expected {episode.source!r} with {len(episode)} frames, found "
                    f"{known[index].source!r} with {known[index].length}; write to another folder"
                )
            bar.update(len(episode))
    if not writer.done():
        raise ValueError(f"{config.path}: expected episodes of at least 2 frames, got none ({dict(log.report)})")
    finalize(config.out)
    return {"log": dict(log.report), "data_set": EpisodeStore(config.out).summary()}


def prepare(source: str, path: Path | str, out: Path | str, **options: Any) -> dict[str, Any]:
    """``run`` without a config: ``prepare("donkeycar", "tub.tar.gz", "data/tub", height=64, width=128)``."""
    return run(PrepareConfig(source=source, path=Path(path), out=Path(out), **options))
