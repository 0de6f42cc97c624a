"""Examples: other people's trainers take either world as it is; only the id changes."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
import torch

EXAMPLES = Path(__file__).parents[1] / "examples"
WORLDS = ("Drive-v0", "RoadCam-v0")


def example(name: str) -> ModuleType:
    """The script, imported but not run."""
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_examples_are_short_and_say_how_to_run_them(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60 and f"python examples/{path.name}" in text


def weights(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


@pytest.mark.parametrize("world", WORLDS)
def test_a_cleanrl_style_loop_learns_in_either_world(world: str, capsys: pytest.CaptureFixture[str]) -> None:
    cleanrl = example("cleanrl_style")
    agent = cleanrl.main(world, steps=32, drives=2, length=8)
    said = re.findall(rf"{world}, (\d+) steps: mean reward (-?\d+\.\d+)", capsys.readouterr().out)
    assert [int(steps) for steps, _ in said] == [16, 32]
    torch.manual_seed(0)
    assert not torch.equal(weights(agent), weights(cleanrl.Agent())) and weights(agent).isfinite().all()


@pytest.mark.filterwarnings("ignore:Creating .* which inherits from WeightUpdaterBase")  # TorchRL of itself
@pytest.mark.parametrize("world", WORLDS)
def test_torchrl_gathers_from_either_world(world: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torchrl", reason="needs the extra `torchrl`: pip install 'worldsim[torchrl]'")
    assert example("torchrl_collector").main(world, steps=16, batch=8) == 16
    assert f"16 steps in {world}" in capsys.readouterr().out


@pytest.mark.parametrize("world", WORLDS)
def test_stable_baselines3_trains_in_either_world(world: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("stable_baselines3", reason="needs the extra `rl`: pip install 'worldsim[rl]'")
    module = example("stable_baselines3_ppo")
    model = module.main(world, steps=16, batch=16, episodes=1, horizon=3)
    said = capsys.readouterr().out
    assert model.num_timesteps == 16 and all(f"{name}: mean return" in said for name in WORLDS)
