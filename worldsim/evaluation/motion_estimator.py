"""Ego motion from two frames alone: how a picture turned and how fast it came, whoever drew it.

Axis legend: t frames of a sequence, k pairs of neighbouring frames, h w c of a frame, r x q cells, f features.

Dense optical flow (DIS, Kroeger et al. 2016) is averaged in a grid of cells, beside how much there is to hold on to
and how well the flow explains it; a small network reads yaw rate and speed from that. It is trained on reference frames
of the split train and tested on val. It knows nothing of any world model, so it can judge one:

    python -m worldsim.evaluation.motion_estimator --data data/road

writes the weights that ship beside this file.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from tqdm import tqdm

from worldsim.chance import drawn_from
from worldsim.data.store import EpisodeStore
from worldsim.evaluation.metrics import correlation
from worldsim.evaluation.network_file import read_network, write_network
from worldsim.say import say
from worldsim.types import FRAME_RATE_HZ, MOTION_FIELDS, Episode, FloatArray, FrameArray

SHIPPED = Path(__file__).with_suffix(".safetensors")
HEIGHT, WIDTH = 64, 128  # frames are resized to this
CELLS = (8, 16)
MOST_FLOW_PX = 24.0
HIDDEN = 96

OUTPUTS = {"yaw_rate_radps": 0.2, "speed_mps": 10.0}
"""What is estimated, and the size that scales each to order one."""


def flow_features(frames: FrameArray) -> FloatArray:
    """Features (t - 1, 4, r, q) of neighbouring frames of (t, h, w, 3): flow along x and y in px, texture, residual."""
    if frames.ndim != 4 or len(frames) < 2:
        raise ValueError(f"flow_features: expected at least two frames (t, h, w, 3), got shape {frames.shape}")
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    finder.setFinestScale(0)
    finder.setPatchSize(8)
    finder.setPatchStride(4)
    grey = [
        cv2.cvtColor(cv2.resize(f, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY) for f in frames
    ]
    return np.stack([_pair_features(finder, a, b) for a, b in itertools.pairwise(grey)])


def _pair_features(
    finder: cv2.DISOpticalFlow, before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8]
) -> FloatArray:
    flow = np.clip(finder.calc(before, after, None), -MOST_FLOW_PX, MOST_FLOW_PX)  # type: ignore[call-overload]
    columns, rows = np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32))
    found = cv2.remap(
        after, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    texture = np.abs(cv2.Sobel(before, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(before, cv2.CV_32F, 0, 1))
    planes = (flow[..., 0], flow[..., 1], np.log1p(texture), np.log1p(cv2.absdiff(before, found).astype(np.float32)))
    r, q = CELLS
    return np.stack([plane.reshape(r, HEIGHT // r, q, WIDTH // q).mean((1, 3)) for plane in planes]).astype(np.float32)


def mirrored(features: Tensor) -> Tensor:
    """Features (k, 4, r, q) of the mirror image, whose yaw rate is the opposite."""
    sign = torch.tensor([-1.0, 1.0, 1.0, 1.0])[:, None, None]
    return features.flip(-1) * sign


class MotionEstimator(nn.Module):
    """(k, 4, r, q) features -> (k, 2) in the order of OUTPUTS. A mirrored picture gives exactly the mirrored answer."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(4, *CELLS))
        self.register_buffer("std", torch.ones(4, *CELLS))
        inputs = 4 * CELLS[0] * CELLS[1]
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(inputs, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, HIDDEN), nn.SiLU(),
            nn.Linear(HIDDEN, len(OUTPUTS)),
        )  # fmt: skip

    def forward(self, features: Tensor) -> Tensor:
        mine, theirs = (self.layers((x - self.mean) / self.std) for x in (features, mirrored(features)))
        turn, speed = (mine[:, 0] - theirs[:, 0]) / 2, (mine[:, 1] + theirs[:, 1]) / 2
        return torch.stack((turn, speed), dim=-1) * torch.tensor(list(OUTPUTS.values()))

    @torch.no_grad()
    def estimate(self, frames: FrameArray) -> FloatArray:
        """Yaw rate (rad/s, left positive) and forward speed (m/s) between neighbours of (t, h, w, 3), (t - 1, 2)."""
        return self(torch.from_numpy(flow_features(frames))).numpy()

    def save(self, path: Path, note: dict[str, object]) -> None:
        """Write the weights with a note of how they were made, atomically."""
        write_network(path, self, note)


def load_estimator(path: Path = SHIPPED) -> tuple[MotionEstimator, dict[str, object]]:
    """The estimator that ships, or another, and the note of how it was made."""
    return read_network(path, MotionEstimator(), "worldsim.evaluation.motion_estimator")


# --- training ---------------------------------------------------------------------------------------------------------


def pairs_of(episodes: Iterable[Episode], stride: int = 1) -> tuple[Tensor, Tensor]:
    """Features (k, 4, r, q) and truth (k, 2) of every ``stride``-th pair of frames whose motion is known."""
    features, truths = [], []
    for episode in episodes:
        steps = episode.motion[:-1]
        truth = np.stack([steps[:, MOTION_FIELDS.index(name)] for name in ("yaw_rad", "forward_m")], -1) * FRAME_RATE_HZ
        for t in range(0, len(episode) - 1, stride):
            if np.isfinite(truth[t]).all():
                features.append(flow_features(episode.frames[t : t + 2])[0])
                truths.append(truth[t])
    if not features:
        raise ValueError("motion estimator: expected episodes with known motion, got none")
    return torch.from_numpy(np.stack(features)), torch.from_numpy(np.stack(truths).astype(np.float32))


def train_estimator(
    features: Tensor, truth: Tensor, seed: int = 0, epochs: int = 40, batch: int = 256
) -> MotionEstimator:
    """Fit to features (k, 4, r, q) and truth (k, 2); robust to outliers, the learning rate falls to zero."""
    generator = torch.Generator().manual_seed(seed)
    with drawn_from(torch.Generator().manual_seed(seed)):
        estimator = MotionEstimator()
    both = torch.cat((features, mirrored(features)))
    estimator.mean.copy_(both.mean(0))
    estimator.std.copy_(both.std(0).clamp_min(0.1))
    scale = torch.tensor(list(OUTPUTS.values()))
    optimizer = torch.optim.AdamW(estimator.parameters(), lr=2e-3, weight_decay=0.05)
    steps = epochs * max(1, len(features) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    for _ in tqdm(range(steps), desc="training the estimator", leave=False, mininterval=1.0):
        rows = torch.randint(len(features), (batch,), generator=generator)
        loss = nn.functional.smooth_l1_loss(estimator(features[rows]) / scale, truth[rows] / scale, beta=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return estimator.eval().requires_grad_(False)


def accuracy(estimator: MotionEstimator, features: Tensor, truth: Tensor) -> dict[str, float]:
    """Mean error and correlation of each output, and how often the side of a clear turn is right."""
    with torch.no_grad():
        said = estimator(features)
    figures: dict[str, float] = {}
    for i, name in enumerate(OUTPUTS):
        figures[f"error_{name}"] = float((said[:, i] - truth[:, i]).abs().mean())
        figures[f"correlation_{name}"] = correlation(said[:, i].numpy(), truth[:, i].numpy())
    clear = truth[:, 0].abs() > 0.05
    figures["side_of_turns"] = float((said[clear, 0].sign() == truth[clear, 0].sign()).float().mean())
    return figures


def main() -> None:
    """Train on the split train, test on val, write the weights."""
    parser = argparse.ArgumentParser(prog="python -m worldsim.evaluation.motion_estimator", description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of reference episodes")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--stride", type=int, default=3, help="every so many frames a pair is taken")
    arguments = parser.parse_args()
    store, pairs = EpisodeStore(arguments.data), {}
    for split in ("train", "val"):
        bar = tqdm(store.iterate(store.select(split=split)), total=len(store.select(split=split)), desc=split)
        pairs[split] = pairs_of((episode for _, episode in bar), arguments.stride)
    estimator = train_estimator(*pairs["train"])
    figures = accuracy(estimator, *pairs["val"])
    note = {"command": f"python -m worldsim.evaluation.motion_estimator --data data/{arguments.data.name}", **figures}
    estimator.save(arguments.out, note | {"pairs": len(pairs["train"][0])})
    say(json.dumps(note))


if __name__ == "__main__":
    main()
