"""Configuration: dataclasses hold schema and defaults, YAML and the command line only override.

``load`` composes ``configs/NAME.yaml``, the preset it names and ``key=value`` overrides with Hydra,
and converts the result once into a plain dataclass, so that no other module ever sees a Hydra or
OmegaConf object. A later layer wins:

    dataclass defaults  <  configs/preset/PRESET.yaml  <  configs/NAME.yaml  <  key=value

A preset file has one section for each part of the system. The section ``tokenizer`` fills the field
``tokenizer`` of a schema that has one; the section called like the command (``train_tokenizer``)
fills the schema itself; sections of other commands are left alone. A key that no dataclass reads is
a ValueError. Hydra is imported on the first ``load`` only; a schema needs nothing from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, TypeVar

from worldsim.errors import choose, nearest
from worldsim.schema import build, describe, holds_text, option, plain, sections

__all__ = ["Layer", "build", "compose", "load", "opened_groups", "option", "options", "plain", "stacked"]

T = TypeVar("T")

CONFIG_PACKAGE = "configs"
PRESET_GROUP = "preset"
SIZES = ("tiny", "small", "base", "large")
"""The presets that ship, smallest first."""


def load(schema: type[T], name: str | None = None, overrides: Sequence[str] = ()) -> T:
    """An instance of ``schema`` from ``configs/NAME.yaml`` and ``overrides`` such as ``"tokenizer.width=64"``.

    ``name=None`` uses no YAML. Raises ValueError that names the file or the override, the key,
    what is allowed and the nearest name.
    """
    layers = compose(schema, name, overrides)
    origins = {path: layer.label for layer in layers for path in _paths(layer.values)}
    return build(schema, stacked(layers), origins)


@dataclass(frozen=True)
class Layer:
    """Values of one source and how to call that source in an error."""

    label: str
    values: dict[str, Any]


def stacked(layers: Iterable[Layer]) -> dict[str, Any]:
    """The values of all layers in one nested dict; a later layer wins, dict by dict."""
    values: dict[str, Any] = {}
    for layer in layers:
        values = _merged(values, layer.values)
    return values


def options(group: str = "") -> list[str]:
    """Names of the YAML files in ``configs/GROUP``, or in ``configs`` itself; presets by size, others by name."""
    folder = resources.files(CONFIG_PACKAGE) / group
    files = [item.name for item in folder.iterdir()] if folder.is_dir() else []
    names = sorted(name.removesuffix(".yaml") for name in files if name.endswith(".yaml"))
    return sorted(names, key=lambda name: SIZES.index(name) if name in SIZES else len(SIZES))


def compose(schema: type, name: str | None, overrides: Sequence[str]) -> list[Layer]:
    """The layers under ``load``, lowest first; each holds only keys that its source sets."""
    # A group that the YAML opens, such as preset, is chosen by Hydra. Every other key is set here, so that a field may
    # be called like a folder of configs/ (scenario) and a schema need not be one that OmegaConf understands.
    groups = opened_groups(name)
    assigned: list[Layer] = []
    for text in overrides:
        key, value = _parse(text, schema, groups)
        if key in groups:
            groups[key] = choose(str(value), options(key), key)
        else:
            assigned.append(Layer(f"command line, {text}", _nested(key, value)))
    if name is None:
        return assigned
    values = _hydra(name, [f"{key}={value}" for key, value in groups.items() if value is not None])
    fields = {each.name for each in dataclasses.fields(schema)}
    layers = []
    if PRESET_GROUP in groups:
        preset = values.pop(PRESET_GROUP, {})
        fitting = {key: section for key, section in preset.items() if key in sections(schema)}
        own = preset.get(name, {})
        layers.append(Layer(f"configs/{PRESET_GROUP}/{groups[PRESET_GROUP]}.yaml", _merged(fitting, own)))
    chosen = {key: value for key, value in groups.items() if key in fields}
    return [*layers, Layer(f"configs/{name}.yaml", _merged(values, chosen)), *assigned]


def opened_groups(name: str | None) -> dict[str, str | None]:
    """Config groups that ``configs/NAME.yaml`` opens in its defaults list, with what it chooses."""
    if name is None:
        return {}
    import yaml

    path = resources.files(CONFIG_PACKAGE) / f"{choose(name, options(), 'config')}.yaml"
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"configs/{name}.yaml is not valid YAML: {_one_line(error)}") from error
    entries = [entry for entry in loaded.get("defaults", []) if isinstance(entry, dict)]
    return {key.removeprefix("optional "): value for entry in entries for key, value in entry.items()}


def _hydra(name: str, choices: list[str]) -> dict[str, Any]:
    """``configs/NAME.yaml`` with its groups and interpolations resolved, as a plain dict."""
    import yaml
    from hydra import compose as hydra_compose
    from hydra import initialize_config_module
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    outer = GlobalHydra.instance().hydra  # a program that uses Hydra itself keeps its own
    GlobalHydra.instance().clear()
    try:
        with initialize_config_module(config_module=CONFIG_PACKAGE, version_base="1.3", job_name="worldsim"):
            composed = hydra_compose(config_name=name, overrides=choices)
        container = OmegaConf.to_container(composed, resolve=True)
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise ValueError(f"configs/{name}.yaml cannot be composed: {_one_line(error)}") from error
    finally:
        GlobalHydra.instance().hydra = outer
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def _parse(text: str, schema: type, groups: Mapping[str, str | None]) -> tuple[str, Any]:
    """Key and value of ``key=value`` in Hydra's grammar; the value of a text field is taken as it stands."""
    key, separator, raw = text.partition("=")
    key = key.strip()
    if not separator or not key.replace(".", "").replace("_", "").isalnum():
        keys = [*groups, *(each.path for each in describe(schema))]
        raise ValueError(f"{text!r}: expected key=value, such as {keys[0]}=...{nearest(key.strip('-+~'), keys)}")
    if key in groups or (holds_text(schema, key) and raw != "null" and raw[:1] not in ("'", '"')):
        return key, raw
    return key, _value(text, key, raw)


def _value(text: str, key: str, raw: str) -> Any:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        parsed = OverridesParser.create().parse_override(f"{key}={raw}")
    except HydraException as error:
        raise ValueError(
            f"{text!r}: {raw!r} is not a value; a list is written {key}=[1,2], "
            f"text with commas or brackets in two pairs of quotes, \"{key}='...'\""
        ) from error
    if parsed.is_sweep_override():
        raise ValueError(
            f"{text!r}: expected one value, got several; a list is written {key}=[{raw}], "
            "and --multirun takes each in turn"
        )
    return _unquoted(parsed.value())


def _unquoted(value: Any) -> Any:
    """Hydra marks quoted text with a class of its own; take the text out of it, also inside lists and dicts."""
    from hydra.core.override_parser.types import QuotedString

    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, list):
        return [_unquoted(item) for item in value]
    if isinstance(value, dict):
        return {str(_unquoted(key)): _unquoted(item) for key, item in value.items()}
    return value


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _nested(key: str, value: Any) -> dict[str, Any]:
    head, _, rest = key.partition(".")
    return {head: _nested(rest, value) if rest else value}


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``above`` over ``below``, dict by dict; lists and scalars are replaced whole."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        result[key] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def _paths(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        yield f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _paths(value, f"{prefix}{key}.")
