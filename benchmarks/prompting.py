"""Do prompts do what they ask? `python -m benchmarks.prompting [--quick] [--world road] [--out DIR]`

- Editing: drives by clear day are drawn anew by night and in snow. The reference world draws the same moments in the
  same look, so that there is a truth: PSNR against it, beside that of the clip as it was and of SDEdit alone. Style is
  told by the classifier of `benchmarks.words`. Whether lane and lead stayed is told by the model's heads on the clip
  before and after, and against the true labels by `worldsim.evaluation.scene_reader`, which sees single pictures only.
- Image to video: from one held-out picture, with no motion known before it, steered and braked as in
  `benchmarks.obedience`, by the same estimator.
- A minute from words: how far the pictures of the first and the last 5 s are from reference frames of that look.
- The past: drives extended backward under their true motion, beside repeating the first frame that was given.

The last line is one JSON object.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.scripted import ScriptedDriver
from envs.prompting.driving import driven
from envs.prompting.words import scene_of, told
from envs.reference.camera.ego_camera import EgoCamera
from envs.reference.roadcam import RoadCamEnv
from worldsim.checkpoint import load_world
from worldsim.dynamics.conditioning import Scene
from worldsim.engine import Engine, EngineConfig
from worldsim.evaluation.evaluate import bars
from worldsim.evaluation.filmstrip import save_png, sheet
from worldsim.evaluation.metrics import gradient_energy, psnr_db
from worldsim.evaluation.motion_estimator import load_estimator
from worldsim.evaluation.obedience import judge
from worldsim.evaluation.rollouts import fitted
from worldsim.evaluation.scene_reader import load_reader
from worldsim.evaluation.scene_statistics import LinearClassifier, statistics
from worldsim.prompting import Clip, Planned, animate, draw_video, edit, extend_backward
from worldsim.prompting.drawing import decoded
from worldsim.prompting.editing import KEEP
from worldsim.say import say
from worldsim.types import LABEL_FIELDS, FloatArray, FrameArray
from worldsim.world_model import WorldModel

from . import obedience, words
from .held_out import FIRST_SEED
from .report import begin, finish, options
from .words import Look

Array = npt.NDArray[np.float64]

PARTS = ("editing", "plain_sdedit", "editing_floor", "image_to_video", "past", "minute")
PLAIN: Look = ("day", "clear")
ASKED: tuple[Look, ...] = (("night", "clear"), ("day", "snow"))
SCENARIOS = ("highway", "curves", "two_way", "highway_dense")
WARM_UP_STEPS, EDITED_FRAMES = 25, 10
PAST_STEPS = (1, 5, 10)
OFFSET, LEAD = LABEL_FIELDS.index("lane_offset_m"), LABEL_FIELDS.index("lead_distance_m")
CLOSENESS_RANGE_M = 25.0
MINUTE = "highway by day, clear weather, light traffic"
WINDOW = 50  # frames: 5 s


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure each way to prompt that has a truth to be held against."""
    parser = options("prompting", "Whether edits keep the road, images obey, a minute holds, and the past is likely.")
    parser.add_argument("--keep", type=float, nargs="+", help="signal levels from which to edit")
    parser.add_argument("--roads", type=int, help="reference roads to fit the classifier on")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="parts to measure; by itself all")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the minute")
    arguments = begin(parser, argv)
    world = load_world(arguments.world)
    finest = min(16, world.config.dynamics.finest_steps)
    engine = Engine(world, EngineConfig(arguments.steps, start_steps=finest))
    roads = arguments.roads or (12 if arguments.quick else 24)
    frames, looks = words.reference_frames(world, roads)
    classify, plain = words.classifiers(frames, looks), frames[[look == PLAIN for look in looks]]
    count = arguments.episodes or (2 if arguments.quick else 12)
    drives = [reference_drive(FIRST_SEED + i, SCENARIOS[i % len(SCENARIOS)], world) for i in range(count)]
    levels = arguments.keep or ([KEEP] if arguments.quick else [0.25, 0.5, KEEP, 0.9])
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "editing": lambda: {
            f"{keep:g}": judge_edits(engine, drives, edit, keep, arguments, classify) for keep in levels
        },
        "plain_sdedit": lambda: {
            f"{keep:g}": judge_edits(engine, drives, plain_sdedit, keep, arguments, classify) for keep in (0.25,)
        },
        "editing_floor": lambda: floor_of(drives, classify),
        "image_to_video": lambda: judge_images(engine, count, arguments.seed),
        "past": lambda: judge_past(engine, drives, arguments.seed),
        "minute": lambda: judge_minute(engine, plain, classify, arguments),
    }
    figures: dict[str, Any] = {part: parts[part]() for part in arguments.only or parts}
    figures |= {"drives": count, "sampling_steps": arguments.steps}
    return finish(figures, arguments, (FIRST_SEED, FIRST_SEED + max(count, roads) - 1))


@dataclass(frozen=True)
class Truth:
    """Moments of a drive in the reference world, in every look."""

    clip: Clip  # by clear day
    labels: FloatArray  # (t, l)
    looks: dict[Look, FrameArray]  # (t, h, w, 3) each


def reference_drive(seed: int, scenario: str, world: WorldModel) -> Truth:
    """EDITED_FRAMES + 1 frames of a drive by clear day, and the same moments as they look otherwise."""
    env = RoadCamEnv(scenario, max_steps=100, weather="clear", time_of_day="day", grace_steps=None)
    driver, camera = ScriptedDriver(), EgoCamera(next(iter(env.cameras.values())))
    _, info = env.reset(seed=seed)
    driver.reset(env, np.random.default_rng([seed, 1]))
    pictures: dict[Look, list[FrameArray]] = {look: [] for look in (PLAIN, *ASKED)}
    labels, motion = [], []
    for step in range(WARM_UP_STEPS + EDITED_FRAMES + 1):
        if step >= WARM_UP_STEPS:
            for moment, weather in pictures:
                scene = replace(env.scene(), time_of_day=moment, weather=weather)
                pictures[moment, weather].append(camera.render(scene))
            labels.append([float(info["labels"][name]) for name in LABEL_FIELDS])
        _, _, _, _, info = env.step(driver.act())
        if step >= WARM_UP_STEPS:
            motion.append(info["motion"])
    motion[-1] = np.full_like(motion[-1], np.nan)
    fields = replace(info["fields"], time_of_day="day", weather="clear")
    looks = {look: fitted(np.stack(each), world) for look, each in pictures.items()}
    clip = Clip(looks[PLAIN], np.stack(motion).astype(np.float32), fields)
    return Truth(clip, np.array(labels, np.float32), looks)


# --- editing ----------------------------------------------------------------------------------------------------------


def plain_sdedit(engine: Engine, clip: Clip, before: Scene, after: Scene, seed: int, keep: float) -> Clip:
    """What there is without the sketch of ``edit``: each frame noised to ``keep`` and drawn on in the new scene."""
    state, latents, motion = engine.empty(after, [seed]), clip.latents(engine.world), clip.motion_into
    drawn = [engine.refine(state, latents[:, t], motion[:, t], keep).latents for t in range(len(clip))]
    return replace(clip, frames=decoded(engine, drawn))


def judge_edits(
    engine: Engine,
    drives: Sequence[Truth],
    way: Callable[..., Clip],
    keep: float,
    arguments: Any,
    classify: LinearClassifier,
) -> dict[str, Any]:
    """Figures of every asked look at one level, and a filmstrip of the first drives."""
    found, rows, names = {}, [], []
    for moment, weather in ASKED:
        edited, lane, lead = [], [], []
        for i, drive in enumerate(bars(f"editing to {moment}, {weather}, keeping {keep:g}")(iter(drives))):
            before = scene_of(drive.clip.fields, engine.world)
            after = scene_of(replace(drive.clip.fields, time_of_day=moment, weather=weather), engine.world)
            edited.append(way(engine, drive.clip, before, after, arguments.seed + i, keep).frames)
            was = read_by_heads(engine, drive.clip, before)
            now = read_by_heads(engine, replace(drive.clip, frames=edited[-1]), after)
            lane.append(np.abs(now[0] - was[0]).mean())
            lead.append(np.abs(now[1] - was[1]).mean())
        for drive, frames in list(zip(drives, edited, strict=True))[:3]:
            for name, shown in (
                ("before", drive.clip.frames),
                ("edited", frames),
                ("true", drive.looks[moment, weather]),
            ):
                rows.append([shown[t] for t in (0, 4, EDITED_FRAMES)])
                names.append(f"{name}\n{moment}\n{weather}")
        figures = look_of(drives, edited, (moment, weather), classify) | {
            "heads_lane_offset_change_m": float(np.mean(lane)),
            "heads_lead_closeness_change": float(np.mean(lead)),
        }
        say(f"{way.__name__} to {moment}, {weather}, keep {keep:g}: {line(figures)}")
        found[f"{moment} {weather}"] = figures
    path = save_png(
        arguments.out / f"prompting_{way.__name__}_{keep:g}.png", sheet(rows, ["0 s", "0.4 s", "1 s"], names)
    )
    return found | {"picture": str(path)}


def look_of(
    drives: Sequence[Truth], edited: Sequence[FrameArray], look: Look, classify: LinearClassifier
) -> dict[str, float]:
    """Whether frames look as asked, are like the truth in that look, and show lane and lead where they are."""
    shown, true = np.concatenate(list(edited)), np.concatenate([drive.looks[look] for drive in drives])
    seen = [name.split("/") for name in classify.predict(statistics(shown))]
    reader, labels = load_reader()[0].read(shown), np.concatenate([drive.labels for drive in drives])
    closeness = np.exp(-labels[:, LEAD] / CLOSENESS_RANGE_M)
    return {
        "time_of_day": float(np.mean([each[0] == look[0] for each in seen])),
        "weather": float(np.mean([each[1] == look[1] for each in seen])),
        "psnr_to_truth_db": float(np.minimum(psnr_db(shown, true), 60.0).mean()),
        "lane_offset_error_m": float(np.nanmean(np.abs(reader.lane_offset_m - labels[:, OFFSET]))),
        "lead_closeness_error": float(np.nanmean(np.abs(reader.closeness - closeness))),
    }


def floor_of(drives: Sequence[Truth], classify: LinearClassifier) -> dict[str, Any]:
    """The same figures of the clip as it was, held against each asked look, and of the truth itself."""
    found = {}
    for look in ASKED:
        unchanged = look_of(drives, [drive.clip.frames for drive in drives], look, classify)
        true = look_of(drives, [drive.looks[look] for drive in drives], look, classify)
        say(f"{' '.join(look)}: left as it is: {line(unchanged)}; the truth: {line(true)}")
        found[" ".join(look)] = {"unchanged": unchanged, "truth": true}
    return found


def line(figures: dict[str, float]) -> str:
    """Figures in words."""
    return (
        f"time {figures['time_of_day']:.2f}, weather {figures['weather']:.2f}, {figures['psnr_to_truth_db']:.1f} dB to "
        f"the truth, lane to {figures['lane_offset_error_m']:.2f} m"
    )


def read_by_heads(engine: Engine, clip: Clip, scene: Scene) -> tuple[Array, Array]:
    """Lane offset (t,) and closeness of the lead (t,), as the heads read a clip that they see."""
    latents, motion, state = clip.latents(engine.world), clip.motion_into, engine.empty(scene, [0])
    seen = [engine.observe(state, latents[:, t], motion[:, t]).state for t in range(len(clip))]
    offset = np.array([float(each.lane_offset_m[0]) for each in seen])
    return offset, np.exp(-np.array([float(each.lead_distance_m[0]) for each in seen]) / CLOSENESS_RANGE_M)


# --- images, a minute, the past ---------------------------------------------------------------------------------------


def judge_images(engine: Engine, count: int, seed: int) -> dict[str, Any]:
    """Six probes from single held-out pictures, by what the drawn pictures do; the floor is the reference world's."""
    estimator, _ = load_estimator()
    starts, drawn = obedience.find_starts(count), []
    for i, start in enumerate(bars("driving on from pictures")(iter(starts))):
        image = fitted(start.context.frames[-1:], engine.world)[0]
        scene = scene_of(start.context.fields, engine.world)
        drawn.append([animate(engine, image, scene, len(m), Planned(m), seed + i).frames for m in start.motion])
    true = [[fitted(frames, engine.world) for frames in start.frames] for start in starts]
    found, floor = judge(*obedience.measure(estimator, drawn)), judge(*obedience.measure(estimator, true))
    say(f"image to video: obeyed {found['obeyed']:.2f} of {6 * count} probes, swaps {found['left_right_swaps']}; "
        f"floor {floor['obeyed']:.2f}")  # fmt: skip
    return found | {"floor": floor["obeyed"], "probes": 6 * count}


def judge_minute(engine: Engine, reference: FrameArray, classify: LinearClassifier, arguments: Any) -> dict[str, Any]:
    """Drift of one video from words, driven by the lane keeper: last 5 s against first 5 s."""
    asked = told(MINUTE, arguments.seed).scenario
    mover = driven("keep_lane", None, float(asked.ego_speed_mps), float(asked.target_speed_mps))
    frames = max(round(arguments.seconds * engine.world.config.frame_rate_hz), 2)
    scene = scene_of(asked.fields, engine.world)
    clip = draw_video(engine, scene, frames, mover, arguments.seed, bars("a minute from words"))
    features = statistics(reference)
    centre, scale = features.mean(0), features.std(0) + 1e-3

    def away(part: FrameArray) -> float:
        return float(np.sqrt((((statistics(part) - centre) / scale).mean(0) ** 2).mean()))

    def kept(part: FrameArray) -> float:
        return float(np.mean([name == "/".join(PLAIN) for name in classify.predict(statistics(part))]))

    first, last = clip.frames[:WINDOW], clip.frames[-WINDOW:]
    found = {
        "seconds": frames / engine.world.config.frame_rate_hz,
        "distance_first": away(first),
        "distance_last": away(last),
        "drift_ratio": away(last) / max(away(first), 1e-6),
        "sharpness_ratio": float(gradient_energy(last).mean() / max(gradient_energy(first).mean(), 1e-6)),
        "look_first": kept(first),
        "look_last": kept(last),
    }
    path = arguments.out / "prompting_minute.png"
    places = np.linspace(0, frames - 1, 7).round().astype(int)
    save_png(path, sheet([[clip.frames[t] for t in places]], [f"{t / 10:g} s" for t in places], ["drawn"]))
    say(f"a minute from words: drift ratio {found['drift_ratio']:.2f}, sharpness {found['sharpness_ratio']:.2f} of the "
        f"first 5 s; looks as asked in {found['look_first']:.2f}, then {found['look_last']:.2f}; {path}")  # fmt: skip
    return found | {"picture": str(path)}


def judge_past(engine: Engine, drives: Sequence[Truth], seed: int) -> dict[str, Any]:
    """PSNR against the true past at PAST_STEPS before the first frame that was given."""
    known = max(PAST_STEPS)
    scores: dict[str, list[Array]] = {"drawn": [], "repeat_first_frame": []}
    for i, drive in enumerate(bars("into the past")(iter(drives))):
        given = drive.clip.last(len(drive.clip) - known)
        scene = scene_of(drive.clip.fields, engine.world)
        whole = extend_backward(engine, given, scene, drive.clip.motion[:known], seed + i)
        rows = [known - step for step in PAST_STEPS]
        true = drive.clip.frames[rows]
        scores["drawn"].append(psnr_db(whole.frames[rows], true))
        scores["repeat_first_frame"].append(psnr_db(np.repeat(whole.frames[known : known + 1], len(rows), 0), true))
    found = {
        who: {f"{step / 10:g}": float(value) for step, value in zip(PAST_STEPS, np.mean(each, 0), strict=True)}
        for who, each in scores.items()
    }
    say(f"the past, dB by seconds before: {found}")
    return found


if __name__ == "__main__":
    main()
