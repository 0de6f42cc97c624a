"""What became of words, for the page: what was understood, what was assumed and what is not honoured.

An account holds ``marks``, too: stretches of the text, each with its role and what is to be said of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from envs.events import Event
from envs.words import SceneWish
from worldsim.types import SCENE_VOCABULARY, SceneFields

from .changes import LOOKS

OTHERS = "the learned world decides for itself what others do; only the reference world can be told"
AT_ONCE = "a drive under way changes at once"
STAYS = "of a drive under way only weather, time of day and route change; begin a new one"

Entry = dict[str, Any]


def of_beginning(wish: SceneWish, come: SceneFields) -> dict[str, Any]:
    """The account of a drive that began with words, in scene ``come``; where that is not as assumed, it is said."""
    plain = wish.plain()
    happenings = [each for each in plain["understood"] if each["means"].startswith("event ")]
    understood = [each for each in plain["understood"] if each not in happenings]
    assumed = [_as_come(each, come) for each in plain["assumed"] if not each["key"].startswith("event ")]
    refused = [_refused(event) for event in wish.events]
    if "drivers" in wish.asked:
        refused.append({"text": "how others drive", "why": OTHERS, "nearest": ""})
    return _told(wish, wish.caption, understood, assumed, plain["unsupported"], refused, [
        (each, OTHERS) for each in happenings
    ])  # fmt: skip


def of_change(wish: SceneWish, looks: Mapping[str, str], caption: str) -> dict[str, Any]:
    """The account of a drive under way that now has these ``looks``. Nothing is assumed but how the words are read."""
    plain = wish.plain()
    turned = {event.kind for event in wish.events if event.kind in LOOKS}
    understood, stays, happens = [], [], []
    for each in plain["understood"]:
        key, value = _subject(each["means"], wish)
        if key in LOOKS and (key not in turned or "turns to" in value):
            understood.append({**each, "means": f"{key}: {looks.get(key, value)}"})
        elif key == "command":
            understood.append(each)
        elif key in turned:
            stays += [(each, AT_ONCE)] if value.startswith("at_") else []
        elif each["means"].startswith("event "):
            happens.append((each, OTHERS))
        elif key:
            stays.append((each, OTHERS if key == "drivers" else STAYS))
    taken = looks.keys() - turned  # of what is assumed, only what is not said to turn
    assumed = [each for each in plain["assumed"] if each["key"] in taken or each["key"].startswith("reading of ")]
    refused = [{"text": each["text"], "why": why, "nearest": ""} for each, why in stays]
    refused += [_refused(event) for event in wish.events if event.kind not in LOOKS]
    return _told(wish, caption, understood, assumed, plain["unsupported"], refused, [*stays, *happens])


def _refused(event: Event) -> Entry:
    return {"text": event.words(), "why": OTHERS, "nearest": ""}


def _told(
    wish: SceneWish,
    caption: str,
    understood: list[Entry],
    assumed: list[Entry],
    unsupported: list[Entry],
    refused: list[Entry],
    marked: Iterable[tuple[Entry, str]],
) -> dict[str, Any]:
    marks = [(each, "understood", each["means"]) for each in understood]
    marks += [(each, "unsupported", why) for each, why in marked]
    marks += [(each, "unsupported", each["why"]) for each in unsupported]
    return {
        "text": wish.text, "caption": caption, "understood": understood, "assumed": assumed,
        "unsupported": [*unsupported, *refused],
        "marks": [
            {"start": each["start"], "end": each["end"], "role": role, "says": says}
            for each, role, says in sorted(marks, key=lambda mark: mark[0]["start"])
        ],
    }  # fmt: skip


def _subject(means: str, wish: SceneWish) -> tuple[str, str]:
    """What a meaning is about, and what it says of it: "event 1: at_s 5" is about the first event's kind."""
    key, _, value = means.partition(": ")
    number = key.removeprefix("event ")
    if number != key and number.isdigit() and 0 < int(number) <= len(wish.events):
        return str(wish.events[int(number) - 1].kind), value
    return (key, value) if value else ("", "")


def _as_come(assumed: Entry, come: SceneFields) -> Entry:
    value = getattr(come, assumed["key"], None) if assumed["key"] in SCENE_VOCABULARY else None
    if value is None or value == assumed["value"]:
        return assumed
    return {**assumed, "value": value, "why": "as in the recorded start that fits best"}
