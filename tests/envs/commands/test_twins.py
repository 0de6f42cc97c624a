"""One drive in two worlds: the same start, the same actions, and a start that is no longer reached."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.commands.drivers import Replayed
from envs.commands.twins import bring_reference, choose_start, drive_twins, open_world
from worldsim.engine.starts import StartBank
from worldsim.types import LABEL_FIELDS


def test_both_worlds_get_the_same_start_and_the_same_actions(folder: Path) -> None:
    model, bank = open_world(str(folder))
    start = choose_start(bank, "night_rain", np.random.default_rng(0))
    assert bank.records[start].scenario == "night_rain"
    ticks: list[None] = []
    wanted = np.array([[0.1, 0.5], [-0.3, 0.2], [0.0, -1.0]], np.float32)
    twins = drive_twins(model, bank, start, Replayed(wanted), 3, passes=2, tick=lambda: ticks.append(None))
    assert (
        len(ticks) == 3
        and (twins.actions == wanted).all()
        and twins.seconds.tolist() == pytest.approx([0, 0.1, 0.2, 0.3])
    )
    for name in ("speed_mps", "steering"):
        assert twins.learned.state(name) == pytest.approx(twins.reference.state(name), abs=1e-4)
    env, observation, _ = bring_reference(model, bank, start)
    assert (twins.reference.frames[0] == observation["camera"]).all()
    assert (twins.reference.frames[-1] == [env.step(action)[0]["camera"] for action in wanted][-1]).all()
    assert not (twins.learned.frames[1] == twins.reference.frames[1]).all()


def test_the_driver_watches_the_world_it_is_told_to(folder: Path) -> None:
    model, bank = open_world(str(folder))

    class Watcher:
        def __init__(self) -> None:
            self.trust: list[float] = []

        def act(self, seen: dict[str, Any]) -> Any:
            self.trust.append(seen["labels"]["lane_offset_m"])
            return np.zeros(2, np.float32)

    seen = {}
    for sight in ("learned", "reference"):
        watcher = Watcher()
        twins = drive_twins(model, bank, 0, watcher, 2, passes=1, sight=sight)  # type: ignore[arg-type]
        seen[sight] = watcher.trust
        track = {"learned": twins.learned, "reference": twins.reference}[sight]
        assert watcher.trust == pytest.approx(track.label("lane_offset_m")[:2].tolist(), abs=1e-6)
    assert seen["learned"] != seen["reference"]


def test_a_start_that_the_reference_world_no_longer_reaches_is_refused(folder: Path) -> None:
    model, bank = open_world(str(folder))
    labels = bank.arrays.labels.clone()
    labels[:, -1, LABEL_FIELDS.index("lane_offset_m")] += 0.5
    moved = StartBank(
        dataclasses.replace(bank.arrays, labels=labels), bank.records, bank.latents_hash, bank.frame_rate_hz
    )
    with pytest.raises(ValueError, match=r"came to another place.*lane_offset_m.*make-starts"):
        bring_reference(model, moved, 0)
    logs = [dataclasses.replace(record, seed=None) for record in bank.records]
    log = StartBank(bank.arrays, logs, bank.latents_hash, bank.frame_rate_hz)
    with pytest.raises(ValueError, match="all were cut from a log"):
        choose_start(log, "highway", np.random.default_rng(0))
