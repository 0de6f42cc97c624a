"""How the cockpit holds up: `python -m benchmarks.cockpit [--quick] [--world road]`

A server of its own is driven over its socket: the frames a second that it holds, what a session costs in memory, and
what becomes of it when messages are hostile. How long a key takes to its picture is timed in the page itself, in
Chromium where there is one; otherwise up to the arrival of the frame. Words that change a drive under way are held
against the reference world in the same look, under the same actions. The last line is one JSON object.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from worldsim.evaluation.metrics import psnr_db
from worldsim.say import say

from .report import begin, finish, options

TEXTS = ("night, heavy rain", "snow")
PLAIN = "by day in clear weather"
SCENARIOS = ("highway", "curves", "two_way", "highway_dense")
AFTER_STEPS = (0, 10, 30, 50, 100)  # from the words on
SEND_S = 0.04  # between two messages of the wheel, as in the page
PATIENCE_S = 120.0
GOES_ON_S = 10.0
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure rate, latency, memory and what hostile messages do."""
    parser = options("cockpit", "How the cockpit holds up.")
    parser.add_argument("--seconds", type=float, help="how long a drive is timed")
    parser.add_argument("--fill", type=float, default=10.0, help="seconds that a session drives before it is weighed")
    parser.add_argument("--no-browser", action="store_true", help="time up to the arrival of a frame")
    arguments = begin(parser, argv)
    seconds = arguments.seconds or (5.0 if arguments.quick else 30.0)
    figures: dict[str, Any] = {"load_average": [os.getloadavg()[0]]}
    with Server(arguments) as server:
        empty = server.memory_mb()
        figures |= rate(server, seconds)
        say(f"one drive: {figures['frames_per_s']:.1f} frames/s in {figures['passes']} passes, held for {seconds:g} s")
        figures |= latency(server, seconds, arguments.no_browser)
        took = figures["input_to_photon_ms"]
        say(
            f"from a key to its picture, {figures['through']}: median {took['median']:.0f} ms, "
            f"95th percentile {took['p95']:.0f} ms"
        )
        figures |= memory(server, 2 if arguments.quick else 4, arguments.fill)
        say(f"a session: {figures['memory_mb_per_session']:.0f} MB; the server without any: {empty:.0f} MB")
        figures["words"] = {text: words(server, text, 2 if arguments.quick else 6) for text in TEXTS}
        figures |= hostile(server)
        say(f"hostile messages: {figures['hostile_tried']} tried, {figures['hostile_survived']} survived")
    figures["load_average"].append(os.getloadavg()[0])
    return finish(figures, arguments, None)


class Server:
    """``worldsim cockpit`` as a process of its own."""

    def __init__(self, arguments: Any) -> None:
        self.world = str(arguments.world)
        self._out = tempfile.TemporaryDirectory()
        command = [
            sys.executable, "-m", "worldsim", "cockpit", f"world={self.world}", f"steps={arguments.steps}", "port=0",
            "open_browser=false", f"out={self._out.name}", "places=[]", f"seed={arguments.seed}", "sessions=8",
        ]  # fmt: skip
        environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    def __enter__(self) -> Server:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if "http" not in line:
            raise OSError(f"the cockpit did not start: {line or 'it said nothing'}")
        self.url = line.split()[-1]
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=30)
        self._out.cleanup()

    def memory_mb(self) -> float:
        """What the process holds in memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    @contextmanager
    def driver(self, **values: Any) -> Iterator[Driver]:
        """A page that has begun; ``values`` go into its wish."""
        with connect(self.url.replace("http", "ws") + "drive", origin=self.url.rstrip("/"), max_size=None) as socket:  # type: ignore[arg-type]
            driver = Driver(socket)
            driver.begin(self.world, **values)
            yield driver


class Driver:
    """What a page does, without a browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket, self.number, self.latest = socket, 0, {}
        self.told: dict[str, Any] = {}  # the last message of each kind
        self.pictures: dict[str, np.ndarray] = {}
        self.latencies_ms: list[float] = []

    def send(self, kind: str, **values: Any) -> None:
        self.socket.send(json.dumps({"kind": kind, **values}))

    def begin(self, world: str, **values: Any) -> None:
        """Begin and wait for the first picture."""
        self.send("begin", **{"world": world, "scenario": "highway", **values})
        self.until("began")

    def until(self, kind: str) -> dict[str, Any]:
        """The next message of a kind, once the frame behind it has come, too."""
        self.told.clear()
        while kind not in self.told:
            self.hear(PATIENCE_S)
            if "problem" in self.told:
                raise OSError(f"the cockpit answered: {self.told['problem']['text']}")
        while not self.hear(PATIENCE_S):
            pass
        return self.told[kind]

    def hear(self, timeout: float) -> bool:
        """The next message, within so long; whether it was a frame."""
        try:
            message = self.socket.recv(timeout)
        except TimeoutError:
            return False
        if isinstance(message, str):
            told = json.loads(message)
            self.told[told["kind"]] = told
            return False
        (length,) = struct.unpack_from("<I", message)
        before, self.latest = self.latest, json.loads(message[4 : 4 + length])
        at = 4 + length
        for name, width, height in self.latest["pictures"]:
            self.pictures[name] = np.frombuffer(message, np.uint8, 3 * width * height, at).reshape(height, width, 3)
            at += 3 * width * height
        self.send("shown", frame=self.latest["frame"])
        stamp = self.latest["stamp"]
        if stamp and stamp != before.get("stamp"):
            self.latencies_ms.append(1e3 * time.monotonic() - stamp)
        return True

    def drive(self, seconds: float) -> int:
        """Weave along for so long; the number of frames."""
        self.send("drive", on=True)
        frames, until, due = 0, time.monotonic() + seconds, 0.0
        while (now := time.monotonic()) < until:
            if now >= due:
                self.number, due = self.number + 1, now + SEND_S
                steering = 0.1 * float(np.sin(now))
                self.send("wheel", number=self.number, steering=steering, pedal=0.1, stamp=1e3 * now)
            frames += self.hear(max(due - now, 0.0))
        self.send("drive", on=False)
        return frames

    def drive_to(self, step: int) -> None:
        """Let whoever has the wheel drive up to a step."""
        self.send("drive", on=True)
        while self.latest["step"] < step:
            self.hear(PATIENCE_S)
        self.send("drive", on=False)


def rate(server: Server, seconds: float) -> dict[str, Any]:
    """Frames a second once the number of passes has settled."""
    with server.driver() as driver:
        driver.drive(min(seconds, 8.0))
        frames = driver.drive(seconds)
        pace = driver.latest["pace"]
        driver.latencies_ms.clear()
    return {"frames_per_s": frames / seconds, "passes": pace["passes"], "step_ms": pace["step_ms"]}


def latency(server: Server, seconds: float, no_browser: bool) -> dict[str, Any]:
    """From what hands do to the picture that it moved, in milliseconds."""
    chromium = None if no_browser else shutil.which("chromium")
    if chromium:
        took, through = in_browser(server, chromium, seconds), "drawn by Chromium"
    else:
        with server.driver() as driver:
            driver.drive(seconds)
            took, through = driver.latencies_ms, "frame arrived"
    low, high = np.percentile(took, [50, 95])
    return {"input_to_photon_ms": {"median": low, "p95": high}, "through": through, "inputs": len(took)}


def in_browser(server: Server, chromium: str, seconds: float) -> list[float]:
    """As the page itself times it, in the function that draws."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page()
        page.goto(server.url)
        until = time.monotonic() + PATIENCE_S
        while not page.evaluate("Boolean(window.cockpit?.state.header)"):
            if time.monotonic() > until:
                raise OSError("the page did not begin")
            time.sleep(0.1)
        page.keyboard.down("ArrowUp")
        page.wait_for_timeout(4000)  # the number of passes settles
        page.evaluate("cockpit.state.latencies.length = 0")
        page.wait_for_timeout(1e3 * seconds)
        took = page.evaluate("cockpit.state.latencies")
        browser.close()
    return took


def memory(server: Server, sessions: int, fill_s: float) -> dict[str, Any]:
    """What sessions cost that have driven longer than they may look back, and what is left of them."""
    before = server.memory_mb()
    with ExitStack() as stack:
        drivers = [stack.enter_context(server.driver()) for _ in range(sessions)]
        for driver in drivers:
            driver.drive(fill_s)
        full = server.memory_mb()
    time.sleep(2.0)
    return {
        "memory_mb_per_session": (full - before) / sessions, "sessions": sessions,
        "memory_mb_left_behind": server.memory_mb() - before,
    }  # fmt: skip


def words(server: Server, text: str, drives: int) -> dict[str, Any]:
    """Drives by clear day that are told ``text`` after 2 s: how they look then, beside the reference world.

    The lane keeper drives. By seconds since: brightness of both, and PSNR (dB) of the one to the other; ``before`` is
    the brightness when the words came, ``took_s`` what the change took on this machine.
    """
    found = []
    for seed in range(10 * drives):
        scenario = SCENARIOS[seed % len(SCENARIOS)]
        with server.driver(seed=seed, scenario=scenario) as driver:
            began = driver.told["began"]
            if len(found) < drives and PLAIN in began["caption"] and not began["truth"]:
                found.append(told_under_way(driver, text))
    if not found:
        say(f"{text!r} under way: none of {10 * drives} drives began {PLAIN}")
        return {"drives": 0}
    before, took, rows = (np.mean([each[i] for each in found], axis=0) for i in range(3))
    after_s = {
        f"{after / 10:g}": {"brightness": float(shown), "true": float(true), "psnr_db": float(close)}
        for after, (shown, true, close) in zip(AFTER_STEPS, rows, strict=True)
    }
    line = ", ".join(
        f"{each['brightness']:.0f} (truth {each['true']:.0f}, {each['psnr_db']:.1f} dB) after {seconds} s"
        for seconds, each in after_s.items()
    )
    say(f"{text!r} under way: brightness {before:.0f} before, then {line}")
    return {"drives": len(found), "before": float(before), "took_s": float(took), "after_s": after_s}


def told_under_way(driver: Driver, text: str) -> tuple[float, float, np.ndarray]:
    """One drive's brightness before, seconds that the change took, and (t, 3) brightness, true brightness, PSNR."""
    driver.send("pilot", name="lane keeper")
    driver.send("truth", on=True)
    driver.drive_to(20)
    before, asked, rows = float(driver.pictures["first"].mean()), time.perf_counter(), []
    driver.send("change", text=text)
    driver.until("account")
    took, start = time.perf_counter() - asked, driver.latest["step"]
    for after in AFTER_STEPS:
        driver.drive_to(start + after)
        shown, true = driver.pictures["first"], driver.pictures["truth"]
        rows.append((shown.mean(), true.mean(), min(float(psnr_db(shown[None], true[None])[0]), 60.0)))
    return before, took, np.array(rows)


def hostile_messages() -> list[list[str | bytes]]:
    """What no page would say."""
    wheel = json.dumps({"kind": "wheel", "number": 1, "steering": 0, "pedal": 0})
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBBI", 13, b"IHDR", 60000, 60000, 8, 2, 0, 0, 0, 0)
    header = json.dumps({"kind": "picture", "world": "road"}).encode()
    return [
        [""], ["{"], ["null"], ["[" * 4000], ['{"kind": 1}'], ['{"kind": "nothing"}'], ["\u0000" * 100],
        ['{"kind": "wheel", "number": 1, "steering": NaN, "pedal": 0}'],
        ['{"kind": "wheel", "number": 1, "steering": 1e400, "pedal": 0}'],
        ['{"kind": "wheel", "number": 1e300, "steering": 0, "pedal": 0}'],
        [wheel, wheel], ['{"kind": "shown", "frame": 1000000}'], ['{"kind": "shown", "frame": -1}'],
        [json.dumps({"kind": "begin", "world": "../../etc", "scenario": "/etc/passwd"})],
        [json.dumps({"kind": "begin", "world": "road", "scenario": "/etc/passwd.yaml"})],
        [json.dumps({"kind": "words", "world": "road", "text": "rain " * 700})],
        [json.dumps({"kind": "words", "world": "road", "text": "\ud800\u202e" * 200})],
        [json.dumps({"kind": "change", "text": "night " * 600})], ['{"kind": "change", "text": 5}'],
        [json.dumps({"kind": "change", "text": "\ud800 night"})], ['{"kind": "change", "text": "night"}'] * 40,
        [json.dumps({"kind": "pilot", "name": "../../policy"})],
        ["x" * 1_000_000], [bytes(10_000_000)], [b""], [b"\xff" * 100], [struct.pack("<I", 2**31) + b"{}"],
        [struct.pack("<I", len(header)) + header + bomb],
        ['{"kind": "save"}'] * 1000, ['{"kind": "here"}'] * 5000, ['{"kind": "record", "on": true}'] * 100,
    ]  # fmt: skip


def hostile(server: Server) -> dict[str, Any]:
    """Each in a session of its own, while another drives: survived where that one goes on and a new one can come.

    Goes on: a further frame within GOES_ON_S, a bound that tells a server that hangs from one that is short of time.
    """
    survived = 0
    messages = hostile_messages()
    with server.driver() as bystander:
        for each in messages:
            with suppress(ConnectionClosed), server.driver() as attacker:
                for message in each:
                    attacker.socket.send(message)
                for _ in range(4):
                    attacker.hear(0.1)
            step, until = bystander.latest["step"], time.monotonic() + GOES_ON_S
            with suppress(ConnectionClosed, OSError):
                while bystander.latest["step"] == step and time.monotonic() < until:
                    bystander.drive(0.4)
                survived += bystander.latest["step"] > step and server.process.poll() is None
    return {"hostile_tried": len(messages), "hostile_survived": survived}


if __name__ == "__main__":
    main()
