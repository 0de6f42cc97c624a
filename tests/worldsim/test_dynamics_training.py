"""Training the dynamics from episodes on disk: it runs, resumes, starts from a world, and says what does not fit."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from worldsim.checkpoint import ModelCard, load_world, save_world
from worldsim.data.caption import CaptionConfig, caption_data
from worldsim.data.clips import ClipShape
from worldsim.data.store import EpisodeStore
from worldsim.data.writer import write_episode
from worldsim.diffusion.shortcut import Levels
from worldsim.tokenizer import save_tokenizer, tokenizer_hash
from worldsim.training.astray import AstrayConfig
from worldsim.training.dynamics import ClipSource, TrainDynamicsConfig, train_dynamics, ways_to_say
from worldsim.training.ego_warp import EgoWarpConfig
from worldsim.training.encode import EncodeConfig, encode
from worldsim.training.loop import LoopConfig
from worldsim.training.mixture import Mixture
from worldsim.types import Captions
from worldsim.world_model import WorldModel

from .data_episodes import make_episode
from .test_dynamics import clip_batch
from .worlds import tiny_world


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny world and a data set that is encoded with its tokenizer."""
    folder = tmp_path_factory.mktemp("training")
    save_world(folder / "world", tiny_world(), ModelCard("tiny", "A test.", "none"))
    for seed in (0, 1, 3):  # two to train on, one held out
        write_episode(folder / "data", make_episode(seed=seed, size=(64, 128)))
    encode(EncodeConfig(str(folder / "data"), str(folder / "world"), progress=False, threads=1))
    return folder


def config(place: Path, out: Path, steps: int, **changes: object) -> TrainDynamicsConfig:
    return TrainDynamicsConfig(
        data=str(place / "data"),
        tokenizer=str(place / "world"),
        dynamics=tiny_world().config.dynamics,
        loop=LoopConfig(str(out), steps=steps, minutes=0, threads=1, progress=False, validate_every_s=1e9),
        shapes=[ClipShape(3, 4), ClipShape(2, 8)],
        validation=ClipShape(4, 4),
        phrasings=0,
        precision="float32",
        ego_warp=EgoWarpConfig(steps=3, batch=4, pairs=8, frames=4),
        **changes,  # type: ignore[arg-type]
    )


def test_trains_to_a_world_that_loads(place: Path, tmp_path: Path) -> None:
    result = train_dynamics(config(place, tmp_path, 3))
    assert result.step == 3 and np.isfinite(result.metrics["val/picture"])
    world = load_world(tmp_path / "world")
    assert torch.equal(world.tokenizer.decoder[0].weight, tiny_world().tokenizer.decoder[0].weight)


def test_an_interrupted_run_equals_one_that_was_not(place: Path, tmp_path: Path) -> None:
    """Bit for bit in one thread: 2 steps and then 2 more are 4 steps."""
    parts = config(place, tmp_path / "parts", 2)
    parts.loop.schedule = "constant"
    whole = config(place, tmp_path / "whole", 4)
    whole.loop.schedule = "constant"
    train_dynamics(whole)
    train_dynamics(parts)
    parts.loop.steps = 4
    train_dynamics(parts)
    a, b = (load_world(tmp_path / name / "world").dynamics.state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_goes_on_from_pasts_that_have_come_apart(place: Path, tmp_path: Path) -> None:
    astray = AstrayConfig(0.6, good=1, seen=2, horizon=4, drives=2, held=1, every=3, passes=[1])
    settings = config(place, tmp_path, 8, astray=astray)
    settings.objective.bootstrap_after, settings.loop.log_every = 2, 1
    train_dynamics(settings)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    went_on = [line["step"] - 1 for line in lines if "astray_error" in line]
    assert went_on and min(went_on) >= 2


def test_starts_from_a_world(place: Path, tmp_path: Path) -> None:
    """With a learning rate of zero, what comes out is what went in."""
    train_dynamics(config(place, tmp_path, 1, start_from=str(place / "world"), matrix_rate=0.0, other_rate=0.0))
    a, b = load_world(place / "world"), load_world(tmp_path / "world")
    for (name, before), after in zip(a.dynamics.state_dict().items(), b.dynamics.state_dict().values(), strict=True):
        assert torch.allclose(before, after, atol=1e-6), name


def test_starts_from_a_world_whose_tokenizer_was_trained_on(place: Path, tmp_path: Path) -> None:
    """A tokenizer that moved a little still says the same of frames; its data sets are encoded anew."""
    tokenizer = copy.deepcopy(tiny_world().tokenizer)
    with torch.no_grad():
        for parameter in tokenizer.parameters():
            parameter.mul_(1.01)
    save_tokenizer(tmp_path / "tokenizer", tokenizer, {})
    encode(EncodeConfig(str(place / "data"), str(tmp_path / "tokenizer"), progress=False, threads=1))
    moved = config(place, tmp_path / "run", 1, start_from=str(place / "world"))
    moved.tokenizer = str(tmp_path / "tokenizer")
    train_dynamics(moved)
    assert tokenizer_hash(load_world(tmp_path / "run/world").tokenizer) == tokenizer_hash(tokenizer)


def test_words_are_the_captions_that_were_stored(place: Path, tmp_path: Path) -> None:
    """Of all three lengths; where there are none, as before: the caption and what the fields say."""
    for seed in (0, 1):
        write_episode(tmp_path, make_episode(seed=seed, size=(16, 32)))
    plain = EpisodeStore(tmp_path).records[0]
    assert not plain.captions.all and ways_to_say(plain, 0) == [plain.caption]
    made = ways_to_say(plain, 4)
    assert made[0] == plain.caption and 1 < len(made) <= 5
    caption_data(CaptionConfig(tmp_path, phrasings=3))
    captions = EpisodeStore(tmp_path).records[0].captions
    assert captions.short and captions.medium and captions.long
    said = ways_to_say(EpisodeStore(tmp_path).records[0], 6)
    assert said[:4] == [plain.caption, captions.short[0], captions.medium[0], captions.long[0]]
    assert set(said[1:]) <= set(captions.all) and len(said) <= 7
    assert ways_to_say(replace(plain, captions=Captions(short=("a road",))), 6) == [plain.caption, "a road"]


def test_batches_of_several_data_sets(place: Path) -> None:
    """Every source gives its share and is standardised as the first is, whatever it was fitted to itself."""
    settings, tokenizer = config(place, place, 1), tiny_world().tokenizer
    main, other = (ClipSource(settings, tokenizer, settings.data, split) for split in ("train", "val"))
    other.scale.mean += 5.0
    mixture = Mixture(main, {other: 0.25})
    batch = mixture.draw(ClipShape(8, 4), np.random.default_rng(0))
    rng = np.random.default_rng(0)
    first, second = (source.draw(ClipShape(count, 4), rng) for source, count in ((main, 6), (other, 2)))
    assert torch.equal(batch.latents, torch.cat((first.latents, second.latents)))
    assert torch.equal(batch.scene.fields, torch.cat((first.scene.fields, second.scene.fields)))
    assert torch.equal(other.scale.mean, main.scale.mean) and len(batch.latents) == len(batch.vehicles) == 8
    assert len(mixture.draw(ClipShape(1, 4), rng).latents) == 1
    with pytest.raises(ValueError, match="shares above 0 that sum to less than 1"):
        Mixture(main, {other: 1.0})


def test_trains_on_several_data_sets(place: Path, tmp_path: Path) -> None:
    result = train_dynamics(config(place, tmp_path, 1, also={str(place / "data"): 0.4}))
    assert result.step == 1 and np.isfinite(result.metrics["val/picture"])


def test_a_world_of_another_tokenizer_is_refused(place: Path, tmp_path: Path) -> None:
    save_world(tmp_path / "other", tiny_world(seed=5), ModelCard("other", "A test.", "none"))
    with pytest.raises(ValueError, match="start_from: expected a world with the tokenizer"):
        train_dynamics(config(place, tmp_path, 1, start_from=str(tmp_path / "other")))


def test_a_tokenizer_of_another_grid_is_refused_before_training(place: Path, tmp_path: Path) -> None:
    settings = config(place, tmp_path / "run", 1)
    settings.dynamics = replace(settings.dynamics, grid_height=8, grid_width=4)
    with pytest.raises(ValueError, match=r"\(8x4\) of 4 channels, but the tokenizer makes 32 \(4x8\)"):
        train_dynamics(settings)
    assert not (tmp_path / "run").exists()


def test_data_that_was_not_encoded_is_named(place: Path, tmp_path: Path) -> None:
    save_world(tmp_path / "other", tiny_world(seed=5), ModelCard("other", "A test.", "none"))
    settings = config(place, tmp_path, 1)
    settings.tokenizer = str(tmp_path / "other")
    with pytest.raises(ValueError, match="encode"):
        train_dynamics(settings)


def test_a_world_without_an_ego_warp_starts_one_that_has_it(place: Path, tmp_path: Path) -> None:
    """At a learning rate of zero, what it draws anew is what the old one drew, whatever the warp says."""
    old = tiny_world()
    old = WorldModel(replace(old.config, dynamics=replace(old.config.dynamics, warp_width=0)))
    old.tokenizer.load_state_dict(tiny_world().tokenizer.state_dict())
    save_world(tmp_path / "old", old, ModelCard("old", "A test.", "none"))
    settings = config(place, tmp_path / "new", 1, start_from=str(tmp_path / "old"), matrix_rate=0.0, other_rate=0.0)
    train_dynamics(settings)
    new = load_world(tmp_path / "new" / "world")
    assert new.dynamics.warp is not None and new.dynamics.warp.fitted and new.dynamics.carry is not None
    new.dynamics.carry.bias.fill_(-torch.inf)  # nothing is carried along
    batch = clip_batch(new.config.dynamics)
    levels = Levels(torch.rand(2, 12), torch.zeros(2, 12, dtype=torch.int64))
    latents = torch.cat((batch.latents, batch.latents), dim=1)
    condition = batch.condition(levels, batch.motion)
    a, b = (world.dynamics(latents, condition, batch.scene).latents for world in (old.eval(), new))
    assert torch.allclose(a, b, atol=1e-4)
