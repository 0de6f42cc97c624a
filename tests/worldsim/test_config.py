"""Configs become plain dataclasses, and every mistake is named with its source and the nearest valid name."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from worldsim import config
from worldsim.config import build, load, option, plain
from worldsim.schema import describe


@dataclass
class Net:
    width: int = option(64, "channels of every layer")
    layers: int = 2  # how deep
    rates: list[float] = field(default_factory=lambda: [0.1, 0.2])

    def __post_init__(self) -> None:
        if self.width % 8:
            raise ValueError(f"Net: expected width divisible by 8, got {self.width}")


@dataclass(frozen=True)
class Job:
    out: Path = option(help="folder to write")
    net: Net = option(factory=Net)
    steps: int = option(100, "optimizer steps")
    scenario: str = "highway"
    mode: Literal["fast", "exact"] = "fast"
    text: str | None = None
    size: tuple[int, int] = (64, 128)
    preset: str = ""
    extra: Net | None = None
    shares: dict[str, float] = field(default_factory=dict)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of YAML files like ``configs``, under another name."""
    root = tmp_path / "yamls_for_test"
    (root / "preset").mkdir(parents=True)
    (root / "scenario").mkdir()
    (root / "scenario" / "highway.yaml").write_text("lanes: 3\n")
    (root / "__init__.py").write_text("")
    (root / "job.yaml").write_text("defaults:\n  - preset: small\n  - _self_\nmode: exact\n")
    (root / "preset" / "small.yaml").write_text("net: {width: 32, layers: 4}\njob: {steps: 7}\nother: {width: 1}\n")
    (root / "preset" / "large.yaml").write_text("net: {width: 512}\njob: {steps: 9}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(config, "CONFIG_PACKAGE", "yamls_for_test")
    monkeypatch.delitem(sys.modules, "yamls_for_test", raising=False)
    return root


def test_layers_win_in_order(package: Path) -> None:
    job = load(Job, "job", ["out=runs/a", "net.layers=6"])
    assert job == Job(Path("runs/a"), Net(32, 6), 7, mode="exact", preset="small")


def test_preset_is_one_dial_and_keeps_the_defaults_it_does_not_name(package: Path) -> None:
    job = load(Job, "job", ["preset=large", "out=a"])
    assert (job.net.width, job.net.layers, job.steps, job.preset) == (512, 2, 9, "large")


def test_without_yaml_the_dataclass_defaults_hold() -> None:
    assert load(Job, None, ["out=a"]) == Job(Path("a"))


def test_a_field_may_be_called_like_a_folder_of_configs(package: Path) -> None:
    assert load(Job, "job", ["out=a", "scenario=roundabout"]).scenario == "roundabout"


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("text=rain, at night: wet road (heavy)", "text", "rain, at night: wet road (heavy)"),
        ("text='quoted, too'", "text", "quoted, too"),
        ("text=null", "text", None),
        ("text=12", "text", "12"),
        ("out=007", "out", Path("007")),
        ("steps=1e3", "steps", 1000),
        ("size=[32,48]", "size", (32, 48)),
        ("extra.width=16", "extra", Net(16)),
        ("shares={good:0.5,bad:1}", "shares", {"good": 0.5, "bad": 1.0}),
        ("shares.good=0.25", "shares", {"good": 0.25}),
        ("mode=exact", "mode", "exact"),
    ],
)
def test_values_of_every_kind(override: str, key: str, value: object) -> None:
    assert getattr(load(Job, None, ["out=a", override]), key) == value


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("net.widht=8", ["command line, net.widht=8", "unknown key 'net.widht'", "did you mean 'width'"]),
        ("stpes=8", ["unknown key 'stpes'", "did you mean 'steps'"]),
        ("steps=many", ["command line, steps=many", "key 'steps'", "expected int", "'many'"]),
        ("steps=1.5", ["expected int, got 1.5"]),
        ("steps=true", ["expected int, got True"]),
        ("mode=exakt", ["one of 'fast', 'exact'", "did you mean 'exact'"]),
        ("size=[1,2,3]", ["expected [int, int], got [1, 2, 3]"]),
        ("net.rates=[1,x]", ["key 'net.rates'", "expected float, got 'x'"]),
        ("net=5", ["expected keys of Net, got 5"]),
        ("steps=1,2", ["expected one value, got several", "steps=[1,2]"]),
        ("steps", ["expected key=value"]),
        ("--stesp=2", ["expected key=value", "did you mean 'steps'"]),
        ("steps=[1", ["is not a value"]),
        ("net.width=12", ["divisible by 8"]),
    ],
)
def test_mistakes_are_named(override: str, expected: list[str]) -> None:
    with pytest.raises(ValueError) as caught:
        load(Job, None, ["out=a", override])
    for part in expected:
        assert part in str(caught.value)


def test_a_required_key_is_asked_for() -> None:
    with pytest.raises(ValueError, match=r"'out' is required \(folder to write\): pass out="):
        load(Job)


def test_mistakes_in_yaml_name_the_file(package: Path) -> None:
    (package / "preset" / "small.yaml").write_text("net: {widht: 32}\n")
    with pytest.raises(ValueError, match=r"configs/preset/small\.yaml: unknown key 'net\.widht'.*'width'"):
        load(Job, "job", ["out=a"])
    (package / "preset" / "small.yaml").write_text("net: {width: wide}\n")
    with pytest.raises(ValueError, match=r"configs/preset/small\.yaml: key 'net\.width': expected int, got 'wide'"):
        load(Job, "job", ["out=a"])
    (package / "preset" / "small.yaml").write_text("net: {width: [\n")
    with pytest.raises(ValueError, match=r"configs/job\.yaml cannot be composed"):
        load(Job, "job", ["out=a"])


def test_unknown_preset_and_config_suggest_the_nearest(package: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown preset 'smal'.*\['small', 'large'\].*'small'"):
        load(Job, "job", ["preset=smal", "out=a"])
    with pytest.raises(ValueError, match=r"unknown config 'jbo'.*'job'"):
        load(Job, "jbo")


def test_a_program_that_uses_hydra_keeps_its_own(package: Path) -> None:
    from hydra import initialize_config_module
    from hydra.core.global_hydra import GlobalHydra

    with initialize_config_module("yamls_for_test", version_base="1.3"):
        outer = GlobalHydra.instance().hydra
        load(Job, "job", ["out=a"])
        assert GlobalHydra.instance().hydra is outer


def test_plain_and_build_are_inverse() -> None:
    job = Job(Path("a/b"), Net(8, rates=[1.0]), extra=Net(16), shares={"good": 1.0})
    assert build(Job, plain(job)) == job
    with pytest.raises(ValueError, match=r"model\.json: unknown key 'colour'"):
        build(Job, {"out": "a", "colour": 1}, "model.json")


def test_describe_gives_help_from_options_and_comments() -> None:
    keys = {key.path: key for key in describe(Job, {"net": {"width": 128}})}
    assert keys["net.width"].default == 128 and keys["net.width"].help == "channels of every layer"
    assert keys["net.layers"].help == "how deep"
    assert keys["out"].type == "path" and keys["text"].type == "text or null"


def test_option_rejects_a_shared_mutable_default() -> None:
    with pytest.raises(ValueError, match="factory"):
        option([1, 2])


def test_schemas_import_without_hydra() -> None:
    code = "import sys; sys.modules['hydra'] = None; sys.modules['omegaconf'] = None; import worldsim.config"
    subprocess.run([sys.executable, "-c", code], check=True)
