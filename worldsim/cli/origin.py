"""Makes sure that ``envs``, ``agents`` and ``configs`` are this project's and nobody else's.

The three names are generic and the first two exist on PyPI; a stranger of the same name on the
path would be imported in place of ours and fail far from the cause.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

SIBLINGS = ("envs", "agents", "configs")


def check_siblings(names: tuple[str, ...] = SIBLINGS) -> None:
    """Raise ValueError, naming the intruder's path, unless each package lies beside ``worldsim``. Imports nothing."""
    ours = _location("worldsim")
    for name in names:
        found = _location(name)
        if found is None:
            raise ValueError(
                f"the package {name!r} is missing: expected it beside worldsim in {ours and ours.parent}; "
                "install again with: pip install --force-reinstall --no-deps worldsim (or -e . in a clone)"
            )
        if ours is not None and found.parent != ours.parent:
            raise ValueError(
                f"the package {name!r} resolves to {found}, which is not worldsim's: expected {ours.parent / name}. "
                f"Uninstall the other distribution (pip uninstall {name}), rename that folder, "
                "or run from another directory"
            )


def _location(name: str) -> Path | None:
    """Folder of a top-level package, or the file of a top-level module, without importing it."""
    spec = find_spec(name)
    if spec is None:
        return None
    places = list(spec.submodule_search_locations or [])
    if not places and spec.origin is None:
        return None
    return Path(places[0] if places else str(spec.origin)).resolve()
