"""What came of a drive, from what its world says of every frame: true in the reference world, predicted in a learned.

Axis legend: t frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from envs.events import NOT_STAGED
from envs.rewards import END_PROBABILITY, HALF_LANE_M
from worldsim.types import EGO_FIELDS, FRAME_RATE_HZ

from ..judging.play import HARD_BRAKING_MPS2, time_to_collision_s
from .drive import Driven

SPEED, ACCELERATION = EGO_FIELDS.index("speed_mps"), EGO_FIELDS.index("acceleration_mps2")

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Verdict:
    """The figures of one drive. ``events`` says what became of each event, parted by semicolons."""

    seconds: float
    distance_m: float
    crash: bool
    offroad: bool
    least_ttc_s: float  # least time to collision with whoever is ahead; 10 where it was never less
    hard_braking: float  # share of frames that brake harder than 3 m/s2
    least_edge_m: float  # least distance of the vehicle's centre to the edge of its lane; below 0 beyond it
    least_trust: float
    mean_trust: float
    events: str

    @property
    def failed(self) -> bool:
        """Whether it crashed or left the road."""
        return self.crash or self.offroad


def verdict_of(driven: Driven) -> Verdict:
    """The verdict of a drive."""
    infos = driven.infos
    ego = np.array([info["ego"] for info in infos], np.float64)  # (t, e)
    trust = _each(infos, "trust")
    ttc = time_to_collision_s(_label(infos, "lead_distance_m"), _label(infos, "closing_speed_mps"))
    on_road = _term(infos, "offroad") < END_PROBABILITY
    edge = HALF_LANE_M - np.abs(_label(infos, "lane_offset_m"))
    return Verdict(
        seconds=(len(infos) - 1) / FRAME_RATE_HZ,
        distance_m=round(float(ego[1:, SPEED].sum() / FRAME_RATE_HZ), 1),
        crash=bool((_term(infos, "collision") >= END_PROBABILITY).any()),
        offroad=bool(not on_road.all()),
        least_ttc_s=round(float(ttc.min()), 2),
        hard_braking=round(float((ego[:, ACCELERATION] < -HARD_BRAKING_MPS2).mean()), 3),
        least_edge_m=round(float(edge[on_road].min()) if on_road.any() else -HALF_LANE_M, 2),
        least_trust=round(float(trust.min()), 3),
        mean_trust=round(float(trust.mean()), 3),
        events="; ".join(event_line(event) for event in infos[-1]["events"]),
    )


def event_line(event: dict[str, Any]) -> str:
    """What became of one event: "cut_in: over, began at 5.2 s"."""
    began = "" if event["began_s"] is None else f", began at {event['began_s']:.1f} s"
    where = " in a learned world" if event["state"] == NOT_STAGED else ""
    return f"{event['kind']}: {event['state']}{where}{began}"


def _each(infos: list[dict[str, Any]], key: str) -> Array:
    return np.array([info[key] for info in infos], np.float64)


def _label(infos: list[dict[str, Any]], name: str) -> Array:
    return np.array([info["labels"][name] for info in infos], np.float64)


def _term(infos: list[dict[str, Any]], name: str) -> Array:
    """How much of a hazard counts, in [0, 1]: in a learned world, where two frames in a row show it."""
    return -np.array([info["reward_terms"][name] for info in infos], np.float64)
