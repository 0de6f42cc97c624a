"""Where a token is: its place in the picture, and the picture's own grid and camera, as sines and cosines.

Axis legend: v views, n tokens of a view, w width.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor, nn

from worldsim.dynamics.conditioning import fourier
from worldsim.types import CameraSpec
from worldsim.views import Views

_RATES = 8  # sines and cosines of each number that describes a view
_GRID, _CAMERA = 2, 8
_VIEW_FEATURES = _RATES * (_GRID + _CAMERA) + 1


def place_features(views: Views, features: int, high: float, device: torch.device) -> Tensor:
    """Of each token's row and column in [0, 1]^2, so that they carry over to other sizes: (n, 2 features)."""
    rows = (torch.arange(views.rows, device=device) + 0.5) / views.rows
    columns = (torch.arange(views.columns, device=device) + 0.5) / views.columns
    grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1).flatten(0, 1)
    return fourier(grid, features, 1.0, high).flatten(-2)


class ViewEmbedding(nn.Module):
    """What picture a token is in, as a vector for each view, (v, 1, w); zero at first, when all views look the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(_VIEW_FEATURES, width))

    def forward(self, views: Views) -> Tensor:
        return (view_features(views, self.weight.device) @ self.weight)[:, None]


@functools.lru_cache(maxsize=64)
def view_features(views: Views, device: torch.device) -> Tensor:
    """Of each view's grid and of its camera's pose and field of view, (v, features).

    Of a camera that is not told all are zero, and so is the last feature, which says that one is. Not to be written to.
    """
    grid = [math.log2(views.rows), math.log2(views.columns)]
    cameras = [_numbers(camera) for _, camera in views.cameras] or [[0.0] * _CAMERA]
    told = torch.full((views.count, 1), float(bool(views.cameras)), device=device)
    features = fourier(torch.tensor([grid + camera for camera in cameras], device=device), _RATES, 1.0, 8.0)
    shared, own = features.split((_GRID, _CAMERA), dim=1)
    return torch.cat((shared.flatten(1), own.flatten(1) * told, told), dim=1)


def _numbers(camera: CameraSpec) -> list[float]:
    """Angles in radians, position in metres, and focal lengths in widths and heights of the picture."""
    return [
        camera.yaw_rad, camera.pitch_rad, camera.roll_rad, *camera.position_m,
        camera.fx / camera.width, camera.fy / camera.height,
    ]  # fmt: skip
