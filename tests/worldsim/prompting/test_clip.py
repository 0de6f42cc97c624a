"""Clips from files: the world's size and rate, the log's motion, and words for what is no clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.worldsim.data_episodes import make_episode
from tests.worldsim.worlds import tiny_world
from worldsim.data.finalize import finalize
from worldsim.data.video import encode_video
from worldsim.data.writer import EpisodeWriter
from worldsim.prompting.clip import open_clip
from worldsim.prompting.image import open_image
from worldsim.serving.video import open_video

WORLD = tiny_world(5)


def shades(count: int, size: tuple[int, int] = (96, 96)) -> np.ndarray:
    """Frames that grow brighter, each by five."""
    return np.full((count, *size, 3), 20, np.uint8) + 5 * np.arange(count, dtype=np.uint8)[:, None, None, None]


@pytest.mark.parametrize(("fps", "every"), [(10.0, 1.0), (30.0, 3.0), (5.0, 0.5)])
def test_a_video_comes_at_the_size_and_rate_of_the_world(tmp_path: Path, fps: float, every: float) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(encode_video(shades(31), fps))
    clip = open_clip(path, WORLD)
    assert clip.frames.shape[1:] == (64, 128, 3) and len(clip) == round(30 / fps * 10) + 1
    assert np.isnan(clip.motion).all()
    seen = (clip.frames.mean((1, 2, 3)) - 20) / 5
    assert np.abs(seen - np.arange(len(clip)) * every).max() < max(0.75, every / 2 + 0.3)


def test_an_episode_brings_its_motion_and_scene(tmp_path: Path) -> None:
    episode = make_episode(20, 1)
    EpisodeWriter(tmp_path, fps=10).write(episode, 0)
    finalize(tmp_path)
    clip = open_clip(tmp_path, WORLD, episode=0)
    assert np.allclose(clip.motion, episode.motion, equal_nan=True) and clip.fields == episode.fields
    assert clip.frames.shape == (20, 64, 128, 3) and clip.caption == episode.caption
    with pytest.raises(ValueError, match="the number of an episode"):
        open_clip(tmp_path, WORLD)
    with pytest.raises(ValueError, match="expected the index of an episode"):
        open_clip(tmp_path, WORLD, episode=7)
    with pytest.raises(ValueError, match="expected at least 30 frames"):
        open_clip(tmp_path, WORLD, episode=0, least=30)


def test_what_is_no_clip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        open_clip(tmp_path / "none.mp4", WORLD)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video at all")
    with pytest.raises(ValueError, match="expected a video that can be read"):
        open_clip(broken, WORLD)
    long = tmp_path / "long.mp4"
    with open_video(long, 1.0) as video:
        for frame in shades(63, (16, 16)):
            video.add(frame)
    with pytest.raises(ValueError, match=r"at most 60 s, got 62\.0 s; cut it shorter"):
        open_clip(long, WORLD)


def test_an_image_of_any_size_is_fitted_and_a_pixel_is_refused(tmp_path: Path) -> None:
    for size in ((640, 480), (33, 300)):
        Image.new("RGBA", size, (200, 60, 30, 255)).save(tmp_path / "a.png")
        assert np.abs(open_image(tmp_path / "a.png", 64, 128).astype(int) - (200, 60, 30)).max() < 3
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    with pytest.raises(ValueError, match=r"dot\.png: image: expected at least 16 pixels a side, got 1 x 1"):
        open_image(tmp_path / "dot.png", 64, 128)
    with pytest.raises(ValueError, match="there is no such file"):
        open_image(tmp_path / "none.png", 64, 128)
