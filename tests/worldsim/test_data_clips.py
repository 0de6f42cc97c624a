"""Clips: time alignment, valid starts, masks, and the documented weight of rare events."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.worldsim.data_episodes import make_episode
from worldsim.data.clips import ClipSampler, rare_frames
from worldsim.data.latents import LatentStore, LatentWriter
from worldsim.data.store import EpisodeStore
from worldsim.data.writer import EpisodeWriter
from worldsim.types import LABEL_FIELDS

LENGTHS = (6, 3, 12, 9)


@pytest.fixture
def store(tmp_path: Path) -> EpisodeStore:
    """Three training episodes and one of validation; latents[t] of episode k is full of 100 k + t."""
    writer = EpisodeWriter(tmp_path)
    with LatentWriter(tmp_path, "hash", 2, 3) as latents:
        for seed, length in enumerate(LENGTHS):
            episode = make_episode(length, seed=seed)
            for label in ("collision", "offroad", "heading_error_rad", "closing_speed_mps"):
                episode.labels[:, LABEL_FIELDS.index(label)] = 0
            if seed == 2:
                episode.labels[8, LABEL_FIELDS.index("collision")] = 1
            index = writer.write(episode).index
            latents.add(index, np.broadcast_to(100.0 * index + np.arange(length)[:, None, None], (length, 2, 3)))
    return EpisodeStore(tmp_path)


def sampler(store: EpisodeStore, **options: float) -> ClipSampler:
    return ClipSampler(store, LatentStore.open(store.root, "hash"), **options)


def test_clips_are_aligned_with_their_episode(store: EpisodeStore) -> None:
    clips = sampler(store).sample(200, 4, np.random.default_rng(0))
    assert clips.latents.shape == (200, 4, 2, 3) and clips.latents.dtype == torch.float32
    for row in range(len(clips)):
        index, start = int(clips.episode[row]), int(clips.start[row])
        episode = store.read(index, frames=False)
        span = slice(start, start + 4)
        np.testing.assert_array_equal(clips.latents[row, :, 0, 0], 100 * index + np.arange(start, start + 4))
        np.testing.assert_array_equal(clips.labels[row], episode.labels[span])
        np.testing.assert_array_equal(clips.ego[row], episode.ego[span])
        np.testing.assert_array_equal(clips.command[row], episode.command[span])
        np.testing.assert_array_equal(clips.motion[row, 1:], episode.motion[start : start + 3])  # led into the frame
        assert clips.motion_known[row].tolist() == [False, True, True, True]
        assert clips.fields[row].tolist() == episode.fields.codes()
        assert sampler(store).captions[int(clips.caption[row])] == episode.caption
    assert not clips.motion.isnan().any() and not clips.motion[:, 0].any()


def test_every_valid_start_is_drawn_and_no_other(store: EpisodeStore) -> None:
    for length in (1, 4, 12):
        clips = sampler(store).sample(3000, length, np.random.default_rng(1))
        drawn = set(zip(clips.episode.tolist(), clips.start.tolist(), strict=True))
        valid = {(k, s) for k in (0, 1, 2) for s in range(LENGTHS[k] - length + 1)}
        assert drawn == valid and sampler(store).count(length) == len(valid)


def test_unknown_motion_is_masked(tmp_path: Path) -> None:
    episode = make_episode(5)
    episode.motion[2, 1] = np.nan
    EpisodeWriter(tmp_path).write(episode)
    with LatentWriter(tmp_path, "hash", 1, 1) as latents:
        latents.add(0, np.zeros((5, 1, 1)))
    clips = sampler(EpisodeStore(tmp_path)).sample(1, 5, np.random.default_rng(0))
    assert clips.motion_known[0].tolist() == [False, True, True, False, True]
    assert not clips.motion[0, 3].any()


def test_rare_weight_is_the_ratio_of_draws(store: EpisodeStore) -> None:
    weight, length, draws = 5.0, 3, 20_000
    clips = sampler(store, rare_weight=weight).sample(draws, length, np.random.default_rng(2))
    rare = (clips.episode == 2) & (clips.start <= 8) & (clips.start + length > 8)
    total = sampler(store).count(length)
    expected = 3 * weight / (3 * weight + total - 3)
    assert float(rare.float().mean()) == pytest.approx(expected, abs=0.015)


@pytest.mark.parametrize(
    ("shown", "rare"),
    [
        ({}, False),
        ({"offroad": 1}, True),
        ({"collision": 1}, True),
        ({"heading_error_rad": -0.2}, True),
        ({"heading_error_rad": 0.1}, False),
        ({"lead_distance_m": 15, "closing_speed_mps": 4}, True),
        ({"lead_distance_m": 60, "closing_speed_mps": 4}, False),
        ({"lead_distance_m": 15}, False),
    ],
)
def test_rare_is_what_good_driving_does_not_show(shown: dict[str, float], rare: bool) -> None:
    labels = np.full((1, len(LABEL_FIELDS)), np.nan, np.float32)
    for name, value in shown.items():
        labels[0, LABEL_FIELDS.index(name)] = value
    assert rare_frames(labels).tolist() == [rare]


def test_the_generator_decides(store: EpisodeStore) -> None:
    draws = [sampler(store).sample(8, 3, np.random.default_rng(seed)).latents for seed in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])


def test_bad_requests(store: EpisodeStore) -> None:
    with pytest.raises(ValueError, match="expected 1 to 12"):
        sampler(store).sample(2, 13, np.random.default_rng(0))
    with pytest.raises(ValueError, match="rare_weight"):
        sampler(store, rare_weight=0.5)
    with pytest.raises(ValueError, match="split"):
        ClipSampler(store, LatentStore.open(store.root, "hash"), split="test")
    EpisodeWriter(store.root).write(make_episode(5, seed=8))
    with pytest.raises(ValueError, match="not encoded"):
        sampler(EpisodeStore(store.root))
