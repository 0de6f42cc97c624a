"""``--multirun``: Hydra's grammar makes one command many, each with a place of its own."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from worldsim.cli.command import Command
from worldsim.cli.main import main
from worldsim.cli.sweep import plan
from worldsim.schema import option

RAN: list[Any] = []


@dataclass
class Config:
    """What the command of these tests takes."""

    out: Path = option(help="folder to write")
    scenario: str = "highway"
    words: str | None = None
    n: int = 1
    change: dict[str, Any] = field(default_factory=dict)


@dataclass
class Result:
    """What it returns."""

    wrote: Path
    crashes: int


def make(config: Config) -> Result:
    """Notes that it ran; 13 runs are refused."""
    if config.n == 13:
        raise ValueError("n: not 13")
    RAN.append(config)
    return Result(config.out, config.n * 2)


MAKE = Command("make", "make something", "out=x", config=Config, run=make)


@pytest.fixture(autouse=True)
def one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    RAN.clear()
    monkeypatch.setattr("worldsim.cli.main.commands", lambda: ({"make": MAKE}, []))


def test_every_combination_runs_in_a_folder_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["scenario=cut_in,highway", "change.weather=rain,[fog,snow]", "n=range(1,3)", "words=a, b and c"]
    assert main(["make", "--multirun", *arguments[:3], f"out={tmp_path}"]) == 0
    said = [(each.scenario, each.change["weather"], each.n) for each in RAN]
    assert said == [(s, w, n) for s in ("cut_in", "highway") for w in ("rain", ["fog", "snow"]) for n in (1, 2)]
    places = [each.out for each in RAN]
    assert len(set(places)) == 8 and all(place.parent == tmp_path for place in places)
    assert places[0] == tmp_path / "scenario=cut_in,change.weather=rain,n=1"
    assert "[8/8] scenario=highway change.weather=[fog,snow] n=2" in capsys.readouterr().out
    rows = list(csv.DictReader((tmp_path / "sweep.csv").open()))
    assert [row["crashes"] for row in rows] == ["2", "4"] * 4 and rows[2]["change.weather"] == "[fog,snow]"
    # a wider sweep keeps where the first ones are
    RAN.clear()
    main(["make", "-m", "scenario=cut_in,highway,exit", *arguments[1:3], f"out={tmp_path}"])
    assert set(places) < {each.out for each in RAN}


def test_one_that_is_refused_is_told_and_the_others_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["make", "n=12,13,14", f"out={tmp_path / 'film.mp4'}", "--multirun"]) == 2
    assert [each.n for each in RAN] == [12, 14] and "refused: n: not 13" in capsys.readouterr().out
    assert RAN[0].out == tmp_path / "film-n=12.mp4"


def test_the_first_may_be_the_one_that_is_refused(tmp_path: Path) -> None:
    assert main(["make", "n=13,14", f"out={tmp_path}", "--multirun"]) == 2
    assert [each.n for each in RAN] == [14]


def test_files_of_a_group_by_a_pattern() -> None:
    jobs, folder = plan(MAKE, ["scenario=glob(*rain*)", "out=runs/v1.2"])
    assert [job.swept["scenario"] for job in jobs] == ["night_rain", "night_rain_cut_in"] and folder == Path(
        "runs/v1.2"
    )
    jobs, _ = plan(MAKE, ["words='rain, then fog','snow'", "out=x"])
    assert [job.swept["words"] for job in jobs] == ["'rain, then fog'", "'snow'"]
    jobs, folder = plan(MAKE, ["out=a,b", "n=3"])
    assert [job.overrides for job in jobs] == [("n=3", "out=a"), ("n=3", "out=b")] and folder is None
    assert len({job.overrides[-1] for job in plan(MAKE, ["scenario=a/b,a_b", "out=x"])[0]}) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["n=1", "out=x"], "expected a key with several values"),
        (["n=1,2"], "'out' is required"),
        (["n=1,many", "out=x"], "'n': expected int, got 'many'"),
        (["n=interval(0,1)", "out=x"], "values that can be counted"),
        (["scenario=glob(*tornado*)", "out=x"], "expected a pattern that fits"),
        (["number=1,2", "out=x"], "unknown key 'number'"),
        (["n=(1,2", "out=x"], "neither a value nor several"),
    ],
)
def test_mistakes_are_named_before_anything_runs(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["make", "--multirun", *arguments]) == 2
    assert message in capsys.readouterr().err and not RAN


def test_without_the_flag_several_values_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["make", "n=1,2", "out=x"]) == 2
    assert "--multirun takes each in turn" in capsys.readouterr().err
