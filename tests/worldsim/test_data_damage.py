"""What goes wrong on a disk: killed writers, a full disk, cut and flipped files, other versions."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.worldsim.data_episodes import make_episode
from worldsim.data.finalize import finalize
from worldsim.data.layout import data_file, record_file, video_file
from worldsim.data.store import EpisodeStore
from worldsim.data.writer import EpisodeWriter

ENDLESS_WRITER = """
import sys
from tests.worldsim.data_episodes import make_episode
from worldsim.data.writer import EpisodeWriter
writer, episode = EpisodeWriter(sys.argv[1]), make_episode(60, size=(96, 160), cameras=("front", "left"))
writer.write(episode)
print("ready", flush=True)
while True:
    writer.write(episode)
"""


def write(root: Path, count: int = 3) -> EpisodeStore:
    writer = EpisodeWriter(root)
    for seed in range(count):
        writer.write(make_episode(8, seed=seed))
    finalize(root)
    return EpisodeStore(root)


def test_killed_writers_leave_a_readable_data_set(tmp_path: Path) -> None:
    for attempt in range(4):
        process = subprocess.Popen([sys.executable, "-c", ENDLESS_WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        time.sleep(0.05 + 0.037 * attempt)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        store = EpisodeStore(tmp_path)
        assert len(store) > 0 and all(len(episode) == 60 for _, episode in store.iterate())
    writer = EpisodeWriter(tmp_path)
    before = len(writer.done())
    assert writer.write(make_episode(5)).index == before  # the lock of the dead is gone, and there is no gap
    finalize(tmp_path)
    assert len(EpisodeStore(tmp_path)) == before + 1
    assert not list(tmp_path.rglob("*.tmp*"))
    assert len(list(tmp_path.glob("data/*/*.parquet"))) == before + 1


@pytest.mark.parametrize("died_after", ["nothing", "parquet", "video", "half a video"])
def test_what_a_dead_writer_left_is_invisible_and_replaced(tmp_path: Path, died_after: str) -> None:
    write(tmp_path, 2)
    EpisodeWriter(tmp_path).write(make_episode(9, seed=7))
    record_file(tmp_path, 2).unlink()  # as if it had died just before its commit
    video = video_file(tmp_path, 2, "front")
    if died_after != "video":
        video.rename(video.with_name(".file-002.0badcafe.tmp.mp4")) if died_after == "half a video" else video.unlink()
    if died_after == "nothing":
        data_file(tmp_path, 2).unlink()
    assert [record.index for record in EpisodeStore(tmp_path).records] == [0, 1]
    record = EpisodeWriter(tmp_path).write(make_episode(6, seed=3))
    assert record.index == 2 and len(EpisodeStore(tmp_path).read(2)) == 6
    assert not list(tmp_path.rglob("*.tmp*"))


def test_finalize_sweeps_what_nobody_will_finish(tmp_path: Path) -> None:
    write(tmp_path, 3)
    record_file(tmp_path, 1).unlink()
    assert finalize(tmp_path) == 2
    assert not data_file(tmp_path, 1).exists() and not video_file(tmp_path, 1, "front").exists()
    assert [record.index for record in EpisodeStore(tmp_path).records] == [0, 2]
    for _, episode in EpisodeStore(tmp_path).iterate():
        assert len(episode) == 8


@pytest.mark.parametrize("fails_at", ["parquet", "mp4", "json"])
def test_a_full_disk_keeps_what_was_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: str) -> None:
    write(tmp_path, 2)
    writer = EpisodeWriter(tmp_path)

    def full(original: Any) -> Any:
        def wrapped(path: Path, content: Any, *args: Any, **kwargs: Any) -> int:
            if path.suffix == f".{fails_at}":
                with open(path, "wb") as handle:
                    handle.write(b"half")
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return original(path, content, *args, **kwargs)

        return wrapped

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full(Path.write_bytes))
        patch.setattr(Path, "write_text", full(Path.write_text))
        with pytest.raises(OSError, match="the disk is full while writing") as caught:
            writer.write(make_episode(8, seed=5))
    assert caught.value.errno == errno.ENOSPC
    assert [record.index for record in EpisodeStore(tmp_path).records] == [0, 1]
    assert not list(tmp_path.rglob("*.tmp*"))
    assert writer.write(make_episode(8, seed=5)).index == 2  # space was freed


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_device_that_is_really_full(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught:
        Path("/dev/full").write_bytes(b"x")
    assert caught.value.errno == errno.ENOSPC  # the errno that the test above simulates


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def remove_column(path: Path) -> None:
    pq.write_table(pq.ParquetFile(path).read().drop_columns(["motion"]), path)


def narrow_column(path: Path) -> None:
    table = pq.ParquetFile(path).read()
    values = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(16, np.float32)), 2)
    pq.write_table(table.set_column(table.column_names.index("motion"), "motion", values), path)


def drop_rows(path: Path) -> None:
    pq.write_table(pq.ParquetFile(path).read().slice(0, 5), path)


DAMAGE: dict[str, tuple[str, Any, str]] = {
    "data missing": ("data", Path.unlink, "does not exist"),
    "data cut": ("data", cut, "readable parquet"),
    "data flipped": ("data", flip, "readable parquet"),
    "column missing": ("data", remove_column, "field `motion`: expected a column"),
    "column narrow": ("data", narrow_column, r"field `motion`: expected fixed_size_list.*\[4\].*got.*\[2\]"),
    "rows missing": ("data", drop_rows, "expected 8 rows, as its record says, got 5"),
    "video missing": ("video", Path.unlink, "does not exist"),
    "video cut": ("video", cut, r"expected \d+ bytes, got \d+; it was cut short"),
    "video flipped": ("video", flip, "expected CRC-32"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_broken_file_is_named_and_the_rest_goes_on(tmp_path: Path, damage: str) -> None:
    kind, harm, message = DAMAGE[damage]
    store = write(tmp_path)
    path = data_file(tmp_path, 1) if kind == "data" else video_file(tmp_path, 1, "front")
    harm(path)
    with pytest.raises(ValueError, match=message) as caught:
        list(store.iterate())
    assert str(path) in str(caught.value)
    assert [record.index for record, _ in store.iterate(on_error="skip")] == [0, 2]
    (reason,) = store.broken.values()
    assert str(path) in reason and store.summary()["broken"]
    assert finalize(tmp_path) == 3  # still finalizes: the index names the episode, reading it fails
    with pytest.raises(ValueError, match="did you mean 'skip'"):
        list(store.iterate(on_error="skipp"))


def test_random_access_into_a_cut_video_is_named(tmp_path: Path) -> None:
    store = write(tmp_path)
    cut(video_file(tmp_path, 1, "front"))
    with pytest.raises(ValueError, match=r"file-001\.mp4"):
        store.read_frames(1, 4, 8)


def edit_info(root: Path, **changes: Any) -> None:
    path = root / "meta/info.json"
    info = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in info.items() if value is not None}))


def test_a_data_set_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist; collect or prepare"):
        EpisodeStore(tmp_path / "none")
    with pytest.raises(ValueError, match=r"info\.json, but it does not exist"):
        EpisodeStore(tmp_path)
    write(tmp_path)
    edit_info(tmp_path, codebase_version="v2.1")
    for use in (EpisodeStore, EpisodeWriter, finalize):
        with pytest.raises(ValueError, match=r"field `codebase_version`: expected 'v3\.0', got 'v2\.1'"):
            use(tmp_path)
    edit_info(tmp_path, codebase_version="v3.0", fps=None)
    with pytest.raises(ValueError, match="field `fps`: expected a value, got none"):
        EpisodeStore(tmp_path)
    edit_info(tmp_path, fps=-1)
    with pytest.raises(ValueError, match="field `fps`: expected a positive number, got -1"):
        EpisodeStore(tmp_path)
    edit_info(tmp_path, fps=10, features={"labels": {"names": ["other"]}})
    with pytest.raises(ValueError, match=r"features\.observation\.state\.names"):
        EpisodeStore(tmp_path)
    (tmp_path / "meta/info.json").write_text('{"codebase_version": "v3')
    with pytest.raises(ValueError, match="not valid JSON"):
        EpisodeStore(tmp_path)


def test_a_cut_index_falls_back_to_the_records(tmp_path: Path) -> None:
    write(tmp_path)
    cut(tmp_path / "meta/episodes/chunk-000/file-000.parquet")
    assert len(EpisodeStore(tmp_path)) == 3
    for record in (tmp_path / "meta/records").iterdir():
        record.unlink()
    (tmp_path / "meta/records").rmdir()
    with pytest.raises(ValueError, match="expected the index of a data set"):
        EpisodeStore(tmp_path)


def test_a_data_set_without_records_is_read_from_its_index(tmp_path: Path) -> None:
    expected = write(tmp_path).records
    for record in (tmp_path / "meta/records").iterdir():
        record.unlink()
    (tmp_path / "meta/records").rmdir()
    assert EpisodeStore(tmp_path).records == expected


def test_a_broken_record_is_named_or_skipped(tmp_path: Path) -> None:
    write(tmp_path)
    EpisodeWriter(tmp_path).write(make_episode(8, seed=9))
    cut(record_file(tmp_path, 3))
    with pytest.raises(ValueError, match=r"episode-000003\.json is not valid JSON"):
        EpisodeStore(tmp_path)
    store = EpisodeStore(tmp_path, on_error="skip")
    assert len(store) == 3 and "episode-000003.json" in next(iter(store.broken))


def test_episodes_that_do_not_fit_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    write(tmp_path)
    writer = EpisodeWriter(tmp_path)
    slow = make_episode(8, fps=5.0)
    with pytest.raises(ValueError, match="expected 10 frames/s"):
        writer.write(slow)
    with pytest.raises(ValueError, match="the data set there has 10, got 20"):
        EpisodeWriter(tmp_path, fps=20)
    bad = make_episode(8)
    bad.boxes[3] = np.zeros((2, 4), np.float32)
    with pytest.raises(ValueError, match=r"boxes\[3\]"):
        writer.write(bad)
    bad = make_episode(8)
    bad.rewards["progress"] = np.zeros(7, np.float32)
    with pytest.raises(ValueError, match=r"rewards\[progress\]"):
        writer.write(bad)
    bad = make_episode(8, cameras=("../up",))
    with pytest.raises(ValueError, match="camera names"):
        writer.write(bad)
    assert len(writer.done()) == 3
