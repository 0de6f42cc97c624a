"""What a frame consists of: the picture of every camera in turn, each a grid of tokens.

A network whose weights do not depend on the grid is one network at every size and for every set of cameras; ``Views``
says which it is looking through.
"""

from __future__ import annotations

from dataclasses import dataclass

from worldsim.types import CameraSpec


@dataclass(frozen=True)
class Views:
    """The tokens of a frame: view by view, and of each view row by row, ``rows`` x ``columns`` of them."""

    rows: int
    columns: int
    cameras: tuple[tuple[str, CameraSpec], ...] = ()  # name and mounting of each view; none: one view, not told which

    @property
    def count(self) -> int:
        """Number of views."""
        return max(1, len(self.cameras))

    @property
    def tokens(self) -> int:
        """Tokens of a frame, of all its views."""
        return self.count * self.rows * self.columns

    @property
    def names(self) -> list[str]:
        """Names of the cameras; none where the one view has no name."""
        return [name for name, _ in self.cameras]
