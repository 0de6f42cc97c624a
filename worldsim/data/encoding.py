"""Which encoding of a data set is meant, in one word that every command takes for ``data``.

data/road                       the main view, at the size that the tokenizer was trained at
data/road@128x256               at another size, height x width
data/nuscenes@front+left        the views of two cameras, which make one frame
data/nuscenes@128x256@front+left
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from worldsim.data.record import EpisodeRecord
from worldsim.errors import choose
from worldsim.types import CameraSpec


@dataclass(frozen=True)
class Encoding:
    """A folder of episodes, at which size its pictures are taken, and which of its cameras."""

    folder: str
    size: tuple[int, int] | None = None  # (h, w) of every view; none: the tokenizer's own
    cameras: tuple[str, ...] = ()  # in the order of the views; none: the main view, of whose camera nothing is told

    @classmethod
    def parse(cls, text: str) -> Encoding:
        """The encoding called ``text``. ValueError for what is neither a size nor cameras, or a camera named twice."""
        parent, slash, name = text.rpartition("/")
        folder, *said = [name] if Path(text).is_dir() else name.split("@")
        size: tuple[int, int] | None = None
        cameras: tuple[str, ...] = ()
        for part in said:
            if found := re.fullmatch(r"(\d+)x(\d+)", part):
                size = int(found[1]), int(found[2])
            else:
                cameras = tuple(part.split("+"))
        if (
            len(said) > 2
            or "" in cameras
            or len(set(cameras)) < len(cameras)
            or len(said) != bool(size) + bool(cameras)
        ):
            raise ValueError(
                f"{text!r}: expected FOLDER, and after it @HEIGHTxWIDTH, @CAMERA+CAMERA or both, as in "
                "data/road@128x256 or data/nuscenes@front+left, each camera once"
            )
        return cls(f"{parent}{slash}{folder}", size, cameras)


def mountings(records: list[EpisodeRecord], cameras: tuple[str, ...]) -> tuple[tuple[str, CameraSpec], ...]:
    """Name and mounting of each of ``cameras``, as the first episode has them.

    Raises ValueError for a camera that the data set lacks, with the nearest name, or whose mounting it does not know.
    """
    known = dict(records[0].cameras) if records else {}
    for name in cameras:
        choose(name, [video.camera for video in records[0].videos] if records else (), "camera of this data set")
        if name not in known:
            raise ValueError(
                f"camera {name!r}: expected its field of view and pose in the episodes, found none, so views could "
                "not be told apart; prepare the data set with its calibration"
            )
    return tuple((name, known[name]) for name in cameras)
