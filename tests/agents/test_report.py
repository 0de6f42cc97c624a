"""The truth report as a command, on a tiny world and tiny sizes: all sections, resumed, against another, thresholds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from agents.report import command, ranking, sections
from agents.report.command import EvaluateConfig, evaluate
from agents.report.subject import Sizes
from tests.worldsim.test_evaluation_rollouts import drive
from tests.worldsim.worlds import tiny_world
from worldsim.checkpoint import ModelCard, save_world
from worldsim.cli.main import main
from worldsim.data.finalize import finalize
from worldsim.data.writer import EpisodeWriter

EVERYTHING = Sizes({"bend": 1, "straight": 1, "lead": 1}, 8, 4, 3, 24, 1, 3, 10.0, staged=1)
LITTLE = Sizes({"straight": 1}, 8, 2, 2, 24, 1, 1, 10.0, staged=1)
SOME = ["obedience", "physics", "drift"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two worlds, a cache of their own for reference drives, and sizes that take seconds."""
    folder = tmp_path_factory.mktemp("report")
    for seed in (0, 1):
        save_world(
            folder / f"world-{seed}", tiny_world(5, seed), ModelCard("tiny", "Untrained.", "none"), torch.float16
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORLDSIM_CACHE", str(folder / "cache"))
        patch.setattr(command, "QUICK", LITTLE)
        patch.setattr(ranking, "POLICIES", ("expert", "blind", "parking"))
        yield folder


def config(place: Path, **more: object) -> EvaluateConfig:
    shared = {"world": str(place / "world-0"), "out": place / "out", "quick": True, "steps": 1, "workers": 1}
    return EvaluateConfig(**{**shared, **more})


def read(out: Path) -> tuple[dict, str]:
    """The report as JSON, which holds no NaN, and the page, which fetches nothing."""
    page = (out / "report.html").read_text()
    assert not re.search(r'(src|href|poster)="(?!data:|#)', page)
    return json.loads((out / "report.json").read_text(), parse_constant=lambda name: pytest.fail(name)), page


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_whole_report(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "QUICK", EVERYTHING)
    assert evaluate(config(place, out=place / "whole")) == 0
    report, page = read(place / "whole")
    assert set(sections.REFERENCE_SECTIONS) <= set(report["report"]) and report["other"] is None
    assert report["report"]["calibration"]["drives"] == 3 and report["report"]["drift"]["drives"] == 3
    assert page.count("<svg") >= 12 and page.count("<video") >= 6


@pytest.mark.timeout(900)
def test_a_report_is_written_and_what_is_kept_is_not_measured_again(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert evaluate(config(place, sections=SOME)) == 0
    report, page = read(place / "out")
    assert set(report["report"]) == {"world", "headlines", *SOME}
    assert report["report"]["headlines"]["obedience.obeyed"]["value"] is not None
    assert report["report"]["physics"]["reference"]["no_birth"]["value"] == 1.0
    assert page.count("<svg") == 7 and page.count("<video") == 1 and "share of probes obeyed" in page
    assert "## Obedience" in (place / "out" / "report.md").read_text()
    assert "measured in" in capsys.readouterr().out

    for name in SOME:
        monkeypatch.setitem(sections.SECTIONS, name, lambda subject, help: pytest.fail("measured again"))
    assert evaluate(config(place, sections=SOME)) == 0
    assert read(place / "out")[0]["report"] == report["report"]


def test_an_interrupted_report_goes_on(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The section at which it stopped is measured again, those before are not."""
    out, measured = place / "resumed", []

    def noted(name: str, stop: bool):
        def section(subject: object, help: object) -> dict[str, float]:
            if stop:
                raise KeyboardInterrupt
            measured.append(name)
            return {}

        return section

    monkeypatch.setattr(command, "_write", lambda *_: None)
    for name, stop in (("obedience", False), ("physics", True)):
        monkeypatch.setitem(sections.SECTIONS, name, noted(name, stop))
    asked = config(place, out=out, sections=["obedience", "physics"])
    with pytest.raises(KeyboardInterrupt):
        evaluate(asked)
    monkeypatch.setitem(sections.SECTIONS, "physics", noted("physics", False))
    evaluate(asked)
    assert measured == ["obedience", "physics"]


def test_two_worlds_stand_side_by_side_and_thresholds_guard(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = tmp_path / "thresholds.yaml"
    rules.write_text("obedience.swaps: {max: 100}\nobedience.obeyed: {min: 0.0, max: 1.0}\n")
    both = config(place, against=str(place / "world-1"), sections=["obedience"], thresholds=rules)
    assert evaluate(both) == 0
    report, _ = read(place / "out")
    assert (
        report["other"]["world"].endswith("world-1") and report["other"]["obedience"] != report["report"]["obedience"]
    )
    rules.write_text("obedience.obeyed: {min: 1.1}\nranking.spearman: {min: 0.9}\n")
    assert evaluate(both) == 1
    said = capsys.readouterr().out
    assert "threshold not met: obedience.obeyed" in said and "ranking.spearman: not measured" in said


def test_recorded_drives_alone(place: Path, tmp_path: Path) -> None:
    writer = EpisodeWriter(tmp_path / "data", fps=10)
    for index in range(2):
        episode = drive(24, index)
        episode.split, episode.caption = "val", ""
        writer.write(episode, index)
    finalize(tmp_path / "data")
    assert evaluate(config(place, data=tmp_path / "data", out=tmp_path / "out")) == 0
    whole, page = read(tmp_path / "out")
    report = whole["report"]
    assert set(report) == {"world", "headlines", "recorded"} and report["recorded"]["rollout"]["n"]["1"] == 2
    assert report["recorded"]["rollout"]["psnr_db"]["20"] is None  # no drive is that long
    assert "data:image/png" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sections=[obedence]"], "unknown section 'obedence'"),
        (["sections=[recorded]"], "expected data=FOLDER"),
        (["episodes=0"], "at least 1"),
        (["thresholds=no.yaml"], "expected a file at no.yaml"),
        (["policies=[nobody]"], "nobody"),
        (["device=cuda:99"], "device:"),
        (["world=nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_is_said_at_once(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", f"out={tmp_path}/out", *arguments]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()
