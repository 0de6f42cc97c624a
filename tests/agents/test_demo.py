"""The demo's opening: what a policy learned in the model, its page and film, and the whole of it on a tiny world."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from agents.demo.command import DemoConfig, run
from agents.demo.films import film
from agents.demo.lesson import AFTER, BEFORE, ORDER, OUTSIDE, Lesson
from agents.demo.section import opening, summary
from agents.judging.play import Outcome
from agents.judging.scores import scores
from agents.learning.imagination import ImaginationConfig
from agents.policy.checkpoint import PolicyCard, save_policy
from agents.policy.network import Policy, PolicyConfig
from agents.starts import sit
from envs.learned.collect_starts import drive_contexts, make_bank
from tests.envs.commands.videos import decoded
from tests.envs.learned_worlds import WORLD
from worldsim.checkpoint import ModelCard, save_world
from worldsim.serving.page import Page, Scene, Section, render
from worldsim.tokenizer import tokenizer_hash
from worldsim.types import ROADS

CARD = PolicyCard(
    "some", "imagination", "Drive-v0", "tiny", tokenizer_hash(WORLD.tokenizer), model_steps=9000, seconds=90.0
)


def policy(folder: Path, steering: float) -> Path:
    """A policy that holds the wheel."""
    made = Policy(PolicyConfig.of(WORLD))
    with torch.no_grad():
        made.mean.weight.zero_()
        made.mean.bias.copy_(torch.tensor([steering, 0.0]))
    save_policy(folder, made, CARD)
    return folder


def lesson(folder: Path) -> Lesson:
    def outcomes(earned: float, crash: bool) -> list[Outcome]:
        return [
            Outcome(k, "curves", k, 9, earned + k, {}, not crash, crash, False, 1.0, 0.1, 0.1, 0.0, 10.0, 1.0)
            for k in range(4)
        ]

    of = {"random": (-20.0, True), BEFORE: (3.0, True), AFTER: (144.0, False), OUTSIDE: (120.0, False)}
    measured = {name: scores([outcomes(*of.get(name, (170.0, False)))]) for name in ORDER}
    curve = [(0.0, measured[BEFORE]["return"]), (90.0, measured[AFTER]["return"])]
    logged = [{"elapsed_s": 10.0 * k, "offroad_rate": 0.5 / k, "crash_rate": 0.0} for k in (1, 2)]
    outside = replace(CARD, trained_in="RoadCam-v0", model_steps=0, reference_steps=9000)
    return Lesson(
        4, measured, curve, logged, policy(folder / "before", 1.0), policy(folder / "after", 0.0), CARD, outside
    )


def test_the_page_opens_with_what_was_learned_and_what_it_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learned = lesson(tmp_path)
    said = summary(learned)
    assert "9,000 steps there, 0 in the reference world" in said and "over 4 drives" in said
    assert "from 4 [" in said and "to 146 [" in said
    monkeypatch.setattr("agents.demo.section.film", lambda *given: film(*given, seconds=1.0))
    section, scene = opening(learned, WORLD, tmp_path)
    assert isinstance(section, Section) and isinstance(scene, Scene) and section.table is not None
    assert [row[0] for row in section.table.rows] == list(ORDER)
    columns = dict(zip(section.table.head, zip(*section.table.rows, strict=True), strict=True))
    assert columns["return"][2].startswith("145.5 144.") and columns["crash %"][0].startswith("100 ")
    assert (section.facts[0].value, section.facts[1].value) == ("0", "9,000")
    assert [line.values for line in section.charts[0].lines][:2] == [[4.5, 145.5], [121.5, 121.5]]
    assert section.charts[1].lines[0].values == [0.5, 0.25]
    text = render(Page("A page", "About it.", opening=[section, scene]))
    assert text.index("Learned in here") < text.index("Before and after") and "before learning" in text
    assert text.count('class="learned"') == 2 and "145.5 144." in text


def test_the_film_shows_both_and_says_how_they_ended(tmp_path: Path) -> None:
    made = lesson(tmp_path)
    shown, said = film(made.before, made.after, WORLD, tmp_path / "film", seconds=3.0)
    frames = decoded(tmp_path / "film.mp4")
    assert len(frames) == 2 * 31 and frames[0].shape == (256 + 28, 2 * 512 + 8, 3)
    assert shown.moments_s == [0.0, 1.0, 2.0] and (tmp_path / "film.png").read_bytes() == shown.filmstrip
    assert any(each.startswith("Curves, before learning: it left the road after") for each in said)
    assert not any(each.startswith("Curves, after") for each in said)
    left, right = frames[30][100:, :500], frames[30][100:, 520:]
    assert left.mean() < 0.7 * right.mean()  # who has ended is dimmed


@pytest.mark.slow
def test_the_demo_teaches_judges_and_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world, out = tmp_path / "world", tmp_path / "demo"
    save_world(world, WORLD, ModelCard("tiny", "It knows nothing.", "none"))
    make_bank(WORLD, drive_contexts(sit, WORLD, ["highway"], per_scenario=1, frames=6)).save(world)
    how = ImaginationConfig(drives=len(ROADS), rollout_steps=12)
    config = DemoConfig(
        out=out, world=str(world), scenarios=["highway"], seconds=1.0, steps=1, policy_minutes=0.02, policy_drives=3,
        policy_seconds=1.0, imagination=how, workers=1,
    )  # fmt: skip
    run(config)
    said = capsys.readouterr().out.splitlines()
    assert "0 in the reference world, where its return over 3 drives" in said[-4]
    assert said[-2].startswith("look at:") and (out / "index.html").read_text().count("<video") == 2
    written = json.loads((out / "policies" / "scores.json").read_text())
    assert list(written["scores"]) == list(ORDER) and written["learned_in_the_model"]["reference_steps"] == 0
    inside, outside = written["learned_in_the_model"], written["learned_in_the_reference_world"]
    assert outside["reference_steps"] == inside["model_steps"] > 0
    assert (out / "policies" / "before-and-after.mp4").is_file()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"policy_minutes": -1.0}, "policy_minutes: expected a number from 0 to 60, got -1"),
        ({"policy_drives": 0}, "policy_drives"),
        ({"scenarios": []}, "at least one"),
    ],
)
def test_a_demo_of_nothing_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DemoConfig(**change)
