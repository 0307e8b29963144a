"""Arrays that took long to make, kept on disk until what they were made from changes."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from bdistil.paths import home

Arrays = dict[str, np.ndarray]


def cached(kind: str, key: Any, make: Callable[[], Arrays], alone: bool = False) -> Arrays:
    """Returns the arrays that `make` gives, from the disk where they were made before under the same `kind` and `key`.

    key: whatever the arrays depend on, as JSON. alone: whether arrays of other keys are outdated then, and go. They lie
    in `cache/KIND` of the home, written whole or not at all; a damaged copy is made anew, and a disk that can't be
    written only costs the time to make them again. Arrays from the disk are read-only, and read as far as used.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
    folder = home() / "cache" / kind / digest
    with suppress(OSError, ValueError, EOFError):
        stored = {file.stem: np.load(file, mmap_mode="r", allow_pickle=False) for file in sorted(folder.glob("*.npy"))}
        if stored:
            return stored
    from bdistil.atomic import new_folder  # here because runs know the data sets

    arrays = make()
    with suppress(OSError), new_folder(folder) as files:
        for name, array in arrays.items():
            np.save(files / f"{name}.npy", array, allow_pickle=False)
    for other in folder.parent.glob("[!.]*") if alone else ():
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    return arrays


def identity(paths: Iterable[Path | str], root: Path) -> list[tuple[str, int, int]]:
    """Returns (name below `root`, bytes, time of the last change in ns) of each file: a changed file differs."""
    found = []
    below = len(os.path.join(root, ""))
    for path in map(str, paths):
        status = os.stat(path) if os.path.exists(path) else os.lstat(path)  # a link may lead nowhere
        found.append((path[below:], status.st_size, status.st_mtime_ns))
    return found
