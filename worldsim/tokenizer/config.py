"""The dial of the tokenizer: picture size, grid of tokens, and how wide the network is at each scale."""

from __future__ import annotations

from dataclasses import dataclass, field

STEM_STRIDE = 4
"""The first layer folds 4x4 pixels into channels; every further level halves the grid."""


@dataclass
class TokenizerConfig:
    """A frame of ``height`` x ``width`` becomes ``n_tokens`` tokens of ``latent_dim`` numbers in (-1, 1).

    The lists run from the finest level (stride 4) to the coarsest (stride ``patch``).
    Raises ValueError where the sizes do not fit together.
    """

    height: int = 64
    width: int = 128
    patch: int = 16  # pixels a token covers along each axis: 4, 8, 16, 32, ...
    latent_dim: int = 32
    channels: list[int] = field(default_factory=lambda: [64, 128, 256])
    encoder_blocks: list[int] = field(default_factory=lambda: [1, 1, 1])
    decoder_blocks: list[int] = field(default_factory=lambda: [1, 2, 2])
    detail_channels: int = 32  # width of the decoder's last block, at half resolution
    latent_noise: float = 0.15  # training adds noise of a standard deviation drawn from [0, this] for each frame

    def __post_init__(self) -> None:
        if self.height % self.patch or self.width % self.patch or self.height <= 0 or self.width <= 0:
            raise ValueError(
                f"TokenizerConfig: expected height and width divisible by patch={self.patch}, "
                f"got {self.height}x{self.width}; resize or crop the frames"
            )
        levels = self.n_levels
        if STEM_STRIDE * 2 ** (levels - 1) != self.patch:
            raise ValueError(f"TokenizerConfig: expected patch to be 4, 8, 16, 32, ..., got {self.patch}")
        for name in ("channels", "encoder_blocks", "decoder_blocks"):
            values = getattr(self, name)
            if len(values) != levels:
                raise ValueError(
                    f"TokenizerConfig: expected {levels} entries in {name} for patch={self.patch} "
                    f"(strides {[STEM_STRIDE * 2**level for level in range(levels)]}), got {list(values)}"
                )
        odd = [width for width in (*self.channels, self.detail_channels) if width % 8 or width <= 0]
        if odd:
            raise ValueError(f"TokenizerConfig: expected widths that are multiples of 8, got {odd}")
        if not 0.0 <= self.latent_noise < 1.0:
            raise ValueError(f"TokenizerConfig: expected latent_noise in [0, 1), got {self.latent_noise}")

    @property
    def n_levels(self) -> int:
        """Scales of the network; the coarsest has one cell a token."""
        return max(1, (self.patch // STEM_STRIDE).bit_length())

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of tokens."""
        return self.height // self.patch, self.width // self.patch

    @property
    def n_tokens(self) -> int:
        """Tokens of a frame."""
        rows, columns = self.grid
        return rows * columns
