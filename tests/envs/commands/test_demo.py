"""The demo: a page that a browser shows, and demos of nothing, which are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from envs.commands.demo import DemoConfig, demo

from .videos import decoded


def test_the_demo_writes_a_page_and_says_where(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo"
    demo(DemoConfig(out=out, world=str(folder), scenarios=["highway", "two_way"], seconds=1.2, steps=1))
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2] == f"look at:   {(out / 'index.html').as_uri()}"
    assert lines[-1].startswith("then type: ") and lines[-1].endswith(f"play scenario=highway world={folder}")
    assert {path.name for path in out.iterdir()} == {
        "index.html", "figures.json", "1-highway.mp4", "1-highway.png", "2-two_way.mp4", "2-two_way.png",
    }  # fmt: skip
    text = (out / "index.html").read_text(encoding="utf-8")
    assert text.count("<video") == 2 and text.count("data:video/mp4;base64,") == 2
    assert "Two way" in text and "It is &lt;random&gt;." in text
    frames = decoded(out / "1-highway.mp4")
    assert len(frames) == 13 and frames[0].shape == (256 + 28, 2 * 512 + 8, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scenarios": ["highwya"]}, "unknown scenario of this world's starts 'highwya'.*did you mean 'highway'"),
        ({"scenarios": []}, "scenarios: expected at least one"),
        ({"seconds": 0.0}, "seconds: expected a number from 1 to 50"),
    ],
)
def test_a_demo_of_nothing_is_refused(folder: Path, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        demo(DemoConfig(out=tmp_path / "demo", world=str(folder), **changes))
    assert not (tmp_path / "demo").exists()
