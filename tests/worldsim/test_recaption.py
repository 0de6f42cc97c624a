"""Captions out: deeds are read from motion and labels, happenings are read back, phrasings say what is known alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from envs.events import EVENTS, KEYS_OF, Event
from tests.worldsim.data_episodes import make_episode
from worldsim.data.caption import CaptionConfig, caption_data, facts_of, time_of_day
from worldsim.data.store import EpisodeStore
from worldsim.data.writer import EpisodeWriter
from worldsim.text.captions import TIME_PHRASES, WEATHER_PHRASES
from worldsim.text.deeds import Deed, deeds_of, mean_speed_mps
from worldsim.text.happenings import phrase, read_happenings
from worldsim.text.recaption import Facts, recaption
from worldsim.types import LABEL_FIELDS, Captions, Episode, Happening, SceneFields

FPS = 10.0
SCENE = SceneFields("highway", "rain", "night", "heavy", 3)


def driven(t: int = 120, road: str | None = None) -> Episode:
    """Straight on at 10 m/s, in the middle of the lane."""
    episode = make_episode(t)
    episode.motion[:] = (1.0, 0.0, 0.0, 10.0)
    episode.motion[-1] = np.nan
    episode.labels[:] = 0.0
    return dataclasses.replace(episode, fields=SceneFields(road=road))


def test_nothing_done_is_nothing_said() -> None:
    assert deeds_of(driven(), FPS) == [] and mean_speed_mps(driven()) == pytest.approx(10.0)
    unknown = driven()
    unknown.motion[:], unknown.labels[:] = np.nan, np.nan
    assert deeds_of(unknown, FPS) == [] and mean_speed_mps(unknown) is None


def test_turns_and_bends_are_told_apart_by_the_road() -> None:
    for sign, side in ((1, "left"), (-1, "right")):
        for road, kind in (("intersection", "turn"), (None, "turn"), ("curves", "bend")):
            episode = driven(road=road)
            episode.motion[40:70, 2] = sign * np.pi / 2 / 30
            (deed,) = deeds_of(episode, FPS)
            assert deed.kind == f"{kind}_{side}" and deed.at_s == pytest.approx(4.0, abs=0.3)


def test_a_stop_hard_braking_and_setting_off() -> None:
    episode = driven()
    episode.motion[30:50, 3] = np.linspace(10.0, 0.0, 20)  # 5 m/s2
    episode.motion[50:80, 3] = 0.0
    kinds = [deed.kind for deed in deeds_of(episode, FPS)]
    assert kinds == ["brake", "stop", "set_off"]
    gentle = driven()
    gentle.motion[20:70, 3] = np.linspace(10.0, 0.0, 50)
    gentle.motion[70:, 3] = 0.0
    assert [deed.kind for deed in deeds_of(gentle, FPS)] == ["stop"]


def test_lane_changes_and_faults_are_read_from_labels() -> None:
    episode = driven()
    offset = LABEL_FIELDS.index("lane_offset_m")
    episode.labels[20:40, offset] = np.linspace(0.0, 1.9, 20)  # to the left, over the line
    episode.labels[40:60, offset] = np.linspace(-1.9, 0.0, 20)
    episode.labels[100:, LABEL_FIELDS.index("offroad")] = 1.0
    episode.labels[110:, LABEL_FIELDS.index("collision")] = 1.0
    assert deeds_of(episode, FPS) == [Deed("lane_left", 4.0), Deed("offroad", 10.0), Deed("crash", 11.0)]
    off = driven()
    off.labels[:, LABEL_FIELDS.index("offroad")] = 1.0
    off.labels[50, offset] = -3.0
    assert [deed.kind for deed in deeds_of(off, FPS)] == ["offroad"]


@pytest.mark.parametrize("kind", EVENTS)
def test_what_a_scenario_writes_is_read_back(kind: str) -> None:
    for side in ("left", "right") if "side" in KEYS_OF[kind] else (None,):
        for vehicle in ("car", "truck") if "vehicle" in KEYS_OF[kind] else (None,):
            to = {"weather": "fog", "time_of_day": "night"}.get(kind)
            event = Event(kind, at_s=4.5, side=side, vehicle=vehicle, to=to)
            wanted = Happening(kind, 4.5, side, vehicle, to)
            assert read_happenings(f"driving on a road; {event.words()}; after 90 m nothing") == (wanted,)
            ways = {phrase(wanted, np.random.default_rng(seed)) for seed in range(30)}
            assert len(ways) > 1 and all(side is None or side in way for way in ways)
    assert read_happenings("a road; after 300 m a car cuts in")[0].began_s is None


@pytest.mark.parametrize(("source", "told"), [("envs:worldsim/RoadCam-v0", True), ("Drive-v0 with world road", False)])
def test_what_was_asked_for_counts_where_it_was_staged(tmp_path: Path, source: str, told: bool) -> None:
    words = "driving on a highway; after 5 s a truck cuts in from the left"
    episode = dataclasses.replace(make_episode(30), happenings=None, caption=words, source=source)
    EpisodeWriter(tmp_path, fps=10.0).write(episode, 0)
    store = EpisodeStore(tmp_path)
    assert bool(facts_of(store, store.records[0]).happenings) is told


def test_three_lengths_many_ways_from_the_seed() -> None:
    happenings = (Happening("cut_in", 5.0, "left", "truck"), Happening("weather", 9.0, to="fog"))
    facts = Facts(SCENE, happenings, [Deed("stop", 12.0)], 24.0)
    captions = recaption(facts, 8, seed=(3, 4))
    assert captions == recaption(facts, 8, seed=(3, 4)) != recaption(facts, 8, seed=(3, 5))
    lengths = [np.mean([len(text) for text in texts]) for texts in (captions.short, captions.medium, captions.long)]
    assert lengths[0] < 0.6 * lengths[1] < 0.6 * lengths[2]
    assert [len(set(texts)) for texts in (captions.short, captions.medium, captions.long)] == [8, 8, 8]
    for text in (*captions.medium, *captions.long):
        assert any(way in text.lower() for way in WEATHER_PHRASES["rain"])
        assert any(way in text.lower() for way in TIME_PHRASES["night"])
        assert text.index("left") < text.index("fog") < text.index("stop"), "in the order of time"


def test_what_is_not_known_is_not_said() -> None:
    assert recaption(Facts(SceneFields()), 5) == Captions()
    log = recaption(Facts(SceneFields(time_of_day="day"), (), [Deed("turn_left", 3.0)], 9.0), 6)
    for text in log.all:
        assert not any(word in text.lower() for word in ("rain", "snow", "fog", "clear", "traffic", "lane", "highway"))
    assert all("left" in text for text in log.long)


def test_brightness_tells_day_from_night_and_neither_in_between() -> None:
    def frames(sky: int) -> np.ndarray:
        picture = np.full((2, 60, 90, 3), 90, np.uint8)
        picture[:, :20] = sky
        return picture

    assert [time_of_day(frames(sky)) for sky in (15, 90, 200)] == ["night", None, "day"]


def test_the_command_captions_a_data_set_once(tmp_path: Path) -> None:
    writer = EpisodeWriter(tmp_path, fps=10.0)
    for index in range(3):
        writer.write(make_episode(30, seed=index), index)
    first = caption_data(CaptionConfig(tmp_path, phrasings=3))
    assert first.episodes == first.changed == 3 and first.unknown == 0
    records = EpisodeStore(tmp_path).records
    assert all(1 <= len(record.captions.long) <= 3 and record.captions.short for record in records)
    assert all("truck" in text or "lorry" in text for record in records for text in record.captions.long)
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "meta/records").iterdir()}
    again = caption_data(CaptionConfig(tmp_path, phrasings=3))
    assert again.changed == 0 and stamps == {path: path.stat().st_mtime_ns for path in stamps}
    assert caption_data(CaptionConfig(tmp_path, phrasings=3, seed=1)).changed == 3
    assert EpisodeStore(tmp_path).read(1).caption == records[1].caption, "the first caption stays"
    with pytest.raises(ValueError, match="phrasings: expected"):
        CaptionConfig(tmp_path, phrasings=0)
