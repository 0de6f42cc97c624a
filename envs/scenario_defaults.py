"""Scenario files that build on others: a ``defaults`` list, composed by Hydra.

    # mine.yaml
    defaults: [night_rain_cut_in, _self_]
    purpose: The same with a truck, in fog.
    weather: fog

Names are those of scenarios that ship, or of files beside it. A later one wins key by key; mappings are merged, lists
replaced whole. ``${key}`` is the value of another key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from worldsim.errors import nearest


def composed(source: Path, values: dict[str, Any], shipped: Path) -> dict[str, Any]:
    """The values of the scenario file ``source`` and of those that its ``defaults`` name; ``shipped`` is a folder.

    Raises ValueError, naming the file, for a name that is neither there nor beside it, and for what Hydra cannot
    compose.
    """
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    origin = f"scenario file {source}"
    if source.suffix != ".yaml":
        raise ValueError(f"{origin}: expected a file that ends in .yaml, for it has `defaults`, which Hydra reads")
    _check(values["defaults"], (source.parent, shipped), origin)
    outer = GlobalHydra.instance().hydra  # a program that uses Hydra itself keeps its own
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(source.resolve().parent), version_base="1.3", job_name="worldsim"):
            found = compose(source.stem, overrides=[f"hydra.searchpath=['file://{shipped.resolve()}']"])
        container = OmegaConf.to_container(found, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(f"{origin}: cannot be composed: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ValueError(f"{origin}: cannot be composed: its `defaults` lead back to itself") from error
    finally:
        GlobalHydra.instance().hydra = outer
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def _check(defaults: Any, folders: tuple[Path, ...], origin: str) -> None:
    if not isinstance(defaults, list) or not all(isinstance(each, str) for each in defaults):
        raise ValueError(
            f"{origin}: key `defaults`: expected a list of scenarios, such as [cut_in, _self_], got {defaults!r}"
        )
    known = sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})
    for each in defaults:
        if each != "_self_" and each not in known:
            raise ValueError(
                f"{origin}: key `defaults`: expected a scenario that ships or a file beside it, got {each!r}"
                f"{nearest(each, known)}"
            )
