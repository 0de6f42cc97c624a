"""A trained world becomes one that ships: weights, card, trust and starts in one folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.release import ReleaseConfig, release
from tests.worldsim.data_episodes import make_episode
from tests.worldsim.worlds import tiny_world
from worldsim.checkpoint import ModelCard, load_world, read_card, save_world
from worldsim.data.finalize import finalize
from worldsim.data.writer import EpisodeWriter
from worldsim.engine.starts import StartBank
from worldsim.evaluation import looks


def test_releases_a_world_with_card_trust_and_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "STEPS", 10)
    writer = EpisodeWriter(tmp_path / "data", fps=10)
    for index, split in enumerate(("train", "val")):
        episode = make_episode(40, index, size=(64, 128))
        episode.split, episode.caption = split, ""
        writer.write(episode, index)
    finalize(tmp_path / "data")
    save_world(tmp_path / "trained", tiny_world(), ModelCard("tiny", "untrained", "none"))
    (tmp_path / "figures.txt").write_text('words\n{"psnr_db": 20.5, "command": "python -m benchmarks.rollout"}\n')
    folder = release(
        ReleaseConfig(
            world=str(tmp_path / "trained"), data=tmp_path / "data", name="mine", out=tmp_path / "shipped",
            starts="recorded", every=10, figures=[tmp_path / "figures.txt"], limits=["It was never trained."],
        )
    )  # fmt: skip
    card = read_card(folder)
    assert folder == tmp_path / "shipped" / "mine" and card.name == "mine"
    assert "2 episodes, 80 frames" in card.data and "40 frames are held out" in card.data
    assert card.limits == ["It was never trained."] and 20.5 in card.metrics.values()
    world = load_world(folder)
    assert world.looks is not None and float(world.trust_scale) != 1.0
    assert len(StartBank.load(folder, world)) > 0
