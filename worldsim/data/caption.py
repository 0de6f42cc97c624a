"""``worldsim caption``: captions at three lengths for every episode of a data set, from what is known of each drive.

Fields, events and labels are the truth where they were recorded. A log without them is told by its motion, and by how
bright the upper third of its pictures is: day and night alone, and neither in between.

Axis legend: k frames, h w c of a frame.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from worldsim.data.finalize import finalize
from worldsim.data.layout import record_file, recorded_indices
from worldsim.data.record import EpisodeRecord, captions_to_json
from worldsim.data.store import EpisodeStore
from worldsim.schema import option
from worldsim.storage import read_json, write_json
from worldsim.text.deeds import deeds_of, mean_speed_mps
from worldsim.text.happenings import read_happenings
from worldsim.text.recaption import Facts, recaption
from worldsim.types import Captions, FrameArray

NIGHT_BELOW, DAY_ABOVE = 55.0, 130.0
"""Mean luma of the upper third; of seven real clips all but one of the day lie above, the one of the night below."""

STAGES = "RoadCam-v0"
"""What the source of an episode names if its world stages the events of a scenario."""

PROBES = (0.1, 0.5, 0.9)  # shares of a drive at which its pictures are looked at
_LUMA = np.array([0.299, 0.587, 0.114])


@dataclass
class CaptionConfig:
    """Which data set, and how many ways to say each drive."""

    data: Path = option(help="folder of the data set; its records are rewritten")
    phrasings: int = option(6, "phrasings of each of the three lengths, at most")
    seed: int = option(0, "another seed, other phrasings")

    def __post_init__(self) -> None:
        if self.phrasings < 1:
            raise ValueError(f"phrasings: expected a whole number of at least 1, got {self.phrasings}")


@dataclass(frozen=True)
class Captioned:
    """What was written."""

    data: Path
    episodes: int
    changed: int
    captions: int
    unknown: int  # episodes of which nothing is known, and nothing is said


def caption_data(config: CaptionConfig) -> Captioned:
    """Caption every episode; a record whose captions stay the same is not touched.

    Raises ValueError for a folder that is no data set or carries no commit records.
    """
    store = EpisodeStore(config.data)
    if recorded_indices(store.root) is None:
        raise ValueError(f"{store.root}: expected commit records in meta/records, found none; write it with worldsim")
    changed = count = unknown = 0
    for record in tqdm(store.records, desc="captioning", unit=" ep"):
        captions = captions_of(store, record, config.phrasings, config.seed)
        count, unknown = count + len(captions.all), unknown + (not captions.all)
        path = record_file(store.root, record.index)
        value = read_json(path, "record of an episode")
        wanted = captions_to_json(captions)
        if value.get("captions") != wanted:
            write_json(path, value | {"captions": wanted})
            changed += 1
    finalize(store.root)
    return Captioned(store.root, len(store), changed, count, unknown)


def captions_of(store: EpisodeStore, record: EpisodeRecord, phrasings: int, seed: int = 0) -> Captions:
    """Captions of one episode. Its phrasings depend on what is known of it, its index and ``seed`` alone."""
    return recaption(facts_of(store, record), phrasings, (seed, record.index))


def facts_of(store: EpisodeStore, record: EpisodeRecord) -> Facts:
    """What is known of one episode.

    Where a recording of the reference world does not say what happened, what its scenario asked for does, as its
    caption has it; other worlds stage nothing.
    """
    episode = store.read(record.index, frames=False)
    happenings = record.happenings
    if happenings is None:
        happenings = read_happenings(record.caption) if STAGES in record.source else ()
    fields = record.fields
    if fields.time_of_day is None:
        fields = dataclasses.replace(fields, time_of_day=time_of_day(_probes(store, record)))
    return Facts(fields, happenings, deeds_of(episode, record.fps), mean_speed_mps(episode))


def time_of_day(frames: FrameArray) -> str | None:
    """Day or night, by the brightness of frames (k, h, w, c); None where it does not tell."""
    upper = frames[:, : max(frames.shape[1] // 3, 1)].astype(np.float64) @ _LUMA
    bright = float(upper.mean())
    return "night" if bright < NIGHT_BELOW else "day" if bright > DAY_ABOVE else None


def _probes(store: EpisodeStore, record: EpisodeRecord) -> FrameArray:
    places = [round(share * (record.length - 1)) for share in PROBES]
    return np.concatenate([store.read_frames(record.index, place, place + 1) for place in places])
