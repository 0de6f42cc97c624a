"""The path from episodes on disk to a trained tokenizer to latents on disk."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.worldsim.test_tokenizer import pictures, small
from worldsim.data.latents import LatentStore
from worldsim.data.store import EpisodeStore
from worldsim.data.writer import EpisodeWriter
from worldsim.tokenizer import load_tokenizer, tokenizer_hash
from worldsim.training.encode import EncodeConfig, encode
from worldsim.training.frames import FrameBank
from worldsim.training.kernels import KernelMuon
from worldsim.training.loop import LoopConfig
from worldsim.training.state import LATEST
from worldsim.training.tokenizer import TrainTokenizerConfig, _Batches, read_frames, train_tokenizer
from worldsim.types import EGO_FIELDS, LABEL_FIELDS, MOTION_FIELDS, Episode, FrameArray


def episode(seed: int, split: str = "train", t: int = 9, height: int = 32, boxes: bool = True) -> Episode:
    nan = np.full((t, 8), np.nan, np.float32)
    return Episode(
        views={"front": pictures(t, height, 2 * height, seed)},
        motion=nan[:, : len(MOTION_FIELDS)], ego=np.zeros((t, len(EGO_FIELDS)), np.float32),
        timestamps=np.arange(t) / 10.0, action=nan[:, :2], labels=nan[:, : len(LABEL_FIELDS)], pose=nan[:, :3],
        command=np.zeros(t, np.int64), split=split, seed=seed,
        boxes=[np.array([[4, 4, 12, 8, 20.0 + i]], np.float32) for i in range(t)] if boxes else [],
    )  # fmt: skip


@pytest.fixture
def road(tmp_path: Path) -> Path:
    writer = EpisodeWriter(tmp_path / "road", fps=10.0)
    for index in range(4):
        writer.write(episode(index, "val" if index == 3 else "train"), index)
    return tmp_path / "road"


def config(road: Path, out: Path, steps: int = 6, **settings: object) -> TrainTokenizerConfig:
    loop = LoopConfig(out=str(out), steps=steps, minutes=0, warmup_steps=2, log_every=2, threads=1, progress=False)
    return TrainTokenizerConfig(data=str(road), tokenizer=small(), loop=loop, batch=4, precision="float32", **settings)  # type: ignore[arg-type]


def test_episodes_to_tokenizer_to_latents(road: Path, tmp_path: Path) -> None:
    result = train_tokenizer(config(road, tmp_path / "run"))
    assert result.reason == "steps" and result.step == 6
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["step"] == 6 and 5 < report["psnr_db"] < 40 and "small_vehicle_psnr_db" in report

    settings = EncodeConfig(data=str(road), tokenizer=str(tmp_path / "run"), progress=False)
    folder = encode(settings)
    tokenizer = load_tokenizer(tmp_path / "run")
    latents = LatentStore.open(road, tokenizer_hash(tokenizer))
    assert latents.indices == [0, 1, 2, 3] and latents[2].shape == (9, 8, 16)
    expected = tokenizer.encode(EpisodeStore(road).read(2).frames).numpy()
    assert np.abs(latents[2].astype(np.float32) - expected).max() < 1e-3  # stored as float16

    before = sorted(folder.iterdir())
    EpisodeWriter(road, fps=10.0).write(episode(4), 4)
    encode(settings)
    assert LatentStore.open(road, tokenizer_hash(tokenizer)).indices == [0, 1, 2, 3, 4]
    assert set(before) < set(folder.iterdir())


def test_training_resumes_and_a_longer_budget_goes_on(road: Path, tmp_path: Path) -> None:
    train_tokenizer(config(road, tmp_path / "run", steps=4))
    assert train_tokenizer(config(road, tmp_path / "run", steps=8)).step == 8
    steps = [json.loads(line)["step"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert sorted(set(steps)) == [2, 4, 6, 8]


def test_resumed_in_the_middle_equals_uninterrupted(road: Path, tmp_path: Path) -> None:
    for out, budgets in (("whole", [8]), ("cut", [4, 8])):
        for steps in budgets:
            settings = config(road, tmp_path / out, steps=steps)
            settings.loop.schedule = "constant"
            train_tokenizer(settings)
    whole, cut = (load_file(tmp_path / out / LATEST) for out in ("whole", "cut"))
    assert whole.keys() == cut.keys() and any("momentum_buffer" in name for name in whole)
    differing = {name for name in whole if not torch.equal(whole[name], cut[name])}
    assert differing <= {"generator.default"}  # nothing in this training draws from it


def test_training_can_start_from_a_trained_tokenizer(road: Path, tmp_path: Path) -> None:
    train_tokenizer(config(road, tmp_path / "first", steps=3))
    still = config(road, tmp_path / "second", steps=1, start_from=str(tmp_path / "first"))
    still.kernel_rate = still.other_rate = 0.0
    train_tokenizer(still)
    first, second = (load_tokenizer(tmp_path / name) for name in ("first", "second"))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_latents_are_standardised_over_all_data_sets(road: Path, tmp_path: Path) -> None:
    """Trained on two kinds of frames, it must be calibrated on both, or it decodes neither as it was trained to."""
    writer = EpisodeWriter(tmp_path / "dark", fps=10.0)
    dark = episode(0)
    dark.views["front"] = dark.frames // 8
    writer.write(dark, 0)
    settings = config(road, tmp_path / "run", steps=1, also={str(tmp_path / "dark"): 0.5})
    train_tokenizer(settings)
    tokenizer = load_tokenizer(tmp_path / "run")
    store = EpisodeStore(road)
    bright = np.concatenate([store.read(record.index).frames for record in store.select(split="train")])

    def off(frames: FrameArray) -> float:
        """How far channels are from a mean of 0 before the tanh, in standard deviations."""
        latents = torch.atanh(tokenizer.encode(frames).clamp(-0.999, 0.999)).flatten(0, 1)
        return float((latents.mean(0) / latents.std(0)).abs().mean())

    count = min(len(bright), len(dark.frames))
    assert off(np.concatenate([bright[:count], dark.frames[:count]])) < off(bright)


def test_kernels_turn_with_their_matrices() -> None:
    layer = torch.nn.Conv2d(4, 8, 3)
    before, optimizer = layer.weight.detach().clone(), KernelMuon([layer.weight], lr=0.1, weight_decay=0.0)
    layer(torch.ones(1, 4, 5, 5)).square().sum().backward()
    optimizer.step()
    turned = (layer.weight.detach() - before).flatten(1)
    assert turned.abs().max() > 1e-3
    optimizer.zero_grad()
    assert layer.weight.grad is None


def test_a_second_data_set_takes_its_share_of_the_batch(road: Path, tmp_path: Path) -> None:
    writer = EpisodeWriter(tmp_path / "tub", fps=10.0)
    writer.write(episode(50, boxes=False), 0)
    result = train_tokenizer(config(road, tmp_path / "run", also={str(tmp_path / "tub"): 0.25}))
    assert result.step == 6
    with pytest.raises(ValueError, match="leave room"):
        train_tokenizer(config(road, tmp_path / "other", also={str(tmp_path / "tub"): 1.0}))


def test_sizes_take_turns_and_are_calibrated_together(road: Path, tmp_path: Path) -> None:
    """A batch is of one size and of about as many pixels; the tokenizer is saved at the size of the main data set."""
    small, large = (read_frames(config(road, tmp_path), f"{road}@{size}", "train") for size in ("16x32", "32x64"))
    batches = _Batches(small, {large: 0.5}, 8, torch.Generator().manual_seed(0))
    shapes = [batches.draw()[0].shape for _ in range(100)]
    assert set(shapes) == {(8, 16, 32, 3), (2, 32, 64, 3)} and 30 < shapes.count((2, 32, 64, 3)) < 70
    assert [kind[0].shape[0] for kind in batches.one_of_each()] == [8, 2]
    settings = config(road, tmp_path / "run", also={f"{road}@32x64": 0.5})
    settings.data = f"{road}@16x32"
    train_tokenizer(settings)
    tokenizer = load_tokenizer(tmp_path / "run")
    assert (tokenizer.config.height, tokenizer.config.width) == (16, 32)


def test_all_cameras_that_are_named_are_learned_from(tmp_path: Path) -> None:
    front = episode(0, t=6)
    left = pictures(6, 32, 64, seed=1)
    EpisodeWriter(tmp_path / "two", fps=10.0).write(replace(front, views=front.views | {"left": left}), 0)
    bank = read_frames(config(tmp_path, tmp_path), f"{tmp_path / 'two'}@left+front", "train")
    assert len(bank) == 12 and [len(boxes) for boxes in bank.boxes] == [0] * 6 + [1] * 6
    assert np.abs(bank.frames[:6].astype(int) - left).mean() < 10  # what a video keeps of them
    with pytest.raises(ValueError, match=r"unknown camera 'lft'.*did you mean 'left'"):
        read_frames(config(tmp_path, tmp_path), f"{tmp_path / 'two'}@lft", "train")


def test_a_bank_resizes_frames_with_their_boxes_and_stops_when_full() -> None:
    bank = FrameBank([episode(0, height=64), episode(1)], 32, 64, stride=2, most=7)
    assert bank.frames.shape == (7, 32, 64, 3) and len(bank.boxes) == 7
    assert bank.boxes[1].tolist() == [[2, 2, 6, 4, 22.0]]
    frames, boxes = bank.draw(5, torch.Generator().manual_seed(0))
    assert frames.shape == (5, 32, 64, 3) and len(boxes) == 5
    assert len(bank.spread(3)[0]) == 3 and len(bank.spread(100)[0]) == 7
    with pytest.raises(ValueError, match="got none"):
        FrameBank([], 32, 64)


def test_missing_inputs_are_named(road: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="found none"):
        encode(EncodeConfig(data=str(road), tokenizer=str(tmp_path / "nowhere"), progress=False))
    with pytest.raises(ValueError, match="nowhere"):
        train_tokenizer(config(tmp_path / "nowhere", tmp_path / "run"))
