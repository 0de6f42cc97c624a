"""The tables, CAN bus, maps and splits of nuScenes: the one module that imports nuscenes-devkit, when it is needed.

Source: github.com/nutonomy/nuscenes-devkit 1.2, schema_nuscenes.md, can_bus/README.md, map_expansion/README.md.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from worldsim.errors import choose

TABLES = (
    "category", "attribute", "visibility", "instance", "sensor", "calibrated_sensor", "ego_pose", "log", "scene",
    "sample", "sample_data", "sample_annotation", "map",
)  # fmt: skip
LOCATIONS = ("singapore-onenorth", "singapore-hollandvillage", "singapore-queenstown", "boston-seaport")
MISSING = "reading nuScenes needs nuscenes-devkit: pip install 'worldsim[nuscenes]'"

Row = dict[str, Any]


def open_tables(root: Path, version: str | None) -> Any:
    """The devkit's ``NuScenes`` of the version folder ``version`` (None: the only one there) below ``root``.

    Raises ValueError, naming the file, where a folder or table is missing or broken; ImportError without the devkit.
    """
    folder = root / find_version(root, version)
    absent = [name for name in TABLES if not (folder / f"{name}.json").is_file()]
    if absent:
        raise ValueError(
            f"nuScenes {folder}: expected the tables {', '.join(f'{name}.json' for name in absent)}, but they do not "
            "exist; all 13 are in the archive of the metadata"
        )
    try:
        from nuscenes.nuscenes import NuScenes
    except ImportError as error:
        raise ImportError(f"{MISSING} ({error})") from error
    try:
        return NuScenes(version=folder.name, dataroot=str(root), verbose=False)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"nuScenes {_broken(folder)}: expected JSON, got {error}; it may have been cut short"
        ) from error
    except KeyError as error:
        raise ValueError(
            f"nuScenes {folder}: a row refers to {error}, which is in none of the tables, or lacks that field; "
            "were tables of several versions mixed?"
        ) from error
    except (AssertionError, TypeError) as error:
        raise ValueError(f"nuScenes {folder}: expected a complete version of the data set, got: {error}") from error


def find_version(root: Path, version: str | None) -> str:
    """``version``, or the only version folder below ``root``; ValueError where there is none, or a choice."""
    if not root.is_dir():
        raise ValueError(f"nuScenes {root}: expected the dataroot, a folder that holds v1.0-*, but it does not exist")
    found = sorted(path.parent.name for path in root.glob("*/scene.json"))
    if not found:
        hint = f"; pass path={root.parent}" if (root / "scene.json").is_file() else ""
        raise ValueError(
            f"nuScenes {root}: expected a version folder such as v1.0-mini with scene.json, got none{hint}"
        )
    if version is None and len(found) > 1:
        raise ValueError(f"nuScenes {root}: expected one version, got {found}; pass nuscenes.version=")
    return found[0] if version is None else choose(version, found, f"version in {root}")


def _broken(folder: Path) -> Path:
    for name in TABLES:
        try:
            json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        except ValueError:
            return folder / f"{name}.json"
    return folder


def official_splits() -> dict[str, list[str]]:
    """Split -> names of its scenes: train, val, test, mini_train, mini_val and others."""
    try:
        from nuscenes.utils.splits import create_splits_scenes
    except ImportError as error:
        raise ImportError(f"{MISSING} ({error})") from error
    return dict(create_splits_scenes())


def can_messages(root: Path, scene: str, message: str) -> list[Row] | None:
    """The CAN bus messages of a scene in the order of the file; None where there are none.

    Raises ValueError, naming the file, where it is not what the devkit reads.
    """
    if not (root / "can_bus").is_dir():
        return None
    from nuscenes.can_bus.can_bus_api import NuScenesCanBus

    path = root / "can_bus" / f"{scene}_{message}.json"
    reader = NuScenesCanBus(dataroot=str(root))
    if not scene.removeprefix("scene-").isdigit() or int(scene[-4:]) in reader.can_blacklist or not path.is_file():
        return None
    try:
        found = reader.get_messages(scene, message, print_warnings=False)
    except (json.JSONDecodeError, UnicodeDecodeError, AssertionError) as error:
        raise ValueError(f"{path}: expected a list of messages, got {error}; it may have been cut short") from error
    if not isinstance(found, list) or not all(isinstance(row, dict) and "utime" in row for row in found):
        raise ValueError(f"{path}: expected a list of messages with `utime`, got another structure")
    return found


def open_map(root: Path, location: str) -> Any | None:
    """The devkit's ``NuScenesMap`` of a location; None where the map expansion is not there.

    Raises ValueError, naming the file, where it cannot be read.
    """
    path = root / "maps" / "expansion" / f"{location}.json"
    if location not in LOCATIONS or not path.is_file():
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nuscenes.map_expansion.map_api import NuScenesMap
    try:
        return NuScenesMap(dataroot=str(root), map_name=location)
    except Exception as error:  # the devkit raises bare Exceptions
        raise ValueError(f"{path}: expected a map of version 1.3 or later, got {error}") from error
