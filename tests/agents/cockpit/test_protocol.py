"""What a page may say: messages are read strictly, and what breaks the protocol is named."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from agents.cockpit import protocol
from agents.cockpit.limits import Limits
from agents.cockpit.protocol import HEADER, INVALID, POLICY, TOO_BIG, Violation, Wheel, packet, read_packet, read_text

LIMITS = Limits()


def test_messages_become_values() -> None:
    assert read_text('{"kind": "wheel", "number": 3, "steering": -0.5, "pedal": 1}', LIMITS) == Wheel(3, -0.5, 1.0)
    assert read_text('{"kind": "begin", "world": "road", "scenario": "highway"}', LIMITS) == protocol.Begin(
        "road", "highway"
    )
    assert read_text('{"kind": "here"}', LIMITS) == protocol.Here()
    assert set(protocol.KINDS) >= {"words", "save", "return", "branch", "join", "truth", "record", "pilot", "drive"}


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", INVALID, "no JSON"),
        ("[" * 3000, INVALID, "no JSON"),
        ("[1]", INVALID, "expected a JSON object, got list"),
        ("{}", POLICY, "unknown kind 'None'"),
        ('{"kind": "weel"}', POLICY, "did you mean 'wheel'"),
        ('{"kind": {"a": 1}}', POLICY, "unknown kind"),
        ('{"kind": "picture", "world": "road"}', POLICY, "unknown kind 'picture'"),
        (
            '{"kind": "wheel", "number": 1, "steering": 2, "pedal": 0}',
            POLICY,
            "steering: expected a number from -1 to 1",
        ),
        ('{"kind": "wheel", "number": 1, "steering": NaN, "pedal": 0}', INVALID, "finite"),
        ('{"kind": "wheel", "number": 1, "steering": "x", "pedal": 0}', POLICY, "'steering'"),
        ('{"kind": "wheel", "number": 1.5, "steering": 0, "pedal": 0}', POLICY, "'number'"),
        ('{"kind": "wheel", "number": 1, "steering": 0}', POLICY, "'pedal' is required"),
        ('{"kind": "drive", "on": 1}', POLICY, "'on'"),
        ('{"kind": "drive", "on": true, "fast": 1}', POLICY, "unknown key 'fast'"),
        ('{"kind": "begin", "world": "a", "scenario": "b", "start": "moon"}', POLICY, "'start'"),
        ('{"kind": "begin", "world": "a", "scenario": "b", "seed": -1}', POLICY, "seed"),
        (json.dumps({"kind": "words", "world": "a", "text": "x" * 5000}), TOO_BIG, "at most 4096"),
    ],
)
def test_what_is_no_message_is_refused(text: str, code: int, words: str) -> None:
    with pytest.raises(Violation) as caught:
        read_text(text, LIMITS)
    assert caught.value.code == code and words in str(caught.value)


def test_a_number_that_overflows_is_out_of_range() -> None:
    with pytest.raises(Violation, match="steering"):
        read_text('{"kind": "wheel", "number": 1, "steering": 1e999, "pedal": 0}', LIMITS)


def test_an_image_comes_as_a_packet() -> None:
    header = json.dumps({"kind": "picture", "world": "road", "speed_mps": 5}).encode()
    read = read_packet(HEADER.pack(len(header)) + header + b"content", LIMITS)
    assert (read.world, read.speed_mps, read.content) == ("road", 5.0, b"content")


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"ab", INVALID, "too few bytes"),
        (HEADER.pack(99) + b"{}", INVALID, "one of 99 bytes"),
        (HEADER.pack(2) + b"\xff\xff", INVALID, "UTF-8"),
        (HEADER.pack(2) + b"{}", POLICY, "unknown kind"),
        (HEADER.pack(2) + bytes(5_000_000), TOO_BIG, "at most 4000000"),
    ],
)
def test_what_is_no_packet_is_refused(content: bytes, code: int, words: str) -> None:
    with pytest.raises(Violation, match=words) as caught:
        read_packet(content, LIMITS)
    assert caught.value.code == code


def test_a_close_reason_fits_its_frame() -> None:
    assert len(Violation(POLICY, "ö" * 200).reason.encode()) <= protocol.REASON_BYTES


def test_frames_travel_behind_their_header() -> None:
    frames = {"first": np.arange(24, dtype=np.uint8).reshape(2, 4, 3), "truth": np.zeros((1, 2, 3), np.uint8)}
    sent = packet({"frame": 7}, frames)
    (length,) = HEADER.unpack_from(sent)
    header = json.loads(sent[4 : 4 + length])
    assert header == {"frame": 7, "pictures": [["first", 4, 2], ["truth", 2, 1]]}
    assert sent[4 + length :] == bytes(range(24)) + bytes(6)


def test_what_is_not_known_is_null() -> None:
    assert protocol.finite(math.nan) is None and protocol.finite(1.23456) == 1.2346
