"""The data sets that can be named, where they are kept, and how they are loaded. To add one: a module and a line here.

A path is a name as well: that of one's own data, which `own` reads, as `OwnData` says where there is something to say.

The module of a data set has `INFO` and three functions of the data home: `is_here`, `fetch` and `read`, which returns
(x, y) or (x, y, people) of each split. Another split of the same files is a data set, and a module, of its own.
"""

from pathlib import Path
from typing import TYPE_CHECKING

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
    speech_commands,
    speech_commands_13,
    speech_commands_35,
    watch,
)
from bdistil.data.dataset import Dataset, DatasetInfo
from bdistil.data.progress import bar
from bdistil.errors import UserError, nearest
from bdistil.paths import absolute, data_home

if TYPE_CHECKING:
    from bdistil.data.reading import OwnData

_ALL = (
    digits,
    fashion_mnist,
    cifar_10,
    cifar_100,
    free_spoken_digits,
    free_spoken_digits_official,
    speech_commands,
    speech_commands_13,
    speech_commands_35,
    japanese_vowels,
    watch,
    dsa_19,
    dsa_19_random,
)
_MODULES = {module.INFO.name: module for module in _ALL}
CATALOGUE: dict[str, DatasetInfo] = {name: module.INFO for name, module in _MODULES.items()}


def info(name: str, options: "OwnData | None" = None) -> DatasetInfo:
    """Returns what is known of the data set `name`, or of one's own data, which is read if it has not been yet.

    Raises UserError with the nearest name if there is none, and as `custom.info` for a path.
    """
    if _is_own(name, options):
        from bdistil.data import custom

        return custom.info(name, options)
    return CATALOGUE[name]


def located(name: str) -> str:
    """The name as a run keeps it: a path from the root of the disk. Raises UserError if there is no such data set."""
    if _is_own(name):
        return str(absolute(name))
    return name


def _is_own(name: str, options: "OwnData | None" = None) -> bool:
    """Whether a path is named. Raises UserError for a name that is not in the catalogue, or options for one that is."""
    if name not in CATALOGUE:
        from bdistil.data import custom  # takes pydantic and Pillow

        if custom.is_path(name):
            return True
        raise UserError(
            f"There is no dataset called {name}.{nearest(name, CATALOGUE)} Choose one of {', '.join(CATALOGUE)}."
        )
    if options is not None:
        raise UserError(f"Options for own data do not go with {name}: leave them out.")
    return False


def is_here(name: str) -> bool:
    """Says whether the data set `name` can be loaded without a download. It is quick: contents are not checked."""
    return Path(located(name)).exists() if _is_own(name) else _MODULES[name].is_here(data_home())


def fetch(name: str, progress: bool = True, options: "OwnData | None" = None) -> Path:
    """Downloads what is missing of the data set `name`, checks all of it, and returns the folder that holds it.

    progress: whether to draw progress bars, of downloading and of reading, on standard error. Files that are there are
    never replaced.
    Raises UserError if there is no network or a file is damaged, or one's own data cannot be used.
    """
    if _is_own(name, options):
        from bdistil.data import custom

        with bar(Path(name).name, progress) as tick:
            return custom.read(name, options, tick)
    folder = _MODULES[name].fetch(data_home(), progress)
    with bar(name, progress):
        _MODULES[name].read(data_home())
    return folder


def recordings(name: str, options: "OwnData | None" = None) -> list[Path]:
    """Returns the recordings behind the test examples of a data set, in their order; none where it has none.

    Examples that no recording lies behind are the last ones.
    """
    if _is_own(name, options):
        from bdistil.data import custom

        return custom.recordings(name, options)
    module = _MODULES[name]
    return module.recordings(data_home()) if hasattr(module, "recordings") else []


def load_dataset(name: str, options: "OwnData | None" = None) -> Dataset:
    """Reads the data set `name`, after downloading what is missing of it. Raises UserError as `fetch` does."""
    if _is_own(name, options):
        from bdistil.data import custom

        return custom.load(name, options)
    _MODULES[name].fetch(data_home(), progress=True)
    return Dataset.of(CATALOGUE[name], _MODULES[name].read(data_home()))


def skipped(name: str, options: "OwnData | None" = None) -> tuple[str, ...]:
    """Says which files of one's own data can't be read and are left out, a sentence each; none of a catalogue's."""
    if not _is_own(name, options):
        return ()
    from bdistil.data import custom

    return custom.unreadable(name, options)
