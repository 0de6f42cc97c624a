"""The motion that leads from a drawn frame to the true next one: found where it is displaced, as driven where not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from worldsim.training.registration import PRIOR, leading_motions
from worldsim.views import Views

VIEWS = Views(2, 4)
N, D, M = 8, 16, 4


class Sliding(nn.Module):
    """An ego warp in which each part of the motion adds a pattern of its own, with an error that is always the same."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.patterns = 4.0 * torch.randn(M, N, D, generator=generator)
        self.wrong = 0.2 * torch.randn(N, D, generator=generator)

    def forward(self, latents: Tensor, motion: Tensor, known: Tensor, views: Views) -> Tensor:
        return latents + torch.einsum("btm,mnd->btnd", motion, self.patterns) + self.wrong


def clips(warp: Sliding, generator: torch.Generator, b: int = 3, t: int = 5) -> tuple[Tensor, Tensor]:
    """Seen frames (b, t, n, d) that follow each other as the warp says, but for its error, and their motion."""
    motion = torch.randn(b, t, M, generator=generator) * torch.tensor([0.5, 0.05, 0.02, 1.0])
    motion[:, 0] = 0.0
    first = torch.randn(b, 1, N, D, generator=generator)
    return first + torch.einsum("btm,mnd->btnd", motion.cumsum(1), warp.patterns), motion


def test_a_drawn_frame_that_stands_elsewhere_has_further_to_go() -> None:
    generator = torch.Generator().manual_seed(0)
    warp = Sliding(generator)
    seen, motion = clips(warp, generator)
    behind = torch.tensor([0.3, -0.12, 0.04, 0.0])
    drawn = seen - torch.einsum("m,mnd->nd", behind, warp.patterns)
    known = torch.ones(3, 5, dtype=torch.bool)
    leads = leading_motions(warp, drawn, seen, motion, known, VIEWS)  # type: ignore[arg-type]
    torch.testing.assert_close(leads[:, 1:], (motion + behind)[:, 1:], atol=0.02, rtol=0.02)
    assert torch.equal(leads[:, 0], motion[:, 0])


def test_a_drawn_frame_that_stands_where_it_should_is_left_under_the_motion_that_was_driven() -> None:
    generator = torch.Generator().manual_seed(1)
    warp = Sliding(generator)
    seen, motion = clips(warp, generator)
    known = torch.ones(3, 5, dtype=torch.bool)
    assert torch.equal(leading_motions(warp, seen, seen, motion, known, VIEWS), motion)  # type: ignore[arg-type]
    noise = 0.5 * torch.randn(seen.shape, generator=generator)  # of no motion: mostly not explained by one
    leads = leading_motions(warp, seen + noise, seen, motion, known, VIEWS)  # type: ignore[arg-type]
    assert ((leads - motion)[:, 1:, :3].abs() < 0.3 * torch.tensor(PRIOR)).float().mean() > 0.9


def test_what_is_far_off_is_bounded_and_what_is_not_known_stays() -> None:
    generator = torch.Generator().manual_seed(2)
    warp = Sliding(generator)
    seen, motion = clips(warp, generator)
    drawn = seen - 100.0 * warp.patterns[0]
    known = torch.ones(3, 5, dtype=torch.bool)
    known[1] = False
    leads = leading_motions(warp, drawn, seen, motion, known, VIEWS)  # type: ignore[arg-type]
    assert torch.equal(leads[1], motion[1])
    assert ((leads - motion)[..., :3].abs() <= 3 * torch.tensor(PRIOR) + 1e-6).all()
    assert torch.equal(leads[..., 3], motion[..., 3])


@pytest.mark.parametrize("frames", [1, 5])
def test_without_a_warp_or_a_frame_before_the_motion_is_as_driven(frames: int) -> None:
    motion = torch.randn(2, frames, M, generator=torch.Generator().manual_seed(3))
    latents, known = torch.zeros(2, frames, N, D), torch.ones(2, frames, dtype=torch.bool)
    warp = None if frames > 1 else Sliding(torch.Generator().manual_seed(3))
    assert leading_motions(warp, latents, latents, motion, known, VIEWS) is motion  # type: ignore[arg-type]
