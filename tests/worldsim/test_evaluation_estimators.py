"""The judges of pictures: the motion estimator on shifts that are known, and the scene classifier on looks that are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from worldsim.evaluation.motion_estimator import (
    OUTPUTS,
    MotionEstimator,
    accuracy,
    flow_features,
    load_estimator,
    mirrored,
    pairs_of,
    train_estimator,
)
from worldsim.evaluation.obedience import PEDALS, PROBES, TURNS, judge
from worldsim.evaluation.scene_statistics import LinearClassifier, statistics

from .data_episodes import make_episode


def texture(seed: int = 0) -> np.ndarray:
    """A smooth random picture (96, 192, 3), wider than a frame."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (24, 48, 3)).astype(np.uint8)
    return cv2.resize(coarse, (192, 96), interpolation=cv2.INTER_CUBIC)


def panned(shift_px: float, zoom: float = 1.0, seed: int = 0) -> np.ndarray:
    """Two frames (2, 64, 128, 3): the second shows the first shifted to the right, and enlarged about its middle."""
    picture = texture(seed)
    move = np.array([[zoom, 0, 96 * (1 - zoom) + shift_px], [0, zoom, 48 * (1 - zoom)]], np.float32)
    after = cv2.warpAffine(picture, move, (192, 96), borderMode=cv2.BORDER_REFLECT)
    return np.stack([image[16:80, 32:160] for image in (picture, after)])


@pytest.mark.parametrize("shift", [-4.0, 3.0])
def test_flow_features_measure_a_shift(shift: float) -> None:
    features = flow_features(panned(shift))
    assert features.shape == (1, 4, 8, 16)
    across, down = features[0, 0, 1:-1, 2:-2], features[0, 1, 1:-1, 2:-2]
    assert np.median(across) == pytest.approx(shift, abs=0.3)
    assert abs(np.median(down)) < 0.3
    with pytest.raises(ValueError, match="at least two frames"):
        flow_features(panned(shift)[:1])


def test_mirroring_features_is_mirroring_the_picture() -> None:
    frames = panned(3.0, 1.05)
    seen = torch.from_numpy(flow_features(np.ascontiguousarray(frames[:, :, ::-1])))
    turned = mirrored(torch.from_numpy(flow_features(frames)))
    inside = (..., slice(1, -1), slice(2, -2))
    assert (seen[inside][:, :2] - turned[inside][:, :2]).abs().median() < 0.3


def test_an_estimator_learns_turn_from_shift_and_speed_from_growth() -> None:
    """Pictures that pan to the right are turns to the left; those that grow come nearer."""
    rng = np.random.default_rng(0)
    shifts, zooms = rng.uniform(-5, 5, 160), rng.uniform(1.0, 1.12, 160)
    pictures = [panned(shift, zoom, seed) for seed, (shift, zoom) in enumerate(zip(shifts, zooms, strict=True))]
    features = torch.from_numpy(np.concatenate([flow_features(pair) for pair in pictures]))
    truth = torch.from_numpy(np.stack([0.1 * shifts, 200 * (zooms - 1)], -1).astype(np.float32))
    estimator = train_estimator(features[:128], truth[:128], epochs=150, batch=64)
    figures = accuracy(estimator, features[128:], truth[128:])
    assert figures["correlation_yaw_rate_radps"] > 0.95 and figures["correlation_speed_mps"] > 0.8
    assert figures["side_of_turns"] > 0.95
    still = estimator.estimate(np.repeat(pictures[0][:1], 2, 0))
    assert still.shape == (1, len(OUTPUTS)) and abs(still[0, 0]) < 0.1


def test_an_estimator_treats_left_and_right_alike() -> None:
    estimator = MotionEstimator()
    features = torch.randn(3, 4, 8, 16, generator=torch.Generator().manual_seed(0))
    here, there = estimator(features), estimator(mirrored(features))
    assert torch.allclose(here[:, 0], -there[:, 0], atol=1e-6) and torch.allclose(here[:, 1], there[:, 1], atol=1e-6)


def test_pairs_leave_out_unknown_motion() -> None:
    episode = make_episode(10)
    episode.motion[3] = np.nan
    features, truth = pairs_of([episode])
    assert len(features) == len(truth) == 8
    assert truth[0].tolist() == pytest.approx([episode.motion[0, 2] * 10, episode.motion[0, 0] * 10])


def test_the_shipped_estimator_reads_the_reference() -> None:
    """It says how it was made, and sees the side of turns in frames that it was not trained on."""
    from envs.reference.roadcam import RoadCamEnv

    estimator, made = load_estimator()
    assert made["side_of_turns"] > 0.97 and "motion_estimator" in made["command"]
    env = RoadCamEnv("empty_road", max_steps=20, grace_steps=None)
    for steering in (0.6, -0.6):
        observation, _ = env.reset(seed=2_000_000)
        frames, yaw_rates = [observation["camera"]], []
        for _ in range(6):
            observation, *_ = env.step(np.array([steering, 0.0], np.float32))
            frames.append(observation["camera"])
            yaw_rates.append(observation["ego"][1])
        said = estimator.estimate(np.stack(frames))[3:, 0].mean()
        assert said * steering > 0 and said == pytest.approx(np.mean(yaw_rates[3:]), abs=0.06)


def test_judging_probes() -> None:
    assert (*TURNS, *PEDALS) == PROBES
    good = judge([[0.2, 0.01, -0.2]] * 2, [[5, 10, 12]] * 2)
    assert good["obeyed"] == 1.0 and good["left_right_swaps"] == 0
    swapped = judge([[-0.2, 0.0, 0.2], [0.2, 0.0, -0.2]], [[5, 10, 12]] * 2)
    assert swapped["left_right_swaps"] == 1
    assert swapped["by_probe"] == {"left": 0.5, "straight": 0.5, "right": 0.5, "brake": 1, "hold": 1, "accelerate": 1}
    drifting = judge([[0.3, 0.2, 0.1]], [[10, 10, 10]])  # to the left of straight and of right, but right goes left
    assert drifting["by_probe"] == {"left": 1, "straight": 1, "right": 0, "brake": 0, "hold": 0, "accelerate": 0}
    assert drifting["obeyed"] == pytest.approx(2 / 6)
    with pytest.raises(ValueError, match=r"shape \(k, 3\)"):
        judge([[0.1, 0.2]], [[1, 2]])


def test_statistics_of_plain_frames() -> None:
    """A bright blue sky over a dark road is seen as that."""
    frame = np.zeros((1, 64, 128, 3), np.uint8)
    frame[:, :32], frame[:, 32:] = (100, 150, 250), (40, 40, 40)
    sky, ground = np.split(statistics(frame)[0], 3)[::2]
    assert sky[0] > 0.5 and ground[0] == pytest.approx(40 / 255, abs=0.01)
    assert sky[2] == pytest.approx(150 / 255, abs=0.01) and ground[2] == pytest.approx(0, abs=1e-6)  # saturation
    assert sky[4] == pytest.approx(100 / 255, abs=0.01)  # blue over green
    with pytest.raises(ValueError, match="frames"):
        statistics(frame[0])


def test_linear_classifier_separates_what_is_separate_and_not_what_is_not() -> None:
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(4, 4))
    centres = {"a": [2.0, 0, 0, 0], "b": [0, 2.0, 0, 0], "c": [0, 0, 2.0, 0]}
    values = np.concatenate([rng.normal(centre, 0.3, (40, 4)) for centre in centres.values()]) @ mixing
    labels = [name for name in centres for _ in range(40)]
    classify = LinearClassifier.fit(values[::2], labels[::2])
    assert np.mean(np.array(classify.predict(values[1::2])) == labels[1::2]) > 0.97
    noise = LinearClassifier.fit(rng.normal(size=(60, 4)), labels[::2])
    assert np.mean(np.array(noise.predict(rng.normal(size=(60, 4)))) == labels[::2]) < 0.6
    with pytest.raises(ValueError, match="two classes"):
        LinearClassifier.fit(values[:3], ["a"] * 3)
