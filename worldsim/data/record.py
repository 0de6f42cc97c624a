"""What the index knows of an episode without opening it, and its two forms on disk (JSON and parquet row)."""

from __future__ import annotations

import functools
import json
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

from worldsim.data.layout import place, video_key
from worldsim.types import SCENE_VOCABULARY, CameraSpec, Captions, Episode, Happening, SceneFields

OWN = "worldsim/"
"""Prefix of the columns of meta/episodes that are not LeRobot's."""


@dataclass(frozen=True)
class VideoFile:
    """One camera's mp4: its picture size, and its bytes and CRC-32 by which damage is found."""

    camera: str
    height: int
    width: int
    bytes: int
    crc32: int


@dataclass(frozen=True)
class EpisodeRecord:
    """One episode in the index. ``index`` is stable: it names the episode's files and its latents."""

    index: int
    length: int
    fps: float
    split: str
    scenario: str
    driver: str
    seed: int | None
    caption: str
    fields: SceneFields
    source: str
    licence: str
    videos: tuple[VideoFile, ...]
    cameras: tuple[tuple[str, CameraSpec], ...]
    rewards: tuple[str, ...]
    boxes: bool
    happenings: tuple[Happening, ...] | None = None
    captions: Captions = field(default_factory=Captions)

    @property
    def seconds(self) -> float:
        """Duration of the video."""
        return self.length / self.fps


LATER = ("happenings", "captions")
"""Columns that data sets of before November 2026 lack; nothing is known of them there."""

PLAIN = ("length", "fps", "split", "scenario", "driver", "seed", "caption", "source", "licence", "boxes")


def make_record(episode: Episode, index: int, fps: float, videos: tuple[VideoFile, ...]) -> EpisodeRecord:
    """The record of an episode whose files are written."""
    return EpisodeRecord(
        index, len(episode), fps, episode.split, episode.scenario, episode.driver, episode.seed, episode.caption,
        episode.fields, episode.source, episode.licence, videos, tuple(episode.cameras.items()),
        tuple(episode.rewards), bool(episode.boxes), episode.happenings,
    )  # fmt: skip


def record_to_json(record: EpisodeRecord) -> dict[str, Any]:
    """The commit record's content."""
    plain = {"index": record.index} | {name: getattr(record, name) for name in PLAIN}
    return plain | {
        "fields": asdict(record.fields),
        "videos": [asdict(video) for video in record.videos],
        "cameras": {name: asdict(camera) for name, camera in record.cameras},
        "rewards": list(record.rewards),
        "happenings": None if record.happenings is None else [asdict(each) for each in record.happenings],
        "captions": captions_to_json(record.captions),
    }


def record_from_json(value: Any, origin: str) -> EpisodeRecord:
    """The record back. Raises ValueError, naming ``origin`` and the missing key."""
    try:
        return EpisodeRecord(
            index=int(value["index"]),
            **{name: value[name] for name in PLAIN},
            fields=SceneFields(**value["fields"]),
            videos=tuple(VideoFile(**video) for video in value["videos"]),
            cameras=tuple((name, _camera(camera)) for name, camera in value["cameras"].items()),
            rewards=tuple(value["rewards"]),
            happenings=_happenings(value.get("happenings")),
            captions=_captions(value.get("captions")),
        )
    except KeyError as error:
        raise ValueError(f"{origin}: field {error}: expected a value, got none") from error
    except (TypeError, AttributeError) as error:
        raise ValueError(f"{origin}: expected the record of an episode, got another structure ({error})") from error


def captions_to_json(captions: Captions) -> dict[str, list[str]]:
    """Captions as they stand in a commit record."""
    return {length: list(texts) for length, texts in vars(captions).items()}


def _happenings(value: Any) -> tuple[Happening, ...] | None:
    return None if value is None else tuple(Happening(**each) for each in value)


def _captions(value: Any) -> Captions:
    return Captions(**{length: tuple(texts) for length, texts in (value or {}).items()})


def _camera(value: dict[str, Any]) -> CameraSpec:
    return CameraSpec(**{**value, "position_m": tuple(value["position_m"])})


def episodes_table(records: list[EpisodeRecord], starts: list[int]) -> pa.Table:
    """meta/episodes: LeRobot's columns, and ours; row = episode_index. ``starts``: global index of each first frame."""
    columns: dict[str, list[Any]] = {
        "episode_index": list(range(len(records))),
        "tasks": [[record.caption] for record in records],
        "length": [record.length for record in records],
        "data/chunk_index": [place(record.index)["chunk_index"] for record in records],
        "data/file_index": [place(record.index)["file_index"] for record in records],
        "dataset_from_index": starts,
        "dataset_to_index": [start + record.length for start, record in zip(starts, records, strict=True)],
        "meta/episodes/chunk_index": [0] * len(records),
        "meta/episodes/file_index": [0] * len(records),
    }
    for camera in dict.fromkeys(video.camera for record in records for video in record.videos):
        key, has = f"videos/{video_key(camera)}", [camera in {v.camera for v in r.videos} for r in records]
        for name in ("chunk_index", "file_index"):
            columns[f"{key}/{name}"] = [place(r.index)[name] if h else None for r, h in zip(records, has, strict=True)]
        columns[f"{key}/from_timestamp"] = [0.0 if h else None for h in has]
        columns[f"{key}/to_timestamp"] = [r.seconds if h else None for r, h in zip(records, has, strict=True)]
    columns[OWN + "index"] = [record.index for record in records]
    for name in PLAIN[1:]:
        columns[OWN + name] = [getattr(record, name) for record in records]
    for name in SCENE_VOCABULARY:
        columns[f"{OWN}fields/{name}"] = [getattr(record.fields, name) for record in records]
    described = [record_to_json(record) for record in records]
    for name in ("videos", "cameras", "rewards", *LATER):
        columns[OWN + name] = [json.dumps(value[name]) for value in described]
    kinds = {OWN + "seed": pa.int64(), OWN + "fps": pa.float64(), f"{OWN}fields/lanes": pa.int64()}
    kinds |= {f"{OWN}fields/{name}": pa.string() for name in SCENE_VOCABULARY if name != "lanes"}
    return pa.table({name: pa.array(values, kinds.get(name)) for name, values in columns.items()})


def index_columns() -> list[str]:
    """The columns of meta/episodes that ``records_from_table`` needs."""
    own = ["index", *PLAIN[1:], *(f"fields/{name}" for name in SCENE_VOCABULARY), "videos", "cameras", "rewards"]
    return ["length", *(OWN + name for name in own)]


def records_from_table(table: pa.Table, origin: str) -> list[EpisodeRecord]:
    """All records of meta/episodes. Raises ValueError, naming the missing column."""
    missing = [name for name in index_columns() if name not in table.column_names]
    if missing:
        raise ValueError(f"{origin}: field `{missing[0]}`: expected a column, got none; run finalize() on the data set")
    rows = {name.removeprefix(OWN): table.column(name).to_pylist() for name in index_columns()}
    for name in LATER:
        held = OWN + name in table.column_names
        rows[name] = table.column(OWN + name).to_pylist() if held else ["null"] * table.num_rows
    cameras = functools.cache(lambda text: tuple((name, _camera(spec)) for name, spec in json.loads(text).items()))
    scene = functools.cache(lambda *values: SceneFields(**dict(zip(SCENE_VOCABULARY, values, strict=True))))
    try:
        return [
            EpisodeRecord(
                index=rows["index"][row],
                **{name: rows[name][row] for name in PLAIN},
                fields=scene(*(rows[f"fields/{name}"][row] for name in SCENE_VOCABULARY)),
                videos=tuple(VideoFile(**video) for video in json.loads(rows["videos"][row])),
                cameras=cameras(rows["cameras"][row]),
                rewards=tuple(json.loads(rows["rewards"][row])),
                happenings=_happenings(json.loads(rows["happenings"][row])),
                captions=_captions(json.loads(rows["captions"][row])),
            )
            for row in range(table.num_rows)
        ]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{origin}: expected the index of a data set, got a row that is none ({error})") from error
