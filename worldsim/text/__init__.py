"""Words: a frozen sentence encoder with a cache, and captions written from scene fields."""

from worldsim.text.captions import caption_from_fields
from worldsim.text.encoder import TEXT_DIM, TextEncoder, TextEncoderMissing, load_table, save_table

__all__ = [
    "TEXT_DIM",
    "TextEncoder",
    "TextEncoderMissing",
    "caption_from_fields",
    "load_table",
    "save_table",
]
