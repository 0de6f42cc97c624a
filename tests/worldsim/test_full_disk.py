"""A disk that is really full, under everything that writes: clear words, no halves, and what was there stays."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import SafetensorError

from tests.worldsim.data_episodes import make_episode
from tests.worldsim.test_loop import make_state
from tests.worldsim.test_loop import train as train_briefly
from tests.worldsim.worlds import tiny_world
from worldsim.checkpoint import ModelCard, save_world
from worldsim.data.latents import LatentWriter
from worldsim.data.writer import EpisodeWriter
from worldsim.evaluation.filmstrip import save_png
from worldsim.serving.video import open_video
from worldsim.storage import atomic_path, full_disk_named, write_json
from worldsim.text.encoder import save_table
from worldsim.tokenizer import Tokenizer, TokenizerConfig, save_tokenizer
from worldsim.training.loop import LoopConfig
from worldsim.training.state import save_state

ROOM_KB = 256
noise = np.random.default_rng(0)


def episode(out: Path) -> None:
    made = make_episode(60, size=(128, 256))
    made.views["front"] = noise.integers(0, 255, made.views["front"].shape, dtype=np.uint8)
    EpisodeWriter(out).write(made)


def video(out: Path) -> None:
    with open_video(out / "a.mp4", 10) as writer:
        for _ in range(30):
            writer.add(noise.integers(0, 255, (128, 256, 3), dtype=np.uint8))


def latents(out: Path) -> None:
    with LatentWriter(out, "abc123", 32, 32) as writer:
        writer.add(0, noise.normal(size=(300, 32, 32)))


def metrics(out: Path) -> None:
    (out / "filler").write_bytes(bytes(1024 * (ROOM_KB - 16)))
    train_briefly(out, steps=1000, log_every=1, checkpoint_every_s=1e9)


WRITERS: dict[str, Callable[[Path], Any]] = {
    "world": lambda out: save_world(out, tiny_world(), ModelCard("tiny", "A test.", "none")),
    "tokenizer": lambda out: save_tokenizer(out, Tokenizer(TokenizerConfig())),
    "training state": lambda out: save_state(make_state(LoopConfig(out=str(out)), width=20_000), out),
    "training metrics": metrics,
    "latents": latents,
    "text table": lambda out: save_table(
        out / "t.safetensors", {str(i): np.zeros(384, np.float32) for i in range(300)}
    ),
    "episode": episode,
    "video": video,
    "picture": lambda out: save_png(out / "a.png", noise.integers(0, 255, (400, 400, 3), dtype=np.uint8)),
    "json": lambda out: write_json(out / "a.json", list(range(100_000))),
}


def report(out: Path) -> dict[str, dict[str, Any]]:
    """What each writer says on the full disk at ``out``, and what it leaves there."""
    found = {}
    for name, write in WRITERS.items():
        (out / "kept").write_bytes(bytes(1000))
        try:
            write(out)
            said = None
        except Exception as error:
            said = [type(error).__name__, getattr(error, "errno", None), str(error)]
        left = [path.name for path in out.rglob("*") if path.is_file()]
        found[name] = {"said": said, "left": left, "kept": (out / "kept").read_bytes() == bytes(1000)}
        for path in out.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return found


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """``report`` from a child that has a file system of its own, which nobody else sees."""
    out = tmp_path_factory.mktemp("full")
    program = (
        f"import json, pathlib, sys; from {__name__} import report; "
        "print(json.dumps(report(pathlib.Path(sys.argv[1]))))"
    )
    inside = f'mount -t tmpfs -o size={ROOM_KB}k none "$0" && exec "$1" -c "{program}" "$0"'
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", inside, str(out), sys.executable]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*command[:3], "mount", "-t", "tmpfs", "none", str(out)]).returncode
    ):
        pytest.skip("needs a Linux that lets a process mount a file system of its own")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_named_and_nothing_is_left_half_written(name: str, reported: dict[str, dict[str, Any]]) -> None:
    kind, number, words = reported[name]["said"]
    assert kind == "OSError" and number == errno.ENOSPC
    assert "the disk is full while writing" in words and "Free space and rerun" in words
    assert reported[name]["kept"]
    assert not [left for left in reported[name]["left"] if "tmp" in left]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
    ids=["OSError", "quota", "safetensors"],
)
def test_every_way_to_say_that_a_disk_is_full_is_known(tmp_path: Path, error: Exception) -> None:
    (tmp_path / "a").write_text("before")
    words = f"the disk is full while writing {tmp_path / 'a'}; nothing was half-written"
    with pytest.raises(OSError, match=words), atomic_path(tmp_path / "a") as temporary:
        temporary.write_text("half")
        raise error
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "before")]


def test_other_errors_stay_what_they_are() -> None:
    for error in (PermissionError(errno.EACCES, "no"), SafetensorError("header too large"), ValueError("28")):
        with pytest.raises(type(error)) as caught, full_disk_named("a"):
            raise error
        assert caught.value is error
