"""The bank of start contexts: choosing, reading, and files that a kill or another world cannot spoil."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from worldsim.engine import Engine, EngineConfig
from worldsim.engine.starts import FILE_NAME, StartBank, latents_hash
from worldsim.types import SceneFields
from worldsim.world_model import WorldModel

from .banks import SCENES, tiny_bank
from .worlds import tiny_world


@pytest.fixture(scope="module")
def world() -> WorldModel:
    return tiny_world()


@pytest.fixture
def bank(world: WorldModel) -> StartBank:
    return tiny_bank(world)


def test_round_trip_is_exact(bank: StartBank, world: WorldModel, tmp_path: Path) -> None:
    path = bank.save(tmp_path)
    assert path == tmp_path / FILE_NAME
    again = StartBank.load(tmp_path, world)
    assert again.records == bank.records and again.frame_rate_hz == bank.frame_rate_hz
    for name, value in vars(bank.arrays).items():
        assert torch.equal(getattr(again.arrays, name).nan_to_num(-9.0), value.nan_to_num(-9.0)), name


def test_select_by_scenario_and_fields(bank: StartBank) -> None:
    assert bank.select().tolist() == [0, 1, 2, 3, 4, 5]
    assert bank.select("fog_highway").tolist() == [2, 3]
    assert bank.select(road="highway").tolist() == [0, 1, 2, 3]
    assert bank.select(road="highway", weather=("fog", "rain")).tolist() == [2, 3]
    assert bank.select("highway", weather="snow").tolist() == []
    assert bank.fields(4) == SCENES["roundabout"]


def test_a_field_that_is_not_known_reads_as_none(world: WorldModel) -> None:
    bank = tiny_bank(world)
    bank.arrays.fields[0] = 0
    assert bank.fields(0) == SceneFields()
    assert bank.select(weather=("clear", None)).tolist() == [0, 1, 4, 5]


def test_draw_is_by_the_generator_alone(bank: StartBank) -> None:
    drawn = [bank.draw(np.random.default_rng(seed), "highway") for seed in range(20)]
    assert set(drawn) == {0, 1}
    assert drawn == [bank.draw(np.random.default_rng(seed), "highway") for seed in range(20)]
    with pytest.raises(ValueError, match="the bank holds none"):
        bank.draw(np.random.default_rng(0), "highway", weather="snow")


def test_names_that_are_not_known_suggest_the_nearest(bank: StartBank) -> None:
    with pytest.raises(ValueError, match="did you mean 'roundabout'"):
        bank.select("roundabuot")
    with pytest.raises(ValueError, match="did you mean 'weather'"):
        bank.select(wether="fog")
    with pytest.raises(ValueError, match="did you mean 'fog'"):
        bank.select(weather="foggy")
    with pytest.raises(ValueError, match="expected an index from 0 to 5, got 6"):
        bank.index(6)


def test_context_gives_the_motion_that_led_into_each_frame(bank: StartBank, world: WorldModel) -> None:
    """The contract's motion[t] takes t to t + 1; the engine wants what led into t, and reads no first row."""
    latents, motion = bank.context(np.array([1, 4]))
    assert latents.dtype == torch.float32 and latents.shape == (2, 4, 32, 4)
    assert torch.equal(motion[:, 1:], bank.arrays.motion[[1, 4], :-1])
    state, step = Engine(world, EngineConfig(1, 4)).start(latents, motion, bank.scene(np.array([1, 4])), [0, 1])
    assert torch.isfinite(step.state.lane_offset_m).all() and torch.isfinite(state.previous.latents).all()


def test_a_bank_of_another_world_is_refused(bank: StartBank, world: WorldModel, tmp_path: Path) -> None:
    """Another tokenizer, or the same one standardised otherwise; the dynamics may be trained on."""
    bank.save(tmp_path)
    other = tiny_world()
    with torch.no_grad():
        other.dynamics.embed.weight.add_(1.0)
    assert latents_hash(other) == latents_hash(world)
    other.scale.mean.add_(0.1)
    with pytest.raises(ValueError, match="made for another world"):
        StartBank.load(tmp_path, other)
    with torch.no_grad():
        next(other.tokenizer.parameters()).add_(0.1)
    other.scale.mean.sub_(0.1)
    with pytest.raises(ValueError, match="make-starts"):
        bank.made_for(other)


def test_damaged_files_are_named(bank: StartBank, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="found none; make one"):
        StartBank.load(tmp_path)
    path = bank.save(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="is damaged"):
        StartBank.load(tmp_path)
    path.write_bytes(whole)
    arrays = load_file(path)
    save_file(arrays, path, metadata={"starts": '{"format_version": 99}'})
    with pytest.raises(ValueError, match=r"expected format version 1 .* got 99"):
        StartBank.load(tmp_path)
    record = {"scenario": "highway", "caption": "", "target_speed_mps": 20.0, "tyres": "soft"}
    save_file(arrays, path, metadata={"starts": json.dumps({"format_version": 1, "records": [record]})})
    with pytest.raises(ValueError, match=r"unknown key 'tyres'.*A newer worldsim wrote"):
        StartBank.load(tmp_path)


def test_an_interrupted_write_keeps_the_old_bank(
    bank: StartBank, world: WorldModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank.save(tmp_path)

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("worldsim.tensor_file.save_file", full)
    with pytest.raises(OSError, match="disk is full"):
        tiny_bank(world, each=1).save(tmp_path)
    assert len(StartBank.load(tmp_path)) == 6 and [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_shapes_that_do_not_fit_are_refused(bank: StartBank) -> None:
    with pytest.raises(ValueError, match=r"`latents`: expected shape \(5,"):
        StartBank(bank.arrays, bank.records[:5], "hash", 10.0)
