"""The files of a Donkeycar tub, in a folder or in a tar archive that is never unpacked to disk."""

from __future__ import annotations

import tarfile
from pathlib import Path, PurePosixPath
from typing import Protocol


class TubFiles(Protocol):
    """Read access by name, relative to the tub's folder."""

    def catalogs(self) -> list[str]:
        """Names of the catalogs, in the order of their numbers."""
        ...

    def read(self, name: str) -> bytes | None:
        """The file's bytes, or None where there is no such file."""
        ...


def open_files(path: Path) -> TubFiles:
    """The tub in the folder or archive ``path``. Raises ValueError where there is none."""
    if not path.exists():
        raise ValueError(f"Donkeycar tub {path}: expected a tub folder or .tar.gz, but it does not exist")
    return FolderFiles(_find_tub(path)) if path.is_dir() else ArchiveFiles(path)


def _find_tub(path: Path) -> Path:
    """``path`` or the folder just below it that holds a manifest or catalogs; an archive inside is not unpacked."""
    for folder in (path, *sorted(child for child in path.iterdir() if child.is_dir())):
        if (folder / "manifest.json").exists() or any(folder.glob("catalog_*.catalog")):
            return folder
    archives = [child.name for child in path.iterdir() if child.name.endswith((".tar.gz", ".tgz", ".tar"))]
    hint = f"; there is {archives[0]}: pass its path" if archives else ""
    raise ValueError(f"Donkeycar tub {path}: expected manifest.json or catalog_*.catalog, got neither{hint}")


def _order(names: list[str]) -> list[str]:
    """Catalogs in the order of their numbers, without the ``._`` files that macOS adds."""
    numbers = {name: name.removeprefix("catalog_").removesuffix(".catalog") for name in names}
    found = [name for name, number in numbers.items() if name.endswith(".catalog") and number.isdigit()]
    return sorted(found, key=lambda name: int(numbers[name]))


class FolderFiles:
    """Files of a tub in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def catalogs(self) -> list[str]:
        """Names of its catalogs, in order."""
        return _order([path.name for path in self.folder.iterdir()])

    def read(self, name: str) -> bytes | None:
        """What the file ``name`` holds; None where there is none."""
        path = self.folder / name
        return path.read_bytes() if path.is_file() else None


class ArchiveFiles:
    """Files of a tub in a tar archive, read into memory once; nothing is unpacked to disk."""

    def __init__(self, path: Path) -> None:
        members: dict[PurePosixPath, bytes] = {}
        try:
            with tarfile.open(path) as archive:
                for member in archive:
                    name = PurePosixPath(member.name)
                    if member.isfile() and not name.name.startswith("."):
                        handle = archive.extractfile(member)
                        assert handle is not None
                        members[name] = handle.read()
        except (tarfile.TarError, EOFError, OSError) as error:
            raise ValueError(f"Donkeycar tub {path}: expected a readable tar archive, got {error}") from error
        roots = sorted({name.parent for name in members if name.suffix == ".catalog" or name.name == "manifest.json"})
        if not roots:
            raise ValueError(f"Donkeycar tub {path}: expected manifest.json or catalog_*.catalog in it, got neither")
        self.files = {str(name.relative_to(roots[0])): b for name, b in members.items() if roots[0] in name.parents}

    def catalogs(self) -> list[str]:
        """Names of its catalogs, in order."""
        return _order(list(self.files))

    def read(self, name: str) -> bytes | None:
        """What the file ``name`` holds; None where there is none."""
        return self.files.get(name)
