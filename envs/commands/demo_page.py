"""The words and figures of the demo's page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from worldsim.checkpoint import ModelCard
from worldsim.device import cores
from worldsim.serving.page import Chart, Fact, Line, Page, Scene, Section, Table
from worldsim.types import FRAME_RATE_HZ, FloatArray
from worldsim.world_model import WorldModel

from .film import Film
from .measures import LANE_APART_M, Measures, on_road_offset_m, smooth
from .twins import Sight, Twins

SIDES = ("learned world", "reference world")


@dataclass(frozen=True)
class Drawn:
    """One drive: what happened, what it measures, and what is to be seen of it."""

    twins: Twins
    measures: Measures
    film: Film

    @property
    def name(self) -> str:
        """The scenario as it is read."""
        return self.twins.scenario.replace("_", " ")

    def figures(self) -> dict[str, Any]:
        """For JSON."""
        return {"scenario": self.twins.scenario, "start": self.twins.start, **self.measures.plain()}


def demo_page(
    drawn: Sequence[Drawn],
    card: ModelCard,
    model: WorldModel,
    passes: int,
    sight: Sight,
    minutes: float,
    following: Sequence[str],
) -> Page:
    """The page of these drives, in the order given; ``following`` is what to type next."""
    size, dynamics = model.config.tokenizer, model.config.dynamics
    context_s = dynamics.context_frames / model.config.frame_rate_hz
    parameters = sum(each.numel() for each in model.parameters()) / 1e6
    return Page(
        title="A learned driving world",
        lead=(
            "On the left of each video a neural network imagines the drive, frame by frame. On the right a simulator "
            "draws it. Both began at the same moment of the same drive and were given the same steering and pedals."
        ),
        facts=[
            Fact(f"{np.mean([each.measures.steps_per_s for each in drawn]):.1f}", "learned frames a second, here"),
            Fact(f"{parameters:.1f} M", "parameters"),
            Fact(f"{size.width} × {size.height}", f"pixels, {FRAME_RATE_HZ:g} frames a second"),
            Fact(f"{context_s:.1f} s", "is what it remembers"),
            Fact(f"{passes}", "sampling passes a frame"),
        ],
        before=[_look_for(), _how(sight, drawn[0].twins.context_s)],
        scenes=[_scene(each) for each in drawn],
        after=[_not_good(drawn, card), Section("Go on", commands=following)],
        footer=(
            f"{card.name}: {card.summary} Data: {card.data}. Licence: {card.licence}. Driven, filmed and measured in "
            f"{minutes:.1f} minutes on {cores()} cores with {torch.get_num_threads()} threads."
        ),
    )


def _how(sight: Sight, context_s: float) -> Section:
    watched = "the learned world's own readings" if sight == "learned" else "the reference world's readings"
    return Section(
        "How the drives were made",
        [
            f"The learned world is shown {context_s:.1f} s of a drive in the reference world. From then on it sees "
            "nothing of it: each frame follows from the frames before, and from how the vehicle moves.",
            f"A simple lane keeper drives. It looks at {watched} (lane offset, heading error, distance to the vehicle "
            "ahead), and what it does is done in both worlds. Once the two disagree, they stay apart: nobody corrects "
            f"the {'reference' if sight == 'learned' else 'learned'} vehicle.",
        ],
    )


def _look_for() -> Section:
    return Section(
        "What to look for",
        points=[
            "Does the road turn when the wheel turns? The mark above the pictures is the steering.",
            "Do posts, trees and lane lines come closer at the speed that is shown?",
            "Do weather, time of day and the kind of road stay what they were?",
            "Other vehicles choose for themselves, and what is beyond the horizon is not known at the start. So the "
            "two worlds part in time even where the learned one is right; pictures that differ are wrong only if they "
            "do not look like a drive.",
            "Trust is what the learned world says of itself: below 0.5 it is less sure than on nine in ten frames of "
            "drives it did not train on, near 0 it is not to be believed. It can be sure and wrong.",
        ],
    )


def _scene(drawn: Drawn) -> Scene:
    twins, measures, film = drawn.twins, drawn.measures, drawn.film
    return Scene(
        title=drawn.name.capitalize(),
        caption=twins.caption,
        video=film.video, poster=film.poster, sides=SIDES,
        filmstrip=film.filmstrip, rows=("reference", "learned"), moments=[f"{second:g} s" for second in film.moments_s],
        facts=[
            Fact(_seconds(measures.picture_until_s), "until a frozen picture would have matched as well"),
            Fact(_seconds(measures.lane_until_s), f"until the places in the lane were {LANE_APART_M:g} m apart"),
            Fact(_metres(measures.lane_error_m), "between predicted and true lane offset, on the road"),
            Fact(f"{measures.mean_trust:.2f}", f"trust on average; at least {measures.least_trust:.2f}"),
            Fact(f"{measures.steps_per_s:.1f}", "frames a second"),
        ],
        charts=_charts(twins), table=_table(measures), remarks=_remarks(measures),
    )  # fmt: skip


def _charts(twins: Twins) -> list[Chart]:
    seconds = twins.seconds.tolist()
    learned, reference = twins.learned, twins.reference
    ahead = reference.label("lead_distance_m")
    fastest = float(max(learned.state("speed_mps").max(), 10.0))

    def both(label: str, true: FloatArray) -> list[Line]:
        predicted = Line("predicted", smooth(learned.label(label)).tolist(), "learned")
        return [Line("true", true.tolist(), "reference"), predicted]

    return [
        Chart("Lane offset", "m", seconds, both("lane_offset_m", on_road_offset_m(reference)), -2.0, 2.0),
        Chart("Distance to the vehicle ahead", "m", seconds, both("lead_distance_m", ahead), 0.0, 100.0),
        Chart("Trust", "", seconds, [Line("learned", learned.trust.tolist(), "learned")], 0.0, 1.0),
        Chart(
            "Speed", "m/s", seconds, [Line("both, until a crash", learned.state("speed_mps").tolist())], 0.0,
            float(np.ceil(fastest / 10) * 10),
        ),
    ]  # fmt: skip


def _table(measures: Measures) -> Table:
    def row(name: str, values: Sequence[float], digits: int) -> list[str]:
        return [name, *("off road" if np.isnan(value) else f"{value:.{digits}f}" for value in values)]

    return Table(
        ["after", *(f"{second:g} s" for second in measures.horizons_s)],
        [
            row("PSNR, learned and reference picture (dB)", measures.psnr_db, 1),
            row("PSNR of the true start frame, repeated (dB)", measures.repeat_psnr_db, 1),
            row("sharpness, of the reference's (1 is as sharp)", measures.sharpness_ratio, 2),
            row("trust", measures.trust, 2),
            row("lane offset, predicted (m, left is positive)", measures.lane_offset_m, 2),
            row("lane offset of the reference vehicle (m)", measures.true_lane_offset_m, 2),
        ],
    )


def _remarks(measures: Measures) -> list[str]:
    """What happened, in words; nothing where nothing did."""
    said = []
    for what, learned, reference in (
        ("left the road", measures.learned_offroad_s, measures.reference_offroad_s),
        ("had touched another vehicle", measures.learned_collision_s, measures.reference_collision_s),
    ):
        if learned is not None:
            said.append(f"After {learned:.1f} s the learned world says that the vehicle {what}.")
        if reference is not None:
            said.append(f"After {reference:.1f} s the reference vehicle {what}, under the same actions.")
    return said


def _not_good(drawn: Sequence[Drawn], card: ModelCard) -> Section:
    """What these drives show to be wanting, and what the model card says."""
    points = []
    parted = sum(each.measures.lane_until_s is not None for each in drawn)
    if parted:
        points.append(
            f"In {parted} of {len(drawn)} drives the two vehicles end up more than {LANE_APART_M:g} m apart across "
            "their lanes."
        )
    blurred = min(drawn, key=lambda each: each.measures.sharpness_ratio[-1])
    if blurred.measures.sharpness_ratio[-1] < 1.0:
        points.append(
            f"At the end of {blurred.name} the learned picture has {blurred.measures.sharpness_ratio[-1]:.2f} of the "
            "reference's sharpness, the least of these drives."
        )
    doubted = min(drawn, key=lambda each: each.measures.least_trust)
    points.append(f"Trust is lowest in {doubted.name}: {doubted.measures.least_trust:.2f}.")
    return Section("What is not good", points=[*points, *card.limits])


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"


def _metres(value: float) -> str:
    return "not known" if np.isnan(value) else f"{value:.2f} m"
