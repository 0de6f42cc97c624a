"""Real cameras: preparing, tokenizer, rollouts and obedience. `python -m benchmarks.real [--quick] [--real PATH]`

The excerpts are looked for in --real (default: WORLDSIM_REAL_DATA, or ../shared/data beside the repository): a
Donkeycar tub, whose steering was logged, and road clips, whose motion is unknown or estimated. They are prepared as for
the world that ships, and kept in --prepared. All figures are of held-out frames: the end of every recording. The last
line is one JSON object.
"""

from __future__ import annotations

import os
import tempfile
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from worldsim.checkpoint import load_world
from worldsim.data.logs.plain_video import VideoOptions
from worldsim.data.logs.prepare import PrepareConfig
from worldsim.data.logs.prepare import run as prepare
from worldsim.data.store import EpisodeStore
from worldsim.engine import Engine, EngineConfig
from worldsim.evaluation.filmstrip import save_png
from worldsim.evaluation.metrics import correlation, psnr_db, sharpness_ratio
from worldsim.evaluation.perceptual import perceptual_distance
from worldsim.evaluation.rollouts import CONTEXT_FRAMES, Drives, excerpt, roll_out
from worldsim.say import say
from worldsim.tokenizer import Tokenizer
from worldsim.types import FRAME_RATE_HZ, Episode, FrameArray

from .pictures import extrapolated, h264, horizontal_flow, ssim, webp
from .report import ROOT, begin, finish, options

HORIZONS_S = (0.5, 1.0, 2.0)
EVERY = 3  # frames between the starts of rollouts


@dataclass(frozen=True)
class Source:
    """A kind of real camera: where its excerpt lies below --real, and how it is prepared."""

    name: str
    place: str
    kind: str
    steered: bool = False
    video: VideoOptions = field(default_factory=VideoOptions)


SOURCES = (
    Source("tub", "donkeycar_tub/tub.tar.gz", "donkeycar", steered=True),
    Source("clips", ".", "video", video=VideoOptions(held_out=0.3)),
)
ABSENT = {
    "nuscenes": "the excerpts hold one keyframe with pictures: too short for an episode (tests read it)",
    "comma2k19": "the excerpt holds a segment's signals without its video (tests prove signs, units and lag on it)",
}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Prepare, measure, and say what was found."""
    parser = options("real", "Real cameras: preparing, tokenizer, rollouts beside baselines, obedience to steering.")
    beside = Path(os.environ.get("WORLDSIM_REAL_DATA", ROOT.parent / "shared" / "data"))
    parser.add_argument("--real", type=Path, default=beside, help="folder of the excerpts")
    parser.add_argument("--prepared", type=Path, default=Path("data/real"), help="folder of the data sets, kept")
    parser.set_defaults(world="real")
    arguments = begin(parser, argv)
    figures: dict[str, Any] = {"left_out": dict(ABSENT)}
    for source in SOURCES:
        if not (arguments.real / source.place).exists():
            figures["left_out"][source.name] = f"{arguments.real / source.place} is not here"
            continue
        figures[source.name] = judge(source, arguments)
        figures |= headlines(source.name, figures[source.name])
    for name, reason in figures["left_out"].items():
        say(f"{name} left out: {reason}")
    return finish(figures, arguments, None)


def judge(source: Source, arguments: Namespace) -> dict[str, Any]:
    """All figures of one source."""
    data, report = prepared(source, arguments)
    store = EpisodeStore(data)
    held_out = [store.read(record.index) for record in store.select(split="val")]
    engine = Engine(load_world(arguments.world), EngineConfig(steps=arguments.steps, start_steps=1))
    figures = {"prepare": report, "tokenizer": judge_tokenizer(engine.world.tokenizer, held_out)}
    figures["rollout"], picture = judge_rollouts(engine, held_out, arguments)
    if source.steered:
        figures["obedience"] = judge_obedience(engine, held_out, arguments.seed, arguments.quick)
    figures["filmstrip"] = str(save_png(arguments.out / f"real_{source.name}.png", picture))
    table(source.name, figures)
    return figures


def prepared(source: Source, arguments: Namespace) -> tuple[Path, dict[str, Any]]:
    """The data set, prepared once to be kept, and how fast that goes, measured anew."""
    kept = arguments.prepared / source.name

    def into(out: Path) -> dict[str, Any]:
        path = arguments.real / source.place
        config = PrepareConfig(path=path, out=out, source=source.kind, video=source.video, workers=arguments.threads)
        return prepare(config)

    if not (kept / "meta/info.json").exists():
        into(kept)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        found = into(Path(folder) / "data")
        seconds = time.perf_counter() - start
    frames = found["data_set"]["frames"]
    return kept, {"frames": frames, "frames_per_s": frames / seconds, "left_out": found["log"]}


def judge_tokenizer(tokenizer: Tokenizer, episodes: list[Episode]) -> dict[str, Any]:
    """What survives the tokenizer with latents of 8 bits, beside codecs at as many bytes."""
    c = tokenizer.config
    size = (c.width, c.height)
    clips = [np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in e.frames]) for e in episodes]
    frames = np.concatenate(clips).astype(np.uint8)
    with torch.no_grad():
        latents = torch.cat([tokenizer.encode(part) for part in np.array_split(frames, max(1, len(frames) // 64))])
        rounded = (latents.clamp(-1, 1) * 127).round() / 127
        copies = torch.cat([tokenizer.decode(part) for part in rounded.split(64)]).cpu().numpy()
    count = int(np.prod(latents.shape[1:]))
    films = [h264(clip.astype(np.uint8), count, FRAME_RATE_HZ) for clip in clips]
    pictures, taken = webp(frames, count)
    shown: dict[str, tuple[FrameArray, float]] = {
        "tokenizer": (copies, float(count)),
        "webp": (pictures, taken),
        "h264": (np.concatenate([film for film, _ in films]), float(np.mean([used for _, used in films]))),
    }
    return {"frames": len(frames)} | {
        name: {
            "bytes_a_frame": used,
            "psnr_db": float(psnr_db(found, frames).mean()),
            "ssim": float(ssim(found, frames).mean()),
            "sharpness_ratio": sharpness_ratio(found, frames),
        }
        for name, (found, used) in shown.items()
    }


def stretches(episodes: list[Episode], quick: bool) -> list[Episode]:
    """Excerpts of context and the longest horizon, beginning every few frames."""
    longest = CONTEXT_FRAMES + round(max(HORIZONS_S) * FRAME_RATE_HZ)
    every = 4 * EVERY if quick else EVERY
    starts = [(e, a) for e in episodes for a in range(0, max(1, len(e) - longest + 1), every)]
    return [
        excerpt(e, a, a + longest) for e, a in starts if len(e) - a > CONTEXT_FRAMES + HORIZONS_S[0] * FRAME_RATE_HZ
    ]


def judge_rollouts(engine: Engine, episodes: list[Episode], arguments: Namespace) -> tuple[dict[str, Any], FrameArray]:
    """Rollouts under the logged motion beside repeating the last frame and extrapolating its flow; a filmstrip."""
    parts, distance = stretches(episodes, arguments.quick), perceptual_distance()
    drives = Drives.of(parts, engine.world)
    steps = {seconds: round(seconds * FRAME_RATE_HZ) for seconds in HORIZONS_S}
    drawn = roll_out(engine, drives, [arguments.seed + i for i in range(len(parts))], keep=set(steps.values()))
    figures: dict[str, Any] = {"perceptual_distance": distance.name, "n": {}}
    rows: dict[str, list[FrameArray]] = {}
    gone_on = [extrapolated(f[CONTEXT_FRAMES - 2], f[CONTEXT_FRAMES - 1], max(steps.values())) for f in drives.frames]
    for seconds, step in steps.items():
        t = CONTEXT_FRAMES - 1 + step
        lasting = np.flatnonzero(drives.known[:, t]) if t < drives.length else np.array([], int)
        figures["n"][f"{seconds:g}"] = len(lasting)
        if not len(lasting):
            continue
        true = drives.reference(t)
        shown = {
            "model": drawn[step][lasting],
            "repeat_last_frame": np.stack([drives.frames[i][CONTEXT_FRAMES - 1] for i in lasting]),
            "flow_extrapolation": np.stack([gone_on[i][step - 1] for i in lasting]),
            "tokenizer": engine.decode(engine.world.encode(torch.from_numpy(true))).cpu().numpy(),
        }
        for name, found in shown.items():
            entry = figures.setdefault(name, {"psnr_db": {}, "perceptual": {}, "sharpness_ratio": {}})
            entry["psnr_db"][f"{seconds:g}"] = float(psnr_db(found, true).mean())
            entry["perceptual"][f"{seconds:g}"] = float(distance(found, true).mean())
            entry["sharpness_ratio"][f"{seconds:g}"] = sharpness_ratio(found, true)
        chosen = np.linspace(0, len(lasting) - 1, 4).round().astype(int)
        for name, found in {"true": true, **shown}.items():
            if name != "tokenizer":
                rows.setdefault(name, []).append(np.concatenate(list(found[chosen]), 1))
    beaten = [name for name in ("repeat_last_frame", "flow_extrapolation") if _beats(figures, name)]
    figures["beats_at_1_s"] = beaten
    picture = np.concatenate([np.concatenate([row[i] for row in rows.values()]) for i in range(len(rows["true"]))])
    return figures, picture


def _beats(figures: dict[str, Any], other: str, at: str = "1") -> bool:
    """Whether the model is nearer to the truth than a baseline, in PSNR and in the perceptual distance."""
    if at not in figures.get("model", {}).get("psnr_db", {}):
        return False
    mine, theirs = figures["model"], figures[other]
    return bool(mine["psnr_db"][at] > theirs["psnr_db"][at] and mine["perceptual"][at] < theirs["perceptual"][at])


def judge_obedience(engine: Engine, episodes: list[Episode], seed: int, quick: bool) -> dict[str, Any]:
    """Steering beside the horizontal flow of what was drawn: as logged, mirrored, and on the true frames.

    Positive steering and positive flow are both to the left and to the right of the picture: a camera that turns left
    sees things move right. The logged command is positive to the right, so its correlation has the other sign.
    """
    parts = stretches(episodes, quick)
    mirrored = [excerpt(part, 0) for part in parts]
    for part in mirrored:
        part.motion[:, 1:3] *= -1
    said, flows = {}, {}
    for name, drives, sign in (("logged", parts, 1), ("mirrored", mirrored, -1)):
        batch = Drives.of(drives, engine.world)
        drawn = roll_out(engine, batch, [seed + i for i in range(len(drives))])
        films = np.stack([drawn[step] for step in sorted(drawn)], 1)  # (b, steps + 1, h, w, 3)
        flows[name] = np.concatenate([horizontal_flow(film) for film in films])
        said[name] = np.concatenate([sign * part.action[CONTEXT_FRAMES - 1 : -1, 0] for part in parts])
    true = np.concatenate([horizontal_flow(part.frames[CONTEXT_FRAMES - 1 :]) for part in parts])

    def related(a: Any, b: Any) -> float:
        known = ~np.isnan(a)
        return -correlation(b[known], a[known])

    return {
        "steering_to_generated_flow": related(said["logged"], flows["logged"]),
        "mirrored_steering_to_generated_flow": related(said["mirrored"], flows["mirrored"]),
        "steering_to_true_flow": related(said["logged"], true),
        "sign": "of the logged command, positive to the right",
    }


def headlines(name: str, figures: dict[str, Any]) -> dict[str, float]:
    """The figures of a source that its world's card shows, by words."""
    rollout, tokenizer = figures["rollout"], figures["tokenizer"]
    whose = {
        "model": "",
        "repeat_last_frame": " of repeating the last frame",
        "flow_extrapolation": " of flow going on",
    }
    found = {
        f"{name}, {measure}{words} at {seconds} s": value
        for measure in ("psnr_db", "perceptual", "sharpness_ratio")
        for who, words in whose.items()
        for seconds, value in rollout.get(who, {}).get(measure, {}).items()
    }
    found |= {f"{name}, rollouts of {seconds} s": n for seconds, n in rollout["n"].items()}
    found |= {
        f"{name}, {measure} of the {who} at {tokenizer[who]['bytes_a_frame']:.0f} bytes": tokenizer[who][measure]
        for who in ("tokenizer", "webp", "h264")
        for measure in ("psnr_db", "ssim", "sharpness_ratio")
    }
    said = figures.get("obedience", {})
    found |= {f"{name}, correlation of {key}": value for key, value in said.items() if isinstance(value, float)}
    return found


def table(name: str, figures: dict[str, Any]) -> None:
    """The figures of a source in lines."""
    report = figures["prepare"]
    say(f"{name}: prepared {report['frames']} frames, {report['frames_per_s']:.0f} a second")
    say(f"{'held-out frames':22s}{'bytes':>8s}{'PSNR dB':>9s}{'SSIM':>7s}{'sharp':>7s}")
    for who in ("tokenizer", "webp", "h264"):
        e = figures["tokenizer"][who]
        say(f"  {who:20s}{e['bytes_a_frame']:8.0f}{e['psnr_db']:9.2f}{e['ssim']:7.3f}{e['sharpness_ratio']:7.2f}")
    rollout = figures["rollout"]
    say(f"{'rollout, seconds':22s}" + "".join(f"{s:>8s}" for s in rollout["n"]) + f"   n {list(rollout['n'].values())}")
    for measure in ("psnr_db", "perceptual", "sharpness_ratio"):
        for who in ("model", "repeat_last_frame", "flow_extrapolation", "tokenizer"):
            values = rollout.get(who, {}).get(measure, {})
            say(f"  {measure:16s} {who:19s}" + "".join(f"{value:8.3f}" for value in values.values()))
    say(f"  nearer to the truth at 1 s, in both measures, than: {rollout['beats_at_1_s'] or 'neither'}")
    for key, value in figures.get("obedience", {}).items():
        say(f"  {key}: {value if isinstance(value, str) else f'{value:.2f}'}")
    say(f"  filmstrip: {figures['filmstrip']}")


if __name__ == "__main__":
    main()
