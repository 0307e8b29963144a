"""The data sets that can be named, where they are kept, and how they are loaded. To add one: a module and a line here.

The module of a data set has `INFO` and three functions of the data home: `is_here`, `fetch` and `read`, which returns
(x, y) or (x, y, people) of each split. Another split of the same files is a data set, and a module, of its own.
"""

import os
from pathlib import Path

import platformdirs

from bdistil.data import (
    cifar_10,
    cifar_100,
    digits,
    dsa_19,
    dsa_19_random,
    fashion_mnist,
    free_spoken_digits,
    free_spoken_digits_official,
    japanese_vowels,
    watch,
)
from bdistil.data.dataset import Dataset, DatasetInfo
from bdistil.errors import UserError, nearest

_ALL = (
    digits,
    fashion_mnist,
    cifar_10,
    cifar_100,
    free_spoken_digits,
    free_spoken_digits_official,
    japanese_vowels,
    watch,
    dsa_19,
    dsa_19_random,
)
_MODULES = {module.INFO.name: module for module in _ALL}
CATALOGUE: dict[str, DatasetInfo] = {name: module.INFO for name, module in _MODULES.items()}


def info(name: str) -> DatasetInfo:
    """Returns what is known of the data set `name`; raises UserError with the nearest name if there is none."""
    if name not in CATALOGUE:
        raise UserError(
            f"There is no dataset called {name}.{nearest(name, CATALOGUE)} Choose one of {', '.join(CATALOGUE)}."
        )
    return CATALOGUE[name]


def data_home() -> Path:
    """Returns the folder that holds all data sets: `$BDISTIL_DATA`, or `datasets` in the user's data directory."""
    given = os.environ.get("BDISTIL_DATA")
    return Path(given).expanduser() if given else platformdirs.user_data_path("bdistil", appauthor=False) / "datasets"


def is_here(name: str) -> bool:
    """Says whether the data set `name` can be loaded without a download. It is quick: contents are not checked."""
    info(name)
    return _MODULES[name].is_here(data_home())


def fetch(name: str, progress: bool = True) -> Path:
    """Downloads what is missing of the data set `name`, checks all of it, and returns the folder that holds it.

    progress: whether to draw a progress bar on standard error. Files that are there are never replaced.
    Raises UserError if there is no network or a file is damaged.
    """
    info(name)
    folder = _MODULES[name].fetch(data_home(), progress)
    _MODULES[name].read(data_home())
    return folder


def recordings(name: str) -> list[Path]:
    """Returns the recordings behind the test examples of a data set, in their order; none where it has none."""
    module = _MODULES.get(name)
    return module.recordings(data_home()) if hasattr(module, "recordings") else []


def load_dataset(name: str) -> Dataset:
    """Reads the data set `name`, after downloading what is missing of it. Raises UserError as `fetch` does."""
    known = info(name)
    _MODULES[name].fetch(data_home(), progress=True)
    return Dataset.of(known, _MODULES[name].read(data_home()))
