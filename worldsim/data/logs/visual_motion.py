"""Ego motion read from the pictures alone, with a check of how sure it is.

Axis legend: t frames, p points that were found again in the next frame. Image x right, y down; ego x forward, y left.

Corners are tracked from frame to frame (Lucas and Kanade, forward and back). Their essential matrix gives the rotation
(Nister 2004, five points, RANSAC) and the focus of expansion, whose row, where the way is straight, is the horizon. The
length of the step comes from the road: seen from above by a camera of known height, it moves as one piece, and the
shift at which it fits best says how far (after Stein, Mano and Shashua 2000, "A robust method for computing vehicle
ego-motion").

Assumed are the lens's field of view, the camera's height, a level road and no skid. A wrong height scales all speeds.
A step is unknown (NaN) where the road does not fit well or fits several shifts, as one with nothing on it but lines
along it does, or where steps around it disagree; a clip is where fewer than half of its steps are sure. The yaw rate,
in `ego`, needs no road and is told wherever corners agree.

Measured on reference drives of 6 s on nine roads: highway, two-way road, merge, exit and gentle curves pass, with steps
1 to 7 % off at the median and a yaw rate that correlates 0.94 to 0.97 with the true one; tight bends, junctions and
roads without dashes do not pass.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from worldsim.data.logs.ego_motion import Array, Drive
from worldsim.types import EGO_FIELDS

Grey = npt.NDArray[np.uint8]

ROWS = 240
"""Pictures are tracked at about this height, whatever is kept of them."""
MOST_POINTS, LEAST_POINTS = 500, 50
LEAST_INLIERS = 0.5
LEAST_FIT, LEAST_LEAD, BESIDE_M = 0.6, 0.15, 0.6  # correlation of the road with itself, its lead over other shifts
CELL_M, ROAD_M, ROAD_WIDTH_M, LENGTH_M, MOST_STEP_M = 0.1, 14.0, 7.0, 6.0, 4.5
STILL_PX = 0.25
LEAST_STEP_M = 0.3  # what moves less while the rest of the picture moves is the bonnet
LEAST_SURE, LEAST_STEPS = 0.5, 7  # share of sure steps of a clip, and how many it must have
MOST_YAW_RAD = 0.15
STRAIGHT_RAD = 0.004  # a step that turns less is fit to tell the horizon
SMOOTH, SMOOTH_YAW = 7, 3  # steps of the running medians
MOST_SPREAD = 0.15  # median deviation of the steps under it, as a share


@dataclass(frozen=True)
class Lens:
    """What is assumed of the camera."""

    hfov_deg: float = 60.0
    height_m: float = 1.4


@dataclass(frozen=True)
class _Pair:
    """What two frames say: points (p, 2) before and after in px from the middle, rotation, row of the expansion."""

    before: Array
    after: Array
    turned: Array | None  # (3, 3) of the camera from before to after; None where nothing is sure
    horizon: float | None
    still: bool

    @property
    def yaw(self) -> float:
        """Turn to the left, in rad; NaN where it is not sure."""
        yaw = np.nan if self.turned is None else float(np.arctan2(self.turned[0, 2], self.turned[2, 2]))
        return yaw if abs(yaw) < MOST_YAW_RAD else np.nan


def estimate(greys: list[Grey], times: Array, lens: Lens) -> tuple[Drive, float]:
    """The motion over ``t`` grey pictures (h, w) of one size taken at ``times`` (t,), and the share of sure steps."""
    width = greys[0].shape[1]
    focal = width / 2 / np.tan(np.radians(lens.hfov_deg) / 2)
    pairs = [_pair(a, b, focal) for a, b in itertools.pairwise(greys)]
    horizon = _horizon(pairs)
    steps = [
        _step(pair, a, b, focal, horizon, lens.height_m)
        for pair, a, b in zip(pairs, greys[:-1], greys[1:], strict=True)
    ]
    seconds = np.diff(times)  # uneven where 25 pictures a second became 10, so rates are smoothed, not steps
    speed, rate = np.array(steps).reshape(-1, 2).T / seconds
    speed, rate = _smooth(speed, SMOOTH, MOST_SPREAD), _smooth(rate, SMOOTH_YAW)
    sure = float(np.mean(~np.isnan(speed))) if len(speed) else 0.0
    if sure < LEAST_SURE or len(speed) < LEAST_STEPS:
        speed[:] = np.nan
    distance, yaw = speed * seconds, rate * seconds
    motion = np.full((len(times), 4), np.nan)
    motion[:-1] = np.stack([distance * np.cos(yaw / 2), distance * np.sin(yaw / 2), yaw, speed], -1)
    motion[:-1][np.isnan(motion[:-1]).any(-1)] = np.nan
    ego = np.full((len(times), len(EGO_FIELDS)), np.nan)
    ego[1:, 0], ego[1:, 1] = speed, rate
    ego[:, 2] = np.gradient(ego[:, 0], times) if len(times) > 1 else np.nan
    pose = np.full((len(times), 3), np.nan, np.float32)
    return Drive(motion.astype(np.float32), ego.astype(np.float32), pose), sure


def _pair(before: Grey, after: Grey, focal: float) -> _Pair:
    nothing = np.empty((0, 2))
    found = cv2.goodFeaturesToTrack(before, MOST_POINTS, 0.005, 6)
    if found is None or len(found) < LEAST_POINTS:
        return _Pair(nothing, nothing, None, None, False)
    window = {"winSize": (15, 15), "maxLevel": 4}
    there, ok, _ = cv2.calcOpticalFlowPyrLK(before, after, found, None, **window)  # type: ignore[call-overload]
    back, also, _ = cv2.calcOpticalFlowPyrLK(after, before, there, None, **window)  # type: ignore[call-overload]
    good = (np.abs(back - found).max((1, 2)) < 0.7) & (ok[:, 0] == 1) & (also[:, 0] == 1)
    middle = np.array([before.shape[1] / 2, before.shape[0] / 2])
    a, b = (each[good, 0].astype(np.float64) - middle for each in (found, there))
    if len(a) < LEAST_POINTS:
        return _Pair(a, b, None, None, False)
    if float(np.median(np.hypot(*(b - a).T))) < STILL_PX:
        return _Pair(a, b, np.eye(3), None, True)
    cv2.setRNGSeed(0)
    essential, mask = cv2.findEssentialMat(a / focal, b / focal, np.eye(3), cv2.RANSAC, 0.999, 1.0 / focal)
    if essential is None or essential.shape != (3, 3) or mask.mean() < LEAST_INLIERS:
        return _Pair(a, b, None, None, False)
    _, turned, shift, _ = cv2.recoverPose(essential, a / focal, b / focal, np.eye(3), mask=mask)
    ahead = -turned.T @ shift[:, 0]  # where the camera went, in the frame of the first picture
    if ahead[2] < 0:
        ahead = -ahead
    sure = ahead[2] > 0.8
    inliers = mask[:, 0] > 0
    return _Pair(
        a[inliers], b[inliers], np.asarray(turned, np.float64), focal * ahead[1] / ahead[2] if sure else None, False
    )


def _horizon(pairs: list[_Pair]) -> float:
    """Row of the horizon, from the middle of the picture: that of the focus of expansion where the way is straight."""
    straight = [pair.horizon for pair in pairs if pair.horizon is not None and abs(pair.yaw) < STRAIGHT_RAD]
    seen = straight if len(straight) >= SMOOTH else [pair.horizon for pair in pairs if pair.horizon is not None]
    return float(np.median(seen)) if seen else 0.0


def _step(pair: _Pair, before: Grey, after: Grey, focal: float, horizon: float, height: float) -> tuple[float, float]:
    """Distance driven and yaw to the left of one step; NaN where it is not sure."""
    if pair.still:
        return 0.0, 0.0
    if pair.turned is None:
        return np.nan, np.nan
    road = _Road(focal, horizon, height, before.shape)
    distance = road.distance(road.seen(before, np.eye(3)), road.seen(after, pair.turned))
    return distance, pair.yaw


class _Road:
    """The road in front as seen from above: rows are CELL_M of distance, columns of place across."""

    def __init__(self, focal: float, horizon: float, height: float, shape: tuple[int, ...]) -> None:
        rows, columns = shape[:2]
        lowest = rows / 2 - horizon
        self.near = focal * height / max(0.96 * lowest, 1.0)
        self.focal, self.horizon, self.height = focal, horizon, height
        self.middle = np.array([columns / 2, rows / 2])
        away = np.arange(self.near, self.near + ROAD_M, CELL_M)
        across = np.arange(-ROAD_WIDTH_M / 2, ROAD_WIDTH_M / 2, CELL_M)
        z, x = np.meshgrid(away, across, indexing="ij")
        self.rays = np.stack([focal * x / z, horizon + focal * height / z, np.full_like(z, focal)], -1)

    def seen(self, picture: Grey, turned: Array) -> Array:
        """The road (rows, columns) in a picture whose camera was turned; what runs along the road is taken away."""
        rays = self.rays @ turned.T
        where = self.focal * rays[..., :2] / rays[..., 2:] + self.middle
        columns, rows = np.moveaxis(where, -1, 0).astype(np.float32)
        flat = cv2.remap(picture.astype(np.float32), columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        inside = (columns > 1) & (columns < picture.shape[1] - 2) & (rows > 1) & (rows < picture.shape[0] - 2)
        window = (1, round(LENGTH_M / CELL_M))
        weight = np.maximum(cv2.blur(inside.astype(np.float32), window), 1e-6)
        flat = cv2.GaussianBlur(flat, (0, 0), 1.0)
        return np.where(inside, flat - cv2.blur(flat * inside, window) / weight, np.nan).astype(np.float64)

    def distance(self, before: Array, after: Array) -> float:
        """How far the road came towards the camera; NaN where no shift fits well, or several do."""
        most = min(round(MOST_STEP_M / CELL_M), len(before) - 20)
        fits = np.array([_correlation(before[k:], after[: len(after) - k]) for k in range(most)])
        best = int(fits.argmax())
        beside = (
            np.abs(np.abs(np.arange(most) - best) * CELL_M - BESIDE_M) < CELL_M
        )  # a road of lines alone fits anywhere
        apart = np.abs(np.arange(most) - best) * CELL_M > 2 * BESIDE_M
        sharp = fits[best] - max(fits[beside].max(initial=-1.0), fits[apart].max(initial=-1.0)) >= LEAST_LEAD
        if fits[best] < LEAST_FIT or not sharp or not LEAST_STEP_M <= best * CELL_M < (most - 1) * CELL_M:
            return np.nan
        low, high, top = fits[best - 1], fits[best + 1], fits[best]
        return float((best + 0.5 * (low - high) / (low - 2 * top + high)) * CELL_M)


def _correlation(a: Array, b: Array) -> float:
    both = ~np.isnan(a) & ~np.isnan(b)
    a, b = a[both], b[both]
    scale = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / scale) if scale > 0 else 0.0


def _smooth(values: Array, steps: int, most_spread: float = 1e9) -> Array:
    """Running median over ``steps``; NaN where half of them are not known, or lie farther apart than a share."""
    half = steps // 2
    padded = np.concatenate([np.full(half, np.nan), values, np.full(half, np.nan)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, steps)
    enough = (~np.isnan(windows)).sum(1) > half
    result = np.full(len(values), np.nan)
    middle = np.nanmedian(windows[enough], 1)
    spread = np.nanmedian(np.abs(windows[enough] - middle[:, None]), 1)
    result[enough] = np.where(spread <= most_spread * np.abs(middle) + 0.02, middle, np.nan)
    return result
