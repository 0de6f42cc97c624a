"""The benchmark of prompts runs on a tiny world; its truth is right, and its last line is JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import prompting
from benchmarks.held_out import FIRST_SEED
from tests.worldsim.worlds import tiny_world
from worldsim.checkpoint import ModelCard, save_world
from worldsim.types import LABEL_FIELDS


def test_it_measures_every_way_with_a_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_world(tmp_path / "world", tiny_world(5), ModelCard("tiny", "untrained", "none"))
    prompting.main(["--quick", "--world", str(tmp_path / "world"), "--out", str(tmp_path), "--steps", "1",
                    "--threads", "1", "--episodes", "1", "--roads", "3", "--seconds", "0.4"])  # fmt: skip
    result = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert set(result["editing"]["0.75"]) == {"night clear", "day snow", "picture"}
    for look, floor in result["editing_floor"].items():
        edited = result["editing"]["0.75"][look]
        assert floor["truth"]["psnr_to_truth_db"] == 60.0 > edited["psnr_to_truth_db"] > 0
        assert floor["truth"]["weather"] == floor["truth"]["time_of_day"] == 1.0
        assert floor["truth"]["lane_offset_error_m"] < 0.3 < edited["lane_offset_error_m"]  # it knows nothing
    assert result["image_to_video"]["probes"] == 6 and result["image_to_video"]["floor"] >= 4 / 6
    assert result["minute"]["drift_ratio"] > 0 and set(result["past"]["drawn"]) == {"0.1", "0.5", "1"}
    assert Path(result["minute"]["picture"]).is_file() and Path(result["editing"]["0.75"]["picture"]).is_file()


def test_the_truth_is_one_drive_in_several_looks() -> None:
    drive = prompting.reference_drive(FIRST_SEED, "highway", tiny_world(5))
    again = prompting.reference_drive(FIRST_SEED, "highway", tiny_world(5))
    assert (drive.clip.frames == again.clip.frames).all() and len(drive.clip) == prompting.EDITED_FRAMES + 1
    day, night, snow = (drive.looks[look].mean() for look in (prompting.PLAIN, *prompting.ASKED))
    assert night < 0.6 * day < day < snow and not np.isnan(drive.clip.motion[:-1]).any()
    offset = drive.labels[:, LABEL_FIELDS.index("lane_offset_m")]
    assert np.abs(np.diff(offset)).max() < 0.5
