"""Donkeycar tubs: sign and lag against optical flow, on a generated tub and on the real one; damage; prepare.

The real tub is looked for in WORLDSIM_REAL_DATA, or in ../shared/data beside the repository.
"""

from __future__ import annotations

import itertools
import json
import os
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from worldsim.data.logs.donkeycar import LAG_RECORDS, RECORD_RATE_HZ, open_tub
from worldsim.data.logs.picture import crop_resize
from worldsim.data.logs.prepare import PrepareConfig, prepare, run
from worldsim.data.store import EpisodeStore
from worldsim.types import Episode

REAL = Path(os.environ.get("WORLDSIM_REAL_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
REAL_TUB = REAL / "donkeycar_tub" / "tub.tar.gz"
PIXELS_PER_RECORD = 5.0  # the generated picture moves this far at full steering


def make_tub(folder: Path, records: int = 100, seed: int = 0) -> Path:
    """A tub whose picture moves sideways by its own steering of LAG_RECORDS records before; right is + and shows
    as a shift of the picture to the left."""
    rng = np.random.default_rng(seed)
    angle = np.clip(np.convolve(rng.normal(0, 1.2, records + 8), np.ones(9) / 3, "valid"), -1, 1)
    panorama = cv2.GaussianBlur(rng.integers(0, 256, (120, 2000, 3), dtype=np.uint8), (0, 0), 3)
    panorama = cv2.normalize(panorama, None, 0, 255, cv2.NORM_MINMAX)
    (folder / "images").mkdir(parents=True)
    lines, place = [], 900.0
    for k in range(records):
        view = np.float32([[1, 0, -place], [0, 1, 0]])
        name = f"{k}_cam_image_array_.jpg"
        cv2.imwrite(str(folder / "images" / name), cv2.warpAffine(panorama, view, (160, 120)))
        (folder / "images" / f"._{name}").write_bytes(b"\x00\x05\x16\x07")
        place += PIXELS_PER_RECORD * (angle[k - LAG_RECORDS] if k >= LAG_RECORDS else 0.0)
        record = {"_index": k, "_timestamp_ms": 1000 + 3 * k, "cam/image_array": name, "user/mode": "user"}
        lines.append(json.dumps(record | {"user/angle": float(angle[k]), "user/throttle": 0.5}))
    half = records // 2
    (folder / "catalog_0.catalog").write_text("\n".join(lines[:half]) + "\n")
    (folder / "catalog_10.catalog").write_text("\n".join(lines[half:]) + "\n")
    (folder / "._catalog_0.catalog").write_bytes(b"\x00\x05\x16\x07 no JSON")
    (folder / "manifest.json").write_text('["cam/image_array"]\n{"paths": [], "deleted_indexes": []}\n')
    return folder


def lag_correlations(episodes: list[Episode], most: int = 3) -> dict[int, float]:
    """Correlation of steering at frame j + s with the horizontal flow from frame j to j + 1, for shifts s."""
    flows, steerings = [], []
    for episode in episodes:
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in episode.frames]
        flow = [
            cv2.calcOpticalFlowFarneback(a, b, None, 0.5, 3, 15, 3, 5, 1.2, 0)[..., 0].mean()  # type: ignore[call-overload]
            for a, b in itertools.pairwise(grey)
        ]
        flows.append(np.array(flow)[most:-most])
        steerings.append(episode.action[:-1, 0])
    correlations = {}
    for shift in range(-most, most + 1):
        moved = np.concatenate([s[most + shift : len(s) - most + shift] for s in steerings])
        known, flow = ~np.isnan(moved), np.concatenate(flows)
        correlations[shift] = float(np.corrcoef(moved[known], flow[known])[0, 1])
    return correlations


@pytest.mark.parametrize("rate_hz", [10.0, 20.0])
def test_sign_and_lag_on_a_generated_tub(tmp_path: Path, rate_hz: float) -> None:
    episodes = list(open_tub(make_tub(tmp_path / "tub", 200)).episodes(rate_hz))
    correlations = lag_correlations(episodes)
    assert max(correlations, key=lambda shift: correlations[shift]) == 0, correlations
    assert correlations[0] > 0.95  # steering to the left is positive, and moves the picture to the right


@pytest.mark.skipif(not REAL_TUB.exists(), reason=f"the real tub {REAL_TUB} is not here; set WORLDSIM_REAL_DATA")
@pytest.mark.parametrize("split", ["train", "val"])
def test_sign_and_lag_on_the_real_tub(split: str) -> None:
    episodes = [episode for episode in open_tub(REAL_TUB).episodes(10.0) if episode.split == split]
    correlations = lag_correlations(episodes)
    assert max(correlations, key=lambda shift: correlations[shift]) == 0, correlations
    assert correlations[0] > 0.9, correlations
    yaw = np.concatenate([episode.motion[:-1, 2] for episode in episodes])
    steering = np.concatenate([episode.action[:-1, 0] for episode in episodes])
    known = ~np.isnan(yaw)
    assert np.corrcoef(yaw[known], steering[known])[0, 1] > 0.95


@pytest.mark.skipif(not REAL_TUB.exists(), reason=f"the real tub {REAL_TUB} is not here; set WORLDSIM_REAL_DATA")
def test_the_real_tub_is_split_with_a_gap() -> None:
    tub = open_tub(REAL_TUB)
    episodes = list(tub.episodes(20.0))
    assert [(episode.split, len(episode)) for episode in episodes] == [("train", 200)] * 4 + [("val", 150)]
    assert "records 850 to 999 of 1000" in episodes[-1].source and "estimated" in episodes[-1].source
    assert tub.report == {"records": 1000, "episodes": 5}


def test_commands_and_motion_belong_to_the_interval(tmp_path: Path) -> None:
    tub = open_tub(make_tub(tmp_path / "tub", 60))
    (episode,) = (e for e in tub.episodes(10.0) if e.split == "train")
    episode.validate()
    stride = 2
    for j in range(len(episode) - 1):
        logged = [2 * j + i - LAG_RECORDS for i in range(stride)]
        if min(logged) < 0:
            assert np.isnan(episode.action[j]).all() and np.isnan(episode.motion[j]).all()
            continue
        assert episode.action[j, 0] == pytest.approx(-np.mean(tub.angle[logged]), abs=1e-6)
        assert episode.action[j, 1] == pytest.approx(0.5)
        assert np.sign(episode.motion[j, 2]) == np.sign(episode.action[j, 0])  # left is positive in both
        assert np.hypot(*episode.motion[j, :2]) == pytest.approx(1.5 * stride / RECORD_RATE_HZ, rel=0.02)
        np.testing.assert_allclose(episode.ego[j + 1, 0], episode.motion[j, 3])
        np.testing.assert_allclose(episode.ego[j + 1, 1] * 0.1, episode.motion[j, 2], rtol=1e-5)
        assert episode.ego[j + 1, 3] == episode.action[j, 0]
    assert np.isnan(episode.action[-1]).all() and np.isnan(episode.labels).all() and np.isnan(episode.pose).all()


def test_an_archive_equals_its_folder(tmp_path: Path) -> None:
    folder = make_tub(tmp_path / "tub", 30)
    with tarfile.open(tmp_path / "tub.tar.gz", "w:gz") as archive:
        archive.add(folder, "tub")
    for a, b in zip(open_tub(folder).episodes(), open_tub(tmp_path / "tub.tar.gz").episodes(), strict=True):
        np.testing.assert_array_equal(a.frames, b.frames)
        np.testing.assert_array_equal(a.action, b.action)


def test_damage_is_counted_or_refused_as_asked(tmp_path: Path) -> None:
    folder = make_tub(tmp_path / "tub", 100)
    catalog = folder / "catalog_0.catalog"
    lines = catalog.read_text().splitlines()
    lines[10] = lines[10][:40]
    lines[12] = lines[12].replace('"user/throttle": 0.5', '"user/throttle": 7')
    lines[13] = lines[13].replace("user/angle", "user/bangle")
    catalog.write_text("\n".join(lines))
    (folder / "images/30_cam_image_array_.jpg").unlink()
    (folder / "images/40_cam_image_array_.jpg").write_bytes(b"\xff\xd8 cut")
    (folder / "manifest.json").write_text('{"deleted_indexes": [2, 3]}\n')
    with pytest.raises(ValueError, match=r"catalog_0.catalog line 11: expected a JSON object.*on_error=skip"):
        open_tub(folder)
    tub = open_tub(folder, on_error="skip")
    episodes = list(tub.episodes(10.0))
    assert {key: tub.report[key] for key in ("broken_lines", "bad_values", "missing_images", "broken_images")} == {
        "broken_lines": 1, "bad_values": 2, "missing_images": 1, "broken_images": 1,
    }  # fmt: skip
    assert tub.report["deleted"] == 2 and tub.report["records"] == 95
    assert tub.report["frames_alone_between_gaps"] == 1  # record 0 alone before record 2; record 10, 12 are gone
    used = [e.source.split("records ")[1].split(" of")[0] for e in episodes]
    assert used == ["4 to 8", "14 to 28", "32 to 38", "42 to 78", "85 to 99"]
    (folder / "images/30_cam_image_array_.jpg").unlink(missing_ok=True)
    catalog.write_text("\n".join(lines[14:]))
    with pytest.raises(ValueError, match=r"30_cam_image_array_.jpg"):
        list(open_tub(folder).episodes())


def test_bad_requests_are_worded(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        open_tub(tmp_path / "none")
    with pytest.raises(ValueError, match=r"expected manifest\.json"):
        open_tub(tmp_path)
    (tmp_path / "cut.tar.gz").write_bytes(b"\x1f\x8b\x08\x00cut")
    with pytest.raises(ValueError, match="readable tar archive"):
        open_tub(tmp_path / "cut.tar.gz")
    with pytest.raises(ValueError, match="rate_hz"):
        list(open_tub(make_tub(tmp_path / "tub", 20)).episodes(rate_hz=15.0))


def test_crop_keeps_the_middle() -> None:
    picture = np.zeros((120, 160, 3), np.uint8)
    picture[20:100] = 200
    assert (crop_resize(picture, (64, 128)) == 200).all()
    assert crop_resize(picture[:, :60], (64, 128)).shape == (64, 128, 3)


def test_prepare_writes_a_data_set_and_goes_on(tmp_path: Path) -> None:
    tub, out = make_tub(tmp_path / "tub", 200), tmp_path / "out"
    report = prepare("donkeycar", tub, out, max_frames=30, licence="MIT")
    assert report["log"]["records"] == 200 and report["data_set"]["split"] == {"train": 3, "val": 1}
    (out / "meta/records/episode-000001.json").unlink()
    before = {path: path.stat().st_mtime_ns for path in out.glob("videos/*/*/*.mp4")}
    run(PrepareConfig(source="donkeycar", path=tub, out=out, max_frames=30, licence="MIT"))
    changed = [path.name for path in before if path.stat().st_mtime_ns != before[path]]
    assert changed == ["file-001.mp4"]
    store = EpisodeStore(out)
    assert len(store) == 4 and store.records[0].licence == "MIT" and store.read(3).frames.shape == (15, 64, 128, 3)
    with pytest.raises(ValueError, match="write to another folder"):
        prepare("donkeycar", tub, out, max_frames=20)
    with pytest.raises(ValueError, match="did you mean 'donkeycar'"):
        prepare("donkycar", tub, out)
