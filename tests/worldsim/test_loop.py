"""The training loop: budgets, resuming bit for bit, damaged checkpoints, losses that are not finite."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from worldsim.precision import autocast, pick_precision
from worldsim.training.loop import LoopConfig, LoopResult, run_loop, start_state
from worldsim.training.metrics_log import MetricsLog
from worldsim.training.state import FORMAT_VERSION, LATEST, PREVIOUS, TrainState, _checksum

CHILD = """
import sys, time
from tests.worldsim.test_loop import train
out, steps, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
print("ready", flush=True)
result, _ = train(out, steps=steps, pause=pause)
print(result.reason, result.step, flush=True)
"""


def make_state(config: LoopConfig, width: int = 8) -> TrainState:
    """A small network with dropout (the default generator) and two optimizers."""
    weights = torch.Generator().manual_seed(7)
    model = nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Dropout(0.2), nn.Linear(width, 1))
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3, generator=weights)
    optimizers = [
        torch.optim.AdamW(model[0].parameters(), lr=1e-2),
        torch.optim.SGD(model[3].parameters(), lr=1e-2, momentum=0.9),
    ]
    return start_state(model, optimizers, config)


def train(
    out: Path | str, steps: int, pause: float = 0.0, poison: int = -1, **settings: object
) -> tuple[LoopResult, TrainState]:
    torch.default_generator.manual_seed(3)
    settings = {"warmup_steps": 5, "log_every": 5, "threads": 1, "progress": False} | settings
    config = LoopConfig(out=str(out), steps=steps, minutes=0, **settings)  # type: ignore[arg-type]
    state = make_state(config)

    def step(number: int) -> tuple[torch.Tensor, dict[str, float]]:
        time.sleep(pause)
        inputs = torch.randn(16, 4, generator=state.generator)
        loss = (state.model(inputs) - inputs.sum(1, keepdim=True)).square().mean()
        return (loss * float("nan") if number == poison else loss), {"inputs": float(inputs.mean())}

    return run_loop(step, state, config), state


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / LATEST)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path: Path, number: int) -> None:
    steps = 60
    train(tmp_path / "whole", steps=steps)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "cut"), str(steps), "0.05"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert child.stdout is not None and child.stdout.readline() == "ready\n"
    log = tmp_path / "cut" / "metrics.jsonl"
    while not (log.exists() and log.read_text()):
        assert child.poll() is None
        time.sleep(0.05)
    child.send_signal(number)
    said, complained = child.communicate(timeout=60)
    reason, step = said.split()
    assert child.returncode == 0 and reason == signal.Signals(number).name and 5 <= int(step) < steps
    assert "run the same command again to go on" in complained

    result, _ = train(tmp_path / "cut", steps=steps)
    assert (result.reason, result.step, result.interrupted) == ("steps", steps, False)
    whole, resumed = weights_of(tmp_path / "whole"), weights_of(tmp_path / "cut")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 0xFF
    path.write_bytes(content)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize("damage", [flip_a_byte, cut_short])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path: Path, damage, caplog) -> None:
    train(tmp_path, steps=10)
    train(tmp_path, steps=20)
    damage(tmp_path / LATEST)
    with caplog.at_level(logging.INFO):
        result, _ = train(tmp_path, steps=30)
    assert "cannot be read" in caplog.text and "at step 10" in caplog.text
    assert result.step == 30

    damage(tmp_path / LATEST)
    damage(tmp_path / PREVIOUS)
    with pytest.raises(ValueError, match="expected a readable"):
        train(tmp_path, steps=40)


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    train(tmp_path, steps=5)
    config = LoopConfig(out=str(tmp_path), steps=10, minutes=0, progress=False)
    with pytest.raises(ValueError, match="another model, optimizer or device"):
        run_loop(lambda _: (torch.zeros(()), {}), make_state(config, width=12), config)


def rewrite(path: Path, version: int = FORMAT_VERSION, **changed: torch.Tensor) -> None:
    """The checkpoint with another format version or other tensors, as if it had been saved so."""
    with safe_open(path, framework="pt") as handle:
        header = json.loads(handle.metadata()["state"])
    tensors = load_file(path) | changed
    header |= {"format_version": version, "checksum": _checksum(tensors)}
    save_file(tensors, path, metadata={"state": json.dumps(header)})


def test_a_checkpoint_of_another_format_version_is_refused(tmp_path: Path) -> None:
    train(tmp_path, steps=5)
    rewrite(tmp_path / LATEST, version=99)
    with pytest.raises(ValueError, match=r"expected format version 1, got 99.*Move the folder away"):
        train(tmp_path, steps=10)


def test_a_checkpoint_from_a_gpu_is_refused_on_a_cpu(tmp_path: Path) -> None:
    """A GPU's generator has a state of 16 bytes, which no generator of a CPU can take up."""
    train(tmp_path, steps=5)
    rewrite(tmp_path / LATEST, generator=torch.zeros(16, dtype=torch.uint8))
    with pytest.raises(ValueError, match="another model, optimizer or device"):
        train(tmp_path, steps=10)


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError, match=r"stopped at step 12.*last good checkpoint"):
        train(tmp_path, steps=20, poison=12, checkpoint_every_s=0.0)
    kept = weights_of(tmp_path)
    assert all(torch.isfinite(value).all() for value in kept.values() if value.is_floating_point())
    result, _ = train(tmp_path, steps=20)
    assert result.step == 20


def test_the_schedule_warms_up_and_ends_at_zero_under_a_budget_of_minutes(tmp_path: Path) -> None:
    config = LoopConfig(
        out=str(tmp_path), minutes=0.6 / 60, warmup_steps=3, schedule="linear", log_every=1, progress=False
    )
    state = make_state(config)

    def step(_: int) -> tuple[torch.Tensor, dict[str, float]]:
        inputs = torch.randn(8, 4, generator=state.generator)
        return state.model(inputs).square().mean(), {}

    assert run_loop(step, state, config).reason == "minutes"
    rates = [json.loads(line)["rate"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert rates[0] < rates[1] < rates[2] and rates[-1] < 0.1
    assert max(rates) > 0.8


def test_averaged_weights_lag_behind_and_validation_sees_them(tmp_path: Path) -> None:
    config = LoopConfig(out=str(tmp_path), steps=30, minutes=0, average_decay=0.9, progress=False)
    state = make_state(config)
    seen = []

    def step(_: int) -> tuple[torch.Tensor, dict[str, float]]:
        return (state.model(torch.ones(1, 4)) - 5).square().mean(), {}

    def validate(current: TrainState) -> dict[str, float]:
        seen.append(current.evaluated is current.average)
        return {"score": 1.0}

    result = run_loop(step, state, config, validate)
    assert seen == [True] and result.metrics == {"score": 1.0}
    assert state.average is not None
    moved = [(a - b).abs().max() for a, b in zip(state.average.parameters(), state.model.parameters(), strict=True)]
    assert max(moved) > 1e-4


def test_accumulated_gradients_equal_one_large_batch(tmp_path: Path) -> None:
    ends = []
    for parts in (1, 2):
        config = LoopConfig(
            out=str(tmp_path / str(parts)), steps=3, minutes=0, accumulate=parts, clip_norm=0.0, progress=False
        )
        state = make_state(config)
        for module in state.model:
            if isinstance(module, nn.Dropout):
                module.p = 0.0

        def step(number: int, parts: int = parts, state: TrainState = state) -> tuple[torch.Tensor, dict[str, float]]:
            whole = torch.arange(24.0).reshape(6, 4) / 24
            part = whole if parts == 1 else whole[3 * (number % 2) : 3 * (number % 2) + 3]
            return state.model(part).square().mean(), {}

        run_loop(step, state, config)
        ends.append(torch.cat([parameter.flatten() for parameter in state.model.parameters()]))
    assert torch.allclose(ends[0], ends[1], atol=1e-6)


def test_figures_after_the_step_where_a_run_goes_on_are_taken_back(tmp_path: Path) -> None:
    with MetricsLog(tmp_path, since=0) as log:
        for step in (5, 10, 15):
            log.write({"step": step, "loss": 1.0})
    with open(tmp_path / "metrics.jsonl", "a") as cut_short:
        cut_short.write('{"step": 2')
    with MetricsLog(tmp_path, since=10) as log:
        log.write({"step": 12, "loss": 0.5})
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [5, 10, 12]


def test_bad_settings_are_named() -> None:
    with pytest.raises(ValueError, match="did you mean 'cosine'"):
        LoopConfig(schedule="cosin")
    with pytest.raises(ValueError, match="expected a budget"):
        LoopConfig(steps=0, minutes=0)
    with pytest.raises(ValueError, match="did you mean 'bfloat16'"):
        pick_precision("bfloat")


def test_precision_is_chosen_and_applied() -> None:
    assert pick_precision("auto") in (torch.float32, torch.bfloat16)
    with autocast(torch.bfloat16):
        assert nn.Linear(2, 2)(torch.ones(1, 2)).dtype == torch.bfloat16
    with autocast(torch.float32):
        assert nn.Linear(2, 2)(torch.ones(1, 2)).dtype == torch.float32


def test_the_loop_needs_neither_hydra_nor_gymnasium() -> None:
    code = "import sys, worldsim.training.loop; print({'hydra', 'gymnasium'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
