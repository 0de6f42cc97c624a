"""The commands that prompt a world, as they are typed: a file comes out, words are accounted for, errors say why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from envs.prompting.driving import HOLD, driven, led_here, plan
from envs.prompting.words import changed, scene_of, told
from tests.envs.commands.videos import decoded
from tests.worldsim.data_episodes import make_episode
from tests.worldsim.worlds import tiny_world
from worldsim.checkpoint import ModelCard, save_world
from worldsim.cli.main import main
from worldsim.data.finalize import finalize
from worldsim.data.writer import EpisodeWriter
from worldsim.prompting import Clip
from worldsim.types import SceneFields

WORDS = "a snowy night on a two-lane highway, light traffic"


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny world, a data set of two episodes, a video, pictures and a file of actions."""
    folder = tmp_path_factory.mktemp("prompts")
    save_world(folder / "world", tiny_world(5), ModelCard("tiny", "It knows nothing.", "none"))
    for index in range(2):
        episode = make_episode(8, index, size=(64, 128))
        episode.motion = np.abs(episode.motion)
        EpisodeWriter(folder / "data", fps=10).write(episode, index)
    finalize(folder / "data")
    Image.effect_noise((300, 200), 60).convert("RGB").save(folder / "street.jpg")
    Image.new("RGB", (1, 1)).save(folder / "dot.png")
    (folder / "drive.csv").write_text("steering,acceleration\n0.2,0.5\n-0.2,0\n")
    return folder


def run(things: Path, *arguments: str) -> int:
    return main([*(each.replace("@", f"{things}/") for each in arguments), f"world={things}/world"])


GOOD = {
    "text-to-video": (["text-to-video", f"text={WORDS!r}", "seconds=0.4", "steps=1"], 4),
    "image-to-video": (["image-to-video", "image=@street.jpg", "seconds=0.3", "driver='actions=@drive.csv'"], 4),
    "forward": (["extend", "clip=@data", "episode=0", "seconds=0.3", "steps=1"], 11),
    "backward": (["extend", "clip=@data", "episode=0", "seconds=0.3", "direction=backward", "steps=1"], 11),
    "edit": (["edit", "clip=@data", "episode=1", "text='night, heavy snow'"], 8),
    "connect": (
        ["connect", "first=@data", "first_episode=0", "second=@data", "second_episode=1", "seconds=0.3", "steps=1"],
        19,
    ),
}


@pytest.mark.parametrize("way", GOOD)
def test_a_video_comes_out(things: Path, tmp_path: Path, way: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, frames = GOOD[way]
    assert run(things, *arguments, f"out={tmp_path}/a.mp4") == 0
    said = capsys.readouterr().out
    assert "wrote" in said and len(decoded(tmp_path / "a.mp4")) == frames
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    if any(each.startswith("text=") for each in arguments):
        assert "understood:" in said and "snow" in said


@pytest.mark.parametrize("way", ["text-to-video", "image-to-video", "forward", "edit"])
@pytest.mark.parametrize("size", [(32, 64), (64, 192)])
def test_other_sizes_and_shapes_come_of_the_same_weights(
    things: Path, tmp_path: Path, way: str, size: tuple[int, int]
) -> None:
    out, (height, width) = tmp_path / "out.mp4", size
    arguments, frames = GOOD[way]
    assert run(things, *arguments, f"out={out}", f"size=[{height},{width}]") == 0
    shown = decoded(out)
    assert len(shown) == frames and shown[0].shape[1] * height == shown[0].shape[0] * width
    picture = tmp_path / "out.png"
    assert run(things, "text-to-image", f"text={WORDS!r}", f"out={picture}", f"size=[{height},{width}]") == 0
    assert cv2.imread(str(picture)).shape[1] * height == cv2.imread(str(picture)).shape[0] * width


def test_an_image_comes_out_with_an_account(things: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "rainy night, a truck cuts in from the left, a green elephant"
    for name in ("a", "b"):
        assert run(things, "text-to-image", f"text={words!r}", f"out={tmp_path}/{name}.png", "seed=3") == 0
    picture = cv2.imread(str(tmp_path / "a.png"))
    assert picture.shape == (256, 512, 3) and (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    said = capsys.readouterr().out
    assert "not staged:  " in said and "elephant" in said and "unsupported" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["text-to-video", "text=night", "seconds=61", "out=@a.mp4"], "from 0.1 to 60, got 61"),
        (["text-to-video", "text=night", "out=@a.gif"], "expected the name of a mp4 file"),
        (["text-to-video", "text=night", "driver=nobody", "out=@a.mp4"], "unknown driver"),
        (["text-to-image", "text='...'", "out=@a.png"], "nothing to read"),
        (["text-to-image", f"text='{'night ' * 400}'", "out=@a.png"], "at most 2000 characters"),
        (["image-to-video", "image=@none.png", "out=@a.mp4"], "there is no such file"),
        (["image-to-video", "image=@dot.png", "out=@a.mp4"], "at least 16 pixels a side, got 1 x 1"),
        (["image-to-video", "image=@street.jpg", "speed=90", "out=@a.mp4"], "from 0 to 40, got 90"),
        (["extend", "clip=@data", "out=@a.mp4"], "say episode=0"),
        (["extend", "clip=@none.mp4", "out=@a.mp4"], "does not exist"),
        (
            ["extend", "clip=@data", "episode=0", "direction=backward", "driver=keep_lane", "out=@a.mp4"],
            "past is drawn",
        ),
        (["edit", "clip=@data", "episode=0", "text='an elephant'", "out=@a.mp4"], "asks for none of them"),
        (["edit", "clip=@data", "episode=0", "text=night", "keep=1", "out=@a.mp4"], "from 0 to below 1, got 1"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    things: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(things, *arguments) != 0
    said = capsys.readouterr()
    assert words in " ".join((said.out + said.err).split()) and "Traceback" not in said.err
    assert not (things / "a.mp4").exists() and not (things / "a.png").exists()


def test_words_change_what_they_name_alone() -> None:
    fields, account = changed(
        SceneFields(road="curves", weather="clear", time_of_day="day"), "heavy snow, an elephant, then a truck cuts in"
    )
    assert fields == SceneFields(road="curves", weather="snow", time_of_day="day")
    assert "understood:  'snow'" in account and "elephant" in account and "not staged:" in account
    assert "assumed" not in account
    asked = told(WORDS, 0).scenario.fields
    assert (asked.weather, asked.time_of_day, asked.lanes) == ("snow", "night", 2)
    scene = scene_of(asked, tiny_world(5))
    assert scene.fields[0].tolist() == asked.codes() and not scene_of(SceneFields(), tiny_world(5)).text_known.any()


def clip_at(motion: list[float] | None) -> Clip:
    clip = Clip.silent(np.zeros((4, 64, 128, 3), np.uint8))
    if motion is not None:
        clip.motion[:-1] = motion
    return clip


def test_the_past_leads_up_to_the_clip() -> None:
    moving = clip_at([1.5, 0.0, 0.03, 15.0])
    assert np.allclose(led_here(HOLD, moving, 3, None, 12.0), moving.motion[0])
    straight = led_here("straight", moving, 5, None, 12.0)
    assert np.allclose(straight[:, 3], 15.0) and np.allclose(straight[:, 1:3], 0.0)
    assert np.allclose(led_here(HOLD, clip_at(None), 2, None, 12.0)[:, 3], 12.0)
    assert np.allclose(led_here(HOLD, moving, 2, 8.0, 12.0)[:, 3], 8.0)


def test_a_speed_that_was_gained_is_taken_off_before(tmp_path: Path) -> None:
    path = tmp_path / "faster.csv"
    path.write_text("0,1\n")
    motion = led_here(f"actions={path}", clip_at([1.5, 0.0, 0.0, 15.0]), 5, None, 12.0)
    assert motion[-1, 3] == pytest.approx(15.0, abs=1e-4) and motion[0, 3] == pytest.approx(13.4, abs=1e-4)


def test_a_driver_goes_on_as_the_clip_moved() -> None:
    wheel: Any = driven("straight", clip_at([1.5, 0.0, 0.03, 15.0]), None, 12.0)
    assert float(wheel.ego.speed) == 15.0 and float(wheel.ego.steering) > 0
    assert float(driven("straight", clip_at(None), None, 12.0).ego.speed) == 12.0
    assert np.allclose(plan("straight", 3, 9.0)[:, 3], 9.0) and (plan("left", 9, 9.0)[-1, 2]) > 0


@pytest.mark.slow
def test_the_shipped_world_makes_a_day_snowy_and_keeps_the_lane(tmp_path: Path) -> None:
    """The same moments, drawn by the reference world in snow, are nearer to the edit than to the clip."""
    from benchmarks.prompting import main as measure

    found = measure(["--quick", "--episodes", "2", "--seconds", "2", "--threads", "1", "--out", str(tmp_path)])
    snow, floor = found["editing"]["0.75"]["day snow"], found["editing_floor"]["day snow"]
    assert snow["weather"] > 0.7 and snow["psnr_to_truth_db"] > floor["unchanged"]["psnr_to_truth_db"] + 3
    assert snow["lane_offset_error_m"] < 0.2
