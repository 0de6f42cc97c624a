"""English inflection: the forms that a word of a text may be listed under in ``english.txt``."""

from __future__ import annotations

from collections.abc import Iterator

_IRREGULAR = {
    "came": "come", "fell": "fall", "fallen": "fall", "got": "get", "grew": "grow", "ran": "run", "began": "begin",
    "begun": "begin", "went": "go", "gone": "go", "rose": "rise", "shone": "shine", "drove": "drive", "lanes": "lane",
    "broke": "break", "broken": "break", "became": "become", "swung": "swing", "took": "take", "slid": "slide",
    "gave": "give", "driven": "drive", "dying": "die", "men": "man", "women": "woman", "children": "child",
    "skies": "sky", "lorries": "lorry", "people": "person", "threw": "throw", "hit": "hit", "darker": "dark",
    "ground": "grind", "thicker": "thick", "foggier": "foggy", "brighter": "bright", "heavier": "heavy",
    "denser": "dense", "lighter": "light", "wetter": "wet",
}  # fmt: skip


def bases(word: str) -> Iterator[str]:
    """Forms that "cuts", "braking", "stopped" or "driver's" may be listed under."""
    if word in _IRREGULAR:
        yield _IRREGULAR[word]
    if "'" in word:
        word = word.partition("'")[0]
        yield word
    for ending, others in (
        ("ies", ("y",)), ("es", ("",)), ("s", ("",)), ("ied", ("y",)), ("ed", ("", "e")), ("ing", ("", "e")),
    ):  # fmt: skip
        stem = word.removesuffix(ending)
        if stem != word and len(stem) > 1:
            yield from (stem + other for other in others)
            if ending in ("ed", "ing") and len(stem) > 2 and stem[-1] == stem[-2]:
                yield stem[:-1]
