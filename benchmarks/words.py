"""Do words make the scene? `python -m benchmarks.words [--quick] [--world road] [--out DIR]`

Start frames are drawn from a caption alone (scene fields hidden), and from scene fields alone. A linear classifier on
simple image statistics (``worldsim.evaluation.scene_statistics``), fitted on reference frames, says what time of day
and what weather it sees. The floor is its accuracy on reference frames of other roads, as they are and through the
tokenizer. Writes a contact sheet. The last line is one JSON object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from envs.reference.camera.ego_camera import EgoCamera
from envs.reference.roadcam import RoadCamEnv
from envs.scenario import load_scenario
from worldsim.checkpoint import load_world
from worldsim.dynamics.conditioning import Scene
from worldsim.engine import Engine, EngineConfig
from worldsim.evaluation.evaluate import bars
from worldsim.evaluation.filmstrip import save_png, sheet
from worldsim.evaluation.scene_statistics import LinearClassifier, statistics
from worldsim.say import say
from worldsim.text import TextEncoder, caption_from_fields
from worldsim.types import TIMES, WEATHERS, CameraSpec, FrameArray, SceneFields
from worldsim.world_model import WorldModel

from .held_out import FIRST_SEED
from .report import begin, finish, options

Array = npt.NDArray[np.float64]
Look = tuple[str, str]
LOOKS: list[Look] = [(moment, weather) for moment in TIMES for weather in WEATHERS]
ROADS = ("highway", "curves", "two_way", "racetrack")
BATCH = 16


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Fit the classifier on reference frames, draw frames from words and from fields, judge them."""
    parser = options("words", "Whether a caption decides time of day and weather of what is drawn.")
    parser.add_argument("--reference", type=int, help="reference roads to fit the classifier on")
    arguments = begin(parser, argv)
    world = load_world(arguments.world)
    finest = world.config.dynamics.finest_steps
    engine = Engine(world, EngineConfig(arguments.steps, start_steps=min(16, finest)))
    roads = arguments.reference or (12 if arguments.quick else 40)
    frames, looks = reference_frames(world, roads)
    fitting = np.arange(len(looks)) < len(looks) * 2 // 3  # the roads of the rest are others
    classify = classifiers(frames[fitting], [look for look, kept in zip(looks, fitting, strict=True) if kept])
    rest, asked = frames[~fitting], [look for look, kept in zip(looks, fitting, strict=True) if not kept]
    floor, through = judge(classify, rest, asked), judge(classify, reconstructed(engine, rest), asked)
    say(f"reference frames of other roads: {line(floor)}; through the tokenizer: {line(through)}")
    each = arguments.episodes or (4 if arguments.quick else 16)
    wanted = [SceneFields(road=ROADS[i % len(ROADS)], time_of_day=moment, weather=weather, traffic="light")
              for i in range(each) for moment, weather in LOOKS]  # fmt: skip
    asked = [(fields.time_of_day, fields.weather) for fields in wanted]
    pictures, results = {}, {}
    for mode, scene in (("text", worded(wanted, world, arguments.seed)), ("fields", structured(wanted, world))):
        pictures[mode] = draw(engine, scene, arguments.seed, mode)
        results[mode] = judge(classify, pictures[mode], asked)
        say(f"{mode} only: {line(results[mode])}")
    path = save_png(arguments.out / "words.png", contact_sheet(frames, pictures))
    say(f"contact sheet: {path}")
    figures = {
        "obeyed": results["text"]["both"],
        "obeyed_fields": results["fields"]["both"],
        "floor": floor["both"],
        "text": results["text"],
        "fields": results["fields"],
        "reference": floor,
        "floor_tokenizer": through["both"],
        "frames": len(wanted),
        "reference_frames": len(looks),
        "chance": 0.5 * (1 / len(TIMES) + 1 / len(WEATHERS)),
        "contact_sheet": str(path),
    }
    return finish(figures, arguments, (FIRST_SEED, FIRST_SEED + roads - 1))


# --- the reference ----------------------------------------------------------------------------------------------------


def reference_frames(world: WorldModel, roads: int) -> tuple[FrameArray, list[Look]]:
    """One frame in each look, of as many moments in the reference world, road by road."""
    size = world.config.tokenizer
    spec = CameraSpec()
    same_shape = size.width * spec.height == size.height * spec.width
    spec = spec.resized(size.width, size.height) if same_shape else CameraSpec.from_fov(size.width, size.height)
    env, camera, frames = RoadCamEnv(max_steps=30), EgoCamera(spec), []
    for i in bars("drawing the reference")(iter(range(roads))):
        env.reset(seed=FIRST_SEED + i, options={"scenario": replace(load_scenario("any"), road=ROADS[i % len(ROADS)])})
        scene = env.scene()
        frames += [camera.render(replace(scene, time_of_day=moment, weather=weather)) for moment, weather in LOOKS]
    return np.stack(frames), LOOKS * roads


def classifiers(frames: FrameArray, looks: Sequence[Look]) -> LinearClassifier:
    """Tells the twelve looks apart: weather looks different by day and by night, so they are told together."""
    return LinearClassifier.fit(statistics(frames), ["/".join(look) for look in looks])


def judge(classify: LinearClassifier, frames: FrameArray, looks: Sequence[Look]) -> dict[str, float]:
    """Shares of frames whose time of day, and weather, are seen as asked; ``both`` is the mean of the two."""
    seen = np.array([name.split("/") for name in classify.predict(statistics(frames))])
    right = (seen == np.array(looks)).mean(0)
    return {"time_of_day": float(right[0]), "weather": float(right[1]), "both": float(right.mean())}


def line(result: dict[str, float]) -> str:
    """A result in words."""
    return f"time of day right in {result['time_of_day']:.3f}, weather in {result['weather']:.3f}"


# --- the model --------------------------------------------------------------------------------------------------------


def worded(wanted: Sequence[SceneFields], world: WorldModel, seed: int) -> Scene:
    """Captions in changing words, and nothing else."""
    rng = np.random.default_rng(seed)
    scene = Scene.unknown(len(wanted), world.config.dynamics.text_dim)
    scene.text[:] = torch.from_numpy(TextEncoder().encode([caption_from_fields(fields, rng) for fields in wanted]))
    scene.text_known[:] = True
    return scene


def reconstructed(engine: Engine, frames: FrameArray) -> FrameArray:
    """Frames through the tokenizer, which the model cannot surpass."""
    parts = [torch.from_numpy(frames[i : i + BATCH]) for i in range(0, len(frames), BATCH)]
    return np.concatenate([engine.decode(engine.world.encode(part)).cpu().numpy() for part in parts])


def structured(wanted: Sequence[SceneFields], world: WorldModel) -> Scene:
    """Scene fields, and no words."""
    scene = Scene.unknown(len(wanted), world.config.dynamics.text_dim)
    scene.fields[:] = torch.tensor([fields.codes() for fields in wanted])
    return scene


def draw(engine: Engine, scene: Scene, seed: int, what: str) -> FrameArray:
    """A start frame of every scene."""
    frames = []
    for first in bars(f"drawing from {what}")(iter(range(0, len(scene), BATCH))):
        rows = torch.arange(first, min(first + BATCH, len(scene)))
        _, step = engine.imagine(scene.select(rows), [seed + row for row in rows.tolist()])
        frames.append(engine.decode(step.latents).cpu().numpy())
    return np.concatenate(frames)


def contact_sheet(reference: FrameArray, pictures: dict[str, FrameArray], rows: int = 2) -> FrameArray:
    """Looks as columns; the first rows of the reference, of text only and of fields only below each other."""
    stacked, names = [], []
    for name, frames in {"reference": reference, **pictures}.items():
        for i in range(min(rows, len(frames) // len(LOOKS))):
            stacked.append(list(frames[i * len(LOOKS) : (i + 1) * len(LOOKS)]))
            names.append(name)
    return sheet(stacked, [" ".join(look) for look in LOOKS], names)


if __name__ == "__main__":
    main()
