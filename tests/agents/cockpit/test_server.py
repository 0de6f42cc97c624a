"""The server: who may come in, what a page hears, what ends a session, and what it leaves behind."""

from __future__ import annotations

import base64
import gc
import json
import socket
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from websockets.sync.client import connect
from websockets.typing import Origin

from agents.cockpit.catalogue import Catalogue
from agents.cockpit.guard import COOKIE, Guard, is_loopback
from agents.cockpit.limits import Limits
from agents.cockpit.protocol import BUSY, GONE, HEADER, INVALID, POLICY, TOO_BIG
from agents.cockpit.server import ASSETS, Cockpit, make_app

from .conftest import Served, wait_until

HOME = "http://localhost:8765"
BEGIN = {"kind": "begin", "world": "worlds/tiny", "scenario": "highway"}


class Page:
    """What a page does, without a browser."""

    def __init__(self, socket: Any) -> None:
        self.socket, self.number, self.frame = socket, 0, {}

    def send(self, kind: str, **values: Any) -> None:
        self.socket.send_text(json.dumps({"kind": kind, **values}))

    def steer(self, steering: float, pedal: float = 0.0, stamp: float = 0.0) -> None:
        self.number += 1
        self.send("wheel", number=self.number, steering=steering, pedal=pedal, stamp=stamp)

    def hear(self) -> dict[str, Any]:
        """The next message; a frame is told by its header, kind "frame", and is said to be shown."""
        message = self.socket.receive()
        if message["type"] == "websocket.close":
            raise WebSocketDisconnect(message["code"], message.get("reason"))
        if message.get("text"):
            return json.loads(message["text"])
        content = message["bytes"]
        (length,) = HEADER.unpack_from(content)
        self.frame = json.loads(content[4 : 4 + length])
        assert len(content) == 4 + length + sum(3 * w * h for _, w, h in self.frame["pictures"])
        self.send("shown", frame=self.frame["frame"])
        return {"kind": "frame", **self.frame}

    def until(self, kind: str, most: int = 200, **values: Any) -> dict[str, Any]:
        """The next message of a kind with these values."""
        for _ in range(most):
            heard = self.hear()
            if heard["kind"] == kind and all(heard[key] == value for key, value in values.items()):
                return heard
        raise AssertionError(f"heard {most} messages, none of them {kind} with {values}")

    def closed(self) -> tuple[int, str]:
        """Code and reason of the close that comes."""
        with pytest.raises(WebSocketDisconnect) as caught:
            for _ in range(200):
                self.hear()
        return caught.value.code, caught.value.reason


@pytest.fixture
def cockpit(catalogue: Catalogue, tmp_path: Path) -> Cockpit:
    return Cockpit(catalogue, tmp_path / "drives", Guard(), Limits(sessions=2, messages_per_s=200), passes=1, seed=0)


@pytest.fixture
def client(cockpit: Cockpit) -> Iterator[TestClient]:
    with TestClient(make_app(cockpit), base_url=HOME) as made:
        yield made


@contextmanager
def opened(client: TestClient, origin: str | None = HOME, begin: bool = True) -> Iterator[Page]:
    """A page that has begun to drive."""
    headers = {} if origin is None else {"origin": origin}
    with client.websocket_connect(f"{client.base_url}/drive".replace("http", "ws", 1), headers=headers) as socket:
        page = Page(socket)
        if begin:
            assert page.hear()["kind"] == "hello"
            page.send(**BEGIN)
            page.until("frame")
        yield page


# --- the page -----------------------------------------------------------------------------------------------------


def test_the_page_needs_nothing_but_this_server(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 200 and "default-src 'none'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    for name, content in ASSETS.items():
        text = content.decode()
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "") and "https://" not in text, name
        assert client.get(f"/page/{name}").content == content
    for line in answer.text.splitlines():
        assert "onclick" not in line and " style=" not in line  # the policy would refuse it
    assert client.get("/page/server.py").status_code == client.get("/docs").status_code == 404
    assert client.get("/recordings/..%2f..%2fetc%2fpasswd").status_code == 404


def test_only_this_machines_own_name_is_answered(client: TestClient) -> None:
    """Another name that leads here is DNS rebinding."""
    assert client.get("/", headers={"host": "evil.example"}).status_code == 403
    for host in ("127.0.0.1:8765", "localhost", "[::1]:8765"):
        assert client.get("/", headers={"host": host}).status_code == 200
    assert is_loopback("127.0.0.5") and not is_loopback("0.0.0.0") and not is_loopback("192.168.1.2")


@pytest.mark.parametrize("origin", [None, "http://evil.example", "http://localhost:1", "null"])
def test_another_pages_socket_is_refused(client: TestClient, origin: str | None) -> None:
    with opened(client, origin, begin=False) as page:
        assert page.closed() == (POLICY, "origin: expected the cockpit's own page")


def test_whoever_comes_from_outside_needs_the_token(catalogue: Catalogue, tmp_path: Path) -> None:
    app = make_app(Cockpit(catalogue, tmp_path, Guard("secret-token"), Limits(), seed=0))
    with TestClient(app, base_url="http://box:1") as client:
        assert client.get("/").status_code == client.get("/?token=wrong").status_code == 403
        with opened(client, "http://box:1", begin=False) as page:
            assert page.closed()[0] == POLICY
        answer = client.get("/?token=secret-token")  # is sent on to / with a cookie
        assert answer.status_code == 200 and answer.url.query == b"" and client.cookies[COOKIE] == "secret-token"
        with opened(client, "http://box:1") as page:
            assert page.frame["step"] == 0


# --- driving ------------------------------------------------------------------------------------------------------


def test_a_page_drives(client: TestClient) -> None:
    with opened(client) as page:
        page.steer(0.5, 0.3, stamp=123.0)
        page.send("drive", on=True)
        frame = page.until("frame", step=3)
        assert frame["stamp"] == 123.0 and frame["driving"] and frame["drives"][0]["steering"] > 0.4
        page.send("drive", on=False)
        page.send("save")
        page.until("saved")
        page.send("branch", pilot="your mirror image")
        page.until("began", futures=2)
        page.send("record", on=True)
        page.send("drive", on=True)
        page.until("frame", recording=0.3)
        page.send("record", on=False)
        recorded = page.until("recorded")
        answer = client.get(f"/recordings/{recorded['video']}")
        assert answer.headers["content-type"] == "video/mp4" and len(answer.content) > 1000


def test_the_latest_input_wins(client: TestClient) -> None:
    with opened(client) as page:
        for steering in (-1.0, -0.5, 0.0, 0.75):
            page.steer(steering, stamp=10 + steering)
        page.send("drive", on=True)
        frame = page.until("frame", step=1)
        assert frame["stamp"] == 10.75 and frame["drives"][0]["steering"] > 0.4


def test_frames_wait_for_a_page_that_does_not_show_them(client: TestClient, cockpit: Cockpit) -> None:
    with opened(client) as page:
        page.send("drive", on=True)
        (session,) = cockpit.sessions
        unseen = cockpit.limits.unseen_frames
        for _ in range(unseen):  # they are received, but never shown
            page.socket.receive()
        page.send("save")  # is answered while the drive stands
        while "text" not in (message := page.socket.receive()) or message["text"] is None:
            pass
        assert json.loads(message["text"])["kind"] == "saved"
        assert session.futures is not None and session.futures.step_count <= unseen + 1


def test_a_wish_that_cannot_be_had_is_answered(client: TestClient) -> None:
    with opened(client) as page:
        page.send("begin", world="worlds/damaged", scenario="highway")
        assert "damaged" in page.until("problem")["text"]
        page.send("words", world="worlds/tiny", text="???")
        assert "nothing to read" in page.until("problem")["text"]
        page.send("drive", on=True)
        page.until("frame", step=1)


# --- what ends a session ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("messages", "code", "words"),
    [
        (["no json"], INVALID, "expected a JSON object"),
        ([b"\xff\xff\xff\xff1234"], INVALID, "header"),
        ([b"x" * 4_100_000], TOO_BIG, "at most"),
        (['{"kind": "words", "world": "a", "text": "' + "x" * 9000 + '"}'], TOO_BIG, "at most 4096"),
        (['{"kind": "shown", "frame": 99}'], POLICY, "out of order"),
        (['{"kind": "wheel", "number": 5, "steering": 0, "pedal": 0}'] * 2, POLICY, "wheel 5 after 5: out of order"),
        (['{"kind": "here"}'] * 4000, POLICY, "more than 200 messages a second"),
    ],
)
def test_a_broken_protocol_ends_one_session_and_says_why(
    client: TestClient, messages: list[str | bytes], code: int, words: str
) -> None:
    with opened(client) as other, opened(client) as page:
        for message in messages:
            page.socket.send_bytes(message) if isinstance(message, bytes) else page.socket.send_text(message)
        closed, reason = page.closed()
        assert closed == code and words in reason
        other.send("drive", on=True)
        other.until("frame", step=2)


def test_wishes_do_not_pile_up(client: TestClient, cockpit: Cockpit) -> None:
    with opened(client) as page:
        done = threading.Event()
        cockpit.workers.wishes.submit(done.wait, 60)  # something that takes long
        for _ in range(cockpit.limits.waiting + 2):  # one is being done, all places are taken, and one more
            page.send("save")
        threading.Timer(1.0, done.set).start()
        assert page.closed() == (POLICY, "more than 16 requests at once")


def test_there_is_room_for_so_many_and_then_again(client: TestClient, cockpit: Cockpit) -> None:
    with opened(client), opened(client), opened(client, begin=False) as third:
        code, reason = third.closed()
        assert code == BUSY and "2 drives are open" in reason
    wait_until(lambda: not cockpit.sessions)
    with opened(client):
        pass


def test_a_page_that_falls_silent_is_forgotten(catalogue: Catalogue, tmp_path: Path) -> None:
    app = make_app(Cockpit(catalogue, tmp_path, Guard(), Limits(silence_s=0.3), seed=0))
    with TestClient(app, base_url=HOME) as client, opened(client) as page:
        assert page.closed() == (GONE, "nothing was heard for 0.3 s")


def test_a_page_that_vanishes_without_a_word_is_found_out(catalogue: Catalogue, tmp_path: Path) -> None:
    """As when its machine loses the network: nothing is closed, but pings stay unanswered."""
    served = Served(lambda: Cockpit(catalogue, tmp_path, Guard(), Limits(ping_s=0.3), passes=1, seed=0))
    key = base64.b64encode(bytes(16)).decode()
    with socket.create_connection(("127.0.0.1", served.port)) as raw:
        lines = [
            "GET /drive HTTP/1.1", f"Host: localhost:{served.port}", f"Origin: http://localhost:{served.port}",
            "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}",
        ]  # fmt: skip
        raw.sendall("\r\n".join([*lines, "", ""]).encode())
        wait_until(lambda: served.cockpit.sessions)
        wait_until(lambda: not served.cockpit.sessions)
    served.stop()


def test_fifty_sockets_break_off_without_a_word(catalogue: Catalogue, tmp_path: Path) -> None:
    """As when tabs are killed: nothing is closed, the connection is gone. Whoever stays drives on."""
    served = Served(lambda: Cockpit(catalogue, tmp_path, Guard(), Limits(), passes=1, seed=0))
    sessions = served.cockpit.sessions
    left: list[weakref.ref] = []

    def driving(page: Any) -> None:
        page.send(json.dumps(BEGIN))
        page.send(json.dumps({"kind": "drive", "on": True}))
        while isinstance(page.recv(60), str):
            pass

    address, origin = f"{served.url}drive".replace("http", "ws", 1), served.url.rstrip("/")
    with connect(address, origin=Origin(origin)) as page:
        driving(page)
        (first,) = sessions
        for place in range(50):
            with connect(address, origin=Origin(origin)) as other:
                if place % 10 == 0:
                    driving(other)
                    left += [weakref.ref(each) for each in sessions if each is not first]
                other.socket.shutdown(socket.SHUT_RDWR)
            wait_until(lambda: len(sessions) == 1)
        page.send('{"kind": "save"}')
        while not isinstance(heard := page.recv(60), str) or json.loads(heard)["kind"] != "saved":
            pass
    del first
    wait_until(lambda: not sessions)
    assert len(left) == 5
    wait_until(lambda: gc.collect() is not None and not any(each() for each in left))
    served.stop()


def test_fifty_pages_come_and_go_and_leave_nothing(client: TestClient, cockpit: Cockpit) -> None:
    left: list[weakref.ref] = []
    for place in range(50):
        with opened(client, begin=place % 5 == 0) as page:
            if place % 5 == 0:
                page.send("drive", on=True)  # and goes in the middle of a step
                (session,) = cockpit.sessions
                left += [weakref.ref(session), weakref.ref(session.futures)]
                del session
        wait_until(lambda: not cockpit.sessions)
    assert len(left) == 20
    wait_until(lambda: gc.collect() is not None and not any(each() for each in left))


def test_a_session_that_fails_says_so_and_harms_no_other(
    client: TestClient, cockpit: Cockpit, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(client) as other:
        (first,) = cockpit.sessions
        with opened(client) as page:
            (second,) = cockpit.sessions - {first}
            monkeypatch.setattr(second, "step", lambda wheel: 1 / 0)
            page.send("drive", on=True)
            assert page.closed() == (1011, "the session failed; the terminal says why")
        other.send("drive", on=True)
        other.until("frame", step=1)
