"""The commands that ``agents`` adds to ``worldsim``. Their modules load when they run."""

from __future__ import annotations

from worldsim.cli.command import Command

COLLECT = Command(
    "collect",
    summary="drive the reference world with good and bad drivers and record episodes",
    example="out=data/road episodes=200 scenarios=[highway,roundabout]",
    config="agents.collect:CollectConfig",
    run="agents.collect:run",
    place=10,
)

MAKE_STARTS = Command(
    "make-starts",
    summary="record the short drives from which a world's rollouts begin, and put them beside it",
    example="world=runs/dynamics/world per_scenario=16",
    config="agents.starts:MakeStartsConfig",
    run="agents.starts:make_starts",
    place=55,
)

RELEASE = Command(
    "release",
    summary="ship a trained world: half precision, calibrated trust, start contexts and a model card",
    example="world=runs/dynamics/world data=data/road name=road",
    config="agents.release:ReleaseConfig",
    run="agents.release:release",
    place=80,
)
