"""Who tells drawn pictures from true ones, and what a decoder learns from that.

Axis legend: b pictures, c channels, h w image rows and columns, i j patches.

Absolute and squared errors are least for the middle of all that a picture may be, which is a blur. A critic that sees
patches of true and drawn pictures knows no such middle. Its loss compares a drawn picture with a true one of the same
moment (relativistic pairing, Jolicoeur-Martineau 2018), which needs no tuning against one side winning; what keeps it
smooth is that a little noise must not change its mind (the finite-difference form of the R1 penalty, Lin et al. 2025,
"Diffusion Adversarial Post-Training", section 3.3: no second derivatives).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

CHANNELS = (32, 64, 128, 128)
"""Widths; each but the last layer halves the grid, so a verdict is about 46 x 46 pixels, one every 8."""


class Critic(nn.Module):
    """Verdicts on patches: higher for what looks true. Takes pictures of any size from 16 x 16 on."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, *CHANNELS)
        self.layers = nn.ModuleList(
            nn.Conv2d(widths[k], widths[k + 1], *((4, 2, 1) if k < len(CHANNELS) - 1 else (3, 1, 1)))
            for k in range(len(CHANNELS))
        )
        self.verdict = nn.Conv2d(CHANNELS[-1], 1, 3, padding=1)

    def initialise(self, generator: torch.Generator) -> Critic:
        """Draw all weights anew from ``generator``."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=0.2, generator=generator)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        return self

    def forward(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Images (b, 3, h, w) in [-1, 1] -> verdicts (b, i, j), and what each layer made of them."""
        x, features = images.contiguous(memory_format=torch.channels_last), []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.verdict(x)[:, 0], features


def critic_loss(
    critic: Critic, true: Tensor, drawn: Tensor, generator: torch.Generator, smooth: float, noise: float = 0.05
) -> Tensor:
    """What the critic learns from pairs (b, 3, h, w) of a true and a drawn picture; ``smooth`` weighs its penalty."""
    shaken = true + noise * torch.randn(true.shape, generator=generator, device=generator.device)
    verdict, _ = critic(torch.cat((true, drawn.detach(), shaken)))
    on_true, on_drawn, on_shaken = verdict.chunk(3)
    unsteady = (on_true - on_shaken).square().mean() / noise**2
    return F.softplus(on_drawn - on_true).mean() + smooth * unsteady


def likeness_loss(critic: Critic, true: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """What whoever drew the pictures learns from a critic that holds still: (how false they look, (b,) how far off).

    The second is the distance of the critic's features (Wang et al. 2018, "pix2pixHD", section 3.2), of each picture.
    """
    still = {name: value.detach() for name, value in critic.named_parameters()}
    with torch.no_grad():
        on_true, wanted = functional_call(critic, still, (true,))
    on_drawn, found = functional_call(critic, still, (drawn,))
    off = [(a - b).abs().mean((1, 2, 3)) for a, b in zip(found, wanted, strict=True)]
    return F.softplus(on_true - on_drawn).mean(), torch.stack(off).mean(0)
