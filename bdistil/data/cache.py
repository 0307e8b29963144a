"""Arrays that took long to make, kept on disk until what they were made from changes."""

import hashlib
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from bdistil.paths import home

Arrays = dict[str, np.ndarray]


def cached(kind: str, key: Any, make: Callable[[], Arrays]) -> Arrays:
    """Returns the arrays that `make` gives, from the disk where they were made before under the same `kind` and `key`.

    key: whatever the arrays depend on, as JSON. They lie in `cache/KIND` of the home, written whole or not at all; a
    damaged copy is made anew, and a disk that can't be written only costs the time to make them again.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
    folder = home() / "cache" / kind / digest
    with suppress(OSError, ValueError, EOFError):
        stored = {file.stem: np.load(file, allow_pickle=False) for file in sorted(folder.glob("*.npy"))}
        if stored:
            return stored
    from bdistil.runs.files import new_folder  # here because runs know the data sets

    arrays = make()
    with suppress(OSError), new_folder(folder) as files:
        for name, array in arrays.items():
            np.save(files / f"{name}.npy", array, allow_pickle=False)
    return arrays


def identity(paths: Iterable[Path], root: Path) -> list[tuple[str, int, int]]:
    """Returns (name below `root`, bytes, time of the last change in ns) of each file: a changed file differs."""
    found = []
    for path in paths:
        status = path.stat()
        found.append((path.relative_to(root).as_posix(), status.st_size, status.st_mtime_ns))
    return found
