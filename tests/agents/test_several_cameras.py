"""Several cameras from the recording to the film: collected, trained on, driven in, generated and cut."""

from __future__ import annotations

import csv
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.collect import CollectConfig, Collector, collect
from agents.scenes.generate import GenerateConfig, run
from agents.scenes.shots import ShotsConfig, film_shots, shots_command, with_shots
from agents.scenes.worlds import Place
from envs.cameras import MOUNTINGS
from envs.scenario import Scenario, load_scenario
from tests.worldsim.worlds import tiny_config, tiny_world
from worldsim.checkpoint import ModelCard, load_world, save_world
from worldsim.data.store import EpisodeStore
from worldsim.data.video import decode_video
from worldsim.tokenizer import TokenizerConfig
from worldsim.training.dynamics import ClipShape, TrainDynamicsConfig, train_dynamics
from worldsim.training.ego_warp import EgoWarpConfig
from worldsim.training.encode import EncodeConfig, encode
from worldsim.training.loop import LoopConfig
from worldsim.training.tokenizer import TrainTokenizerConfig, train_tokenizer
from worldsim.types import CameraSpec

FOUR = ["front", "left", "right", "rear"]
SHORT: dict[str, Any] = {"episodes": 2, "steps": 8, "scenarios": ["highway"], "workers": 1}


def test_collect_records_the_cameras_that_it_is_told(tmp_path: Path) -> None:
    collect(tmp_path / "four", cameras=FOUR, **SHORT)
    collect(tmp_path / "one", **SHORT)
    four, one = EpisodeStore(tmp_path / "four"), EpisodeStore(tmp_path / "one")
    for record, plain in zip(four.records, one.records, strict=True):
        episode, alone = four.read(record.index), one.read(plain.index)
        assert list(episode.views) == FOUR and dict(record.cameras) == MOUNTINGS
        assert np.array_equal(episode.frames, alone.frames), "the front is what it is without the others"
        assert np.array_equal(episode.action, alone.action, equal_nan=True)
        assert len({frames.tobytes() for frames in episode.views.values()}) == 4
        assert np.array_equal(four.read_frames(record.index, camera="rear"), episode.views["rear"])
    with pytest.raises(
        ValueError, match=r"expected episodes of the cameras \['front'\], got some of \['front', 'left'"
    ):
        collect(tmp_path / "four", **SHORT | {"episodes": 3})
    mounted = Collector(CollectConfig(tmp_path / "m", cameras={"front": {"hfov_deg": 90}}, **SHORT)).drive(0)
    assert mounted.cameras == {"front": CameraSpec.from_fov(128, 64, 90.0)}


def test_collect_takes_the_cameras_of_its_scenarios(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    own = Collector(CollectConfig(tmp_path, **SHORT | {"scenarios": ["crossroads_film"]}, height=32, width=64))
    first, second = own.drive(0), own.drive(1)
    assert list(first.views) == [*FOUR, "roof"] and first.views["roof"].shape[1:] == (32, 64, 3)
    assert first.cameras["roof"] != second.cameras["roof"], "mounted anew by every seed"
    assert own.drive(0).cameras == first.cameras
    with caplog.at_level(logging.WARNING):
        collect(tmp_path / "mixed", **SHORT | {"scenarios": ["highway", "all_around"]})
    assert "recorded: front. These ask for further cameras: all_around" in caplog.text
    assert {video.camera for record in EpisodeStore(tmp_path / "mixed").records for video in record.videos} == {"front"}


@pytest.mark.parametrize(
    ("cameras", "message"),
    [
        (["front", "lef"], "did you mean 'left'"),
        ({"front": {"pitch_deg": [2, 4]}}, "expected one value for each key of 'front'"),
    ],
)
def test_cameras_that_cannot_be_recorded_are_refused(tmp_path: Path, cameras: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        collect(tmp_path / "out", cameras=cameras, **SHORT)
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a world of two cameras, trained for a few steps by the commands' functions on collected drives."""
    folder = tmp_path_factory.mktemp("two")
    collect(folder / "data", cameras=FOUR, **SHORT | {"episodes": 3, "steps": 12}, val_share=0.4, seed=3)
    store, data, tiny = EpisodeStore(folder / "data"), f"{folder / 'data'}@front+left", tiny_config()
    assert {record.split for record in store.records} == {"train", "val"}

    def loop(name: str) -> LoopConfig:
        return LoopConfig(str(folder / name), steps=2, minutes=0, threads=1, progress=False, validate_every_s=1e9)

    sizes = TokenizerConfig(**vars(tiny.tokenizer))
    train_tokenizer(TrainTokenizerConfig(data=data, tokenizer=sizes, loop=loop("tokenizer"), batch=4))
    encode(EncodeConfig(data, str(folder / "tokenizer"), progress=False, threads=1))
    train_dynamics(
        TrainDynamicsConfig(
            data=data, tokenizer=str(folder / "tokenizer"), dynamics=tiny.dynamics, loop=loop("dynamics"),
            shapes=[ClipShape(2, 4)], validation=ClipShape(2, 4), phrasings=0, precision="float32",
            ego_warp=EgoWarpConfig(steps=2, batch=2, pairs=4, frames=2),
        )
    )  # fmt: skip
    return folder


def test_a_world_of_several_cameras_is_trained_on_what_was_collected(two: Path) -> None:
    world = load_world(two / "dynamics" / "world")
    assert dict(world.cameras) == {name: MOUNTINGS[name] for name in ("front", "left")}
    assert world.config.dynamics.n_tokens == 2 * 32 and world.config.dynamics.any_view


def test_generate_films_and_records_what_a_world_shows(two: Path, tmp_path: Path) -> None:
    """And says what it does not."""
    config = GenerateConfig(
        tmp_path, "all_around", change={"shots": ["left", "rear", "all"]}, n=1, seconds=0.8, workers=1, passes=1,
        world=str(two / "dynamics" / "world"),
    )  # fmt: skip
    made = run(config)
    (row,) = csv.DictReader(made.verdicts.open())
    assert row["cameras_missing"] == "right rear"
    summary = made.summary.read_text()
    assert "| camera right | not shown as asked for 1 |" in summary and "that it was trained with" in summary
    episode = EpisodeStore(tmp_path / "episodes").read(0)
    assert list(episode.views) == ["front", "left"] and len(episode) == 9
    film = decode_video(tmp_path / row["video"])
    assert len(film) == 9 and film.shape[2] == 1024  # two pictures beside each other in the last shot
    assert load_scenario(tmp_path / "scenario.yaml").shots[1].camera == "rear"


def test_generate_in_the_reference_world_honours_cameras(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"n": 2, "seconds": 0.6, "world": "reference", "workers": 1}
    made = run(GenerateConfig(tmp_path, "all_around", **settings))
    assert all(row["cameras_missing"] == "" for row in csv.DictReader(made.verdicts.open()))
    assert "camera" not in made.summary.read_text()
    for _, episode in EpisodeStore(tmp_path / "episodes").iterate():
        assert list(episode.views) == FOUR


def test_shots_are_cut_from_one_drive(tmp_path: Path) -> None:
    scenario = with_shots(load_scenario("highway"), ["front", "rear"], ["rear", "front"])
    done = film_shots(scenario, tmp_path / "film.mp4", Place("reference"), seconds=1.0, seed=2)
    assert done.cuts == ("rear from 0.0 s", "front from 0.6 s") and done.cameras_missing == () and done.seconds == 1.0
    film = decode_video(done.wrote).astype(int)
    assert film.shape[:2] == (11, 256 + 28)
    alone = film_shots(
        with_shots(scenario, ["rear"], []), tmp_path / "rear.mp4", Place("reference"), seconds=1.0, seed=2
    )
    rear = decode_video(alone.wrote).astype(int)
    assert film.shape == rear.shape
    apart = np.abs(film - rear)[:, 60:, 100:].mean(axis=(1, 2, 3))  # beside the camera's name
    assert apart[:6].max() < 2.0 < 8.0 < apart[6:].min()


def test_the_command_films_every_scenario(two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, world = tmp_path / "film.mp4", str(two / "dynamics" / "world")
    done = shots_command(ShotsConfig(out, words="a truck cuts in", seconds=0.5))
    assert [cut.split()[0] for cut in done.cuts] == [*FOUR, "all"] and "cut_in" in capsys.readouterr().out
    learned = shots_command(ShotsConfig(out, scenario="cut_in", world=world, seconds=0.5, passes=1))
    assert learned.cameras_missing == ("right", "rear")
    assert [cut.split()[0] for cut in learned.cuts] == ["front", "left", "all"]
    save_world(tmp_path / "single", tiny_world(), ModelCard("tiny", "A test.", "none"))
    single = shots_command(ShotsConfig(out, scenario="cut_in", world=str(tmp_path / "single"), seconds=0.5, passes=1))
    assert single.cameras_missing == ("left", "right", "rear")
    with pytest.raises(ValueError, match="shot 1: expected one of the cameras"):
        shots_command(ShotsConfig(out, cameras=["front", "left"], shots=["rear"]))
    with pytest.raises(ValueError, match="name of an mp4 file"):
        ShotsConfig(tmp_path / "film.gif")


def test_a_scenario_keeps_its_own_shots() -> None:
    own = load_scenario("crossroads_film")
    assert with_shots(own, [], []) == own
    assert [shot.camera for shot in with_shots(Scenario(), [], []).shots] == [*FOUR, "all"]
    assert [shot.camera for shot in with_shots(own, ["front", "rear"], []).shots] == ["front", "rear", "all"]
