"""The endpoint behind the parser's interface, against a server on this machine that answers as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from envs.events import Event
from envs.words import EndpointConfig, EndpointError, EndpointParser
from envs.words.endpoint import answer_schema
from envs.words.neighbours import ByLetters

TEXT = "rainy night, a purple truck cuts in from the left, then it brakes, gloopy"
ANSWER = {
    "asked": [
        {"text": "rainy", "key": "weather", "values": ["rain"]},
        {"text": "night", "key": "time_of_day", "values": ["night"]},
    ],
    "excluded": [],
    "events": [
        {"text": "a purple truck cuts in from the left", "kind": "cut_in", "at_s": None, "at_m": None, "side": "left",
         "vehicle": "truck", "to": None},
        {"text": "it brakes", "kind": "lead_brakes", "at_s": 9.0, "at_m": None, "side": None, "vehicle": None,
         "to": None},
    ],
    "unsupported": [{"text": "purple", "why": "colours cannot be chosen", "nearest": "a truck"}],
}  # fmt: skip


@dataclass
class Server:
    """What it was asked, and what it answers."""

    url: str
    status: int = 200
    body: str = ""
    delay_s: float = 0.0
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def answer(self, content: Any) -> None:
        self.body = json.dumps({"choices": [{"message": {"content": json.dumps(content)}}]})


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            told.headers.append({**self.headers, "path": self.path})
            time.sleep(told.delay_s)
            self.send_response(told.status)
            self.end_headers()
            self.wfile.write(told.body.encode())

        def log_message(self, *_: Any) -> None:
            pass

    listening = HTTPServer(("127.0.0.1", 0), Handler)
    told = Server(f"http://127.0.0.1:{listening.server_port}/v1")
    told.answer(ANSWER)
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    yield told
    listening.shutdown()
    listening.server_close()


def parser(server: Server, **changes: Any) -> EndpointParser:
    return EndpointParser(EndpointConfig(url=server.url, model="some-model", **changes), ByLetters())


def test_an_answer_becomes_a_wish_by_the_same_rules(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "abc")
    wish = parser(server, key_variable="MY_KEY").parse(TEXT)
    assert wish.asked == {"weather": "rain", "time_of_day": "night"}
    assert wish.events == (
        Event("cut_in", at_s=5.0, side="left", vehicle="truck"),
        Event("lead_brakes", at_s=9.0),
    )
    assert [each.text for each in wish.unsupported] == ["purple", "gloopy"], "what it leaves out is reported"
    assert {"road", "event 1: at_s"} <= {each.key for each in wish.assumed}
    assert wish.scenario().events == wish.events
    assert server.headers[0]["path"] == "/v1/chat/completions" and server.headers[0]["Authorization"] == "Bearer abc"
    assert server.asked[0]["model"] == "some-model" and server.asked[0]["messages"][1]["content"] == TEXT


def test_the_schema_is_strict_and_the_answer_fits_it(server: Server) -> None:
    def walk(schema: dict[str, Any], value: Any) -> None:
        if schema.get("type") == "object":
            assert set(schema["required"]) == set(schema["properties"]) == set(value)
            assert schema["additionalProperties"] is False
            for key, inner in schema["properties"].items():
                walk(inner, value[key])
        elif schema.get("type") == "array":
            for each in value:
                walk(schema["items"], each)
        elif "enum" in schema:
            assert value in schema["enum"]

    walk(answer_schema(), ANSWER)
    parser(server).parse(TEXT)
    sent = server.asked[0]["response_format"]["json_schema"]
    assert sent["strict"] is True and sent["schema"] == answer_schema()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"asked": [{"text": "rainy", "key": "weather", "values": ["rainy"]}]},
            "expected one of .*'rain'.*got 'rainy'",
        ),
        ({"asked": [{"text": "rainy", "key": "mood", "values": ["sad"]}]}, "key 'key'.*got 'mood'"),
        ({"asked": [{"text": "rainy", "key": "weather", "values": []}]}, "at least one value, got none"),
        ({"asked": [{"text": "rainy", "key": "horizon_s", "values": ["long"]}]}, "expected a number, got 'long'"),
        ({"asked": [{"text": "hail", "key": "weather", "values": ["rain"]}]}, "expected words of the text, got 'hail'"),
        ({"events": [{"text": "it brakes", "kind": "explodes"}]}, "key 'kind'.*got 'explodes'"),
        ({"events": [{"text": "it brakes", "kind": "weather", "to": "hot"}]}, "key 'to'.*got 'hot'"),
        ({"events": [{"text": "it brakes", "kind": "lead_brakes", "at_s": "soon"}]}, "at_s.*got 'soon'"),
        ({"surprise": 1}, "unknown key 'surprise'"),
    ],
)
def test_an_answer_that_breaks_the_agreement_is_refused(server: Server, changes: dict[str, Any], message: str) -> None:
    server.answer(ANSWER | changes)
    with pytest.raises(EndpointError, match=message):
        parser(server).parse(TEXT)


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (401, "who are you", "status 401: who are you; set OPENAI_API_KEY"),
        (500, "oops", "status 500: oops"),
        (200, "no json", "expected JSON, got 'no json'"),
        (200, '{"choices": []}', "expected a chat completion"),
        (200, '{"choices": [{"message": {"content": null, "refusal": "I will not"}}]}', "got 'I will not'"),
        (200, '{"choices": [{"message": {"content": "[1]"}}]}', "expected keys of Answer"),
    ],
)
def test_a_failing_endpoint_says_how(server: Server, status: int, body: str, message: str) -> None:
    server.status, server.body = status, body
    with pytest.raises(EndpointError, match=message):
        parser(server).parse(TEXT)


def test_silence_ends_by_the_clock(server: Server) -> None:
    server.delay_s = 1.0
    with pytest.raises(EndpointError, match=r"no answer in 0.2 s; raise endpoint.timeout_s"):
        parser(server, timeout_s=0.2).parse(TEXT)


def test_nobody_there() -> None:
    with pytest.raises(EndpointError, match=r"not reached .*use parser=grammar"):
        EndpointParser(EndpointConfig(url="http://127.0.0.1:9/v1", timeout_s=2)).parse(TEXT)


def test_bad_settings_and_texts_are_refused_before_anything_is_sent(server: Server) -> None:
    with pytest.raises(ValueError, match="expected http:// or https://"):
        EndpointConfig(url="file:///etc/passwd")
    with pytest.raises(ValueError, match="timeout_s"):
        EndpointConfig(timeout_s=0)
    with pytest.raises(ValueError, match="nothing to read"):
        parser(server).parse("  ")
    assert not server.asked
