"""Frames to events: what vehicles, pedestrians and cyclists do, and who does what nobody is named for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from itertools import product
from typing import Any

from ..choices import possible
from ..events import VEHICLES
from . import limits
from .book import TURNING, Book, Mention, Told
from .clauses import Clause, Frame, frames
from .counted import Actor
from .deeds import EVENT_OF, PLACE_OF, kind_of, usual_kind
from .echoes import echo_deed, echo_side, share_sides
from .lexicon import Piece
from .measures import Moment
from .turning import said_again, turnings
from .waiting import Waiting

MOST_ALIKE = 5
CRAWL_MPS = 9.0
"""Who is ahead and no faster is slow."""
_ONCE_MORE = ("side", "moment", "length", "at", "between", "label", "scope", "number", "repeat")


class Happenings:
    """Reads the events of clause after clause, and remembers who was named and what was told last."""

    def __init__(self, book: Book, roads: Collection[str] = ()) -> None:
        self.book = book
        self.roads = roads  # that the text names anywhere
        self.waiting = Waiting(book, roads)
        self.topic: Piece | None = None  # the vehicle named last in the sentence
        self.last: Mention | None = None
        self.last_sentence = -1
        self.group: list[Mention] = []  # those told last of which more may be said
        self.sentence = 0
        self.led = False  # whether an "after ..." stands before, in the sentence
        self.ego = False  # whether the clause before speaks of the ego
        self.side: Any = None  # the side said last

    def take(self, clause: Clause) -> list[Piece]:
        """Read a clause; the pieces of its weather and light that turn."""
        if clause.sentence != self.sentence:
            self.sentence, self.led, self.topic = clause.sentence, False, None
            self.waiting.presumed = []
        if clause.of("actor", "motion", "start", "turn", "over", "becomes") or not clause.of("weather"):
            clause.pieces = [replace(each, kind="length") if each.kind == "span" else each for each in clause.pieces]
        if not clause.is_attribute and (listed := self.waiting.listed()) is not None:
            self.last, self.last_sentence = listed, listed.sentence
        self.side = echo_side(clause, self.side, self.book)
        echo_deed(clause, self.last)
        told, turned = Told(clause), list[Piece]()
        told.lasting = next(iter(clause.of("horizon_s")), None)
        for frame in frames(clause):
            frame.by_ego |= self.ego and clause.is_joined and bool(frame.motions) and not frame.actors
            made = self._events(frame, clause)
            told.mentions += made
            self.ego = frame.by_ego
            if not made and not frame.denied:
                told.loose += [*frame.sides, *frame.moments]
        if not told.mentions:
            told.mentions, turned = turnings(clause, self.book, self.led)
            turned = turned or said_again(clause, self.book)
            taken = {id(piece) for mention in told.mentions for piece in mention.pieces}
            told.loose = [piece for piece in told.loose if id(piece) not in taken]
            told.loose = [piece for piece in told.loose if not (told.mentions and told.mentions[0].give(piece))]
        if not told.mentions and clause.offset is not None:
            told.loose.append(clause.offset)
        for mention in told.mentions:
            mention.sentence = clause.sentence
        self._entitled(told)
        if told.mentions:
            self.waiting.told()
            self.last, self.last_sentence = told.mentions[-1], clause.sentence
        self.led = clause.link == "after" and bool(told.mentions)
        share_sides(clause, told.mentions or self.group)
        if told.mentions:
            self.group = told.mentions
        elif not any(each.is_like for each in self.group) and not clause.is_attribute:
            self.group = []
        self.book.told += _parted(told)
        return turned

    def _entitled(self, told: Told) -> None:
        """ "Emergency stop: after 100 m the car ahead brakes" is one event, 切入后急刹：…… are two."""
        before = [each for each in self.book.told if each.clause.sentence == told.clause.sentence]
        last = max((place for place, each in enumerate(before) if each.clause.is_title), default=-1)
        for title, mention in product(before[: last + 1], told.mentions):
            titled = next((each for each in title.mentions if each.kind == mention.kind and each.moment is None), None)
            if titled is not None:
                mention.pieces += titled.pieces
                mention.names, mention.side = mention.names or titled.names, mention.side or titled.side
                title.mentions = [each for each in title.mentions if each.kind != mention.kind]

    # --- a frame --------------------------------------------------------------------------------------------------

    def _events(self, frame: Frame, clause: Clause) -> list[Mention]:
        """The events of a frame; none where it only names somebody, or denies."""
        acting = [piece.value for piece in frame.motions if piece.value in EVENT_OF]
        if frame.by_ego and not frame.actors:
            return self._by_ego(frame)
        self.topic = next((piece for piece in frame.actors if not piece.value.is_person), self.topic)
        if frame.denied:
            return self._denied(frame, acting)
        if frame.thing is not None and acting and not frame.actors and not clause.of("pronoun"):
            return self._by_thing(frame.thing, frame, acting, clause)
        if clause.of("repeat") and frame.actors and not acting and self.last and self.last.kind == "lead_brakes":
            return self._again(frame, clause)  # "braking at 4 s and again at 12 s by the vehicle ahead"
        if acting and self.waiting.shares(frame, acting, clause, self.last):
            return []
        if not frame.actors and acting and self.waiting.pieces:
            frames_of = [(w.piece, replace(frame, sides=w.sides, moments=w.moments)) for w in self.waiting.take(frame)]
            return [mention for piece, own in frames_of for mention in self._by(piece, acting, own)]
        if not frame.actors:
            again = clause.of("repeat") or self._is_once_more(frame, clause)
            return self._again(frame, clause) if again else self._by_nobody(frame, acting, clause)
        made: list[Mention] = []
        for piece in frame.actors:
            if piece.near and any(not other.near for other in frame.actors):
                self.book.refuse(limits.NONE_HERE, piece)
            elif piece.value.is_person or acting:
                made += self._by(piece, acting, frame)
            else:
                made += self._idle(piece, frame, clause)
        return made

    def _idle(self, piece: Piece, frame: Frame, clause: Clause) -> list[Mention]:
        """A vehicle without a motion: it may say more of an event, share its motion, or wait for one to come."""
        actor: Actor = piece.value
        single = actor.level is None and (actor.count or 1) == 1
        bare = next((each for each in self.group if not each.names and each.kind in EVENT_OF.values()), None)
        if bare is not None and single and (bare.side is None or bare.is_like or not frame.sides):
            bare.names = tuple(name for name in actor.names if name != "any")  # "two cut-ins, first by a car"
            bare.pieces.append(piece)
            self._complete([bare], frame)
            frame.sides, frame.moments = [], []
            return []
        last = self.last if self.last_sentence == clause.sentence else None
        if last is not None and last.kind in EVENT_OF.values() and (frame.sides or frame.moments):
            return self._made(last.kind, piece, frame)  # "a van cuts in from the left, another from the right"
        ahead = actor.is_lead or clause.of("ahead")
        if ahead and single and any(possible(each.value)[0] <= CRAWL_MPS for each in clause.of("speed")):
            return self._made("slow_vehicle", piece, frame)  # "a tractor doing 15 in front of us"
        walks = [motion for motion in frame.motions if motion.value == "walk"]
        roads = {value for each in self.book.said.get("road", ()) for value in each.values}
        roads |= {value for road in clause.of("road") for value in possible(road.value)}
        comes = "intersection" in roads and single and actor.level is None and not actor.is_lead
        crosses = (walks and roads and "merge" not in self.roads) or comes
        if frame.sides and not clause.of("command") and crosses:
            return self._made("crossing_vehicle", piece, frame)  # at a crossing, a car comes out from the right
        if single and not actor.is_lead and frame.moments and len(frame.actors) == 1:
            kind = usual_kind(clause, self.roads, frame.sides)
            if kind is not None and (frame.sides or walks or clause.of("start")):
                return self.waiting.presume(self._made(kind, piece, frame))
        beyond = limits.CANNOT[frame.beyond.value] if frame.beyond else None
        self.waiting.add(piece, clause, beyond)
        self.book.note("a vehicle is there", *frame.motions)
        return []

    def _by(self, piece: Piece, acting: list[str], frame: Frame) -> list[Mention]:
        """The events of one actor, as many as there are of it."""
        actor: Actor = piece.value
        if (
            actor.names == ("pedestrian",) and acting and acting[0] in ("cut_in", "brake", "merge")
        ):  # "somebody cuts in"
            piece = replace(piece, value=replace(actor, names=("any",), is_person=False))
        if actor.is_lead and "halted" in acting:  # "the car in front stopped dead"
            acting = ["brake"]
            self.last = self.last if self.last is None or not self.last.names else None
        kind = piece.value.names[0] if piece.value.is_person else kind_of(acting, self.roads, frame.sides)
        last = self.last
        if last is not None and last.kind == kind and (frame.again or (last.is_bare and not frame.moments)):
            last.pieces += [piece, *frame.motions]  # "a broken-down van blocks the lane", "brake lights: the car stops"
            last.names = last.names or tuple(name for name in piece.value.names if name != "any")
            self._complete([last], frame)
            frame.sides, frame.moments = [], []
            return []
        return self._made(kind, piece, frame)

    def _made(self, kind: str, piece: Piece, frame: Frame) -> list[Mention]:
        """Events of a kind by an actor, as many as there are of it or moments; all take the side."""
        actor: Actor = piece.value
        if (actor.count or 1) > MOST_ALIKE:
            self.book.refuse(f"at most {MOST_ALIKE} do the same in a row", piece, nearest=f"{MOST_ALIKE} of them")
        names = tuple(name for name in actor.names if name != "any")
        often = max(actor.count or 1, len(frame.moments), 1)
        made = [Mention(kind, [], names) for _ in range(int(min(often, MOST_ALIKE)))]
        for mention in made[1:]:
            mention.is_like = True
        made[0].pieces += [*([] if frame.again else [piece]), *frame.motions]
        self._complete(made, frame)
        self.last = made[-1]
        return made

    def _complete(self, made: list[Mention], frame: Frame) -> None:
        moments = frame.moments
        for piece in (*frame.sides, *moments):
            one_each = len(moments) == len(made)
            first = moments.index(piece) if piece in moments and one_each else 0
            takers = made if piece.kind == "side" else made[first : first + 1]
            given = [mention.give(piece) for mention in takers]
            for mention in takers[1:]:
                mention.shares_side = True
            if not any(given):
                why = f"the {made[0].kind.replace('_', ' ')} has one already, which is kept"
                self.book.refuse(why, piece, nearest="two events, one after the other")

    # --- nobody, the ego, and what is denied ----------------------------------------------------------------------

    def _by_thing(self, thing: Piece, frame: Frame, acting: list[str], clause: Clause) -> list[Mention]:
        """ "a deer crosses", "the traffic lights have failed": what is not there does nothing."""
        if thing.kind == "oncoming" and not {"cut_in", "enter"} & set(acting):
            frame.thing = None
            return self._by_nobody(frame, acting, clause)
        if thing.kind == "unknown" and not {"cross", "stopped", "slow"} & set(acting):
            frame.thing = None
            return self._by_nobody(frame, acting, clause)  # of a make that is not listed
        for piece in frame.motions:
            if piece.value == "onto":
                self.book.say("road", piece, ("highway",))
        self.book.refuse(limits.NOT_THERE, *frame.motions, *frame.sides, *frame.moments)
        frame.sides, frame.moments = [], []
        return []

    def _by_nobody(self, frame: Frame, acting: list[str], clause: Clause) -> list[Mention]:
        """A motion by nobody who is named: somebody cuts in, the vehicle ahead brakes; "a crossing" is a place."""
        pronoun, last = bool(clause.of("pronoun")), self.last
        ends = acting[:1] == ["stop"] and clause.is_joined and last is not None and last.kind in TURNING
        if (
            not acting
            or ends
            or (acting[0] in ("stop", "stopped") and (clause.of(*TURNING) or (pronoun and last is None)))
            or (acting == ["stop"] and self._weather_stops(clause))
        ):
            self.book.note("something moves", *frame.motions)  # the rain stops: see turning.py
            return []
        kind = kind_of(acting, self.roads, frame.sides)
        if acting[0] == "join" and last is not None and last.kind == "merging_vehicle" and self._told_now(clause):
            kind = last.kind  # "comes down the slip road and squeezes in"
            if last.moment is None:
                self._complete([last], frame)
                frame.sides, frame.moments = [], []
        halts = set(acting) <= {"stop", "brake"} and self.last_sentence == clause.sentence
        if last is not None and last.kind == "slow_vehicle" and halts and not frame.moments:
            last.kind = kind  # "slows, then stops"
        if last is not None and last.kind == kind and not frame.moments and (not clause.link or halts):
            last.pieces += frame.motions  # "brakes hard and comes to a halt" is one event
            return []
        if (
            acting[0] == "cross"
            and last is not None
            and self._goes_on(last, clause)
            and not (frame.moments and last.moment)
        ):
            last.pieces += frame.motions  # "appears on the right and crosses the road"
            self._complete([last], frame)
            frame.sides, frame.moments = [], []
            return []
        if acting[0] in PLACE_OF and not pronoun:
            self.book.say("road", frame.motions[0], (PLACE_OF[acting[0]],))
            return []
        if acting[0] == "slow" and self.topic is None:
            self.book.refuse(limits.CANNOT["ego_manner"], frame.motions[0])
            return []
        named = self.topic.value.names if self.topic is not None and (pronoun or acting[0] == "slow") else ()
        told_now = last is not None and (self.last_sentence == clause.sentence or not frame.moments)
        names = last.names if last is not None and told_now and kind == "lead_brakes" else ()
        made = [Mention(kind, list(frame.motions), names or tuple(name for name in named if name in VEHICLES))]
        self._complete(made, frame)
        return made

    def _weather_stops(self, clause: Clause) -> bool:
        """ "It rains but stops after 12 s": whether the clause before speaks of weather and of nobody."""
        before = self.book.told[-1].clause if self.book.told else None
        if before is None or before.sentence != clause.sentence or clause.of("ahead") or self.topic is not None:
            return False
        return any(set(possible(piece.value)) - {"clear"} for piece in before.of("weather")) and not before.of("actor")

    def _told_now(self, clause: Clause) -> bool:
        """Whether the event told last is of this sentence."""
        return self.last_sentence == clause.sentence

    def _goes_on(self, last: Mention, clause: Clause) -> bool:
        """Whether who was told of last in the sentence may be who crosses."""
        crosses = last.kind in ("pedestrian", "cyclist", "crossing_vehicle")
        return crosses and self.last_sentence == clause.sentence and clause.link in ("", "next")

    def _is_once_more(self, frame: Frame, clause: Clause) -> bool:
        """ "... at 5 s, and one on the right at 8 s": another side and time for what was told with both."""
        last = self.last
        walks = all(each.value == "walk" for each in frame.motions)  # 六秒后左边又骑过来一辆
        if last is None or last.sentence != clause.sentence or not walks:
            return False
        more = {"motion"} if last.kind in ("pedestrian", "cyclist", "crossing_vehicle") else set()
        if not {each.kind for each in clause.pieces} <= {*_ONCE_MORE, *more}:
            return False
        if clause.is_joined and not frame.sides:  # "at 5 s and 10 s"
            return bool(frame.moments) and not any(each.moment is None for each in self.group or [last])
        if last.side is None or not frame.sides:
            return False
        counted = any(isinstance(each.value, Moment) and each.value.since != "start" for each in frame.moments)
        one_then = clause.link == "next" and bool(clause.of("label"))  # "then one from the right"
        is_new = counted or one_then or (bool(frame.moments) and last.moment is not None)
        shared = any(each.shares_side for each in self.group)
        return is_new and not shared

    def _again(self, frame: Frame, clause: Clause) -> list[Mention]:
        """ "and another one from the left": what was told last, once more."""
        if self.last is None or self.last.kind in TURNING:
            return []
        made = [Mention(self.last.kind, [*clause.of("repeat"), *frame.motions], self.last.names)]
        if clause.is_joined and not frame.sides and not clause.of("repeat"):
            made[0].side = self.last.side
        self._complete(made, frame)
        return made

    def _by_ego(self, frame: Frame) -> list[Mention]:
        for piece in frame.motions:
            if piece.value in PLACE_OF:
                self.book.say("road", piece, (PLACE_OF[piece.value],))
            elif piece.value == "walk":
                self.book.note("the ego drives", piece)
            else:
                self.book.refuse(limits.EGO_ACTS, piece)
        return []

    def _denied(self, frame: Frame, acting: list[str]) -> list[Mention]:
        """ "no cars", "nobody brakes": nothing is staged unless asked for, so only the traffic changes."""
        for piece in frame.actors:
            walks = "any" in piece.value.names and bool(frame.motions)  # "nobody steps onto the road"
            general = not (acting or walks or frame.sides or piece.value.is_lead)
            vehicles = set(piece.value.names) & {"any", *VEHICLES} if general else set()
            if {"any", "car"} & vehicles:
                self.book.say("traffic", piece, ("none",))
            elif vehicles:
                self.book.refuse(limits.WHICH_TRAFFIC.why, piece, nearest="no traffic")
            else:
                self.book.note("no such event", piece)
        for piece in frame.motions:
            if piece.value == "onto" and not frame.actors:
                self.book.deny("road", piece, ("highway",))  # 先别上高速
        self.book.note("no such event", *(each for each in frame.motions if each.value != "onto"), *frame.sides)
        return []


def _parted(told: Told) -> list[Told]:
    """ "before the truck brakes a car cuts in": the first event alone belongs to the conjunction."""
    if told.clause.link not in ("after", "before", "while") or len(told.mentions) < 2 or told.mentions[1].is_like:
        return [told]
    rest = Told(Clause(told.clause.sentence), told.mentions[1:], told.loose)
    return [replace(told, mentions=told.mentions[:1], loose=[]), rest]
