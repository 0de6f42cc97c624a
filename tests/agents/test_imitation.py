"""Behaviour cloning: it learns what was done from what was seen, from whom it is told, and goes on where it stopped."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents.learning.hindsight import lane_keeper_says
from agents.learning.imitation import Demonstrations, Imitation, ImitationConfig
from agents.learning.teacher import FEELS_FIRST_STEPS
from agents.policy.network import Policy, PolicyConfig
from agents.policy.observe import PolicyView
from tests.worldsim.data_episodes import make_episode
from tests.worldsim.reference_drives import reference_drive
from tests.worldsim.worlds import tiny_world
from worldsim.data.latents import LatentStore, LatentWriter
from worldsim.data.store import EpisodeStore
from worldsim.data.writer import write_episode
from worldsim.tokenizer import tokenizer_hash

WORLD = tiny_world()
SIZES = WORLD.config.tokenizer
HASH = tokenizer_hash(WORLD.tokenizer)
T = 24


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drives in which one latent channel, in every token, says how to steer and the command how to accelerate.

    Driver "good" does as they say, driver "wrong" the opposite. Every fourth episode is held out.
    """
    root = tmp_path_factory.mktemp("data")
    with LatentWriter(root, HASH, SIZES.n_tokens, SIZES.latent_dim) as writer:
        for seed in range(12):
            episode = make_episode(T, seed)
            rng = np.random.default_rng(seed)
            bend = rng.uniform(-0.5, 0.5, T)
            latents = rng.uniform(-0.1, 0.1, (T, SIZES.n_tokens, SIZES.latent_dim)).astype(np.float16)
            latents[..., 0] = bend[:, None]
            episode.driver = "wrong" if seed % 3 == 0 else "good"
            meant = np.stack([1.5 * bend, 0.2 * episode.command - 0.3], axis=-1).astype(np.float32)
            episode.action = -meant if episode.driver == "wrong" else meant
            episode.action[-1] = np.nan
            episode.ego = rng.normal(size=(T, 4)).astype(np.float32)
            episode.ego[5] = np.nan  # what is not known is not learned from
            episode.labels = np.zeros_like(episode.labels)
            index = write_episode(root, episode).index
            writer.add(index, latents)
    return root


def policy(**sizes: Any) -> Policy:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Policy(PolicyConfig.of(WORLD, frame_width=32, width=32, **sizes))


def imitation(data: Path, seed: int = 0, **changes: Any) -> Imitation:
    config = {"data": str(data), "drivers": ["good"], "updates": 30, "batch": 64, "average_decay": 0.9, **changes}
    return Imitation(ImitationConfig(**config), WORLD, policy(), seed)


def test_a_clone_does_what_its_drivers_did(data: Path) -> None:
    """On drives that it has not seen, with a third of the error of doing nothing."""
    learner = imitation(data, latent_noise=0.0, learning_rate=3e-3)
    first = learner.iterate()
    for _ in range(4):
        figures = learner.iterate()
    assert figures["loss"] < first["loss"] and figures["steering_error"] < first["steering_error"]
    (errors,) = learner.errors().values()
    for action in ("steering", "pedal"):
        assert errors[action] < errors[f"{action}_spread"] / 3
        assert figures[f"{action}_error"] == pytest.approx(errors[action])
    assert learner.steps == 5 * 30 * 64 and learner.frames == len(learner.training.latents)


def test_it_learns_from_whom_it_is_told(data: Path) -> None:
    good, wrong = (imitation(data, drivers=[name], latent_noise=0.0) for name in ("good", "wrong"))
    for learner in (good, wrong):
        for _ in range(2):
            learner.iterate()
    (as_good,), (as_wrong,) = good.errors().values(), wrong.errors().values()
    assert list(good.errors()) == ["good"] and list(wrong.errors()) == ["wrong"]
    wrong.held_out = good.held_out
    assert as_good["pedal"] < wrong.errors()["good"]["pedal"] and as_wrong["pedal"] < wrong.errors()["good"]["pedal"]


def test_a_lane_keeper_says_what_should_have_been_done() -> None:
    """Back to the lane of a drive that sways about it; nothing at first, where nothing is known, nor off the road."""
    episode = copy.deepcopy(reference_drive("empty_road", 60, 16, 32))
    offset, heading, *_ = episode.labels.T
    said = lane_keeper_says(episode)
    assert said.shape == (60, 2) and np.isnan(said[:FEELS_FIRST_STEPS]).all()
    assert np.isfinite(said[FEELS_FIRST_STEPS:]).all()
    askew = offset + 6.0 * heading  # metres beside the lane, six metres further on
    assert np.corrcoef(said[FEELS_FIRST_STEPS:, 0], askew[FEELS_FIRST_STEPS:])[0, 1] < -0.8
    episode.labels[30, 0], episode.labels[50, 2] = np.nan, 1.0
    silent = np.isnan(lane_keeper_says(episode)).all(1)
    assert silent[30 : 31 + FEELS_FIRST_STEPS].all() and not silent[31 + FEELS_FIRST_STEPS : 50].any()
    assert silent[50 : 51 + FEELS_FIRST_STEPS].all() and not silent[FEELS_FIRST_STEPS:30].any()


def test_it_learns_what_a_lane_keeper_would_have_done(data: Path, tmp_path: Path) -> None:
    store, latents = EpisodeStore(data), LatentStore.open(data, HASH)
    taught = Demonstrations(store, latents, WORLD.scale, "train", ["wrong"], 3, "lane_keeper")
    done = Demonstrations(store, latents, WORLD.scale, "train", ["wrong"], 3)
    assert 0 < len(taught) < len(done) and len(taught.latents) == len(done.latents)
    with LatentWriter(tmp_path, HASH, SIZES.n_tokens, SIZES.latent_dim) as writer:
        for record in store.records:
            episode = store.read(record.index)
            episode.labels[:] = np.nan
            writer.add(write_episode(tmp_path, episode).index, latents[record.index])
    everybody = Demonstrations(store, latents, WORLD.scale, "train", [], 3, "lane_keeper")
    assert set(everybody.driver) == {"good", "wrong"}
    with pytest.raises(ValueError, match="lane offset, heading error, who is ahead"):
        imitation(tmp_path, taught_by="lane_keeper")


def test_a_moment_is_seen_as_a_policy_would_have_seen_it(data: Path) -> None:
    """The history of each moment is what a PolicyView holds that watched the drive from its beginning."""
    store, latents = EpisodeStore(data), LatentStore.open(data, HASH)
    demonstrations = Demonstrations(store, latents, WORLD.scale, "val", ["good", "wrong"], 3)
    row = 0
    for record in store.select(split="val"):
        episode, view = store.read(record.index, frames=False), PolicyView(WORLD, 1, 3)
        whole = WORLD.scale.standardise(torch.from_numpy(latents[record.index].astype(np.float32)))
        for t in range(record.length):
            shown = {"latents": whole[t : t + 1], "ego": episode.ego[t : t + 1], "command": episode.command[t : t + 1]}
            expected = view.look(shown)
            if t in (5, T - 1):  # ego or action is not known
                continue
            seen = demonstrations.seen(np.array([row]))
            assert torch.allclose(seen.latents, expected.latents) and torch.equal(seen.ego, expected.ego)
            assert seen.command == expected.command and torch.equal(
                demonstrations.action[row], torch.from_numpy(episode.action[t])
            )
            row += 1
    assert row == len(demonstrations) == 3 * (T - 2)


def test_the_same_seed_learns_the_same_and_resumes_where_it_was(data: Path) -> None:
    whole, parts, other = imitation(data), imitation(data), imitation(data, seed=1)
    figures = [whole.iterate() for _ in range(3)]
    assert parts.iterate() == figures[0] and other.iterate() != figures[0]
    resumed = imitation(data)
    resumed.load_state_dict(copy.deepcopy(parts.state_dict()))
    assert [resumed.iterate() for _ in range(2)] == figures[1:] and resumed.steps == whole.steps
    for name, value in whole.policy.state_dict().items():
        assert torch.equal(value, resumed.policy.state_dict()[name])


def test_what_it_is_blind_to_makes_no_difference(data: Path) -> None:
    store, latents = EpisodeStore(data), LatentStore.open(data, HASH)
    seen = Demonstrations(store, latents, WORLD.scale, "val", ["good"], 3).seen(np.arange(4))
    for field in range(4):
        p = policy(sighted=["speed_mps"])
        other = type(seen)(seen.latents, seen.ego + torch.eye(4)[field], seen.command)
        assert torch.equal(p.act(seen), p.act(other)) == (field != 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"drivers": ["goood"]}, "did you mean 'good'"),
        ({"drivers": []}, "at least one driver"),
        ({"updates": 0}, "updates and batch of at least 1"),
        ({"average_decay": 1.0}, "average_decay in"),
    ],
)
def test_bad_settings_are_refused_in_words(data: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        imitation(data, **changes)


def test_latents_of_another_tokenizer_are_refused(data: Path) -> None:
    other = tiny_world(seed=1)
    with pytest.raises(ValueError, match="encode the data set with this tokenizer"):
        Imitation(ImitationConfig(str(data), ["good"]), other, policy(), 0)


def test_latents_of_another_length_are_refused(data: Path) -> None:
    store, latents = EpisodeStore(data), LatentStore.open(data, HASH)

    class Cut:
        folder = latents.folder

        def __getitem__(self, index: int) -> Any:
            return latents[index][:-1]

    with pytest.raises(ValueError, match=r"expected 24 frames, got 23"):
        Demonstrations(store, Cut(), WORLD.scale, "train", ["good"], 3)  # type: ignore[arg-type]
