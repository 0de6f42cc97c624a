"""Words in: ``parse_scene("rainy night, a truck cuts in from the left after five seconds")`` is a scene to drive.

To add a word, write it into ``english.txt`` or ``chinese.txt``; to add a language, write a file like them and list it
in ``parser.LANGUAGES``. A text goes through these in turn: ``lexicon`` (words), ``taking_back`` (corrections),
``own`` (what the ego does), ``grammar`` with ``shorthand``, ``sayings``, ``phrasing``, ``measures``, ``counted``,
``timelines`` and ``spells`` (phrases, by ``rules``), ``clauses`` and ``asides``, ``reading`` (with ``happenings``,
``deeds``, ``waiting``, ``echoes``, ``turning`` and ``scene``), ``order`` (times), ``settling`` (one scene of it all).
"""

from .endpoint import EndpointConfig, EndpointError, EndpointParser
from .parser import GrammarParser, SceneParser, parse_scene
from .wish import Assumed, SceneWish, Understood, Unsupported

__all__ = [
    "Assumed",
    "EndpointConfig",
    "EndpointError",
    "EndpointParser",
    "GrammarParser",
    "SceneParser",
    "SceneWish",
    "Understood",
    "Unsupported",
    "parse_scene",
]
