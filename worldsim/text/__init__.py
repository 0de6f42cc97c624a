"""Words: a frozen sentence encoder with a cache, captions written from scene fields, and fields read from words."""

from worldsim.text.captions import caption_from_fields, parse_fields
from worldsim.text.encoder import TEXT_DIM, TextEncoder, TextEncoderMissing, load_table, save_table

__all__ = [
    "TEXT_DIM",
    "TextEncoder",
    "TextEncoderMissing",
    "caption_from_fields",
    "load_table",
    "parse_fields",
    "save_table",
]
