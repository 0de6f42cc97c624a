"""State heads: what the drive looks like from the inside, read from the state token.

Axis legend: b batch, t frames. Raw outputs are trained; ``StateHeads.read`` turns them into SI values
and probabilities. Hazards look ahead: the probability that the event happens within HAZARD_HORIZON_S.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HAZARD_HORIZON_S = 1.0

REGRESSED = {
    "lane_offset_m": 2.0,
    "heading_error_rad": 0.3,
    "lead_closeness": 0.5,
    "closing_speed_mps": 5.0,
}
"""Regressed outputs and the size that scales each to order one."""

CLASSIFIED = ("offroad", "collision", "offroad_soon", "collision_soon", "lane_left", "lane_right")
"""Outputs trained as logits; the ``_soon`` ones are hazards."""

HEAD_FIELDS = (*REGRESSED, *CLASSIFIED)

CLOSENESS_RANGE_M = 25.0
"""``lead_closeness`` is exp(-distance / range): 1 at contact and near 0 far away, so that near errors matter most."""


@dataclass(frozen=True)
class StateReading:
    """Head outputs in SI units and probabilities, each (b, t)."""

    lane_offset_m: Tensor
    heading_error_rad: Tensor
    lead_distance_m: Tensor
    closing_speed_mps: Tensor
    offroad: Tensor
    collision: Tensor
    offroad_soon: Tensor
    collision_soon: Tensor
    lane_left: Tensor
    lane_right: Tensor


class StateHeads(nn.Module):
    """A two-layer readout of the state token, (b, t, w) -> (b, t, len(HEAD_FIELDS))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, len(HEAD_FIELDS)))

    def forward(self, token: Tensor) -> Tensor:
        return self.layers(token)

    @staticmethod
    def read(raw: Tensor, lead_range_m: float = 100.0) -> StateReading:
        """SI values and probabilities from raw outputs (b, t, len(HEAD_FIELDS))."""
        raw = raw.float()
        value = {name: raw[..., i] * scale for i, (name, scale) in enumerate(REGRESSED.items())}
        chance = {name: raw[..., len(REGRESSED) + i].sigmoid() for i, name in enumerate(CLASSIFIED)}
        closeness = value.pop("lead_closeness").clamp(1e-3, 1.0)
        distance = (-CLOSENESS_RANGE_M * closeness.log()).clamp(0.0, lead_range_m)
        return StateReading(lead_distance_m=distance, **value, **chance)


def head_loss(raw: Tensor, target: Tensor, weight: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss of raw outputs against ``target`` (b, t, len(HEAD_FIELDS)), NaN where unknown.

    ``weight`` (b, t) scales each frame (a noisy frame says little of the state). Returns the sum over
    heads of the mean over known frames, and each head's own mean.
    """
    raw = raw.float()
    parts: dict[str, Tensor] = {}
    for i, name in enumerate(HEAD_FIELDS):
        known = ~target[..., i].isnan()
        goal = torch.where(known, target[..., i], 0.0)
        if name in REGRESSED:
            error = F.smooth_l1_loss(raw[..., i], goal / REGRESSED[name], reduction="none", beta=0.5)
        else:
            error = F.binary_cross_entropy_with_logits(raw[..., i], goal, reduction="none")
        scale = weight * known
        parts[name] = (error * scale).sum() / scale.sum().clamp_min(1.0)
    return torch.stack(list(parts.values())).sum(), parts
