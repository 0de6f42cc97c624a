"""Reading back what a command wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av


def decoded(path: Path) -> list[Any]:
    with av.open(str(path)) as container:
        assert container.streams.video[0].pix_fmt == "yuv420p"
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
