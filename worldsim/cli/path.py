"""The commands that worldsim itself brings, in the order of the data path. Their modules load when they run."""

from __future__ import annotations

from worldsim.cli.command import Command

PREPARE = Command(
    "prepare",
    summary="turn a real driving log into a folder of episodes",
    example="path=tub.tar.gz out=data/tub",
    config="worldsim.data.logs.prepare:PrepareConfig",
    run="worldsim.data.logs.prepare:run",
    place=20,
)

CAPTION = Command(
    "caption",
    summary="write captions at three lengths for every recorded drive, from what is known of it",
    example="data=data/road",
    config="worldsim.data.caption:CaptionConfig",
    run="worldsim.data.caption:caption_data",
    place=20,
)

TRAIN_TOKENIZER = Command(
    "train-tokenizer",
    summary="learn to turn frames into a few latents and back, from a folder of episodes",
    example="data=data/road preset=tiny loop.out=runs/tokenizer",
    config="worldsim.training.tokenizer:TrainTokenizerConfig",
    run="worldsim.training.tokenizer:train_tokenizer",
    config_name="train_tokenizer",
    place=30,
)

ENCODE = Command(
    "encode",
    summary="encode every episode once with a trained tokenizer, so that the dynamics trains on latents alone",
    example="data=data/road tokenizer=runs/tokenizer",
    config="worldsim.training.encode:EncodeConfig",
    run="worldsim.training.encode:encode",
    place=40,
)

TRAIN_DYNAMICS = Command(
    "train-dynamics",
    summary="learn to predict the next frame's latents from the past, ego motion and the scene",
    example="data=data/road preset=tiny tokenizer=runs/tokenizer loop.out=runs/dynamics",
    config="worldsim.training.dynamics:TrainDynamicsConfig",
    run="worldsim.training.dynamics:train_dynamics",
    config_name="train_dynamics",
    place=50,
)

TRAIN_DECODER = Command(
    "train-decoder",
    summary="let a trained world paint sharper pictures of the same latents",
    example="world=runs/dynamics/world data=data/road",
    config="worldsim.training.decoder:TrainDecoderConfig",
    run="worldsim.training.decoder:train_decoder",
    place=52,
)

BLEND = Command(
    "blend",
    summary="make one world of several that were trained on from the same one: the mean of their weights",
    example="parts='{road: 0.4, runs/dynamics/world: 0.6}' out=runs/blend",
    config="worldsim.training.blend:BlendConfig",
    run="worldsim.training.blend:blend",
    place=53,
)

CALIBRATE = Command(
    "calibrate",
    summary="fit a world model's trust to held-out drives, so that it is high on what the model knows",
    example="data=data/road world=runs/dynamics/world",
    config="worldsim.evaluation.calibrate:CalibrateConfig",
    run="worldsim.evaluation.calibrate:calibrate",
    place=55,
)

INFO = Command(
    "info",
    summary="print what a preset costs to train and to roll out, without allocating anything",
    example="preset=base rollouts=16",
    config="worldsim.presets:Preset",
    run="worldsim.cli.info:info",
    config_name="info",
    place=90,
)
