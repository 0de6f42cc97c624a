"""The command line: what it lists, how it words mistakes, and how it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from pathlib import Path

import pytest

from worldsim.cli import command as command_module
from worldsim.cli.command import Command, commands
from worldsim.cli.main import main
from worldsim.cli.origin import check_siblings
from worldsim.config import option


@dataclass
class DriveConfig:
    out: str = option(help="where to write")
    speed: float = option(10.0, "metres per second")


@dataclass
class Drove:
    metres: float
    interrupted: bool = False


def drive(config: DriveConfig) -> object:
    endings: dict[str, object] = {"code": 3, "nothing": None, "stopped": Drove(1.0, interrupted=True)}
    errors: dict[str, BaseException] = {
        "value": ValueError("expected a road, got a river"),
        "disk": OSError(28, "the disk is full while writing x"),
        "extra": ImportError("pip install 'worldsim[text]'"),
        "diverged": FloatingPointError("the loss is nan"),
        "ctrl-c": KeyboardInterrupt(),
        "bug": RuntimeError("a bug"),
    }
    if config.out in errors:
        raise errors[config.out]
    return endings.get(config.out, Drove(config.speed * 2))


DRIVE = Command("drive-far", "drive for two seconds", "out=a speed=3", DriveConfig, drive, place=5)
LATER = Command(
    "later", "drive by name", "out=a", "tests.worldsim.test_cli:DriveConfig", "tests.worldsim.test_cli:drive"
)
NOT_A_COMMAND = 3


@pytest.fixture(autouse=True)
def plug_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four entry points: two good, one that cannot be imported, one that is no command."""
    named = {"later": "LATER", "drive-far": "DRIVE", "wrong": "NOT_A_COMMAND"}
    found = [EntryPoint(name, f"{__name__}:{value}", command_module.GROUP) for name, value in named.items()]
    found.append(EntryPoint("gone", "no_such_module_here:COMMAND", command_module.GROUP))
    monkeypatch.setattr(command_module, "entry_points", lambda group: EntryPoints(found).select(group=group))
    monkeypatch.delenv("WORLDSIM_DEBUG", raising=False)


def test_help_lists_commands_in_order_and_survives_broken_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert out.index("drive-far  drive for two seconds") < out.index("later      drive by name")
    assert "gone: not available (no_such_module_here:COMMAND: ModuleNotFoundError" in out
    assert "wrong: not available" in out and "expected a Command, got int" in out
    assert main([]) == 0


@pytest.mark.parametrize("arguments", [["drive-far", "--help"], ["help", "drive-far"], ["drive-far", "speed=3", "-h"]])
def test_help_of_a_command_gives_an_example_and_every_key(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "worldsim drive-far: drive for two seconds." in out
    assert "worldsim drive-far out=a speed=3" in out
    assert "out  (text) required" in out and "where to write" in out
    assert ("speed  (float) = 3" if "speed=3" in arguments else "speed  (float) = 10") in out


def test_a_command_runs_and_its_result_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drive-far", "out=a", "speed=4"]) == 0
    assert "metres: 8" in capsys.readouterr().out
    assert main(["drive_far", "out=code"]) == 3
    assert main(["later", "out=a"]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["drive-fra"],
            2,
            "unknown command 'drive-fra': expected one of ['drive-far', 'later']; did you mean 'drive-far'",
        ),
        (
            ["drive-far", "out=a", "sped=3"],
            2,
            "unknown key 'sped': expected one of ['out', 'speed']; did you mean 'speed'",
        ),
        (["drive-far"], 2, "'out' is required (where to write)"),
        (["gone"], 2, "'gone' could not be loaded from no_such_module_here"),
        (["drive-far", "out=value"], 2, "expected a road, got a river"),
        (["drive-far", "out=disk"], 1, "the disk is full"),
        (["drive-far", "out=extra"], 1, "pip install 'worldsim[text]'"),
        (["drive-far", "out=diverged"], 1, "the loss is nan"),
        (["drive-far", "out=ctrl-c"], 130, "interrupted"),
    ],
)
def test_failures_are_one_message(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    captured = capsys.readouterr()
    assert message in captured.err and captured.err.startswith("worldsim: ") and captured.err.count("\n") == 1
    assert "Traceback" not in captured.err


def test_a_run_that_a_signal_stopped_says_so_in_its_exit_code() -> None:
    assert main(["drive-far", "out=stopped"]) == 130


def test_bugs_and_debugging_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="a bug"):
        main(["drive-far", "out=bug"])
    monkeypatch.setenv("WORLDSIM_DEBUG", "1")
    with pytest.raises(ValueError, match="a river"):
        main(["drive-far", "out=value"])


def test_an_intruder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "__init__.py").write_text("raise SystemExit('must not be imported')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "worldsim.cli.main"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert f"'agents' resolves to {tmp_path / 'agents'}, which is not worldsim's" in done.stderr
    assert "pip uninstall agents" in done.stderr


def test_a_missing_package_is_named() -> None:
    check_siblings()
    with pytest.raises(ValueError, match="'no_such_package' is missing"):
        check_siblings(("no_such_package",))


def test_every_command_that_ships_has_a_schema_a_runner_and_a_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_module, "entry_points", entry_points)
    known, broken = commands()
    assert not broken
    path = ["collect", "prepare", "train-tokenizer", "encode", "train-dynamics"]
    assert [name for name in known if name in path] == path
    for command in known.values():
        assert not command.summary.endswith(".")
        assert main([command.name, "--help"]) == 0
        assert callable(command.runner())


def test_the_module_runs_as_the_command_does(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("worldsim")
    ways = [[sys.executable, "-m", "worldsim"], *([[str(script)]] if script.exists() else [])]
    texts = {subprocess.run(way, cwd=tmp_path, capture_output=True, text=True, check=True).stdout for way in ways}
    assert len(texts) == 1 and "info" in texts.pop()


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from worldsim.cli.main import main; main(['--help']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("False")
