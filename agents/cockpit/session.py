"""What one page drives, from its first wish to its last: everything but the web.

Axis legend: h w c of a frame.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from worldsim.errors import choose
from worldsim.prompting.image import read_image
from worldsim.types import COMMANDS, EGO_FIELDS, FRAME_RATE_HZ, FrameArray

from . import account, beginnings, protocol
from .beginnings import IMAGE, Course
from .catalogue import Catalogue
from .changes import LOOKS, looks_asked
from .futures import Futures, Moment
from .limits import Limits
from .moments import Moments
from .pace import Pace
from .pilots import AS_BEFORE, MIRRORED, YOU, AsBefore, Mirrored, Pilot, Seated, You
from .protocol import Message, Wheel, finite
from .recording import Recorded, Recording
from .truth import Truth, why_not

Reply = dict[str, Any]
SPEED, STEERING = EGO_FIELDS.index("speed_mps"), EGO_FIELDS.index("steering")
CATCHING_UP_S = 3.0  # at once; what is left is caught up with step by step
RELAY = "lane keeper"
"""Goes on where a pilot has nothing more to do."""


class Session:
    """One page's drive. ``obey`` a wish, ``step`` ten times a second, look at ``view``. Not for two threads at once.

    ``obey`` raises ValueError, in words for the user, where a wish cannot be had; the drive then is as it was.
    """

    def __init__(
        self, catalogue: Catalogue, limits: Limits, out: Path, passes: int = 4, seed: int | None = None
    ) -> None:
        self.catalogue, self.limits, self.out, self.seed = catalogue, limits, out, seed
        self.moments, self.pace = Moments(limits), Pace(passes)
        self.futures: Futures | None = None
        self.truth: Truth | None = None
        self.recording: Recording | None = None
        self.wishes: dict[type, Callable[[Any], list[Reply]]] = {
            protocol.Begin: self._begin, protocol.Words: self._words, protocol.Change: self._change,
            protocol.Picture: self._picture, protocol.Pilot: self._pilot, protocol.Save: self._save,
            protocol.Return: self._return, protocol.Forget: self._forget, protocol.Branch: self._branch,
            protocol.Join: self._join, protocol.Truth: self._truth, protocol.Record: self._record,
        }  # fmt: skip

    # --- driving ------------------------------------------------------------------------------------------------

    def step(self, wheel: Wheel) -> None:
        """A tenth of a second in everything that is driven."""
        assert self.futures is not None, "begin first"
        futures = self.futures
        taken = futures.step(np.array([wheel.steering, wheel.pedal], np.float32), self.pace.passes)
        self.moments.pass_by(futures)
        if self.truth is not None:
            self.truth.follow(futures.actions[0], futures.changes)
        if self.recording is not None:
            self.recording.add(taken[0], futures)

    @property
    def recording_full(self) -> bool:
        """Whether the recording has reached its bound, and is to be ended."""
        return self.recording is not None and len(self.recording) >= self.limits.recording_frames

    def obey(self, message: Message) -> list[Reply]:
        """Do what the page wishes; what to tell it."""
        if self.futures is None and not isinstance(message, protocol.BEGINNINGS):
            raise ValueError("nothing is driven yet: begin in a scenario, with words or with an image")
        return self.wishes[type(message)](message)

    def close(self) -> None:
        """Let go of all that takes memory; what is being recorded is kept."""
        self.futures = self.truth = None
        self.moments = Moments(self.limits)
        if self.recording is not None:
            self._written("")

    def view(self) -> tuple[dict[str, Any], dict[str, FrameArray]]:
        """Readings, and the pictures (h, w, 3) by name: "first", "second" while there are two futures, "truth"."""
        assert self.futures is not None, "begin first"
        futures, truth = self.futures, self.truth
        pictures = dict(zip(("first", "second"), futures.frames, strict=False))
        readings: dict[str, Any] = {
            "step": futures.step_count,
            "seconds": futures.step_count / FRAME_RATE_HZ,
            "recent": [moment.step for moment in self.moments.recent],
            "drives": [self._readings(i) for i in range(len(futures))],
            "truth": None,
            "recording": len(self.recording) / FRAME_RATE_HZ if self.recording else None,
            "pace": {
                "passes": self.pace.passes, "step_ms": round(1e3 * self.pace.step_s, 1),
                "frames_per_s": round(self.pace.frames_per_s, 1), "notice": self.pace.notice,
            },
        }  # fmt: skip
        if truth is not None:
            pictures["truth"] = truth.frame
            readings["truth"] = truth.readings() | {"behind": len(futures.actions[0]) - truth.done}
        return readings, pictures

    def _readings(self, i: int) -> dict[str, Any]:
        assert self.futures is not None
        futures, info = self.futures, self.futures.info
        what, chance = futures.hazard(i)
        return {
            "pilot": futures.pilots[i].name,
            "speed_mps": finite(info["ego"][i, SPEED]),
            "steering": finite(info["ego"][i, STEERING]),
            "lane_offset_m": finite(info["labels"]["lane_offset_m"][i]),
            "hazard": [what, finite(chance)],
            "trust": finite(info["trust"][i]),
            "command": COMMANDS[int(info["command"][i])],
            "ended": futures.ended(i),
        }

    # --- beginning ----------------------------------------------------------------------------------------------

    def _begin(self, wish: protocol.Begin) -> list[Reply]:
        world = self.catalogue.open(wish.world)
        seed = self.seed if wish.seed is None else wish.seed
        known = () if self.futures is None else self.futures.course.world.scenarios
        return self._set_out(beginnings.in_scenario(world, wish.scenario, wish.start, known), seed)

    def _words(self, wish: protocol.Words) -> list[Reply]:
        course, read = beginnings.in_words(self.catalogue.open(wish.world), wish.text)
        replies = self._set_out(course, self.seed)
        assert self.futures is not None
        return [*replies, {"kind": "account", **account.of_beginning(read, self.futures.core.drives.fields[0])}]

    def _picture(self, wish: protocol.Picture) -> list[Reply]:
        world = self.catalogue.open(wish.world)
        size = world.model.config.tokenizer
        frame = read_image(wish.content, size.height, size.width, self.limits.image_pixels)
        return self._set_out(beginnings.from_image(world, frame, wish.speed_mps), self.seed)

    def _set_out(self, course: Course, seed: int | None) -> list[Reply]:
        pilot: Pilot = You()
        if self.futures is not None and self.futures.pilots[0].name in self.catalogue.pilots:
            pilot = self._seated(self.futures.pilots[0].name, course)
        futures = Futures.begin(course, pilot, seed)  # raises before anything is given up
        return self._jump(futures, None)

    def _change(self, wish: protocol.Change) -> list[Reply]:
        assert self.futures is not None
        futures, read = self.futures, beginnings.read(wish.text)
        now = futures.core.drives.fields[0]
        asked = looks_asked(read, now, np.random.default_rng(self.seed))
        looks = {key: to for key, to in asked.items() if getattr(now, key) != to}
        if not asked and not read.command and not read.excluded.keys() & set(LOOKS):
            raise ValueError(f"{wish.text[:60]!r}: {account.STAYS}")
        if looks:
            futures.change(looks)
            self.moments.turn(futures)
            if self.truth is not None:
                self.truth.follow(futures.actions[0], futures.changes)
        if read.command:
            futures.instruct(read.command)
        caption = str(futures.core.drives.caption[0])
        return [self._told("changed"), {"kind": "account", **account.of_change(read, asked, caption)}]

    # --- the wheel ----------------------------------------------------------------------------------------------

    def _pilot(self, wish: protocol.Pilot) -> list[Reply]:
        assert self.futures is not None
        self.futures.pilots[0] = You() if wish.name == YOU else self._seated(wish.name, self.futures.course)
        return [{"kind": "pilot", "name": wish.name}]

    def _seated(self, name: str, course: Course) -> Pilot:
        return Seated(name, self.catalogue.pilot(name, course.world.model), np.random.default_rng(self.seed))

    # --- moments and futures ------------------------------------------------------------------------------------

    def _save(self, wish: protocol.Save) -> list[Reply]:
        assert self.futures is not None
        moment = self.moments.find(None, wish.step) or self.futures.moment()
        return [{"kind": "saved", "moment": self.moments.save(moment), "step": moment.step, "name": moment.course.name}]

    def _forget(self, wish: protocol.Forget) -> list[Reply]:
        self.moments.forget(wish.moment)
        return [{"kind": "forgotten", "moment": wish.moment}]

    def _return(self, wish: protocol.Return) -> list[Reply]:
        assert self.futures is not None
        moment = self.moments.find(wish.moment, wish.step)
        if moment is None:
            raise ValueError("expected a saved moment or a step to go back to, got neither")
        pilot = self.futures.pilots[0]
        kept = pilot.name if pilot.name in self.catalogue.pilots else YOU
        pilot = You() if kept == YOU else self._seated(kept, moment.course)
        return self._jump(Futures.resume(moment, [pilot]), moment)

    def _branch(self, wish: protocol.Branch) -> list[Reply]:
        assert self.futures is not None
        choose(wish.pilot, (AS_BEFORE, MIRRORED, *self.catalogue.pilots), "pilot of the second future")
        moment = self.moments.find(wish.moment, wish.step) or self.futures.moment()
        return self._jump(Futures.resume(moment, [You(), self._second(wish.pilot, moment)]), moment)

    def _second(self, name: str, moment: Moment) -> Pilot:
        assert self.futures is not None
        if name not in (AS_BEFORE, MIRRORED):
            return self._seated(name, moment.course)
        led_here = moment.leads_to(self.futures.moment())
        since = self.futures.actions[0][len(moment.actions) :] if led_here else []
        if name == MIRRORED or not since:  # nothing was done from here on that could be repeated
            return Mirrored()
        return AsBefore(since, self._seated(RELAY, moment.course))

    def _join(self, wish: protocol.Join) -> list[Reply]:
        assert self.futures is not None
        futures = self.futures
        if len(futures) == 1:
            raise ValueError("there is one future only: branch first")
        kept = 0 if wish.keep == "first" else 1
        one = Futures.resume(futures.moment(kept), [You()])
        self.futures = one
        self.pace.anew()
        replies = [self._told("joined")]
        if kept:
            replies = [*self._jumped(), *replies]
            self.moments.rewind()
            self.moments.pass_by(one)
            replies += self._after_jump()
        return replies

    def _jump(self, futures: Futures, moment: Moment | None) -> list[Reply]:
        """Go on with other futures: what was under way of the old ones ends."""
        replies = self._jumped()
        self.futures, goes_on = futures, self.moments.rewind(moment)
        if not self.moments.recent:
            self.moments.pass_by(futures)
        self.pace.anew()
        return [*replies, self._told("began") | {"goes_on": goes_on}, *self._after_jump()]

    def _jumped(self) -> list[Reply]:
        """A recording is of one drive."""
        return self._written("The drive went elsewhere: the recording ended there.") if self.recording else []

    def _told(self, kind: str) -> Reply:
        """What the page should know of what is driven now."""
        assert self.futures is not None
        futures = self.futures
        drives = futures.core.drives
        return {
            "kind": kind, "world": futures.course.world.name, "name": futures.course.name,
            "scenario": futures.course.scenario if isinstance(futures.course.scenario, str) else None,
            "caption": str(drives.caption[0]) if futures.course.name != IMAGE or futures.changes else "",
            "imagined": bool(drives.start[0] < 0), "step": futures.step_count, "futures": len(futures),
            "truth": why_not(futures.course, int(drives.start[0])), "scenarios": futures.course.world.scenarios,
            "target_mps": finite(float(drives.target_speed[0])),
        }  # fmt: skip

    # --- the truth, and keeping it ------------------------------------------------------------------------------

    def _after_jump(self) -> list[Reply]:
        """The truth of a drive that went elsewhere is another."""
        if self.truth is None:
            return []
        try:
            return self._truth(protocol.Truth(True))
        except ValueError as error:
            self.truth = None
            return [{"kind": "truth", "on": False, "why": str(error)}]

    def _truth(self, wish: protocol.Truth) -> list[Reply]:
        assert self.futures is not None
        self.pace.anew()
        if not wish.on:
            self.truth = None
            return [{"kind": "truth", "on": False, "why": ""}]
        start = int(self.futures.core.drives.start[0])
        if why := why_not(self.futures.course, start):
            raise ValueError(why)
        self.truth = Truth(self.futures.course, start)
        self.truth.follow(self.futures.actions[0], self.futures.changes, CATCHING_UP_S)
        return [{"kind": "truth", "on": True, "why": ""}]

    def _record(self, wish: protocol.Record) -> list[Reply]:
        assert self.futures is not None
        if wish.on:
            self.recording = Recording(self.futures)
            return [{"kind": "recording", "on": True}]
        if self.recording is None:
            raise ValueError("nothing is being recorded")
        full = f"A recording holds {self.limits.recording_s:g} s: it was ended and kept." if self.recording_full else ""
        return self._written(full)

    def _written(self, why: str) -> list[Reply]:
        assert self.recording is not None
        recording, self.recording = self.recording, None
        if len(recording) < 2:
            return [{"kind": "recording", "on": False, "why": "Nothing was driven: there is nothing to keep."}]
        try:
            recorded = recording.write(self.out)
        except (OSError, ValueError) as error:
            return [{"kind": "recording", "on": False, "why": f"The recording could not be written: {error}"}]
        return [{"kind": "recording", "on": False, "why": why}, _recorded(recorded)]


def _recorded(recorded: Recorded) -> Reply:
    return {
        "kind": "recorded", "video": recorded.video.name, "folder": str(recorded.folder), "episode": recorded.episode,
        "seconds": (recorded.frames - 1) / FRAME_RATE_HZ,
    }  # fmt: skip
