"""Dataclasses as schemas: conversion from nested mappings, conversion back, and description for ``--help``.

A schema is a plain dataclass whose fields may hold bool, int, float, str, Path, Literal, optional
values, lists, tuples, dicts and further dataclasses. ``build`` accepts exactly its keys and types;
everything else is a ValueError that names the source, the key, what is allowed and the nearest name.
"""

from __future__ import annotations

import dataclasses
import inspect
import io
import tokenize
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from worldsim.errors import nearest

T = TypeVar("T")


class UnknownKey(ValueError):
    """A key that a schema does not have."""


def option(default: Any = MISSING, help: str = "", *, factory: Any = MISSING) -> Any:
    """A dataclass field with the sentence that ``worldsim COMMAND --help`` prints for it.

    ``option(16, "clips in a step")``; mutable defaults and nested dataclasses take
    ``option(factory=TokenizerConfig, help="...")``; no default at all makes the key required.
    """
    if isinstance(default, (list, dict, set)):
        raise ValueError(f"option: expected factory=lambda: {default!r} for a mutable default, got the value itself")
    if factory is not MISSING:
        return dataclasses.field(default_factory=factory, metadata={"help": help})
    if default is MISSING:
        return dataclasses.field(metadata={"help": help})
    return dataclasses.field(default=default, metadata={"help": help})


def build(schema: type[T], values: Mapping[str, Any], origin: str | Mapping[str, str] = "config") -> T:
    """An instance of ``schema`` from a nested mapping, such as a checkpoint's config.

    ``origin`` names the source in errors; a mapping from dotted key to source names each key's own.
    """
    return _build(schema, values, "", {"": origin} if isinstance(origin, str) else origin)


def rebuild(schema: type[T], values: Mapping[str, Any], path: Path | str) -> T:
    """``build`` from what the file at ``path`` holds: there, an unknown key means that a newer worldsim wrote it."""
    try:
        return build(schema, values, str(path))
    except UnknownKey as error:
        raise ValueError(
            f"{error}. A newer worldsim wrote this file: update worldsim (`git pull`, or `pip install --upgrade` from "
            "where it was installed), or make the file again with this one"
        ) from error


def plain(value: Any) -> Any:
    """The inverse of ``build``: dataclasses become dicts, tuples lists and paths text, ready for JSON."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _build(schema: type[T], values: Any, path: str, origins: Mapping[str, str], base: Any = None) -> T:
    """``schema`` from ``values``; keys not given come from ``base``, or else from the dataclass defaults."""
    if not isinstance(values, Mapping):
        raise _wrong(path, f"keys of {schema.__name__}", values, origins)
    known = {each.name: each for each in dataclasses.fields(schema) if each.init}  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            where = f"{path}.{key}" if path else str(key)
            raise UnknownKey(
                f"{_origin(where, origins)}: unknown key {where!r}: expected one of {sorted(known)}"
                f"{nearest(key, known)}"
            )
    kinds = typing.get_type_hints(schema)
    arguments: dict[str, Any] = {}
    for key, each in known.items():
        where = f"{path}.{key}" if path else key
        default = getattr(base, key) if base is not None else _default(each)
        if key in values:
            arguments[key] = _convert(kinds[key], values[key], where, origins, None if default is MISSING else default)
        elif default is not MISSING:
            arguments[key] = default
        else:
            needed = each.metadata.get("help", "")
            raise ValueError(f"{where!r} is required{f' ({needed})' if needed else ''}: pass {where}=...")
    return schema(**arguments)


def _default(each: dataclasses.Field[Any]) -> Any:
    return each.default_factory() if each.default_factory is not MISSING else each.default


def _convert(kind: Any, value: Any, path: str, origins: Mapping[str, str], base: Any = None) -> Any:
    """``value`` as ``kind``, or ValueError that names where it came from, what was expected and what came."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        return _convert_union(kind, value, path, origins, base)
    if origin is Literal:
        if value not in arguments:
            raise _wrong(path, type_text(kind), value, origins, nearest(value, arguments))
        return value
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _build(kind, value, path, origins, base if isinstance(base, kind) else None)
    if origin is dict and isinstance(value, Mapping):
        inner = arguments[1]
        return {str(key): _convert(inner, item, f"{path}.{key}", origins) for key, item in value.items()}
    if origin in (list, tuple) and isinstance(value, (list, tuple)):
        return _convert_sequence(kind, list(value), path, origins)
    if kind is bool and isinstance(value, bool):
        return value
    if isinstance(value, bool):
        raise _wrong(path, type_text(kind), value, origins)
    if kind is int and (isinstance(value, int) or (isinstance(value, float) and value.is_integer())):
        return int(value)
    if kind is float and isinstance(value, (int, float)):
        return float(value)
    if kind is str and isinstance(value, (str, int)):
        return str(value)
    if kind is Path and isinstance(value, (str, Path, int)):
        return Path(str(value)).expanduser()
    raise _wrong(path, type_text(kind), value, origins)


def _convert_union(kind: Any, value: Any, path: str, origins: Mapping[str, str], base: Any) -> Any:
    members = [member for member in get_args(kind) if member is not types.NoneType]
    if value is None and len(members) < len(get_args(kind)):
        return None
    if len(members) == 1 and dataclasses.is_dataclass(members[0]):
        return _convert(members[0], value, path, origins, base)
    for member in members:
        try:
            return _convert(member, value, path, origins, base)
        except ValueError:
            continue
    raise _wrong(path, type_text(kind), value, origins)


def _convert_sequence(kind: Any, value: list[Any], path: str, origins: Mapping[str, str]) -> Any:
    arguments = get_args(kind)
    if get_origin(kind) is list or (len(arguments) == 2 and arguments[1] is Ellipsis):
        kinds = [arguments[0]] * len(value)
    elif len(arguments) != len(value):
        raise _wrong(path, type_text(kind), value, origins)
    else:
        kinds = list(arguments)
    converted = [_convert(each, item, path, origins) for each, item in zip(kinds, value, strict=True)]
    return converted if get_origin(kind) is list else tuple(converted)


def _wrong(path: str, expected: str, got: Any, origins: Mapping[str, str], hint: str = "") -> ValueError:
    return ValueError(f"{_origin(path, origins)}: key {path!r}: expected {expected}, got {got!r}{hint}")


def _origin(path: str, origins: Mapping[str, str]) -> str:
    """Who set ``path``: the label of the longest known prefix."""
    while path and path not in origins:
        path = path.rpartition(".")[0]
    return origins.get(path, "config")


@dataclass(frozen=True)
class Key:
    """One key of a schema, as ``worldsim COMMAND --help`` shows it."""

    path: str
    type: str
    default: Any  # dataclasses.MISSING where the key is required
    help: str


def describe(schema: type, values: Mapping[str, Any] | None = None) -> list[Key]:
    """Every key of ``schema``, nested ones dotted; ``values`` (nested) replace the defaults shown."""
    return list(_describe(schema, values or {}, "", None))


def _describe(schema: type, values: Mapping[str, Any], prefix: str, base: Any) -> Iterator[Key]:
    kinds, notes = typing.get_type_hints(schema), _comments(schema)
    for each in dataclasses.fields(schema):
        if not each.init:
            continue
        path, kind = f"{prefix}{each.name}", kinds[each.name]
        default = getattr(base, each.name) if base is not None else _default(each)
        given = values.get(each.name, default)
        inner = _dataclass_in(kind)
        if inner is not None and (isinstance(default, inner) or isinstance(given, Mapping)):
            section = given if isinstance(given, Mapping) else {}
            yield from _describe(inner, section, f"{path}.", default if isinstance(default, inner) else None)
        else:
            yield Key(path, type_text(kind), plain(given), each.metadata.get("help") or notes.get(each.name, ""))


def _comments(schema: type) -> dict[str, str]:
    """Comments that stand behind the fields of ``schema``, for fields that ``option`` does not describe."""
    try:
        source = inspect.getsource(schema)
    except (OSError, TypeError):  # made at run time, or installed without its source
        return {}
    names = {each.name for each in dataclasses.fields(schema)}
    notes: dict[str, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(inspect.cleandoc(source)).readline):
        name = token.line.strip().partition(":")[0]
        if token.type == tokenize.COMMENT and name in names and not token.line.strip().startswith("#"):
            notes.setdefault(name, token.string.lstrip("# "))
    return notes


def type_text(kind: Any) -> str:
    """A type as a reader says it: ``list of int``, ``text or null``, ``one of 'a', 'b'``."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        members = [type_text(member) for member in arguments if member is not types.NoneType]
        return " or ".join(members + (["null"] if types.NoneType in arguments else []))
    if origin is Literal:
        return "one of " + ", ".join(map(repr, arguments))
    if origin is list or (origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis):
        return f"list of {type_text(arguments[0])}"
    if origin is tuple:
        return f"[{', '.join(map(type_text, arguments))}]"
    if origin is dict:
        return f"{{name: {type_text(arguments[1])}}}"
    names: dict[Any, str] = {bool: "true or false", str: "text", Path: "path", int: "int", float: "float"}
    return names.get(kind) or str(getattr(kind, "__name__", kind))


def _dataclass_in(kind: Any) -> type | None:
    """The dataclass that ``kind`` is or may be (``Schema | None``)."""
    members = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    return next((member for member in members if isinstance(member, type) and dataclasses.is_dataclass(member)), None)


def sections(schema: type) -> set[str]:
    """Fields of ``schema`` that are dataclasses themselves."""
    return {name for name, kind in typing.get_type_hints(schema).items() if _dataclass_in(kind) is not None}


def holds_text(schema: type, path: str) -> bool:
    """Whether the field at dotted ``path`` holds text, a path or a Literal, so that its value needs no quotes."""
    kind: Any = schema
    for name in path.split("."):
        inner = _dataclass_in(kind)
        kind = typing.get_type_hints(inner).get(name) if inner else None
    members = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    return any(member in (str, Path) or get_origin(member) is Literal for member in members)
