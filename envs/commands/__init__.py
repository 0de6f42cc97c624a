"""The commands that need both worlds, as ``worldsim`` lists them. Their modules load when they run."""

from __future__ import annotations

from worldsim.cli.command import Command

ROLLOUT = Command(
    "rollout",
    summary="drive the learned world and write what the camera sees as an mp4",
    example="scenario=night_rain seconds=20 out=night.mp4",
    config="envs.commands.rollout:RolloutConfig",
    run="envs.commands.rollout:rollout",
    place=70,
)

PLAY = Command(
    "play",
    summary="drive the learned world yourself, in the terminal",
    example="scenario=highway",
    config="envs.commands.play:PlayConfig",
    run="envs.commands.play:play",
    place=75,
)

DEMO = Command(
    "demo",
    summary="drive the learned world beside the reference world and write a page that shows and measures both",
    example="out=demo seconds=20",
    config="envs.commands.demo:DemoConfig",
    run="envs.commands.demo:demo",
    place=5,
)
