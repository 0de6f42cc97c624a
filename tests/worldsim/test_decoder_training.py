"""A decoder that is trained on what its world draws: it alone changes, and its critic tells blurred from sharp."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.worldsim.banks import tiny_bank
from tests.worldsim.test_tokenizer_training import episode
from tests.worldsim.worlds import CAMERAS, tiny_world
from worldsim.checkpoint import ModelCard, load_world, read_card, save_world
from worldsim.data.writer import EpisodeWriter
from worldsim.engine.starts import StartBank
from worldsim.tokenizer import images_from_frames, tokenizer_hash
from worldsim.training.critic import Critic, critic_loss, likeness_loss
from worldsim.training.decoder import TrainDecoderConfig, train_decoder
from worldsim.training.drawn import DrawnConfig, DrawnFrames, draw_frames, joined
from worldsim.training.loop import LoopConfig
from worldsim.training.state import LATEST

CARD = ModelCard(name="tiny", summary="A world for tests.", data="none", command="made by hand")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a world, its starts, and four drives of 20 frames."""
    folder = tmp_path_factory.mktemp("decoder")
    world = tiny_world()
    save_world(folder / "world", world, CARD)
    tiny_bank(world).save(folder / "world")
    writer = EpisodeWriter(folder / "road", fps=10.0)
    for index in range(4):
        writer.write(episode(index, "val" if index == 3 else "train", t=20, height=64), index)
    return folder


def config(made: Path, out: Path, steps: int = 3, **drawn: object) -> TrainDecoderConfig:
    loop = LoopConfig(out=str(out), steps=steps, minutes=0, warmup_steps=1, threads=1, clip_norm=0.0, progress=False)
    loop.schedule = "constant"
    settings = replace(DrawnConfig(frames=8, horizon=4, every=2, passes=[1, 2], batch=2), **drawn)  # type: ignore[arg-type]
    return TrainDecoderConfig(
        world=str(made / "world"), data=str(made / "road"), drawn=settings, loop=loop, batch=4, precision="float32",
        validation_frames=4,
    )  # fmt: skip


def test_nothing_but_the_decoder_changes(made: Path, tmp_path: Path) -> None:
    result = train_decoder(config(made, tmp_path / "run"))
    before, after = load_world(made / "world"), load_world(tmp_path / "run/world")
    changed = {
        name
        for (name, old), new in zip(before.state_dict().items(), after.state_dict().values(), strict=True)
        if not torch.equal(old, new)
    }
    assert changed and all(name.startswith("tokenizer.decoder.") for name in changed)
    assert tokenizer_hash(before.tokenizer) == tokenizer_hash(after.tokenizer)
    assert len(StartBank.load(tmp_path / "run/world", after)) == len(StartBank.load(made / "world", before))
    card = read_card(tmp_path / "run/world")
    assert card.command.startswith("made by hand\nworldsim train-decoder ")
    assert "drawn.frames=8" in card.command and "decoder_rate" not in card.command
    assert card.metrics["decoder: psnr_db"] == pytest.approx(result.metrics["psnr_db"])
    assert result.metrics["drawn_sharpness_ratio"] > 0 and result.metrics["drawn_distance"] >= 0


def test_part_of_the_way_is_between_before_and_after(made: Path, tmp_path: Path) -> None:
    for name, keep in (("half", 0.5), ("all", 1.0)):
        train_decoder(replace(config(made, tmp_path / name), keep=keep))
    worlds = (load_world(folder) for folder in (made / "world", tmp_path / "half/world", tmp_path / "all/world"))
    before, half, after = (dict(world.tokenizer.decoder.named_parameters()) for world in worlds)
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert all(torch.allclose(half[name], (before[name] + after[name]) / 2, atol=1e-6) for name in before)
    with pytest.raises(ValueError, match="keep: expected a share"):
        TrainDecoderConfig(keep=0.0)


def test_resumed_in_the_middle_equals_uninterrupted(made: Path, tmp_path: Path) -> None:
    for out, budgets in (("whole", [4]), ("cut", [2, 4])):
        for steps in budgets:
            train_decoder(config(made, tmp_path / out, steps))
    whole, cut = (load_file(tmp_path / out / LATEST) for out in ("whole", "cut"))
    differing = {name for name in whole if not torch.equal(whole[name], cut[name])}
    assert whole.keys() == cut.keys() and differing <= {"generator.default"}


def test_frames_that_something_else_drew_are_refused(made: Path, tmp_path: Path) -> None:
    train_decoder(config(made, tmp_path / "run", 1))
    with pytest.raises(ValueError, match="same drawn as now asked for"):
        train_decoder(config(made, tmp_path / "run", 2, horizon=6))


def test_drives_that_are_too_short_are_named(made: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 42 frames"):
        train_decoder(config(made, tmp_path / "run", horizon=30))
    with pytest.raises(ValueError, match="every <= horizon"):
        DrawnConfig(horizon=2, every=3)


def test_further_folders_are_learned_from(made: Path, tmp_path: Path) -> None:
    writer = EpisodeWriter(tmp_path / "short", fps=10.0)
    for index, split in enumerate(("train", "val")):
        writer.write(episode(index, split, height=64), index)
    alone = replace(config(made, tmp_path / "run", 1), data=str(tmp_path / "short"))
    with pytest.raises(ValueError, match="at least 16 frames"):
        train_decoder(alone)
    assert train_decoder(replace(alone, also=[str(made / "road")])).step == 1


def test_what_is_drawn_follows_from_the_seed_and_stays_within_bounds() -> None:
    world, drives = tiny_world(), [episode(k, t=20, height=64) for k in range(3)]
    settings = DrawnConfig(frames=7, horizon=4, every=2, passes=[1, 2], batch=2)
    one, same, other = (joined(draw_frames(world, drives, settings, seed)) for seed in (0, 0, 1))
    assert one.latents.shape == (7, 32, 4) and one.frames.shape == (7, 64, 128, 3) and len(one) == 7
    assert torch.equal(one.latents, same.latents) and not torch.equal(one.latents, other.latents)
    assert one.latents.abs().max() <= 1
    latents, frames = one.draw(5, torch.Generator().manual_seed(0))
    assert latents.dtype == torch.float32 and len(latents) == len(frames) == 5


def test_a_world_of_several_cameras_gives_a_picture_of_each() -> None:
    drives = [episode(k, t=20, height=64) for k in range(2)]
    for drive in drives:
        drive.views.update({name: drive.frames for name in CAMERAS})
    settings = DrawnConfig(frames=8, horizon=2, every=2, passes=[1], batch=2)
    found = joined(draw_frames(tiny_world(cameras=CAMERAS), drives, settings, 0))
    assert found.latents.shape == (8, 32, 4) and found.frames.shape == (8, 64, 128, 3)


def test_drawn_frames_are_kept(tmp_path: Path) -> None:
    kept = DrawnFrames(torch.rand(3, 4, 2).half(), torch.zeros(3, 8, 16, 3, dtype=torch.uint8))
    assert DrawnFrames.load(tmp_path, {"seed": 1}) is None
    kept.save(tmp_path, {"seed": 1})
    found = DrawnFrames.load(tmp_path, {"seed": 1})
    assert found is not None and torch.equal(found.latents, kept.latents)


def test_the_critic_learns_to_tell_blurred_from_sharp_and_says_so_to_whoever_draws() -> None:
    g = torch.Generator().manual_seed(0)
    drives = np.concatenate([episode(k, t=8, height=64).frames for k in range(4)])
    blurred = np.stack([cv2.GaussianBlur(frame, (0, 0), 2.0) for frame in drives])
    true, dull = (images_from_frames(torch.from_numpy(frames)) for frames in (drives, blurred))
    critic = Critic().initialise(g)
    optimizer = torch.optim.AdamW(critic.parameters(), lr=1e-3)
    for _ in range(40):
        picked = torch.randint(len(true) // 2, (8,), generator=g)
        critic_loss(critic, true[picked], dull[picked], g, smooth=0.1).backward()
        optimizer.step()
        optimizer.zero_grad()
    half = len(true) // 2
    with torch.no_grad():
        assert (critic(true[half:])[0].mean((1, 2)) > critic(dull[half:])[0].mean((1, 2))).float().mean() > 0.9
    drawn = dull[half:].clone().requires_grad_(True)
    falseness, off = likeness_loss(critic, true[half:], drawn)
    (falseness + off.mean()).backward()
    assert falseness > 0.8 and off.shape == (half,) and drawn.grad is not None and drawn.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in critic.parameters())
