"""Words that change the drive under way: what changes, what stays, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from agents.cockpit.account import AT_ONCE, STAYS
from agents.cockpit.beginnings import read
from agents.cockpit.changes import looks_asked
from agents.cockpit.pilots import MIRRORED
from agents.cockpit.protocol import Begin, Branch, Change, Join, Picture, Record, Return, Save, Truth, Words
from agents.cockpit.session import Session
from envs.learned.past import FRAMES
from worldsim.data.store import EpisodeStore
from worldsim.types import SceneFields

from .test_session import HIGHWAY, drive, kinds, told


def scene_now(session: Session) -> SceneFields:
    assert session.futures is not None
    return session.futures.core.drives.fields[0]


def test_weather_and_light_change_and_the_drive_goes_on(session: Session) -> None:
    session.obey(HIGHWAY)
    drive(session, 4, steering=0.3, pedal=0.4)
    assert session.futures is not None
    before, frame = session.futures.core.drives.clone(), session.futures.frames.copy()
    replies = session.obey(Change("night, heavy rain"))
    assert kinds(replies) == ["changed", "account"] and "at night in rain" in replies[0]["caption"]
    drives = session.futures.core.drives
    assert scene_now(session).time_of_day == "night" and scene_now(session).weather == "rain"
    assert (scene_now(session).road, scene_now(session).lanes) == (before.fields[0].road, before.fields[0].lanes)
    assert drives.step[0] == 4 and np.array_equal(drives.ego, before.ego) and np.array_equal(drives.pose, before.pose)
    assert not np.array_equal(session.futures.frames, frame)
    assert drives.rollout.scene.fields[0].tolist() == scene_now(session).codes()
    happened = {(event["kind"], event["to"], event["began_s"]) for event in drives.events[0]}
    assert happened == {("time_of_day", "night", 0.4), ("weather", "rain", 0.4)}
    drive(session, 3, steering=-0.3)
    assert session.view()[0]["step"] == 7
    drive(session, FRAMES)
    assert session.futures.past.latents.shape[1] == session.futures.past.motion.shape[1] == FRAMES
    session.obey(Change("snow"))  # and once more, from what was seen since
    assert session.futures.core.drives.rollout.cache.position[0] == FRAMES
    assert (scene_now(session).time_of_day, scene_now(session).weather) == ("night", "snow")


@pytest.mark.parametrize(
    ("text", "now", "asked"),
    [
        ("night, heavy rain", SceneFields(), {"time_of_day": "night", "weather": "rain"}),
        ("the rain stops", SceneFields(weather="rain"), {"weather": "clear"}),
        ("no rain", SceneFields(weather="rain"), {"weather": "clear"}),
        ("no rain", SceneFields(weather="snow"), {}),
        ("in 5 seconds it snows", SceneFields(), {"weather": "snow"}),
        ("夜晚大雪", SceneFields(), {"time_of_day": "night", "weather": "snow"}),
        ("a wide highway", SceneFields(), {}),
    ],
)
def test_what_words_ask_of_a_drive_under_way(text: str, now: SceneFields, asked: dict[str, str]) -> None:
    assert looks_asked(read(text), now, np.random.default_rng(0)) == asked


def test_a_drive_of_which_nothing_is_known_changes_too(session: Session) -> None:
    """From an image, and from a start that was imagined."""
    _, picture = cv2.imencode(".png", np.full((64, 128, 3), 120, np.uint8))
    session.obey(Picture("worlds/tiny", 7.0, picture.tobytes()))
    assert scene_now(session) == SceneFields()
    drive(session, 2)
    changed = session.obey(Change("night"))[0]
    assert "at night" in changed["caption"] and changed["name"] == "your image"
    assert scene_now(session) == SceneFields(time_of_day="night")
    drive(session, 1)
    session.obey(Begin("worlds/bare", "highway"))
    assert session.futures is not None and session.futures.past.latents.shape[1] == 1
    session.obey(Change("night, snow"))
    drive(session, 1)
    assert (scene_now(session).time_of_day, scene_now(session).weather) == ("night", "snow")


def test_what_cannot_change_under_way_is_named(session: Session) -> None:
    session.obey(HIGHWAY)
    drive(session, 2)
    for text in ("a roundabout", "heavy traffic", "faster, please"):
        with pytest.raises(ValueError, match="begin a new one"):
            session.obey(Change(text))
    with pytest.raises(ValueError, match="nothing to read"):
        session.obey(Change("?!"))
    assert not session.futures.changes and session.view()[0]["step"] == 2  # type: ignore[union-attr]
    text = "night, three lanes, in 5 seconds it rains, a truck cuts in, turn left, pink elephants"
    account = told(session.obey(Change(text)), "account")
    assert {each["means"] for each in account["understood"]} == {
        "time_of_day: night", "weather: rain", "command: left"
    }  # fmt: skip
    refused = {each["text"]: each["why"] for each in account["unsupported"]}
    assert refused["three lanes"] == STAYS and refused["in 5 seconds"] == AT_ONCE
    assert any("truck cuts in" in each and "decides for itself" in why for each, why in refused.items())
    assert {"pink", "elephants"} <= set(refused) and "cuts in" not in refused
    assert account["assumed"] == []
    roles = {account["text"][mark["start"] : mark["end"]]: mark["role"] for mark in account["marks"]}
    assert roles["night"] == "understood" and roles["three lanes"] == "unsupported"
    assert session.view()[0]["drives"][0]["command"] == "left"


def test_what_is_so_already_is_left_alone(session: Session) -> None:
    session.obey(Words("worlds/tiny", "night, rain"))
    drive(session, 2)
    assert session.futures is not None
    rollout = session.futures.core.drives.rollout
    assert told(session.obey(Change("rain by night")), "account")["understood"]
    assert told(session.obey(Change("no snow")), "account")["understood"]
    assert session.futures.core.drives.rollout is rollout and not session.futures.changes


def test_both_futures_change_and_the_past_does_not(session: Session) -> None:
    session.obey(HIGHWAY)
    drive(session, 10)
    day = scene_now(session)
    saved = told(session.obey(Save()), "saved")["moment"]
    session.obey(Branch(MIRRORED))
    session.obey(Change("night"))
    assert session.futures is not None
    assert [each.time_of_day for each in session.futures.core.drives.fields] == ["night", "night"]
    frames = drive(session, 3, steering=0.4)
    assert not np.array_equal(frames[-1, 0], frames[-1, 1])
    session.obey(Join("second"))
    assert scene_now(session).time_of_day == "night" and len(session.futures.past.latents) == 1
    night = told(session.obey(Save()), "saved")["moment"]
    session.obey(Return(moment=saved))
    assert scene_now(session) == day
    session.obey(Return(moment=night))
    assert scene_now(session).time_of_day == "night" and session.view()[0]["step"] == 13
    session.obey(Change("snow"))
    session.obey(Return(step=13))  # where it was changed last, it is as it was changed
    assert scene_now(session).weather == "snow" and len(session.futures.changes) == 2


def test_the_truth_looks_as_the_words_say(session: Session) -> None:
    session.obey(HIGHWAY)
    session.obey(Truth(True))
    drive(session, 3, steering=0.2)
    day = session.view()[1]["truth"]
    session.obey(Change("night"))
    night = session.view()[1]["truth"]
    assert night.mean() < 0.6 * day.mean()
    drive(session, 2)
    assert session.truth is not None and session.view()[1]["truth"].mean() < 0.6 * day.mean()
    place = session.truth.info["pose"]
    session.obey(Truth(False))
    session.obey(Truth(True))  # caught up with from the beginning: the same place in the same light
    assert np.array_equal(session.truth.info["pose"], place)
    assert session.view()[1]["truth"].mean() < 0.6 * day.mean()
    session.obey(Return(step=0))
    assert session.view()[1]["truth"].mean() > 0.9 * day.mean()


def test_a_recording_goes_on_and_says_what_changed(session: Session, tmp_path: Path) -> None:
    session.obey(HIGHWAY)
    drive(session, 2)
    session.obey(Change("dusk"))
    drive(session, 2)
    session.obey(Record(True))
    drive(session, 3)
    session.obey(Change("night, snow"))
    drive(session, 3)
    written = told(session.obey(Record(False)), "recorded")
    episode = EpisodeStore(written["folder"]).read(written["episode"])
    assert len(episode) == 7 and episode.fields.time_of_day == "dusk"
    happened = {(each.kind, each.to, round(each.began_s or 0.0, 3)) for each in episode.happenings or ()}
    assert happened == {("time_of_day", "night", 0.3), ("weather", "snow", 0.3)}
