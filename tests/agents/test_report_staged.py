"""Staged scenes and their laws: the reference world keeps each law, the world that is broken for it does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agents.report import kept, laws, staging
from agents.report.laws import LAWS, Film, draw_scenes, skies
from agents.report.looks import look_at
from agents.report.moments import Moment
from agents.report.staging import STEPS, TURN_STEPS, TURNED_AT, Staged, sky
from tests.worldsim.worlds import tiny_world
from worldsim.engine import Engine, EngineConfig
from worldsim.evaluation.rollouts import CONTEXT_FRAMES
from worldsim.types import CameraSpec

SCENES = 4
"""Of each kind: two of each order of changes, so that a sky is told by others."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORLDSIM_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def scenes(cache: Path) -> tuple[list[Moment], Staged]:
    return kept.staged(SCENES, CameraSpec())


@pytest.fixture(scope="module")
def films(scenes: tuple[list[Moment], Staged]) -> tuple[Film, Film]:
    """True, and broken."""
    staged = scenes[1]
    return film(staged.branches.frames), film(staged.broken)


def film(frames: np.ndarray) -> Film:
    return Film(frames, look_at(lambda rows: frames[rows], len(frames)))


def test_scenes_are_kept_and_the_same_again(
    scenes: tuple[list[Moment], Staged], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments, staged = scenes
    monkeypatch.setattr(kept, "stage_scenes", lambda *_: pytest.fail("staged again"))
    again, same = kept.staged(SCENES, CameraSpec())
    assert [each.seed for each in again] == [each.seed for each in moments]
    assert all(len(each.context) == CONTEXT_FRAMES for each in again)
    for name in ("broken", "before", "where", "free", "lit", "lit_known", "first"):
        assert np.array_equal(getattr(same, name), getattr(staged, name))
    assert np.array_equal(same.branches.frames, staged.branches.frames)


def test_scenes_show_what_they_are_staged_for(scenes: tuple[list[Moment], Staged]) -> None:
    moments, staged = scenes
    assert len(staged) == SCENES * len(staging.KINDS) and not staged.branches.label("collision").any()
    for row, moment in enumerate(moments):
        assert np.array_equal(moment.context.frames[-1], staged.branches.frames[row, 0])
        assert np.ptp(staged.branches.motion[row, :, 0]) < 0.02  # the ego holds its speed
    hidden, brakes, steady = (staged.of(kind) for kind in ("hidden", "brakes", "steady"))
    assert not staged.where[hidden, 0].any() and staged.where[hidden][:, -1].any(axis=(1, 2)).all()
    assert staged.lit[brakes, 0].all() and not staged.lit[steady].any() and not staged.lit[brakes, -1].any()
    gap = staged.branches.label("lead_distance_m")
    assert (gap[brakes, -1] < gap[brakes, 0] - 5).all() and np.abs(gap[steady, -1] - gap[steady, 0]).max() < 0.5
    difference = np.abs(staged.broken[hidden].astype(int) - staged.branches.frames[hidden])
    assert difference[:, 0].max() <= staging.FILMED < difference[:, -1].max()  # but for a shadow, nobody is seen to go


@pytest.mark.parametrize("name", list(LAWS))
def test_the_reference_keeps_each_law_and_a_broken_world_does_not(
    name: str, scenes: tuple[list[Moment], Staged], films: tuple[Film, Film]
) -> None:
    staged, (true, broken) = scenes[1], films
    kept_by_reference, kept_by_broken = laws.figures(staged, true, true), laws.broken_figures(staged, broken, true)
    assert kept_by_reference[name]["value"] >= 0.98 and kept_by_reference[name]["branches"] >= SCENES
    assert kept_by_broken[name]["value"] == 0.0 and kept_by_broken[name]["branches"] == SCENES


def test_who_never_slows_or_lights_no_lamp_is_told_apart(
    scenes: tuple[list[Moment], Staged], films: tuple[Film, Film]
) -> None:
    """A world that stands still: whoever brakes does not come nearer, and whoever does not brake stays where it is."""
    staged, (true, _) = scenes[1], films
    still = film(np.repeat(staged.branches.frames[:, :1], STEPS + 1, axis=1))
    verdicts = laws.lamps_before_slowing(staged, still, true)
    assert not any(verdicts[int(row)] for row in staged.of("brakes"))
    assert all(verdicts[int(row)] for row in staged.of("steady"))
    assert not any(laws.changes_come_in_order(staged, still, true).values())
    assert laws.who_is_hidden_is_still_there(staged, still, true) == {}  # he is hidden to the end


def test_who_is_lost_from_view_cannot_be_said_to_stay(
    scenes: tuple[list[Moment], Staged], films: tuple[Film, Film]
) -> None:
    staged, (true, _) = scenes[1], films
    frames = staged.branches.frames.copy()
    frames[staged.of("steady"), 5:] = staged.branches.frames[staged.of("passed"), -1:]  # an empty road
    verdicts = laws.lamps_before_slowing(staged, film(frames), true)
    assert set(verdicts) == set(staged.of("brakes").tolist())


def test_lamps_and_skies_are_told_and_said_to_be(scenes: tuple[list[Moment], Staged], films: tuple[Film, Film]) -> None:
    assert laws.accuracy(scenes[1], films[0]) == {"auroc_brake_lamps": 1.0, "skies_told_right": 1.0}
    few = Staged(**{**vars(scenes[1]), "first": np.zeros_like(scenes[1].first)})
    assert laws.changes_come_in_order(few, films[0], films[0]) == {}  # of one order alone no sky can be learned
    assert np.isnan(laws.accuracy(few, films[0])["skies_told_right"])


def test_the_sky_turns_one_thing_after_the_other() -> None:
    assert sky(0, 0) == {"weather": "clear", "time_of_day": "day"}
    assert sky(TURNED_AT[0] + TURN_STEPS, 0) == {"weather": "clear", "time_of_day": "night"}
    assert sky(TURNED_AT[0] + TURN_STEPS, 1) == {"weather": "fog", "time_of_day": "day"}
    assert sky(STEPS, 0) == sky(STEPS, 1) == {"weather": "fog", "time_of_day": "night"}
    said = skies(1, STEPS + 1)
    assert said[0] == "" and said[TURNED_AT[0] + TURN_STEPS] == "fog" and said[-1] == "fog+night"
    assert said[TURNED_AT[0] + 1] == "?"


def test_the_model_is_told_of_changes_when_they_come(scenes: tuple[list[Moment], Staged]) -> None:
    moments, staged = scenes
    rows = staged.of("turns")
    some = Staged(**{**{k: v[rows] for k, v in vars(staged).items() if k != "branches"},
                     "branches": staged.branches.rows(rows, np.arange(len(rows)))})  # fmt: skip
    told: list[list[int]] = []

    class Listening(Engine):
        def step(self, state, motion, command=None):  # type: ignore[no-untyped-def]
            told.append(state.scene.fields[0].tolist())
            return super().step(state, motion, command)

    engine = Listening(tiny_world(), EngineConfig(steps=1, start_steps=1))
    draw_scenes(engine, [moments[int(row)] for row in rows], some, 0, None)
    half = [begins + TURN_STEPS // 2 for begins in TURNED_AT]
    changes = [step for step in range(1, STEPS) if told[step] != told[step - 1]]
    assert changes == half
    before, between, after = told[0], told[half[0]], told[-1]
    assert before != between != after and sum(a != b for a, b in zip(before, after, strict=True)) == 2
