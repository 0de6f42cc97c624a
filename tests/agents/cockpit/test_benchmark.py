"""The benchmark of the cockpit runs on a tiny world and ends with one JSON object that has its keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import cockpit


@pytest.mark.slow
def test_the_cockpit_is_measured(worlds: Path, capsys: pytest.CaptureFixture) -> None:
    few = ["--seconds", "0.5", "--fill", "1", "--no-browser", "--threads", "1", "--steps", "1"]
    cockpit.main(["--quick", "--world", str(worlds / "tiny"), *few])
    result = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert 0 < result["frames_per_s"] <= 12 and result["input_to_photon_ms"]["median"] > 0
    assert result["input_to_photon_ms"]["median"] <= result["input_to_photon_ms"]["p95"]
    assert result["hostile_tried"] == result["hostile_survived"] == len(cockpit.hostile_messages())
    assert result["memory_mb_per_session"] < 200 and result["through"] == "frame arrived"
