"""The data sets that can be named, where they are kept, and how they are loaded. To add one: a module and a line here.

Each module of a data set has `INFO`, and `read(folder)` that returns its three splits; one that has files of its own
has also `is_here(folder)` and `fetch(folder, progress)`.
"""

import os
from pathlib import Path

import platformdirs

from bdistil.data import digits, fashion_mnist
from bdistil.data.dataset import Dataset, DatasetInfo
from bdistil.errors import UserError, nearest

_MODULES = {module.INFO.name: module for module in (digits, fashion_mnist)}
CATALOGUE: dict[str, DatasetInfo] = {name: module.INFO for name, module in _MODULES.items()}


def info(name: str) -> DatasetInfo:
    """Returns what is known of the data set `name`; raises UserError with the nearest name if there is none."""
    if name not in CATALOGUE:
        raise UserError(
            f"There is no data set {name!r}.{nearest(name, CATALOGUE)} The data sets are {', '.join(CATALOGUE)}."
        )
    return CATALOGUE[name]


def data_home() -> Path:
    """Returns the folder that holds all data sets: `$BDISTIL_DATA`, or `datasets` in the user's data directory."""
    given = os.environ.get("BDISTIL_DATA")
    return Path(given).expanduser() if given else Path(platformdirs.user_data_dir("bdistil", False)) / "datasets"


def is_here(name: str) -> bool:
    """Says whether the data set `name` can be loaded without a download. Its checksums are checked when it is loaded."""
    return not info(name).download_bytes or _MODULES[name].is_here(data_home())


def fetch(name: str, progress: bool = True) -> Path:
    """Downloads what is missing of the data set `name`, never touching files that are there; returns its folder.

    progress: whether to draw a progress bar on standard error. Raises UserError if there is no network.
    """
    if not info(name).download_bytes:
        return data_home()
    return _MODULES[name].fetch(data_home(), progress)


def load_dataset(name: str) -> Dataset:
    """Reads the data set `name`, after downloading it if it is not here. Raises UserError if it is damaged."""
    known = info(name)
    fetch(name)
    return Dataset.of(known, _MODULES[name].read(data_home()))
