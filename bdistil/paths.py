"""Where things lie: the home of one's own runs and teachers, and what ships with the product."""

import errno
import json
import os
from pathlib import Path
from typing import Any, BinaryIO

from platformdirs import user_data_path

from bdistil.errors import UserError, quoted

MOST_BYTES = 2e9  # of a file that is read whole
MOST_JSON = 64e6
_PACKAGE = Path(__file__).resolve().parent
# The folder of app, pages and assets: inside the package where it was installed from a wheel, else the repository.
DASHBOARD = _PACKAGE / "_dashboard" if (_PACKAGE / "_dashboard").is_dir() else _PACKAGE.parent
ASSETS = DASHBOARD / "assets"
PLAIN_NAMES = "BDISTIL_PLAIN_NAMES"  # in a command's environment: its sentences name options as Python does
DATA_ROOTS = "BDISTIL_DATA_ROOTS"  # the environment's name for folders that the dashboard reads beside its own


def home() -> Path:
    """The folder of runs, teachers and caches: BDISTIL_HOME, else the platform's folder for user data."""
    return Path(os.environ.get("BDISTIL_HOME") or user_data_path("bdistil", appauthor=False)).expanduser()


def data_home() -> Path:
    """The folder that holds all data sets: `$BDISTIL_DATA`, or `datasets` in the user's data directory."""
    given = os.environ.get("BDISTIL_DATA")
    return Path(given).expanduser() if given else user_data_path("bdistil", appauthor=False) / "datasets"


def absolute(path: str | Path) -> Path:
    """The path from the root of the disk, without `..`; ~ is one's home. Raises UserError where it names nobody's."""
    try:
        return Path(os.path.abspath(Path(path).expanduser()))
    except (RuntimeError, ValueError):
        raise UserError(f"{quoted(path)} names no place on this machine: check the path.") from None


def open_regular(path: str | Path) -> BinaryIO:
    """A file open for reading. Raises OSError where it can't be, or is none: a pipe would be waited for."""
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError(errno.EINVAL, "it is no regular file")
    return open(path, "rb")


def read_regular(path: str | Path, most: float = MOST_BYTES) -> bytes:
    """The bytes of a file. Raises OSError where it can't be read, is no regular file, or is larger than `most`."""
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > most:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        return file.read()


def read_json(path: str | Path, most: float = MOST_JSON) -> Any:
    """What a JSON file says. Raises OSError as `read_regular` does, and ValueError for one that is no readable JSON."""
    try:
        return json.loads(read_regular(path, most))
    except RecursionError:
        raise ValueError("brackets within brackets, too many to be read") from None
