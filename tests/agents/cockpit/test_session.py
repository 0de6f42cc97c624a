"""A session without the web: beginning, driving, moments, two futures, the truth, recording."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from agents.cockpit import protocol
from agents.cockpit.catalogue import Catalogue
from agents.cockpit.limits import Limits
from agents.cockpit.pilots import AS_BEFORE, MIRRORED
from agents.cockpit.protocol import Begin, Branch, Forget, Join, Pilot, Record, Return, Save, Truth, Wheel, Words
from agents.cockpit.session import Session
from agents.policy.checkpoint import PolicyCard, save_policy
from agents.policy.network import Policy, PolicyConfig
from envs.commands.twins import bring_reference
from tests.worldsim.worlds import tiny_world
from worldsim.data.store import EpisodeStore
from worldsim.tokenizer import tokenizer_hash

HIGHWAY = Begin("worlds/tiny", "highway")


def drive(session: Session, steps: int, steering: float = 0.0, pedal: float = 0.0) -> np.ndarray:
    """Drive on; the frames of all futures, (t, b, h, w, 3)."""
    frames = []
    for number in range(steps):
        session.step(Wheel(number, steering, pedal))
        assert session.futures is not None
        frames.append(session.futures.frames.copy())
    return np.stack(frames)


def kinds(replies: list[dict]) -> list[str]:
    return [reply["kind"] for reply in replies]


def told(replies: list[dict], kind: str) -> dict:
    (one,) = [reply for reply in replies if reply["kind"] == kind]
    return one


# --- beginning ----------------------------------------------------------------------------------------------------


def test_a_drive_begins_and_shows_what_is_driven(session: Session) -> None:
    began = told(session.obey(HIGHWAY), "began")
    assert began["world"] == "worlds/tiny" and began["name"] == "highway" and not began["imagined"]
    assert began["truth"] == "" and "highway" in began["scenarios"] and began["step"] == 0
    drive(session, 7, steering=0.5, pedal=0.4)
    readings, pictures = session.view()
    assert list(pictures) == ["first"] and pictures["first"].shape == (64, 128, 3)
    assert readings["step"] == 7 and readings["seconds"] == 0.7 and readings["recent"] == [0, 5]
    (first,) = readings["drives"]
    assert first["pilot"] == "you" and first["steering"] == pytest.approx(0.5) and first["speed_mps"] > 0
    assert first["hazard"][0] in ("offroad", "collision") and 0 <= first["trust"] <= 1
    assert protocol.packet(readings, pictures)


def test_a_wish_that_cannot_be_had_changes_nothing(session: Session) -> None:
    with pytest.raises(ValueError, match="nothing is driven yet"):
        session.obey(Save())
    session.obey(HIGHWAY)
    drive(session, 3)
    for wish, words in (
        (Begin("worlds/tiny", "highwy"), "did you mean 'highway'"),
        (Begin("worlds/tinny", "highway"), "unknown world"),
        (Begin("worlds/damaged", "highway"), "damaged"),
        (Words("worlds/tiny", "?!"), "nothing to read"),
        (protocol.Picture("worlds/tiny", content=b"none"), "expected a PNG"),
        (Pilot("nobody"), "unknown pilot"),
        (Return(), "neither"),
        (Return(moment=3), "not saved"),
        (Branch("nobody"), "unknown pilot"),
        (Join(), "branch first"),
        (Record(False), "nothing is being recorded"),
    ):
        with pytest.raises(ValueError, match=words):
            session.obey(wish)
    assert session.futures is not None and session.futures.step_count == 3
    drive(session, 1)


def test_words_begin_a_drive_and_are_accounted_for(session: Session) -> None:
    replies = session.obey(Words("worlds/tiny", "rainy night, a truck cuts in from the left, pink elephants"))
    assert kinds(replies) == ["began", "account"]
    assert "at night in rain" in replies[0]["caption"]
    account = replies[1]
    assert {each["text"] for each in account["understood"]} == {"rainy", "night"}
    refused = {each["text"]: each["why"] for each in account["unsupported"]}
    assert {"pink", "elephants"} <= set(refused) and any("decides for itself" in why for why in refused.values())
    assert any(each["key"] == "road" for each in account["assumed"])
    roles = [(account["text"][mark["start"] : mark["end"]], mark["role"]) for mark in account["marks"]]
    assert ("night", "understood") in roles and ("cuts in", "unsupported") in roles


def test_what_words_leave_open_gives_way_to_a_start(session: Session) -> None:
    """The parser assumes a highway; if the bank's only night is elsewhere, the drive begins there all the same."""
    session.obey(Words("worlds/tiny", "night, rain"))
    assert session.futures is not None
    drives = session.futures.core.drives
    assert drives.start[0] >= 0 and drives.fields[0].time_of_day == "night"
    replies = session.obey(Words("worlds/tiny", "a two-way road"))  # weather is assumed to be clear
    come = session.futures.core.drives.fields[0]
    assert come.road == "two_way"
    assumed = {each["key"]: each["value"] for each in told(replies, "account")["assumed"]}
    assert assumed["weather"] == come.weather and assumed["time_of_day"] == come.time_of_day


def test_an_image_begins_a_drive_that_has_no_truth(session: Session) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (90, 160, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    began = told(session.obey(protocol.Picture("worlds/tiny", 7.0, out.getvalue())), "began")
    assert began["name"] == "your image" and "your image" in began["truth"]
    assert session.view()[0]["drives"][0]["speed_mps"] == 7.0
    drive(session, 3)
    with pytest.raises(ValueError, match="your image"):
        session.obey(Truth(True))


def test_a_world_without_starts_is_imagined(session: Session) -> None:
    began = told(session.obey(Begin("worlds/bare", "night_rain")), "began")
    assert began["imagined"] and "imagined" in began["truth"]
    drive(session, 2)


# --- the wheel ----------------------------------------------------------------------------------------------------


def test_a_pilot_takes_the_wheel_and_gives_it_back(session: Session) -> None:
    session.obey(HIGHWAY)
    session.obey(Pilot("lane keeper"))
    drive(session, 3, steering=0.3)
    assert session.futures is not None and session.futures.actions[0][-1][0] != np.float32(0.3)
    assert session.view()[0]["drives"][0]["pilot"] == "lane keeper"
    session.obey(HIGHWAY)
    assert session.futures.pilots[0].name == "lane keeper"  # it stays for the next drive
    session.obey(Pilot("you"))
    drive(session, 1, steering=0.3)
    assert session.futures.actions[0][-1][0] == np.float32(0.3)


def test_a_trained_policy_drives_where_it_fits(worlds: Path, tmp_path: Path) -> None:
    world = tiny_world()
    c = world.config.dynamics
    policy = Policy(PolicyConfig(n_tokens=c.n_tokens, latent_dim=c.latent_dim))
    for name, tokenizer in (("mine", tokenizer_hash(world.tokenizer)), ("foreign", "0" * 16)):
        card = PolicyCard(name, "imitation", "episodes", "tiny", tokenizer)
        save_policy(tmp_path / "runs" / name, policy, card)
    session = Session(Catalogue(worlds / "tiny", [worlds, tmp_path / "runs"]), Limits(), tmp_path, passes=1, seed=0)
    assert {"runs/mine", "runs/foreign"} <= set(session.catalogue.pilots)
    session.obey(HIGHWAY)
    session.obey(Pilot("runs/mine"))
    drive(session, 4)
    with pytest.raises(ValueError, match="expected the tokenizer"):
        session.obey(Pilot("runs/foreign"))
    assert session.view()[0]["drives"][0]["pilot"] == "runs/mine"


# --- moments and futures ------------------------------------------------------------------------------------------


def test_a_moment_is_come_back_to_exactly(session: Session) -> None:
    session.obey(HIGHWAY)
    drive(session, 4)
    saved = told(session.obey(Save()), "saved")
    first = drive(session, 3, steering=0.3)
    began = told(session.obey(Return(moment=saved["moment"])), "began")
    assert began["step"] == 4 and began["goes_on"]
    assert np.array_equal(drive(session, 3, steering=0.3), first)
    session.obey(Begin("worlds/tiny", "two_way"))
    began = told(session.obey(Return(moment=saved["moment"])), "began")  # over other drives, too
    assert began["name"] == "highway" and not began["goes_on"]
    assert np.array_equal(drive(session, 3, steering=0.3), first)
    session.obey(Forget(saved["moment"]))
    with pytest.raises(ValueError, match="let go"):
        session.obey(Return(moment=saved["moment"]))


def test_the_last_seconds_are_kept_and_no_more(session: Session) -> None:
    session.obey(HIGHWAY)
    drive(session, 103)
    assert session.view()[0]["recent"] == list(range(20, 101, 5))
    session.obey(Return(step=64))
    assert session.view()[0]["step"] == 60 and session.view()[0]["recent"][-1] == 60
    with pytest.raises(ValueError, match="goes back 8 s"):
        session.obey(Return(step=4))


def test_places_for_moments_are_bounded(session: Session) -> None:
    session.obey(HIGHWAY)
    for _ in range(Limits().moments):
        session.obey(Save())
    with pytest.raises(ValueError, match="all there is room for"):
        session.obey(Save())


def test_two_futures_from_one_past(session: Session) -> None:
    session.obey(HIGHWAY)
    drive(session, 6, steering=0.2)
    session.obey(Branch(MIRRORED))
    frames = drive(session, 4, steering=0.5)
    readings, pictures = session.view()
    assert list(pictures) == ["first", "second"] and [d["pilot"] for d in readings["drives"]] == ["you", MIRRORED]
    assert not np.array_equal(frames[-1, 0], frames[-1, 1])
    steering = [d["steering"] for d in readings["drives"]]
    assert steering[0] > 0 > steering[1]
    session.obey(Join("second"))
    assert session.view()[0]["drives"][0]["steering"] == steering[1]
    drive(session, 1)
    assert list(session.view()[1]) == ["first"]


def test_what_was_done_before_happens_again_beside(session: Session) -> None:
    session.obey(HIGHWAY)
    drive(session, 5)
    before = drive(session, 4, steering=0.6)
    session.obey(Branch(AS_BEFORE, step=5))
    beside = drive(session, 4, steering=-0.6)
    assert np.allclose(beside[:, 1].astype(int), before[:, 0], atol=2)  # a batch of two rounds otherwise
    assert not np.array_equal(beside[-1, 0], beside[-1, 1])
    drive(session, 1)
    assert session.view()[0]["drives"][1]["pilot"] == "lane keeper"
    session.obey(Branch(AS_BEFORE))  # nothing was done after now
    assert session.view()[0]["drives"][1]["pilot"] == MIRRORED


# --- the truth ----------------------------------------------------------------------------------------------------


def test_the_truth_is_the_reference_world_under_the_same_actions(session: Session) -> None:
    session.obey(HIGHWAY)
    drive(session, 3, steering=0.3, pedal=0.5)
    session.obey(Truth(True))
    drive(session, 2, steering=-0.3)
    readings, pictures = session.view()
    assert readings["truth"]["behind"] == 0
    futures = session.futures
    assert futures is not None and futures.course.bank is not None
    env, _, _ = bring_reference(futures.course.world.model, futures.course.bank, int(futures.core.drives.start[0]))
    expected = [env.step(action)[0]["camera"] for action in futures.actions[0]][-1]
    assert np.array_equal(pictures["truth"], expected)
    session.obey(Return(step=0))  # the truth goes back with the drive
    assert session.truth is not None and session.truth.done == 0
    assert told(session.obey(Words("worlds/bare", "fog")), "truth")["on"] is False
    assert "truth" not in session.view()[1]


# --- keeping it ---------------------------------------------------------------------------------------------------


def test_a_recording_is_a_video_and_an_episode(session: Session, tmp_path: Path) -> None:
    session.obey(HIGHWAY)
    drive(session, 2)
    assert kinds(session.obey(Record(True))) == ["recording"]
    frames = drive(session, 6, steering=0.25, pedal=-0.5)
    assert session.view()[0]["recording"] == pytest.approx(0.7)
    written = told(session.obey(Record(False)), "recorded")
    assert written["seconds"] == pytest.approx(0.6) and "/" not in written["video"]
    episode = EpisodeStore(written["folder"]).read(written["episode"])
    assert len(episode) == 7 and episode.scenario == "highway" and episode.driver == "human"
    assert episode.action[:-1] == pytest.approx(np.tile([0.25, -0.5], (6, 1))) and np.isnan(episode.action[-1]).all()
    assert np.abs(episode.frames[1:].astype(int) - frames[:, 0]).mean() < 8
    with av.open(str(tmp_path / "drives" / written["video"])) as video:
        assert sum(1 for _ in video.decode(video=0)) == 7


def test_a_recording_ends_where_the_drive_jumps_and_when_it_is_full(catalogue: Catalogue, tmp_path: Path) -> None:
    session = Session(catalogue, Limits(recording_s=0.5), tmp_path, passes=1, seed=0)
    session.obey(HIGHWAY)
    session.obey(Record(True))
    drive(session, 2)
    replies = session.obey(HIGHWAY)
    assert kinds(replies)[:2] == ["recording", "recorded"] and "ended there" in replies[0]["why"]
    session.obey(Record(True))
    assert not session.recording_full
    drive(session, 4)
    assert session.recording_full and "holds 0.5 s" in session.obey(Record(False))[0]["why"]
    session.obey(Record(True))
    assert "nothing to keep" in session.obey(Record(False))[0]["why"]
    session.obey(Branch(MIRRORED))
    session.obey(Record(True))
    drive(session, 2)
    assert kinds(session.obey(Join("second")))[:2] == ["recording", "recorded"]
    session.obey(Record(True))
    drive(session, 2)
    session.close()  # the page left
    assert len(EpisodeStore(tmp_path / "worlds-tiny")) == 4
