"""The rollout: a video of one drive, whole or as far as it came."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.commands.rollout import RolloutConfig, rollout

from .videos import decoded


def test_a_rollout_is_a_video(folder: Path, tmp_path: Path) -> None:
    done = rollout(RolloutConfig(tmp_path / "a.mp4", world=str(folder), seconds=0.5, driver="left", readings=False))
    frames = decoded(done.wrote)
    assert (done.seconds, done.interrupted) == (0.5, False) and 0.0 < done.mean_trust <= 1.0
    assert len(frames) == 6 and frames[0].shape == (256, 512, 3)
    with pytest.raises(ValueError, match="out: expected the name of an mp4 file"):
        RolloutConfig(tmp_path / "a.gif")


def test_an_interrupted_rollout_keeps_what_was_driven(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Leaves:
        left = 3

        def act(self, seen: dict[str, Any]) -> Any:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return np.zeros(2, np.float32)

    monkeypatch.setattr("envs.commands.rollout.make_driver", lambda name, speed: Leaves())
    done = rollout(RolloutConfig(tmp_path / "a.mp4", world=str(folder)))
    assert done.interrupted and done.seconds == 0.3 and len(decoded(tmp_path / "a.mp4")) == 4
