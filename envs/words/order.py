"""The order in which events are told to the order in which they happen, and times for those that have none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from ..choices import Range, possible
from .book import TURNING, Book, Mention, Said, Told
from .lexicon import Piece
from .measures import Moment, scaled

LONG_S = 20.0
"""A length of time that stands alone and is at least so long is that of the drive, not the time of an event."""
FIRST_S, GAP_S, ALIKE_S = 5.0, 5.0, 2.0
"""An event without a time comes this long after the start, after the event before it, and after one of its kind."""

_SUBORDINATE = ("after", "before", "while", "post", "pre", "during")


# --- order ----------------------------------------------------------------------------------------------------


def narrative(book: Book) -> list[Mention]:
    """The events in the order in which they happen, which "after", "before" and "meanwhile" may turn round."""
    _begin(book)
    _only_until(book)
    tale = _Tale(book)
    carried: list[Piece] = []
    for _, sentence in groupby(book.told, key=lambda told: told.clause.sentence):
        parts = list(sentence)
        first = next((mention for told in parts for mention in told.mentions), None)
        carried = [piece for piece in carried if first is None or not first.give(piece)]
        carried += _attach(book, parts, tale.mentions)
        tale.add(parts)
    for piece in carried:  # "a truck cuts in, 6 seconds later", and no more is told
        if not (tale.mentions and tale.mentions[-1].give(piece)):
            book.idle(piece)
    return tale.mentions


def _begin(book: Book) -> None:
    """ "We start by day; at ten seconds, dusk": what starts without a time, and turns at one, is so at the start."""
    tellings = [(told, mention) for told in book.told for mention in told.mentions]
    for key in TURNING:
        of_key = [(told, mention) for told, mention in tellings if mention.kind == key]
        if len(of_key) < 2 or of_key[0][0].clause.link not in ("", "first") or of_key[0][0] is not tellings[0][0]:
            continue
        (told, first), (later, second) = of_key[:2]
        starts = any(piece.kind == "start" for piece in told.clause.pieces) and not told.clause.of("pronoun", "moment")
        dated = second.moment is not None or later.clause.of("moment", "length")
        if starts and dated and first.moment is None and not told.loose:
            told.mentions.remove(first)
            book.implied.setdefault(key, Said(first.pieces[0], tuple(possible(first.to))))
            book.note("at the start", *first.pieces[1:])


def _only_until(book: Book) -> None:
    """ "Clear until 10 s", and nothing of what comes then."""
    for told in book.told:
        for mention in [each for each in told.mentions if each.kind in TURNING and each.to is None]:
            told.mentions.remove(mention)
            book.refuse("what comes after it is not said", *mention.pieces, nearest="rain after 10 s")


def _attach(book: Book, sentence: Sequence[Told], before: Sequence[Mention]) -> list[Piece]:
    """Sides and moments that stand alone go to the next event of the sentence that lacks one, or to the last.

    In a sentence without events they speak of the last one told: "A truck cuts in. Left. 5 seconds.", or of the next,
    "Ten seconds pass.", which are returned.
    """
    last = [] if any(told.mentions for told in sentence) else before[-1:]
    carried: list[Piece] = []
    for place, told in enumerate(sentence):
        for piece in told.loose:
            later = [mention for each in sentence[place + 1 :] for mention in each.mentions][:1]
            earlier = [mention for each in sentence[:place] for mention in each.mentions]
            group = next((each.mentions for each in reversed(sentence[:place]) if each.mentions), [])
            lacking = [mention for mention in group if mention.side is None]
            if piece.kind == "side" and len(lacking) > 1 and not later and _sides(sentence) > 1:
                lacking[0].give(piece)  # "a truck and a van cut in, left then right"
                continue
            alone = _sides(sentence) == 1
            alike = len(earlier) > 1 and all(each.is_like for each in earlier[1:]) and not told.clause.of("label")
            if piece.kind == "side" and (told.clause.of("both") or (alone and alike and not later)):
                lacking = [mention for mention in (*before, *earlier) if mention.side is None]
                if lacking and all([mention.give(piece) for mention in lacking]):
                    continue
            while len(earlier) > 1 and not earlier[-1].is_like:
                earlier = earlier[-1:]
            earlier = earlier[max((i for i, each in enumerate(earlier) if not each.is_like), default=0) :]
            first = not (later or earlier or last) and piece.kind == "moment"  # "Trigger: second 9; action: ..."
            if first or (piece.kind == "moment" and piece.value.since == "last" and not later):
                carried.append(piece)
            elif _is_long(piece) or not any(mention.give(piece) for mention in (*later, *earlier, *last)):
                book.idle(piece, told.clause)
    return carried


def _sides(sentence: Sequence[Told]) -> int:
    """How many sides stand alone in a sentence."""
    return sum(piece.kind == "side" for told in sentence for piece in told.loose)


def _is_long(piece: Piece) -> bool:
    return piece.kind == "length" and piece.value[1] == "s" and min(possible(piece.value[0])) >= LONG_S


class _Tale:
    """Puts event after event in its place."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.mentions: list[Mention] = []

    def add(self, sentence: Sequence[Told]) -> None:
        """The events of a sentence."""
        self.count = 0  # of its clauses with events so far
        self.lasting: Piece | None = None  # "for 10 s", which a "then" makes a moment
        self.next_comes = ""  # "before" or "at once": what a clause says of the event after it
        self.next_counts_from: tuple[Mention, Piece] | None = None
        self.counts_from_next: tuple[Mention, Piece] | None = None
        for place, told in enumerate(sentence):
            recalled = None
            for mention in told.mentions:
                recalled = self._recalled(mention, told.clause.link)
                if recalled is None:
                    self._put(mention, told)
                else:
                    recalled.pieces += mention.pieces
            if told.mentions:
                leads = self.count == 0 and place + 1 < len(sentence)
                self._relate(told, recalled or told.mentions[-1], leads)
                self.count += 1
            if told.lasting is not None:
                self._last()
                self.lasting = told.lasting
        self._last()

    def _last(self) -> None:
        """No "then" came after "for 10 s": it is the length of the drive."""
        if self.lasting is not None:
            self.book.say("horizon_s", self.lasting, (self.lasting.value,))
        self.lasting = None

    def _recalled(self, mention: Mention, link: str) -> Mention | None:
        """The event told before that a clause such as "after the cut-in" speaks of."""
        if link not in _SUBORDINATE or mention.moment is not None or mention.side is not None:
            return None
        return next((m for m in reversed(self.mentions) if m.kind == mention.kind and mention.to in (None, m.to)), None)

    def _put(self, mention: Mention, told: Told) -> None:
        """Put an event at its place among those told before."""
        link, trails = told.clause.link, self.count > 0
        if self.lasting is not None and link == "next":
            mention.give(self.lasting.of("length", (self.lasting.value, "s")))
            self.lasting = None
        if self.next_counts_from is not None:
            _count(mention, *self.next_counts_from)
        if self.counts_from_next is not None:
            later, offset = self.counts_from_next
            _ahead(mention, later, offset)
        if self.mentions and link == "earlier" and told.clause.offset is not None:
            _ahead(mention, self.mentions[-1], told.clause.offset)
        if self.mentions and (link == "earlier" or self.next_comes == "before" or (link == "after" and trails)):
            self.mentions.insert(len(self.mentions) - 1, mention)
        elif link == "first":
            self.mentions.insert(told.mentions.index(mention), mention)
        else:
            mention.at_once |= link == "meanwhile" or self.next_comes == "at once" or (link == "while" and trails)
            self.mentions.append(mention)
        self.next_comes, self.next_counts_from, self.counts_from_next = "", None, None

    def _relate(self, told: Told, mention: Mention, leads: bool) -> None:
        """What a clause says of the event after it, or, where it trails, of the one before."""
        link, offset = told.clause.link, told.clause.offset
        if offset is not None and link in ("after", "post"):
            if leads:
                self.next_counts_from = mention, offset
            elif self.mentions[-1] is not mention:
                _count(self.mentions[-1], mention, offset)
        if offset is not None and link in ("before", "pre"):
            if leads:
                self.counts_from_next = mention, offset
            elif len(self.mentions) > 1:
                _ahead(self.mentions[self.mentions.index(mention) - 1], mention, offset)
        if link == "pre" or (link == "before" and leads):
            self.next_comes = "before"
        elif link == "during" or (link == "while" and leads):
            self.next_comes = "at once"


def _count(later: Mention, earlier: Mention, offset: Piece) -> None:
    """Let ``later`` come as long after ``earlier`` as ``offset`` says, unless it has its time."""
    if later.moment is None:
        later.anchor, later.moment = earlier, Moment(offset.value[0], offset.value[1], "last")
        later.pieces.append(offset)


def _ahead(mention: Mention, later: Mention, offset: Piece) -> None:
    """ "four seconds before that": from a time that is said, or else ``later`` counts from ``mention``."""
    said, (value, unit) = later.moment, offset.value
    if said is None:
        _count(later, mention, offset)
    elif mention.moment is None and said.unit == unit and said.since != "last":
        ends = [end(possible(said.value)) - end(possible(value)) for end in (min, max)]
        if ends[0] >= 0:
            mention.moment = Moment(ends[0] if ends[0] == ends[1] else Range(*ends), unit, "start")
            mention.pieces.append(offset)


# --- times ----------------------------------------------------------------------------------------------------


@dataclass
class Dated:
    """An event with its time, ``value`` (a number, alternatives or a Range) of ``unit``; ``why`` if it was assumed."""

    mention: Mention
    value: Any
    unit: str
    why: str = ""


def dated(mentions: Sequence[Mention], speed_mps: float, horizon_s: float) -> list[Dated]:
    """Events in their order with a time each. ``speed_mps`` turns seconds into metres where both are counted.

    ``horizon_s`` is how long the drive is, of which some times are said as a share: "halfway".
    """
    result: list[Dated] = []
    for place, mention in enumerate(mentions):
        mention.moment = _of_drive(mention.moment, horizon_s)
        following = mentions[place + 1] if place + 1 < len(mentions) else None
        if mention.moment is None and following is not None and following.at_once and following.moment is not None:
            mention.moment = following.moment  # "a truck cuts in while, at 8 s, ..."
        last = next((d for d in result if d.mention is mention.anchor), result[-1] if result else None)
        result.append(
            _said(mention, last, speed_mps) if mention.moment is not None else _unsaid(mention, last, speed_mps)
        )
    _squeeze(result)
    return result


def _of_drive(moment: Moment | None, horizon_s: float) -> Moment | None:
    """ "Halfway" and "10 s before the end" in seconds from the start."""
    if moment is None or moment.unit not in ("share", "s left"):
        return moment
    value = scaled(moment.value, horizon_s) if moment.unit == "share" else _plus(horizon_s, scaled(moment.value, -1), 1)
    return Moment(value, "s", "start")


def _said(mention: Mention, last: Dated | None, speed_mps: float) -> Dated:
    moment = mention.moment
    assert moment is not None
    if last is None or moment.since == "start":
        return Dated(mention, moment.value, moment.unit)
    factor = 1.0 if moment.unit == last.unit else speed_mps if last.unit == "m" else 1 / speed_mps
    reached = max(possible(last.value)) / factor if moment.unit != last.unit else max(possible(last.value))
    if moment.since in ("open", "post") and min(possible(moment.value)) > reached:
        point = last.mention.moment is not None and last.mention.moment.since == "start"  # 第4秒起雾，十秒之后……
        is_told_on = (bool(last.why) or point) and last.mention.sentence == mention.sentence  # 货车横穿，九秒后行人横穿
        if is_told_on and moment.since == "post":
            return Dated(mention, _plus(last.value, moment.value, factor), last.unit, "counted from the event before")
        return Dated(mention, moment.value, moment.unit)
    why = "" if moment.since == "last" else "counted from the event before"
    return Dated(mention, _plus(last.value, moment.value, factor), last.unit, why)


def _unsaid(mention: Mention, last: Dated | None, speed_mps: float) -> Dated:
    if last is None:
        return Dated(mention, FIRST_S, "s", "no time is said")
    if mention.at_once and mention.kind != last.mention.kind:
        return Dated(mention, last.value, last.unit, "at the time of the other")
    gap, factor = ALIKE_S if mention.is_like else GAP_S, 1.0 if last.unit == "s" else speed_mps
    return Dated(
        mention, _plus(max(possible(last.value)), gap, factor), last.unit, "no time is said, after the one before"
    )


def _plus(value: Any, more: Any, factor: float) -> Any:
    """The sum of two times, the second times ``factor``; of ranges and alternatives, a range."""
    ends = [round(end(possible(value)) + end(possible(more)) * factor, 2) for end in (min, max)]
    return ends[0] if ends[0] == ends[1] else Range(*ends)


def _squeeze(events: Sequence[Dated]) -> None:
    """Where assumed times reach beyond a time that is said and follows, they share what is before it."""
    for place, event in enumerate(events):
        first = place
        while first > 0 and events[first - 1].why and events[first - 1].unit == event.unit and not event.why:
            first -= 1
        end = min(possible(event.value))
        if first < place and max(possible(events[place - 1].value)) >= end and not event.mention.at_once:
            begin = max(possible(events[first - 1].value)) if first and events[first - 1].unit == event.unit else 0.0
            for step, squeezed in enumerate(events[first:place], 1):
                share = step / (place - first + 1)
                squeezed.value = round(begin + (end - begin) * share, 2) if begin < end else end
