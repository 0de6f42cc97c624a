"""What people are shown: videos that browsers play, and pages that fetch nothing."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from worldsim.serving.page import Chart, Fact, Line, Page, Scene, Section, Table, render, write_page
from worldsim.serving.picture import STRIP_PX, Readings, beside, enlarge, factor_for, filmstrip, png, with_strip
from worldsim.serving.video import open_video
from worldsim.types import FrameArray


def picture(seed: int = 0, h: int = 16, w: int = 32) -> FrameArray:
    """Smooth colours, as a codec likes them."""
    small = np.random.default_rng(seed).integers(0, 255, (3, 4, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR), np.uint8)


def test_a_video_is_what_browsers_play(tmp_path: Path) -> None:
    frames = [picture(seed, 64, 96) for seed in (1, 1, 1, 2, 2, 2)]
    with open_video(tmp_path / "drive.mp4", 10) as video:
        for frame in frames:
            video.add(frame)
    data = (tmp_path / "drive.mp4").read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat"), "the index comes first, so that playing starts at once"
    with av.open(str(tmp_path / "drive.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec.name, stream.pix_fmt, stream.average_rate) == ("h264", "yuv420p", 10)
        assert (stream.width, stream.height) == (96, 64)
        shown = [each.to_ndarray(format="rgb24") for each in container.decode(stream)]
    assert len(shown) == len(frames)
    for before, after in zip(frames, shown, strict=True):
        assert np.abs(before.astype(int) - after.astype(int)).mean() < 6


@pytest.mark.parametrize(
    ("name", "fps", "frames", "message"),
    [
        ("a.avi", 10, [picture()], r"expected a file name that ends in \.mp4"),
        ("a.mp4", 0, [picture()], "expected a positive frame rate, got 0"),
        ("a.mp4", 10, [], "expected at least one frame, got none"),
        ("a.mp4", 10, [picture(h=15)], r"even h and w, got \(15, 32, 3\)"),
        ("a.mp4", 10, [picture(), picture(w=16)], r"expected frames of \(16, 32, 3\) uint8, got \(16, 16, 3\)"),
    ],
)
def test_a_bad_video_leaves_nothing(
    tmp_path: Path, name: str, fps: float, frames: list[FrameArray], message: str
) -> None:
    with pytest.raises(ValueError, match=message), open_video(tmp_path / name, fps) as video:
        for frame in frames:
            video.add(frame)
    assert not list(tmp_path.iterdir())


def test_an_earlier_video_survives_a_failure(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"earlier")
    with pytest.raises(RuntimeError), open_video(tmp_path / "a.mp4", 10) as video:
        video.add(picture())
        raise RuntimeError("the world broke")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.mp4", b"earlier")]


def test_pictures_are_set_beside_each_other_below_their_readings() -> None:
    assert [factor_for(width) for width in (128, 256, 1024, 40)] == [4, 2, 1, 13]
    large = enlarge(picture(), 13)
    pair = beside(large, large, gap=8)
    assert pair.shape == (208, 2 * 416 + 8, 3)
    shown = with_strip(pair, Readings(1.0, 20.0, 0.0, 0.9))
    assert shown.shape == (208 + STRIP_PX, 840, 3) and (shown[STRIP_PX:] == pair).all()


def strip(steering: float, trust: float) -> FrameArray:
    return with_strip(np.zeros((2, 600, 3), np.uint8), Readings(1.0, 20.0, steering, trust))[:STRIP_PX]


def test_the_strip_shows_steering_on_its_own_side_and_trust_by_length_and_colour() -> None:
    straight = strip(0.0, 0.9)
    middle = (round(0.40 * 600) + round(0.62 * 600)) // 2
    for steering, side in ((0.8, slice(0, middle - 6)), (-0.8, slice(middle + 6, 600))):
        changed = np.flatnonzero((strip(steering, 0.9) != straight).any(axis=(0, 2)))
        assert changed[np.argmax(np.abs(changed - middle))] in range(600)[side]
    green, red = (strip(0.0, trust)[STRIP_PX // 2, round(0.8 * 600)] for trust in (0.9, 0.2))
    assert green[1] > green[0] and red[0] > red[1]
    lit = [(strip(0.0, trust)[STRIP_PX // 2, 480:590].astype(int).max(-1) > 120).sum() for trust in (0.2, 0.9)]
    assert lit[0] < lit[1]


def test_a_filmstrip_keeps_order_and_has_clear_gaps() -> None:
    rows = [[picture(seed) for seed in (1, 2, 3)], [picture(seed) for seed in (4, 5, 6)]]
    sheet = filmstrip(rows, factor=1, gap=2)
    assert sheet.shape == (34, 100, 4)
    assert (sheet[18:, 68:, :3] == rows[1][2]).all() and (sheet[..., 3][:, 32:34] == 0).all()
    decoded = cv2.imdecode(np.frombuffer(png(sheet), np.uint8), cv2.IMREAD_UNCHANGED)
    assert (cv2.cvtColor(decoded, cv2.COLOR_BGRA2RGBA) == sheet).all()
    with pytest.raises(ValueError, match=r"rows of one length, got \[3, 2\]"):
        filmstrip([rows[0], rows[1][:2]])


def page() -> Page:
    chart = Chart("Lane offset", "m", [0.0, 1.0, 2.0], [Line("true", [0.0, math.nan, 9.0], "reference")], -1.0, 1.0)
    scene = Scene(
        title="Night <rain>", caption='driving "fast" & far', video=b"mp4", poster=png(picture()),
        sides=("learned", "reference"), filmstrip=png(filmstrip([[picture()]])), rows=("reference", "learned"),
        moments=("0 s",), facts=[Fact("12.3", "dB")], charts=[chart], table=Table(["after", "1 s"], [["PSNR", "20.1"]]),
        remarks=["It left the road."],
    )  # fmt: skip
    return Page("A page", "About it.", before=[Section("Look", ["Here."], ["this"], ["ls <x>"])], scenes=[scene])


def test_a_page_holds_all_it_shows_and_escapes_what_it_is_told(tmp_path: Path) -> None:
    text = write_page(tmp_path / "deep" / "index.html", page()).read_text(encoding="utf-8")
    assert text == render(page())
    addresses = re.findall(r'(?:src|href|poster)="([^"]*)"', text)
    assert len(addresses) == 3 and all(address.startswith("data:") for address in addresses)
    assert "http" not in text and "url(" not in text and "@import" not in text
    assert "Night &lt;rain&gt;" in text and "driving &quot;fast&quot; &amp; far" in text and "ls &lt;x&gt;" in text
    assert "prefers-color-scheme: dark" in text and 'name="viewport"' in text
    for said in ("12.3", "20.1", "It left the road.", "Lane offset"):
        assert said in text


def test_what_opens_the_page_comes_first_with_its_figures() -> None:
    chart = Chart("Return", "", [0.0, 60.0], [Line("learned", [1.0, 9.0], "learned")], 0.0, 10.0)
    section = Section("Learned", ["Here."], facts=[Fact("0", "steps")], table=Table(["who"], [["it"]]), charts=[chart])
    text = render(replace(page(), opening=[section, page().scenes[0]]))
    places = [text.index(each) for each in ("About it.", "Learned", "steps", ">it<", "Return", "opening-1", "Look")]
    assert places == sorted(places) and text.count("Night &lt;rain&gt;</h2>") == 2
    assert text.count("<figure class=chart>") == 3 and text.count("<table>") == 3


def test_a_curve_is_clipped_and_lifts_its_pen_where_nothing_is_known() -> None:
    path = re.search(r'class="reference" d="([^"]*)"', render(page()))
    assert path is not None and path[1] == "M0.0 50.0M600.0 0.0"
