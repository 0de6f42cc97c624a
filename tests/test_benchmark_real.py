"""The benchmark on real cameras runs on generated excerpts and ends with one JSON object that has its keys."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from benchmarks import pictures, real
from tests.worldsim.reference_drives import reference_drive
from tests.worldsim.test_data_donkeycar import make_tub
from tests.worldsim.test_data_video import write_video
from tests.worldsim.worlds import tiny_world
from worldsim.checkpoint import ModelCard, save_world

HORIZONS = {"0.5", "1", "2"}


@pytest.fixture(scope="module")
def excerpts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up tub of 400 records and a short video, laid out as the real ones are."""
    root = tmp_path_factory.mktemp("real")
    folder = make_tub(root / "made" / "tub", 480)
    (root / "donkeycar_tub").mkdir()
    with tarfile.open(root / "donkeycar_tub" / "tub.tar.gz", "w:gz") as archive:
        archive.add(folder, "tub")
    frames = reference_drive("highway", 50, 240, 480).frames[:, ::2, ::2]
    write_video(root / "drive.mp4", np.concatenate([frames] * 5))
    return root


def test_real(excerpts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_world(tmp_path / "start", tiny_world(5), ModelCard("tiny", "untrained", "none"))
    arguments = ["--quick", "--real", str(excerpts), "--world", str(tmp_path / "start"), "--out", str(tmp_path)]
    arguments += ["--prepared", str(tmp_path / "data"), "--steps", "1", "--threads", "1"]
    real.main(arguments)
    result = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert set(result["left_out"]) == {"nuscenes", "comma2k19"}
    for name in ("tub", "clips"):
        figures = result[name]
        assert figures["prepare"]["frames_per_s"] > 0
        assert {"tokenizer", "webp", "h264"} <= set(figures["tokenizer"])
        assert set(figures["rollout"]["model"]["psnr_db"]) == HORIZONS == set(figures["rollout"]["n"])
        assert (tmp_path / f"real_{name}.png").is_file()
        assert result[f"{name}, psnr_db at 1 s"] == figures["rollout"]["model"]["psnr_db"]["1"]
    assert result["tub"]["obedience"]["steering_to_true_flow"] < -0.9
    assert result["tub"]["rollout"]["beats_at_1_s"] == []  # an untrained world


def test_a_codec_keeps_to_its_bytes() -> None:
    frames = reference_drive("highway", 50, 240, 480).frames[:12, ::4, ::4]
    for copies, used in (pictures.webp(frames, 1024), pictures.h264(frames, 1024, 10.0)):
        assert used <= 1024 and copies.shape == frames.shape
        assert pictures.ssim(copies, frames).mean() > 0.8
    assert pictures.ssim(frames, frames) == pytest.approx(1.0)


def test_flow_goes_on_as_it_went() -> None:
    rng = np.random.default_rng(0)
    wide = np.repeat(np.repeat(rng.integers(0, 255, (16, 60, 3), dtype=np.uint8), 4, 0), 4, 1)
    film = np.stack([wide[:, 40 - 2 * t : 168 - 2 * t] for t in range(5)])  # moves 2 px a frame to the right
    assert pictures.horizontal_flow(film).mean() == pytest.approx(2, abs=0.3)
    shown = pictures.extrapolated(film[0], film[1], 3)
    inner = (slice(None), slice(8, -8), slice(16, -16))
    nearer = np.abs(shown[inner].astype(float) - film[2:][inner]).mean()
    assert nearer < 0.3 * np.abs(film[1][inner[1:]].astype(float) - film[2:][inner]).mean()
