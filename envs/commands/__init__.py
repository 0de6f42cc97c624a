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

TEXT_TO_IMAGE = Command(
    "text-to-image",
    summary="draw a picture of a scene in words",
    example='text="rainy night on a two-lane road" out=rain.png',
    config="envs.prompting.from_words:TextToImageConfig",
    run="envs.prompting.from_words:text_to_image",
    place=66,
)

TEXT_TO_VIDEO = Command(
    "text-to-video",
    summary="draw a drive of up to a minute through a scene in words",
    example='text="a snowy highway at dusk, light traffic" seconds=20 out=snow.mp4',
    config="envs.prompting.from_words:TextToVideoConfig",
    run="envs.prompting.from_words:text_to_video",
    place=66,
)

IMAGE_TO_VIDEO = Command(
    "image-to-video",
    summary="drive on from a picture of your own, by a driver or a file of actions",
    example="image=street.jpg driver=left seconds=3 out=left.mp4",
    config="envs.prompting.from_image:ImageToVideoConfig",
    run="envs.prompting.from_image:image_to_video",
    place=67,
)

EXTEND = Command(
    "extend",
    summary="draw what comes after a clip, or what came before it",
    example="clip=snow.mp4 direction=backward seconds=3 out=longer.mp4",
    config="envs.prompting.from_clips:ExtendConfig",
    run="envs.prompting.from_clips:extend",
    place=68,
)

EDIT = Command(
    "edit",
    summary="draw a clip anew in other weather or at another time of day, along the same way",
    example='clip=data/road episode=3 text="a snowy night" out=night.mp4',
    config="envs.prompting.from_clips:EditConfig",
    run="envs.prompting.from_clips:edit_clip",
    place=68,
)

CONNECT = Command(
    "connect",
    summary="draw a way that leads from one clip to another",
    example="first=snow.mp4 second=night.mp4 seconds=3 out=both.mp4",
    config="envs.prompting.from_clips:ConnectConfig",
    run="envs.prompting.from_clips:connect_clips",
    place=68,
)
