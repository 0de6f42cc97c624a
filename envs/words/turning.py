"""Weather and time of day that turn: "it starts to rain", "the fog lifts", "day to night", 雨转雪."""

from __future__ import annotations

from ..choices import possible
from .book import TURNING, Book, Mention, Said, turning_key
from .clauses import Clause
from .lexicon import Piece
from .measures import Moment


def turnings(clause: Clause, book: Book, led: bool) -> tuple[list[Mention], list[Piece]]:
    """What turns in a clause, and the pieces that say so. ``led``: an "after ..." stands before it."""
    named, becoming = clause.of(*TURNING), clause.of("becomes")
    if _not_yet(clause, book):
        return [_denied_before(book)], []
    stops = [piece for piece in clause.of("motion") if "stop" in piece.value]
    ends = [piece for piece in (*clause.of("over"), *stops) if not _by_another(piece, clause)]
    if (spell := _spell(clause, named)) is not None:
        return spell, named
    begins = [piece for piece in clause.of("start") if not _by_another(piece, clause)]
    verbs = [*ends, *begins, *(piece for piece in clause.of("turn") if _turns(piece, clause))]
    if (gone := _gone(clause, named, book)) is not None:
        return [gone], named
    if clause.of("not", "stronger") or clause.link == "first" or clause.of("actor") or _begins_so(clause):
        return [], []
    if clause.link == "before" and (lasting := _lasts(clause, named, book)) is not None:
        return lasting, named
    if not clause.of("moment", "length") and _goes_on(clause, becoming or named, verbs, book):
        return [], [*named, *becoming]
    if ends and not named and not becoming:
        return _it_ends(clause, ends, book)
    if not (becoming or (named and (verbs or _is_later(clause, led or _dated_before(clause, book))))):
        return [], []
    if clause.link == "earlier" and (was := _was_before(clause, named, book)):
        return [], was
    if _stays(clause, becoming or named, book):
        return [], [*named, *becoming, *verbs]
    made = [Mention(turning_key(piece.value), [piece], to=piece.value) for piece in becoming]
    for key in TURNING:
        values = [piece for piece in named if piece.kind == key]
        if not values:
            continue
        changes = bool(clause.of("turn")) and len(values) > 2  # "from day to dusk to night"
        before, after = (values[:1], values[1:]) if changes else (values[:-1], values[-1:])
        if any(mention.kind == key for mention in made):
            before, after = values, []
        elif ends and len(values) == 1:
            before, after = values, []
            to = "clear" if key == "weather" else "night" if values[0].value == "dusk" else "day"
            made.append(Mention(key, [*values, *ends], to=to))
        for piece in before:
            _was(key, piece, book)
        made += [Mention(key, [piece, *verbs], to=piece.value) for piece in after]
    return made, [*named, *becoming, *verbs]


def _spell(clause: Clause, named: list[Piece]) -> list[Mention] | None:
    """ "Rain from 10 s to 20 s" begins and ends."""
    spans = [piece for piece in clause.of("span") if piece.value[1] in ("s", "m")]
    if (
        len(spans) != 1
        or [piece.kind for piece in named] != ["weather"]
        or clause.of("start", "turn", "over", "motion")
    ):
        return None
    time, unit = spans[0].value
    begins = Mention("weather", [named[0], spans[0]], to=named[0].value, moment=Moment(time.min, unit, "start"))
    return [begins, Mention("weather", [spans[0]], to="clear", moment=Moment(time.max, unit, "start"))]


def _was_before(clause: Clause, named: list[Piece], book: Book) -> list[Piece]:
    """ "Night from 20 s, dusk before that": how it was until the turning told last."""
    told = [mention for each in book.told[-1:] for mention in each.mentions]
    alone = not clause.of("moment", "length", "start", "turn", "over") and clause.offset is None
    if len(named) != 1 or not alone or [mention.kind for mention in told] != [named[0].kind]:
        return []
    if sum(mention.kind == named[0].kind for each in book.told for mention in each.mentions) > 1:
        return []
    book.implied.setdefault(named[0].kind, Said(named[0], tuple(possible(named[0].value))))
    return named


def _turns(piece: Piece, clause: Clause) -> bool:
    """Whether a verb stands beside what it turns to: not "we get a flat tyre in the fog"."""
    kinds = ("unknown", "cannot", "road", "lanes", *TURNING, piece.kind)
    between = [each for each in clause.pieces if each.kind in kinds]
    place = between.index(piece)
    return any(each.kind in TURNING for each in (*between[max(place - 1, 0) : place], *between[place + 1 : place + 2]))


def _by_another(verb: Piece, clause: Clause) -> bool:
    """ "ESP kicks in in the rain", 大雨天雨刮坏了: what stands right before the verb is no weather."""
    place = clause.pieces.index(verb)
    before, after = clause.pieces[:place][-1:], clause.pieces[place + 1 : place + 2]
    others = any(piece.kind in ("unknown", "cannot") for piece in before)
    return others and not any(piece.kind in (*TURNING, "becomes") for piece in after)


def _not_yet(clause: Clause, book: Book) -> bool:
    """ "Not raining yet, but it will after 12 s": only a time is said, after weather that is denied."""
    before = book.told[-1].clause if book.told else None
    if before is None or before.sentence != clause.sentence or "weather" not in book.denied:
        return False
    kinds = [piece.kind for piece in clause.pieces]
    return "moment" in kinds and set(kinds) <= {"moment", "pronoun", "at"} and bool(before.of("weather", "denied"))


def _gone(clause: Clause, named: list[Piece], book: Book) -> Mention | None:
    """第9秒没有雨了: weather that was there, denied with a time, ends."""
    dated = clause.of("moment", "length")
    if not dated or not clause.of("not") or clause.of("actor") or [piece.kind for piece in named] != ["weather"]:
        return None
    told = [mention.to for each in book.told for mention in each.mentions if mention.kind == "weather"]
    was = {value for said in book.said.get("weather", ()) for value in said.values} | set(told)
    was |= set(book.implied["weather"].values) if "weather" in book.implied else set()
    if named[0].value == "clear" or named[0].value not in was:
        return None
    return Mention("weather", [*named, *clause.of("not")], to="clear")


def _denied_before(book: Book) -> Mention:
    said = book.denied["weather"][-1]
    return Mention("weather", [said.piece], to=said.values[0] if len(said.values) == 1 else said.values)


def _stays(clause: Clause, named: list[Piece], book: Book) -> bool:
    """ "Rain up to second 12, clear from then on", 雾散了，天晴了: the turning just told, said again."""
    told = [mention for each in book.told[-1:] for mention in each.mentions]
    if len(named) != 1 or clause.of("moment", "length") or not told or told[-1].kind not in TURNING:
        return False
    if told[-1].to != named[0].value or clause.link not in ("later", "next", ""):
        return False
    told[-1].pieces.append(named[0])
    return True


def said_again(clause: Clause, book: Book) -> list[Piece]:
    """ "The mist withdrew, and there was the crossroads under a clear sky": what it has turned to in the sentence."""
    again = []
    told = [each for each in book.told if each.clause.sentence == clause.sentence]
    turned = {mention.kind: mention for each in told for mention in each.mentions if mention.kind in TURNING}
    for piece in clause.of(*TURNING):
        mention = turned.get(piece.kind)
        if mention is not None and mention.to == piece.value and not clause.of("moment", "length", "not"):
            mention.pieces.append(piece)
            again.append(piece)
    return again


def _begins_so(clause: Clause) -> bool:
    """ "The weather starts clear": only what was not there can start, and clear weather is not said to."""
    pieces = [piece for piece in clause.pieces if piece.kind in ("start", "turn", "over", *TURNING)]
    return [piece.kind for piece in pieces] == ["start", "weather"] and pieces[1].value == "clear"


def _is_later(clause: Clause, led: bool) -> bool:
    """Whether a clause that only names weather speaks of a time to come: "fog at 20 s", "then snow"."""
    alone = len(clause.of("length", *TURNING)) == len(clause.pieces)  # "5 s fog", and not "30 s of foggy highway"
    dated = bool(clause.of("moment")) or (bool(clause.of("length")) and alone)
    return dated or led or clause.link in ("next", "later", "before", "pre", "earlier")


def _dated_before(clause: Clause, book: Book) -> bool:
    """ "By day; at ten seconds, twilight": a time, and then only what is to be at that time, where it was otherwise."""
    before = book.told[-1] if book.told else None
    keys = {piece.kind for piece in clause.pieces}
    if before is None or before.clause.sentence != clause.sentence or len(keys) != 1 or not keys <= set(TURNING):
        return False
    (key,) = keys
    later = before.clause.link in ("next", "later") and any(each.mentions for each in book.told)
    if _only_dated(before.clause) and (later or any(each.value.since == "last" for each in before.clause.of("moment"))):
        return True  # "two seconds after that, rain", "then, at 30 s, dusk"
    return _only_dated(before.clause) and (key in book.said or key in book.implied or book.was_told(key))


def _only_dated(clause: Clause, *kinds: str) -> bool:
    return bool(clause.pieces) and all(piece.kind in ("moment", "length", "at", *kinds) for piece in clause.pieces)


def _lasts(clause: Clause, named: list[Piece], book: Book) -> list[Mention] | None:
    """ "It rains until second 15": the weather said before ends, and what is told next comes after that.

    "Day until 15 s, dusk until 30 s, then night": what it turns to is what the next clause names; see ``_goes_on``.
    """
    if not clause.of("moment", "length") or clause.of("actor", "motion", "becomes", "start", "turn", "over"):
        return None
    before = book.told[-1] if book.told else None
    if named:  # t<16s晴
        _was(turning_key(named[0].value), named[0], book)
    elif before is not None and (before.clause.of(*TURNING) or before.clause.of("becomes")):
        named = before.clause.of(*TURNING, "becomes")
    if not named or not _only_dated(clause, *TURNING):
        return None
    clause.opener = None
    key, was = turning_key(named[-1].value), possible(named[-1].value)
    return [Mention(key, [], to="clear" if key == "weather" and list(was) != ["clear"] else None)]


def _goes_on(clause: Clause, named: list[Piece], verbs: list[Piece], book: Book) -> bool:
    """ "... until 15 s, dusk": what the turning told last, of which only the time is known, turns to."""
    told = [mention for each in book.told[-2:] for mention in each.mentions]
    if len(named) != 1 or not told or told[-1].kind != turning_key(named[0].value) or told[-1].names:
        return False
    last = told[-1]
    if last.moment is None or last.pieces[:-1] or last.is_like:
        return False
    last.to = named[0].value
    last.pieces += [*named, *verbs]
    return True


def _it_ends(clause: Clause, ends: list[Piece], book: Book) -> tuple[list[Mention], list[Piece]]:
    """ "Rain starts at 10 s and ends at 40 s", "drizzle. Then it stops": the weather told last."""
    turned = [mention for told in book.told[-1:] for mention in told.mentions if mention.kind == "weather"]
    if turned and turned[-1].to == "clear" and not clause.of("moment", "length"):
        turned[-1].pieces += ends  # "rain until halfway, then it clears"
        return [], ends
    bad = [each for each in book.said.get("weather", ()) if set(each.values) - {"clear"}]
    if not (bad or book.was_told("weather")) or not (clause.of("pronoun", "moment", "length") or clause.is_joined):
        return [], []
    return [Mention("weather", list(ends), to="clear")], ends


def _was(key: str, piece: Piece, book: Book) -> None:
    """ "rain turns to snow": it rains before, unless it turned before."""
    if key in book.implied or book.was_told(key):
        book.note("what it was before", piece)
    else:
        book.implied[key] = Said(piece, tuple(possible(piece.value)))
