"""Path, shortcut targets and sampler, against cases whose answer is known."""

from __future__ import annotations

import pytest
import torch

from worldsim.diffusion.path import noisy, ramp_weight, velocity
from worldsim.diffusion.sampler import resume, sample
from worldsim.diffusion.shortcut import PAST_SIGNAL, Levels, flow_levels, past_levels, shortcut_levels, shortcut_target

CLEAN = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
NOISE = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(1))


def test_path_runs_from_noise_to_clean() -> None:
    assert torch.equal(noisy(CLEAN, NOISE, torch.zeros(2, 3)), NOISE)
    assert torch.equal(noisy(CLEAN, NOISE, torch.ones(2, 3)), CLEAN)
    half = torch.full((2, 3), 0.5)
    assert torch.allclose(velocity(noisy(CLEAN, NOISE, half), CLEAN, half), CLEAN - NOISE, atol=1e-5)


def test_ramp_weight_is_a_tenth_at_noise_and_one_at_clean() -> None:
    assert torch.allclose(ramp_weight(torch.tensor([0.0, 1.0])), torch.tensor([0.1, 1.0]))


@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_sampler_finds_the_data_when_told_the_truth(steps: int) -> None:
    drawn = sample(lambda x, signal, step: CLEAN, NOISE, steps, finest=8)
    assert torch.allclose(drawn.latents, CLEAN, atol=1e-5)
    assert torch.equal(drawn.first_guess, CLEAN)


def test_sampler_tells_the_network_its_signal_and_step() -> None:
    seen: list[tuple[float, int]] = []

    def predict(x: torch.Tensor, signal: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        seen.append((float(signal[0, 0]), int(step[0, 0])))
        return CLEAN

    sample(predict, NOISE, steps=4, finest=16)
    assert seen == [(0.0, 2), (0.25, 2), (0.5, 2), (0.75, 2)]


def test_a_sampler_that_resumes_takes_the_steps_that_are_left() -> None:
    seen: list[tuple[float, int]] = []

    def predict(x: torch.Tensor, signal: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        seen.append((float(signal[0, 0]), int(step[0, 0])))
        return CLEAN

    drawn = resume(predict, noisy(CLEAN, NOISE, torch.full((2, 3), 0.5)), taken=2, steps=4, finest=16)
    assert seen == [(0.5, 2), (0.75, 2)] and torch.allclose(drawn.latents, CLEAN, atol=1e-5)
    for taken in (-1, 4):
        with pytest.raises(ValueError, match="already taken: expected 0 to 3"):
            resume(predict, NOISE, taken, 4, 16)


def test_sampling_steps_must_be_a_power_of_two() -> None:
    with pytest.raises(ValueError, match="sampling steps: expected one of"):
        sample(lambda x, signal, step: x, NOISE, 3, finest=8)


def test_shortcut_levels_lie_on_their_grid() -> None:
    levels = shortcut_levels(64, 32, finest=16, generator=torch.Generator().manual_seed(0))
    size = 2.0**levels.step / 16
    cells = levels.signal / size
    assert torch.allclose(cells, cells.round())
    assert (levels.signal + size <= 1 + 1e-6).all()
    assert set(levels.step.unique().tolist()) == {1, 2, 3, 4}


def test_written_frames_are_noised_slightly_and_drawn_ones_at_any_level() -> None:
    g = torch.Generator().manual_seed(0)
    written, drawn = past_levels(200, 50, g), flow_levels(200, 50, g)
    assert written.signal.min() >= PAST_SIGNAL and written.signal.mean() == pytest.approx(0.9, abs=0.01)
    assert drawn.signal.min() < 0.01 and drawn.signal.mean() == pytest.approx(0.5, abs=0.02)
    both = written.then(drawn)
    assert both.signal.shape == both.step.shape == (200, 100) and (both.step == 0).all()


def test_shortcut_target_is_where_two_half_steps_lead() -> None:
    """A network whose guess depends on signal, so that two half steps differ from one whole step."""
    levels = Levels(torch.full((2, 3), 0.5), torch.full((2, 3), 3))  # of finest 16: one step of size 1/2

    def predict(x: torch.Tensor, signal: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        assert (step == 2).all()
        return CLEAN * (1 + signal[..., None, None])

    x = noisy(CLEAN, NOISE, levels.signal)
    target = shortcut_target(predict, x, levels, finest=16)
    quarter = x + 0.25 * velocity(x, CLEAN * 1.5, levels.signal)
    end = quarter + 0.25 * velocity(quarter, CLEAN * 1.75, levels.signal + 0.25)
    one_step = x + 0.5 * velocity(x, target, levels.signal)
    assert torch.allclose(one_step, end, atol=1e-5)
