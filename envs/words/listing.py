"""Lists of alternatives: "one of A, B and C", "no A, B or C", "weather in {rain, snow}", "t = [5, 9] s"."""

from __future__ import annotations

from dataclasses import replace

from ..choices import possible
from . import measures
from .counted import LISTED
from .lexicon import Piece
from .rules import Rule, drop, rule, slash, spanning

FEW = "{0,6}"  # a bound, so that no text takes long
_SOME = "{1,6}"


def union(found: list[Piece]) -> Piece:
    """ "A, B or C": one piece with several values."""
    parts = [piece for piece in found if piece.kind in LISTED]
    if parts[0].kind == "actor":
        names = tuple(dict.fromkeys(name for piece in parts for name in piece.value.names))
        return spanning(found, "actor", replace(parts[0].value, names=names))
    values = tuple(dict.fromkeys(value for piece in parts for value in possible(piece.value)))
    return spanning(found, parts[0].kind, values)


def _denied(found: list[Piece]) -> Piece:
    """ "no A, B or C" as a denial of their union."""
    return spanning(found, "denied", union(found[1:]))


def lists() -> list[Rule]:
    """Once all that is listed is whole."""
    rules = []
    for kind in LISTED:
        denied = f"not {kind} (comma {kind}){FEW} comma? (or|and) {kind} ((or|and) {kind}){FEW}"
        rules.append(rule(f"at? (brace|(?<=at)comma) {kind} ((comma|or|and) {kind}){_SOME} (close|unbrace)", union))
        rules.append(rule(f"choose colon? {kind} (comma? (comma|and|or) {kind}){FEW}", union))
        rules.append(rule(f"{kind} ((comma|and|or){{0,2}} {kind}){FEW} scope? comma? choose", union))
        rules.append(rule(f"{kind} slash (?={kind})", slash))
        rules.append(rule(f"{kind} or at (?={kind})", lambda found: found[:2]))
        rules.append(rule(denied, _denied))
        if kind != "actor":
            rules.append(rule(f"{kind} (comma {kind}){FEW} comma? or {kind}", union))
    rules.append(rule("actor or actor", union))
    rules.append(rule("slash", lambda found: found[0].of("comma")))
    rules.append(rule("(choose|brace|unbrace)", drop))
    return rules


NUMBER_SETS = [
    rule("bracket number (comma|to) number unbracket", measures.number_range),
    rule(f"(brace|(?<=at)comma) number (comma number){_SOME} (close|unbrace)", measures.number_either),
    rule("(bracket|unbracket)", drop),
    rule("lane_word (at|choose|colon){0,2} (?=number (?!unit|lane_word|vehicle|vehicles|person))", lambda f: f[:1]),
]
"""Once numbers are whole."""
