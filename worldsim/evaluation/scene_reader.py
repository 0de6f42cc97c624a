"""What a single frame shows, whoever drew it: where the lane lies, and where vehicles are.

Axis legend: t frames, b batch, h w c of a frame, r x q cells of 4 px, o outputs.

A small convolutional network reads lane offset, heading error, lanes to either side and the closeness of whoever is
ahead, and for every cell whether a vehicle covers it. It has no memory and is told no motion, so nothing but the
picture can tell it. It is trained on reference frames of the split train, sharp and softened (generated frames are
soft, and softness must not be read as a lane), and tested on val. It knows nothing of any world model, so it can judge
one:

    python -m worldsim.evaluation.scene_reader --data data/road

writes the weights that ship beside this file.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from worldsim.chance import drawn_from
from worldsim.data.store import EpisodeStore
from worldsim.evaluation.metrics import auroc, correlation, mean_absolute_error
from worldsim.evaluation.network_file import read_network, write_network
from worldsim.say import say
from worldsim.types import LABEL_FIELDS, Episode, FloatArray, FrameArray

Array = npt.NDArray[np.float64]

SHIPPED = Path(__file__).with_suffix(".safetensors")
HEIGHT, WIDTH, CELL = 64, 128, 4
CELLS = (HEIGHT // CELL, WIDTH // CELL)
CLOSENESS_RANGE_M = 25.0
READ = {"lane_offset_m": 1.0, "heading_error_rad": 0.15, "closeness": 0.3}
"""Regressed outputs, and the size that scales each to order one. ``closeness`` is exp(-lead distance / range)."""
FLAGS = ("lane_left", "lane_right")
LEAST_SIDE_PX, FARTHEST_M = 4.0, 60.0
"""Vehicles that are smaller or farther are neither asked for nor held against the reader."""
MOST_HEADING_RAD = 1.0
WIDE = 32


@dataclass(frozen=True)
class Seen:
    """What frames show."""

    lane_offset_m: FloatArray  # (t,)
    heading_error_rad: FloatArray  # (t,)
    closeness: FloatArray  # (t,) of whoever is ahead: 1 at contact, 0 far away
    lane_left: FloatArray  # (t,) probabilities
    lane_right: FloatArray  # (t,)
    vehicles: FloatArray  # (t, r, q) probability that a vehicle covers the cell

    @property
    def lead_distance_m(self) -> FloatArray:
        """(t,) as closeness says, at most 100 m."""
        return np.clip(-CLOSENESS_RANGE_M * np.log(np.clip(self.closeness, 0.018, 1.0)), 0.0, 100.0)

    def count(self, threshold: float = 0.5) -> npt.NDArray[np.int64]:
        """Vehicles in each frame (t,): groups of neighbouring cells; vehicles that overlap in the picture are one."""
        covered = (self.vehicles > threshold).astype(np.uint8)
        return np.array([cv2.connectedComponents(each, connectivity=8)[0] - 1 for each in covered], np.int64)


class SceneReader(nn.Module):
    """Frames (b, 3, h, w) in [-1, 1] -> outputs (b, o) and logits of vehicles (b, r, q)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1), nn.SiLU(), nn.Conv2d(16, WIDE, 3, 2, 1), nn.GroupNorm(4, WIDE), nn.SiLU()
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(WIDE, WIDE, 3, 1, 1), nn.GroupNorm(4, WIDE), nn.SiLU()) for _ in range(3)
        )
        self.cells = nn.Conv2d(WIDE, 1, 1)
        self.whole = nn.Sequential(
            nn.Conv2d(WIDE, 48, 3, 2, 1), nn.GroupNorm(4, 48), nn.SiLU(),
            nn.Conv2d(48, 64, 3, 2, 1), nn.GroupNorm(4, 64), nn.SiLU(),
            nn.Conv2d(64, 24, 1), nn.SiLU(), nn.Flatten(),
            nn.Linear(24 * (HEIGHT // 16) * (WIDTH // 16), 128), nn.SiLU(), nn.Linear(128, len(READ) + len(FLAGS)),
        )  # fmt: skip

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        x = self.stem(frames)
        for block in self.blocks:
            x = x + block(x)
        return self.whole(x), self.cells(x)[:, 0]

    @torch.no_grad()
    def read(self, frames: FrameArray, batch: int = 128) -> Seen:
        """What frames (t, h, w, 3) of any size show, each by itself."""
        parts = [self(_input(frames[first : first + batch])) for first in range(0, len(frames), batch)]
        whole, cells = (torch.cat([part[i] for part in parts]).float() for i in (0, 1))
        values = {name: whole[:, i].numpy() * scale for i, (name, scale) in enumerate(READ.items())}
        flags = {name: whole[:, len(READ) + i].sigmoid().numpy() for i, name in enumerate(FLAGS)}
        return Seen(**values, **flags, vehicles=cells.sigmoid().numpy())

    def save(self, path: Path, note: dict[str, object]) -> None:
        """Write the weights in half precision with a note of how they were made, atomically."""
        write_network(path, self, note, torch.float16)


def load_reader(path: Path = SHIPPED) -> tuple[SceneReader, dict[str, object]]:
    """The reader that ships, or another, and the note of how it was made."""
    return read_network(path, SceneReader(), "worldsim.evaluation.scene_reader")


def _input(frames: FrameArray) -> Tensor:
    if frames.shape[1:3] != (HEIGHT, WIDTH):
        frames = np.stack([cv2.resize(f, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA) for f in frames])
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() / 127.5 - 1.0


# --- training ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Examples:
    """Frames and what is true of them; NaN is "not known"."""

    frames: Tensor  # (b, h, w, 3) uint8
    whole: Tensor  # (b, o): READ scaled, then FLAGS
    cells: Tensor  # (b, r, q): 1 a vehicle, 0 none, NaN one that is too small or too far

    def __len__(self) -> int:
        return len(self.frames)


def examples_of(episodes: Iterable[Episode], stride: int = 10) -> Examples:
    """Every ``stride``-th frame of episodes with labels and boxes. ValueError where there are none."""
    frames, whole, cells = [], [], []
    for episode in episodes:
        if not episode.boxes:
            continue
        for t in range(0, len(episode), stride):
            label = dict(zip(LABEL_FIELDS, episode.labels[t].tolist(), strict=True))
            label["closeness"] = float(np.exp(-label["lead_distance_m"] / CLOSENESS_RANGE_M))
            on_road = label["offroad"] == 0 and label["collision"] == 0
            known = on_road and abs(label["heading_error_rad"]) < MOST_HEADING_RAD  # else the lane is not to be seen
            values = [label[name] / scale for name, scale in READ.items()] + [label[name] for name in FLAGS]
            frames.append(_fitted(episode.frames[t]))
            whole.append(values if known else [np.nan] * len(values))
            cells.append(_covered(episode.boxes[t], episode.frames.shape[1:3]))
    if not frames:
        raise ValueError("scene reader: expected episodes with labels and boxes, got none")
    arrays = (np.stack(frames), np.array(whole, np.float32), np.stack(cells))
    return Examples(*(torch.from_numpy(array) for array in arrays))


def _fitted(frame: FrameArray) -> FrameArray:
    return np.asarray(cv2.resize(frame, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)


def _covered(boxes: FloatArray, size: tuple[int, ...]) -> FloatArray:
    """(r, q) from boxes (k, 5) x0 y0 x1 y1 distance in a picture of ``size`` h, w; the far and small first."""
    cells = np.zeros(CELLS, np.float32)
    scale = np.array([WIDTH / size[1], HEIGHT / size[0]] * 2) / CELL
    for box in sorted(boxes, key=lambda each: -each[4]):
        x0, y0, x1, y1 = box[:4] * scale
        far = box[4] > FARTHEST_M or max(x1 - x0, y1 - y0) * CELL < LEAST_SIDE_PX
        rows, columns = (slice(round(low), max(round(high), round(low) + 1)) for low, high in ((y0, y1), (x0, x1)))
        cells[rows, columns] = np.nan if far else 1.0
    return cells


def train_reader(examples: Examples, seed: int = 0, steps: int = 1500, batch: int = 64) -> SceneReader:
    """Fit to examples, mirrored and softened at random; the learning rate falls to zero."""
    generator = torch.Generator().manual_seed(seed)
    with drawn_from(torch.Generator().manual_seed(seed)):
        reader = SceneReader()
    optimizer = torch.optim.AdamW(reader.parameters(), lr=3e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for _ in tqdm(range(steps), desc="training the reader", mininterval=5.0):
        rows = torch.randint(len(examples), (batch,), generator=generator)
        frames, whole, cells = _varied(examples, rows, generator)
        with torch.autocast("cpu", torch.bfloat16):
            said, covered = reader(frames)
        loss = _loss(said.float(), covered.float(), whole, cells)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return reader.eval().requires_grad_(False)


def _varied(examples: Examples, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    frames = examples.frames[rows].permute(0, 3, 1, 2).float() / 127.5 - 1.0
    whole, cells = examples.whole[rows].clone(), examples.cells[rows]
    flip = torch.rand(len(rows), generator=generator) < 0.5
    frames[flip], cells = frames[flip].flip(-1), torch.where(flip[:, None, None], cells.flip(-1), cells)
    whole[flip, :2] *= -1.0
    whole[flip, len(READ) :] = whole[flip, len(READ) :].flip(-1)
    for row in torch.nonzero(torch.rand(len(rows), generator=generator) < 0.5).ravel().tolist():
        factor = float(torch.empty(()).uniform_(1.5, 3.5, generator=generator))
        small = F.interpolate(frames[row][None], scale_factor=1 / factor, mode="area")
        frames[row] = F.interpolate(small, (HEIGHT, WIDTH), mode="bilinear", align_corners=False)[0]
    noise = 0.1 * torch.rand(len(rows), 1, 1, 1, generator=generator)
    return frames + noise * torch.randn(frames.shape, generator=generator), whole, cells


def _loss(said: Tensor, covered: Tensor, whole: Tensor, cells: Tensor) -> Tensor:
    known, values = ~whole.isnan(), whole.nan_to_num()
    regressed = F.smooth_l1_loss(said[:, : len(READ)], values[:, : len(READ)], reduction="none", beta=0.3)
    flagged = F.binary_cross_entropy_with_logits(said[:, len(READ) :], values[:, len(READ) :], reduction="none")
    there = ~cells.isnan()
    placed = F.binary_cross_entropy_with_logits(
        covered, cells.nan_to_num(), reduction="none", pos_weight=torch.tensor(2.0)
    )
    parts = torch.cat((regressed, 0.5 * flagged), dim=1)
    return (parts * known).sum() / known.sum().clamp_min(1) + 2.0 * (placed * there).sum() / there.sum().clamp_min(1)


def accuracy(reader: SceneReader, examples: Examples) -> dict[str, float]:
    """Mean error and correlation of what is regressed, AUROC of flags, precision and recall of vehicles' cells."""
    seen = reader.read(examples.frames.numpy())
    figures: dict[str, float] = {}
    for i, (name, scale) in enumerate(READ.items()):
        truth = examples.whole[:, i].double().numpy() * scale
        known = ~np.isnan(truth)
        figures[f"error_{name}"] = mean_absolute_error(getattr(seen, name), truth)
        figures[f"correlation_{name}"] = correlation(getattr(seen, name)[known], truth[known])
    for i, name in enumerate(FLAGS):
        figures[f"auroc_{name}"] = auroc(getattr(seen, name), examples.whole[:, len(READ) + i].double().numpy())
    truth, said = examples.cells.numpy(), seen.vehicles > 0.5
    there = ~np.isnan(truth)
    hits = float((said & (truth == 1)).sum())
    figures["vehicle_precision"] = hits / max(float((said & there).sum()), 1.0)
    figures["vehicle_recall"] = hits / max(float((truth == 1).sum()), 1.0)
    return figures


def main() -> None:
    """Train on the split train, test on val, write the weights."""
    parser = argparse.ArgumentParser(prog="python -m worldsim.evaluation.scene_reader", description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of reference episodes")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--stride", type=int, default=10, help="every so many frames one is taken")
    parser.add_argument("--episodes", type=int, default=400, help="episodes of the split train at most")
    parser.add_argument("--steps", type=int, default=1500)
    arguments = parser.parse_args()
    store, sets, began = EpisodeStore(arguments.data), {}, time.perf_counter()
    for split in ("train", "val"):
        records = store.select(split=split)[: arguments.episodes]
        bar = tqdm(store.iterate(records), total=len(records), desc=split, mininterval=5.0)
        sets[split] = examples_of((episode for _, episode in bar), arguments.stride)
    reader = train_reader(sets["train"], steps=arguments.steps)
    figures = accuracy(reader, sets["val"])
    note = {"command": f"python -m worldsim.evaluation.scene_reader --data data/{arguments.data.name}", **figures}
    note |= {"frames": len(sets["train"]), "steps": arguments.steps, "seconds": round(time.perf_counter() - began)}
    reader.save(arguments.out, note)
    say(json.dumps(note))


if __name__ == "__main__":
    main()
