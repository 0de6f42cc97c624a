"""A device that is not there is refused in words, wherever one can be named, before anything is read or written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from agents.report.command import EvaluateConfig, evaluate
from worldsim.checkpoint import ModelCard, load_world, open_tokenizer, save_world
from worldsim.cli.main import main
from worldsim.config import load
from worldsim.device import check_device
from worldsim.evaluation.calibrate import CalibrateConfig, calibrate
from worldsim.tokenizer import load_tokenizer, save_tokenizer
from worldsim.training.dynamics import TrainDynamicsConfig, train_dynamics
from worldsim.training.encode import EncodeConfig, encode
from worldsim.training.loop import LoopConfig
from worldsim.training.tokenizer import TrainTokenizerConfig, train_tokenizer

from .worlds import tiny_world

ABSENT = "cuda:99"
"""No machine of ours has a hundred GPUs, so that these tests say the same on one that has some."""


@pytest.fixture
def world(tmp_path: Path) -> Path:
    save_world(tmp_path / "world", tiny_world(), ModelCard("tiny", "A test.", "none"))
    save_tokenizer(tmp_path / "world", tiny_world().tokenizer)
    return tmp_path / "world"


def test_a_device_that_is_there_is_returned() -> None:
    assert check_device("cpu") == check_device(torch.device("cpu")) == torch.device("cpu")


@pytest.mark.gpu
def test_a_gpu_that_is_there_is_returned() -> None:
    assert check_device("cuda") == torch.device("cuda") and check_device("cuda:0").index == 0


@pytest.mark.parametrize("name", [ABSENT, "meta"])
def test_a_device_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"device: expected cpu or .* got '{name}'; say device=cpu, or install"):
        check_device(name)


def test_a_word_that_is_no_device() -> None:
    with pytest.raises(ValueError, match="device: expected cpu, cuda or cuda:N, got 'gpu'"):
        check_device("gpu")


def test_files_are_not_read_for_a_device_that_is_not_there(world: Path) -> None:
    for read in (load_world, load_tokenizer, open_tokenizer):
        with pytest.raises(ValueError, match=f"device: .*{ABSENT}"):
            read(world, ABSENT)
        read(world, "cpu")


@pytest.mark.parametrize(
    "command",
    [
        lambda out: train_tokenizer(
            TrainTokenizerConfig(data=str(out / "no"), loop=LoopConfig(str(out)), device=ABSENT)
        ),
        lambda out: train_dynamics(TrainDynamicsConfig(data=str(out / "no"), loop=LoopConfig(str(out)), device=ABSENT)),
        lambda out: encode(EncodeConfig(data=str(out / "no"), tokenizer="road", device=ABSENT)),
        lambda out: evaluate(EvaluateConfig(data=out / "no", out=out, device=ABSENT)),
        lambda out: calibrate(CalibrateConfig(data=out / "no", world="road", device=ABSENT)),
    ],
    ids=["train-tokenizer", "train-dynamics", "encode", "evaluate", "calibrate"],
)
def test_every_command_says_so_first(command: Callable[[Path], object], tmp_path: Path) -> None:
    """Before the data, which is not there either, and with nothing left behind."""
    with pytest.raises(ValueError, match=f"device: .*{ABSENT}"):
        command(tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("preset", ["base", "large"])
@pytest.mark.parametrize("command", ["train-tokenizer", "train-dynamics"])
def test_presets_for_a_gpu_say_so_without_one(
    preset: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = {"train-tokenizer": TrainTokenizerConfig, "train-dynamics": TrainDynamicsConfig}[command]
    assert load(schema, command.replace("-", "_"), [f"preset={preset}"]).device == "cuda"
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main([command, f"preset={preset}", f"data={tmp_path}/no", f"loop.out={tmp_path}/out"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "expected cpu or a GPU" in said and "got 'cuda'" in said and "device=cpu" in said
    assert not list(tmp_path.iterdir())
