"""Latent shards: resume, several shards, and damage that is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import worldsim.data.latents as module
from worldsim.data.latents import LatentStore, LatentWriter

HASH = "abc123"


def draw(t: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (t, 4, 3)).astype(np.float16)


def test_latents_come_back_from_several_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHARD_BYTES", 400)
    parts = {index: draw(5 + index, index) for index in (3, 0, 7, 1)}
    with LatentWriter(tmp_path, HASH, 4, 3) as writer:
        for index, part in parts.items():
            writer.add(index, part.astype(np.float32))
    store = LatentStore.open(tmp_path, HASH)
    assert store.indices == sorted(parts) and store.shape == (4, 3)
    assert len(list(store.folder.glob("*.npy"))) > 1
    for index, part in parts.items():
        np.testing.assert_array_equal(store[index], part)
        assert isinstance(store[index], np.memmap) and not store[index].flags.writeable


def test_writer_resumes_and_keeps_what_was_done_before_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), LatentWriter(tmp_path, HASH, 4, 3) as writer:
        writer.add(0, draw(5, 0))
        raise KeyboardInterrupt
    writer = LatentWriter(tmp_path, HASH, 4, 3)
    assert writer.done == {0}
    with pytest.raises(ValueError, match="already written"):
        writer.add(0, draw(5, 0))
    writer.add(1, draw(2, 1))
    assert LatentStore.open(tmp_path, HASH).indices == [0]  # not flushed: not there
    writer.flush()
    assert LatentStore.open(tmp_path, HASH).indices == [0, 1]


def test_bad_latents_are_refused(tmp_path: Path) -> None:
    writer = LatentWriter(tmp_path, HASH, 4, 3)
    with pytest.raises(ValueError, match=r"expected \(t, 4, 3\)"):
        writer.add(0, np.zeros((5, 3, 4)))
    with pytest.raises(ValueError, match="finite"):
        writer.add(0, np.full((5, 4, 3), 1e6))
    with pytest.raises(ValueError, match="hash"):
        LatentWriter(tmp_path, "../up", 4, 3)
    writer.add(0, draw(3, 0))
    writer.flush()
    with pytest.raises(ValueError, match="another tokenizer"):
        LatentWriter(tmp_path, HASH, 8, 3)
    with pytest.raises(ValueError, match=r"encoded there: \['abc123'\]"):
        LatentStore.open(tmp_path, "other")
    with pytest.raises(ValueError, match="episode 5"):
        LatentStore.open(tmp_path, HASH)[5]


def test_a_cut_shard_is_named(tmp_path: Path) -> None:
    with LatentWriter(tmp_path, HASH, 4, 3) as writer:
        writer.add(0, draw(50, 0))
    (path,) = (tmp_path / "latents" / HASH).glob("*.npy")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ValueError, match=path.name):
        LatentStore.open(tmp_path, HASH)[0]
