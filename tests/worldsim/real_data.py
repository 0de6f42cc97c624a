"""Where the real excerpts are looked for: WORLDSIM_REAL_DATA, or ../shared/data beside the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REAL = Path(os.environ.get("WORLDSIM_REAL_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


def needs(*names: str) -> pytest.MarkDecorator:
    """Skip a test, with a message, where one of these excerpts is not here."""
    absent = [str(REAL / name) for name in names if not (REAL / name).exists()]
    return pytest.mark.skipif(bool(absent), reason=f"{', '.join(absent)}: not here; set WORLDSIM_REAL_DATA")
