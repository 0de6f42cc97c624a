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

PARSE_SCENE = Command(
    "parse-scene",
    summary="read a scene in words, English or Chinese, and say what it asks for and what cannot be had",
    example='text="rainy night, a truck cuts in from the left after five seconds" out=mine.yaml',
    config="envs.commands.parse_scene:ParseSceneConfig",
    run="envs.commands.parse_scene:parse_scene_command",
    place=65,
)

PLAY = Command(
    "play",
    summary="drive the learned world yourself, in the terminal",
    example="scenario=highway",
    config="envs.commands.play:PlayConfig",
    run="envs.commands.play:play",
    place=75,
)
