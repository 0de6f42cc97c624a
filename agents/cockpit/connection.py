"""One page's connection: what it says is heard at once, what it wishes is done between two steps, time goes on beside.

The wheel is a value that the next step reads, never a queue: whatever came last counts. Frames wait for the page to
show them, so that none pile up on a slow network, and a page that is hidden stands still.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.websockets import WebSocket, WebSocketDisconnect

from . import protocol
from .limits import Limits
from .pace import PERIOD_S
from .protocol import Message, Violation, Wheel
from .session import Session

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Workers:
    """Where a session's work is done, apart from the one thread that talks to all pages."""

    steps: Executor  # what must be done within a tenth of a second
    wishes: Executor  # what may take seconds: opening a world, writing a video


class Allowance:
    """So many messages a second on average, and twice as many at once."""

    def __init__(self, per_s: float) -> None:
        self.per_s, self.left, self.at = per_s, 2 * per_s, time.monotonic()

    def spend(self) -> bool:
        """Whether one more is allowed."""
        now = time.monotonic()
        self.left = min(self.left + (now - self.at) * self.per_s, 2 * self.per_s) - 1
        self.at = now
        return self.left >= 0


class Connection:
    """Carries one session to one page until either ends."""

    def __init__(self, socket: WebSocket, session: Session, workers: Workers, limits: Limits) -> None:
        self.socket, self.session, self.workers, self.limits = socket, session, workers, limits
        self.wheel = Wheel(-1, 0.0, 0.0)
        self.wishes: deque[Message] = deque()
        self.driving = False
        self.sent = self.seen = 0
        self.woken = asyncio.Event()
        self.heard_at = time.monotonic()
        self.stepped_at: float | None = None  # None: time stood still since

    async def run(self) -> None:
        """Until the page leaves. Raises Violation where it broke the protocol or fell silent."""
        tasks = [asyncio.ensure_future(each()) for each in (self._listen, self._drive, self._watch)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except WebSocketDisconnect:
            pass
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)  # a step that was begun is ended
            for task in tasks:
                if not task.cancelled():
                    task.exception()  # it is known, or came of the end

    # --- hearing ------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        allowance = Allowance(self.limits.messages_per_s)
        while True:
            raw = await self.socket.receive()
            if raw["type"] == "websocket.disconnect":
                return
            self.heard_at = time.monotonic()
            if not allowance.spend():
                raise Violation(protocol.POLICY, f"more than {self.limits.messages_per_s:g} messages a second")
            text = raw.get("text")
            if text is not None:
                self._take(protocol.read_text(text, self.limits))
            else:
                self._take(protocol.read_packet(raw.get("bytes") or b"", self.limits))
            self.woken.set()

    def _take(self, message: Message) -> None:
        match message:
            case Wheel():
                if message.number <= self.wheel.number:
                    raise Violation(protocol.POLICY, f"wheel {message.number} after {self.wheel.number}: out of order")
                self.wheel = message
            case protocol.Shown():
                if not self.seen < message.frame <= self.sent:
                    last = f"{self.seen} were shown and {self.sent} sent"
                    raise Violation(protocol.POLICY, f"shown {message.frame}, when {last}: out of order")
                self.seen = message.frame
            case protocol.Drive():
                self.driving = message.on
            case protocol.Here():
                pass
            case _:
                if len(self.wishes) >= self.limits.waiting:
                    raise Violation(protocol.POLICY, f"more than {self.limits.waiting} requests at once")
                self.wishes.append(message)

    async def _watch(self) -> None:
        """A page that is closed says so; one whose machine went to sleep does not."""
        while (silent := time.monotonic() - self.heard_at) < self.limits.silence_s:
            await asyncio.sleep(self.limits.silence_s - silent)
        raise Violation(protocol.GONE, f"nothing was heard for {self.limits.silence_s:g} s")

    # --- driving ------------------------------------------------------------------------------------------------

    async def _drive(self) -> None:
        due = time.monotonic()
        while True:
            if self.wishes:
                await self._obey(self.wishes.popleft())
                self.stepped_at = None
            elif self._standing:
                self.woken.clear()
                await self.woken.wait()
                self.stepped_at = None
            elif (left := due - time.monotonic()) > 0:
                await asyncio.sleep(left)
            else:
                due = max(due + PERIOD_S, time.monotonic() + 0.2 * PERIOD_S)
                await self._step()

    @property
    def _standing(self) -> bool:
        """Whether time stands still: nobody drives, or the page does not keep up."""
        behind = self.sent - self.seen >= self.limits.unseen_frames
        return self.session.futures is None or not self.driving or behind

    async def _step(self) -> None:
        wheel, began = self.wheel, time.perf_counter()
        await self._in(self.workers.steps, lambda: self.session.step(wheel))
        taken = time.perf_counter() - began
        self.session.pace.took(taken)
        now = time.monotonic()
        if self.stepped_at is not None:
            self.session.pace.shown(now - self.stepped_at)
        self.stepped_at = now
        await self._show(wheel.stamp)
        if self.session.recording_full:
            await self._obey(protocol.Record(False))

    async def _obey(self, wish: Message) -> None:
        try:
            replies = await self._in(self.workers.wishes, lambda: self.session.obey(wish))
        except (ValueError, OSError) as error:
            replies = [{"kind": "problem", "about": type(wish).__name__.lower(), "text": str(error)}]
        for reply in replies:
            await self._tell(self.socket.send_json(reply))
        if self.session.futures is not None:
            await self._show(None)

    async def _show(self, stamp: float | None) -> None:
        self.sent += 1
        readings, pictures = self.session.view()
        header = {"frame": self.sent, "stamp": stamp, "driving": self.driving, **readings}
        await self._tell(self.socket.send_bytes(protocol.packet(header, pictures)))

    @staticmethod
    async def _tell(sending: Awaitable[None]) -> None:
        try:
            await sending
        except (RuntimeError, OSError) as error:  # the page left while this was on its way
            raise WebSocketDisconnect(1006, str(error)) from error

    @staticmethod
    async def _in(executor: Executor, work: Callable[[], T]) -> T:
        """Do ``work`` in a thread; it is waited for even when the page has left, so that none uses what is closed."""
        future = asyncio.get_running_loop().run_in_executor(executor, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            with contextlib.suppress(Exception):
                await future
            raise


async def refuse(socket: WebSocket, violation: Violation) -> None:
    """Close with code and reason, where there is still somebody to tell."""
    log.info("a session was ended: %s", violation.reason)
    with contextlib.suppress(RuntimeError, WebSocketDisconnect, OSError):
        await socket.close(violation.code, violation.reason)


def hello(session: Session, limits: Limits) -> dict[str, Any]:
    """The first thing that a page is told."""
    catalogue = session.catalogue
    return {
        "kind": "hello", "worlds": list(catalogue.worlds), "first": catalogue.first, "pilots": catalogue.pilots,
        "moments": limits.moments, "recent_s": limits.recent_s, "recording_s": limits.recording_s,
        "image_bytes": limits.image_bytes,
    }  # fmt: skip
