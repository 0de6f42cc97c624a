"""Training on data sets of several sizes and cameras: encoded by name, drawn a kind at a time, into one world."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from worldsim.checkpoint import ModelCard, load_world, save_world
from worldsim.data.clips import ClipShape
from worldsim.data.encoding import Encoding
from worldsim.data.latents import LatentViews
from worldsim.data.store import EpisodeStore
from worldsim.data.writer import write_episode
from worldsim.tokenizer import tokenizer_hash
from worldsim.training.dynamics import ClipSource, TrainDynamicsConfig, pictures, train_dynamics
from worldsim.training.ego_warp import EgoWarpConfig
from worldsim.training.encode import EncodeConfig, encode
from worldsim.training.loop import LoopConfig
from worldsim.training.mixture import Buckets
from worldsim.views import Views

from .data_episodes import make_episode
from .worlds import tiny_world


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny world, a data set of one camera encoded at two sizes, and one of two cameras encoded as one frame."""
    folder = tmp_path_factory.mktemp("buckets")
    save_world(folder / "world", tiny_world(), ModelCard("tiny", "A test.", "none"))
    for seed in (0, 1, 3):
        write_episode(folder / "one", make_episode(t=10, seed=seed, size=(64, 128)))
        write_episode(folder / "two", make_episode(t=10, seed=seed, size=(64, 128), cameras=("front", "left")))
    for name in ("one", "one@32x64", "two@front+left"):
        encode(EncodeConfig(str(folder / name), str(folder / "world"), progress=False, threads=1))
    return folder


def config(place: Path, out: Path, data: str, *also: str, **changes: object) -> TrainDynamicsConfig:
    return TrainDynamicsConfig(
        data=str(place / data),
        also={str(place / name): 0.3 for name in also},
        tokenizer=str(place / "world"),
        dynamics=tiny_world().config.dynamics,
        loop=LoopConfig(str(out), steps=3, minutes=0, threads=1, progress=False, validate_every_s=1e9),
        shapes=[ClipShape(4, 4)],
        validation=ClipShape(2, 4),
        phrasings=0,
        precision="float32",
        ego_warp=EgoWarpConfig(steps=3, batch=4, pairs=12, frames=4),
        **changes,  # type: ignore[arg-type]
    )


def sources(place: Path, *names: str) -> list[ClipSource]:
    settings = config(place, place, "one")
    return [ClipSource(settings, tiny_world().tokenizer, str(place / name), "train") for name in names]


def test_the_views_of_an_episode_lie_side_by_side(place: Path) -> None:
    """What is read for two cameras is what each of them is encoded to, the first one first."""
    world = load_world(place / "world")
    episode = EpisodeStore(place / "two").read(1)
    latents = LatentViews.open(place / "two", tokenizer_hash(world.tokenizer), ["front", "left"])
    assert latents.shape == (64, 4)
    for view, name in enumerate(("front", "left")):
        expected = world.tokenizer.encode(episode.views[name]).numpy()
        np.testing.assert_allclose(latents[1][:, 32 * view : 32 * (view + 1)], expected, atol=2e-3)


def test_a_batch_is_of_one_kind_and_of_about_as_many_tokens(place: Path) -> None:
    main, small, two = sources(place, "one", "one@32x64", "two@front+left")
    assert (main.views, small.views) == (Views(4, 8), Views(2, 4)) and two.views.names == ["front", "left"]
    buckets, rng = Buckets(main, {small: 0.25, two: 0.25}), np.random.default_rng(0)
    drawn = [buckets.draw(ClipShape(8, 4), rng) for _ in range(200)]
    for views, batch in drawn:
        assert batch.latents.shape[2] == batch.vehicles.shape[2] == views.tokens
        assert batch.latents[..., 0].numel() == 8 * 4 * 32
    share = np.mean([views == main.views for views, _ in drawn])
    assert 0.4 < share < 0.6 and torch.equal(two.scale.mean, main.scale.mean)


def test_vehicles_are_marked_in_the_main_view_alone(place: Path) -> None:
    (two,) = sources(place, "two@front+left")
    touched = torch.cat(list(two.vehicles.values()))
    assert touched[:, :32].any() and not touched[:, 32:].any()


def test_the_ego_warp_is_fitted_to_every_kind_of_view(place: Path) -> None:
    found = pictures(sources(place, "one", "one", "one@32x64", "two@front+left"))
    assert [(each.tokenizer.config.height, each.camera) for each in found] == [
        (64, ""), (32, ""), (64, "front"), (64, "left")
    ]  # fmt: skip


def test_trains_on_two_sizes_and_two_cameras(place: Path, tmp_path: Path) -> None:
    """One world comes of it, of the main data set's views, which then looks through any of the others."""
    settings = config(place, tmp_path / "run", "two@front+left", "one", "one@32x64", start_from=str(place / "world"))
    result = train_dynamics(settings)
    assert result.step == 3 and np.isfinite(result.metrics["val/picture"])
    world = load_world(tmp_path / "run" / "world")
    assert list(world.cameras) == ["front", "left"] and world.config.dynamics.n_tokens == 64
    assert world.dynamics.warp is not None and world.dynamics.warp.fitted
    assert world.dynamics.view is not None and world.dynamics.view.weight.abs().max() > 0
    assert world.at((32, 64), cameras={}).config.dynamics.n_tokens == 8
    again = config(place, tmp_path / "again", "one@32x64", start_from=str(tmp_path / "run" / "world"))
    train_dynamics(again)  # and starts a world of another size
    assert load_world(tmp_path / "again" / "world").config.tokenizer.height == 32


def test_of_one_size_nothing_is_told_of_views(place: Path, tmp_path: Path) -> None:
    """So that a run from before there were views goes on as it was."""
    train_dynamics(config(place, tmp_path, "one@32x64", "one@32x64"))
    world = load_world(tmp_path / "world")
    assert world.dynamics.view is None and not world.config.dynamics.any_view


def test_names_of_encodings() -> None:
    assert Encoding.parse("data/road") == Encoding("data/road")
    assert Encoding.parse("a@b/road@128x256") == Encoding("a@b/road", (128, 256))
    assert Encoding.parse("nu@64x96@front+left") == Encoding("nu", (64, 96), ("front", "left"))
    for bad in ("road@", "road@front+", "road@front+front", "road@1x2@3x4", "road@a@b", "road@1x2@a@b"):
        with pytest.raises(ValueError, match="expected FOLDER, and after it @HEIGHTxWIDTH"):
            Encoding.parse(bad)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("two@front+lft", r"unknown camera .*'lft'.*did you mean 'left'"),
        ("two@60x128", "divisible by patch=16, got 60x128"),
        ("one@front+left", r"unknown camera .*'left': expected one of \['front'\]"),
    ],
)
def test_what_cannot_be_encoded_is_named(place: Path, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encode(EncodeConfig(str(place / name), str(place / "world"), progress=False))
    with pytest.raises(ValueError, match=message):
        sources(place, name)


def test_what_was_not_encoded_is_named(place: Path) -> None:
    with pytest.raises(
        ValueError, match="encode the data set with this tokenizer, at this size and with these cameras"
    ):
        sources(place, "one@64x64")


def test_cameras_without_a_mounting_are_refused(place: Path, tmp_path: Path) -> None:
    episode = make_episode(t=6, size=(64, 128), cameras=("front", "left"))
    write_episode(tmp_path, replace(episode, cameras={"front": episode.cameras["front"]}))
    with pytest.raises(ValueError, match=r"camera 'left': expected its field of view and pose"):
        ClipSource(config(place, place, "one"), tiny_world().tokenizer, f"{tmp_path}@front+left", "train")
