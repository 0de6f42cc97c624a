"""Episodes on disk: the round trip, the index, several writers, and LeRobot's layout."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import time
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.worldsim.data_episodes import make_episode
from worldsim.data.columns import table_bytes
from worldsim.data.finalize import finalize
from worldsim.data.layout import EPISODES_PATH, record_file
from worldsim.data.record import episodes_table
from worldsim.data.store import EpisodeStore
from worldsim.data.video import GOP_FRAMES, decode_video, encode_video
from worldsim.data.writer import EpisodeWriter, write_episode
from worldsim.types import Episode, SceneFields


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


def assert_same(got: Episode, expected: Episode) -> None:
    """Every field is equal, NaN where NaN was; frames up to the codec's loss."""
    for entry in dataclasses.fields(Episode):
        a, b = getattr(got, entry.name), getattr(expected, entry.name)
        if entry.name == "views":
            assert list(a) == list(b)
            assert all(psnr(a[name], b[name]) >= 42 for name in b)
        elif entry.name == "rewards":
            assert list(a) == list(b)
            for name in b:
                np.testing.assert_array_equal(a[name], b[name])
        elif entry.name == "boxes":
            assert [x.shape for x in a] == [x.shape for x in b]
            assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
        elif isinstance(b, np.ndarray):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype and a.flags.writeable
        else:
            assert a == b, entry.name


@pytest.mark.parametrize("t", [1, 2, 20])
@pytest.mark.parametrize("finalized", [False, True])
def test_round_trip(tmp_path: Path, t: int, finalized: bool) -> None:
    episode = make_episode(t, seed=5, cameras=("front", "left"))
    record = write_episode(tmp_path, episode)
    if finalized:
        assert finalize(tmp_path) == 1
    store = EpisodeStore(tmp_path)
    assert store.records == [record]
    assert_same(store.read(record.index), episode)


def test_round_trip_of_an_episode_that_knows_nothing(tmp_path: Path) -> None:
    full = make_episode(6)
    bare = Episode(
        views={"cam": full.frames[:, :31, :63]},  # odd sizes
        motion=np.full_like(full.motion, np.nan),
        ego=np.full_like(full.ego, np.nan),
        timestamps=full.timestamps,
        action=np.full_like(full.action, np.nan),
        labels=np.full_like(full.labels, np.nan),
        pose=np.full_like(full.pose, np.nan),
        command=full.command,
    )
    write_episode(tmp_path, bare)
    assert_same(EpisodeStore(tmp_path).read(0), bare)
    finalize(tmp_path)
    assert_same(EpisodeStore(tmp_path).read(0), bare)
    assert EpisodeStore(tmp_path).records[0].fields == SceneFields()


def test_small_red_lights_stay_red(tmp_path: Path) -> None:
    frames = make_episode(20, size=(64, 128)).frames
    lights = (frames == (255, 20, 20)).all(-1)
    assert lights.sum() > 20 * 4
    got = decode_video(encode_video(frames, 10.0))
    error = np.abs(got[lights].astype(int) - (255, 20, 20))
    assert error.mean() < 6 and error.max() < 30


def test_random_access_equals_the_whole(tmp_path: Path) -> None:
    episode = make_episode(3 * GOP_FRAMES + 5)
    write_episode(tmp_path, episode)
    store = EpisodeStore(tmp_path)
    whole = store.read(0).frames
    for start, stop in ((0, 1), (GOP_FRAMES - 1, GOP_FRAMES + 1), (GOP_FRAMES, 2 * GOP_FRAMES), (30, 35), (7, 7)):
        np.testing.assert_array_equal(store.read_frames(0, start, stop), whole[start:stop])
    assert store.read(0, frames=False).views == {}


def test_layout_is_lerobot_v3_and_needs_only_pyarrow_and_pyav(tmp_path: Path) -> None:
    lengths = {0: 12, 1: 7, 3: 9}  # with a gap
    writer = EpisodeWriter(tmp_path)
    for index in (3, 0, 1):  # out of order
        writer.write(make_episode(lengths[index], seed=index), index=index)
    finalize(tmp_path)
    info = json.loads((tmp_path / "meta/info.json").read_text())
    assert (info["codebase_version"], info["fps"], info["total_episodes"]) == ("v3.0", 10, 3)
    assert info["total_frames"] == sum(lengths.values())
    tasks = pq.read_table(tmp_path / "meta/tasks.parquet").to_pylist()
    first = 0
    for row in pq.read_table(tmp_path / "meta/episodes/chunk-000/file-000.parquet").to_pylist():
        place = {"chunk_index": row["data/chunk_index"], "file_index": row["data/file_index"]}
        data = pq.ParquetFile(tmp_path / info["data_path"].format(**place)).read()
        assert set(data.column_names) == {key for key, f in info["features"].items() if f["dtype"] != "video"}
        assert data["index"].to_pylist() == list(range(first, first + row["length"]))
        assert (row["dataset_from_index"], row["dataset_to_index"]) == (first, first + row["length"])
        assert set(data["episode_index"].to_pylist()) == {row["episode_index"]}
        assert tasks[data["task_index"][0].as_py()]["task"] == row["tasks"][0]
        key = "observation.images.front"
        with av.open(str(tmp_path / info["video_path"].format(video_key=key, **place)), "r") as container:
            times = [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]
        np.testing.assert_allclose(times, data["timestamp"].to_numpy(), atol=1e-4)
        assert row[f"videos/{key}/to_timestamp"] == pytest.approx(row["length"] / 10)
        first += row["length"]
    for index, length in lengths.items():
        assert_same(EpisodeStore(tmp_path).read(index), make_episode(length, seed=index))


def test_tasks_are_indexed_by_their_words_as_lerobot_reads_them(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    writer = EpisodeWriter(tmp_path)
    for seed in (0, 1, 4):  # 4 has the caption of 1
        writer.write(make_episode(3, seed=seed))
    finalize(tmp_path)
    tasks = pandas.read_parquet(tmp_path / "meta/tasks.parquet")
    assert tasks.index.name == "task" and tasks["task_index"].tolist() == [0, 1]
    assert tasks.iloc[1].name == make_episode(3, seed=4).caption


def test_statistics_equal_those_over_all_rows(tmp_path: Path) -> None:
    episodes = [make_episode(t, seed=t) for t in (4, 9, 15)]
    for episode in episodes:
        write_episode(tmp_path, episode)
    finalize(tmp_path)
    stats = json.loads((tmp_path / "meta/stats.json").read_text())
    labels = np.concatenate([episode.labels for episode in episodes]).astype(np.float64)
    np.testing.assert_allclose(stats["labels"]["mean"], np.nanmean(labels, 0), rtol=1e-6)
    np.testing.assert_allclose(stats["labels"]["std"], np.nanstd(labels, 0), rtol=1e-6)
    np.testing.assert_allclose(stats["labels"]["min"], np.nanmin(labels, 0))
    assert stats["labels"]["count"] == (~np.isnan(labels)).sum(0).tolist()
    assert np.shape(stats["observation.images.front"]["mean"]) == (3, 1, 1)


def test_select_and_summary(tmp_path: Path) -> None:
    writer = EpisodeWriter(tmp_path)
    for seed in range(8):
        writer.write(make_episode(5, seed=seed))
    store = EpisodeStore(tmp_path)
    assert [record.seed for record in store.select(split="val")] == [3, 7]
    assert [record.seed for record in store.select(scenario="highway")] == [0, 2, 4, 6]
    summary = store.summary()
    assert (summary["episodes"], summary["frames"], summary["split"]) == (8, 40, {"train": 6, "val": 2})
    with pytest.raises(ValueError, match="did you mean 'highway'"):
        store.select(scenario="higway")
    with pytest.raises(ValueError, match="'val'"):
        store.select(split="vall")


def test_writer_resumes_and_fills_gaps(tmp_path: Path) -> None:
    EpisodeWriter(tmp_path).write(make_episode(5, seed=1), index=2)
    writer = EpisodeWriter(tmp_path)
    assert writer.done() == {2}
    assert [writer.write(make_episode(5, seed=s)).index for s in (3, 4, 5)] == [0, 1, 3]
    with pytest.raises(ValueError, match="already written"):
        writer.write(make_episode(5), index=2)
    finalize(tmp_path)
    writer.write(make_episode(5, seed=9))  # after finalize: read from its record
    assert [record.index for record in EpisodeStore(tmp_path).records] == [0, 1, 2, 3, 4]
    assert finalize(tmp_path) == 5


def _write_some(root: str, seeds: list[int]) -> None:
    writer = EpisodeWriter(root)
    for seed in seeds:
        writer.write(make_episode(6, seed=seed))


def test_many_processes_write_one_root(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write_some, args=(str(tmp_path), list(range(k, 24, 3)))) for k in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert finalize(tmp_path) == 24
    store = EpisodeStore(tmp_path)
    assert [record.index for record in store.records] == list(range(24))
    assert sorted(record.seed or 0 for record in store.records) == list(range(24))
    for record, episode in store.iterate():
        assert_same(episode, make_episode(6, seed=record.seed or 0))


def test_index_of_2000_episodes_opens_in_milliseconds(tmp_path: Path) -> None:
    first = write_episode(tmp_path, make_episode(2))
    records = [dataclasses.replace(first, index=index) for index in range(2000)]
    finalize(tmp_path)
    (tmp_path / EPISODES_PATH).write_bytes(table_bytes(episodes_table(records, list(range(0, 4000, 2)))))
    for record in records:
        record_file(tmp_path, record.index).touch()
    spent = []
    for _ in range(3):
        start = time.process_time()  # not wall time: other programs may hold the processor
        store = EpisodeStore(tmp_path)
        spent.append(time.process_time() - start)
    assert store.records == records
    assert min(spent) < 0.25, f"opening took {min(spent):.3f} s of processor time"  # 0.04 s on an idle core
