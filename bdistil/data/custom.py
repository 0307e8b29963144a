"""Somebody's own data: a folder of class folders, a table or an NPZ file, read once and kept until it changes.

pictures or recordings   a folder of class folders (`folders`)
tables of series         CSV or Parquet, a row per time step (`tables`), or class folders of them (`series_folders`)
series                   the .ts files of sktime and aeon (`ts_files`)
arrays                   NPZ with x and y (`arrays`)
"""

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bdistil.data import arrays, audio, folders, series_folders, tables, ts_files
from bdistil.data.cache import cached, identity
from bdistil.data.dataset import SPLITS, Dataset, DatasetInfo
from bdistil.data.imported import TEST, Found
from bdistil.data.reading import OwnData
from bdistil.errors import UserError, quoted
from bdistil.paths import absolute

_known: dict[str, DatasetInfo] = {}  # by the digest of what the data is known by until it changes
_seen: dict[Any, tuple[float, DatasetInfo]] = {}  # by path, options and change of the path itself; and when
_FRESH = 3.0  # seconds; looking at 60,000 files takes one
_glancing: ContextVar[bool] = ContextVar("glancing", default=False)
SERIES_FOLDER = ("subject_pattern", "time", "channels", "window", "overlap")  # options of class folders of tables
_VERSION = 5  # raised whenever the same files would be read otherwise


def is_path(name: str) -> bool:
    """Whether a data set is named by a path: by one that exists, or by one with a folder or a file's ending in it."""
    known = tables.is_table(name) or Path(name).suffix.lower() in (".npz", ".ts")
    return bool(name) and ("/" in name or known or os.path.exists(absolute(name)))


def info(path: str, own: OwnData | None = None) -> DatasetInfo:
    """Returns what is known of the data at `path`, which is read if it has not been yet.

    Its name is a short one for files and runs, and another one whenever the data or the options are. Raises UserError,
    one sentence that names file and row, if it cannot be used.
    """
    root, own = absolute(path), own or OwnData()
    glance = root, own, os.stat(root).st_mtime_ns if os.path.exists(root) else None
    if _glancing.get() and glance in _seen and time.monotonic() - _seen[glance][0] < _FRESH:
        return _seen[glance][1]
    key, find = _finder(root, own)
    digest = _digest(key)
    if digest not in _known:
        _known[digest] = _info(root, digest, find())
    _seen[glance] = time.monotonic(), _known[digest]
    return _known[digest]


@contextmanager
def unchanged() -> Iterator[None]:
    """Inside, `info` looks at each path every few seconds: for pages, which ask often, as folders may be large."""
    token = _glancing.set(True)
    try:
        yield
    finally:
        _glancing.reset(token)


def unreadable(path: str, own: OwnData | None = None) -> tuple[str, ...]:
    """Returns sentences on how it was read, and one for each file that was skipped. Raises UserError as `info` does."""
    found = _finder(absolute(path), own or OwnData())[1]()
    return found.notes + found.unreadable


def notes(path: str, own: OwnData | None = None) -> tuple[str, ...]:
    """Returns sentences on how it was read and what may be amiss. Raises UserError as `info` does."""
    return _finder(absolute(path), own or OwnData())[1]().notes


def recordings(path: str, own: OwnData | None = None) -> list[Path]:
    """Returns the recordings of the test split, in its order; none of other data. Raises UserError as `info` does."""
    root = absolute(path)
    found = _finder(root, own or OwnData())[1]()
    return [root / name for name in found.files[found.split == TEST]] if found.modality == "speech" else []


def load(path: str, own: OwnData | None = None) -> Dataset:
    """Returns the data at `path`. Raises UserError as `info` does."""
    root, own = absolute(path), own or OwnData()
    key, find = _finder(root, own)
    found = find()
    rows = {name: np.flatnonzero(found.split == number) for number, name in enumerate(SPLITS)}

    def by_split(values: np.ndarray | None) -> dict[str, np.ndarray] | None:
        return None if values is None else {name: values[mine] for name, mine in rows.items()}

    splits = {name: (found.x[mine], found.y[mine]) for name, mine in rows.items()}
    people, files = by_split(found.people), by_split(found.files)
    return Dataset.of(_info(root, _digest(key), found), splits, people, files)


def _finder(root: Path, own: OwnData) -> tuple[list[Any], Callable[[], Found]]:
    """What the data is known by until it changes, and a function that reads it, from the disk if it was read before."""
    others: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    if pair := ts_files.files_of(root):
        _only(own, "window", "overlap")
        paths, find = [*pair], lambda: ts_files.read_ts(pair, own)
    elif os.path.isdir(root):
        kinds = series_folders.kinds_of_tables(root)
        _only(own, *(SERIES_FOLDER if kinds else ("side", "subject_pattern", "kind")))
        try:
            listing = folders.scan(root, own.subject_pattern, kinds or folders.MEDIA, own.kind)
        except OSError as error:
            raise UserError(f"{error.filename} can't be read ({error.strerror}): make it readable.") from None
        files, others, notes = listing.files, listing.others, listing.notes
        paths, find = (
            [f"{root}/{file.name}" for file in files],
            lambda: (
                series_folders.read_series_folder(root, files, others, own)
                if kinds
                else folders.read_folder(root, files, others, own.side)
            ),
        )
    elif not os.path.isfile(root):
        raise UserError(f"There is no file or folder {quoted(root)}: check the path.")
    elif tables.is_table(root):
        _only(own, "series", "label", "subject", "time", "channels", "window", "overlap")
        paths, find = [root], lambda: tables.read_table(root, own)
    elif root.suffix.lower() == ".npz":
        _only(own)
        paths, find = [root], lambda: arrays.read_arrays(root)
    else:
        raise UserError(
            f"{quoted(root)} is no folder of class folders and no .csv, .tsv, .txt, .parquet, .ts or .npz "
            "file: give one of these."
        )
    asked = [str(root), own.model_dump()]
    key = [_VERSION, audio.FEATURES, *asked, identity(paths, root.parent), others]

    def found() -> Found:
        read = Found.unpack(cached(f"own/{_digest(asked)}", key, lambda: find().hashed().pack(), alone=True))
        return replace(read, notes=notes + read.notes)  # what is passed over may change, and the data stays the same

    return key, found


def _only(own: OwnData, *fitting: str) -> None:
    """Raises UserError for an option that this kind of data does not have."""
    for name in own.model_fields_set - set(fitting):
        if getattr(own, name) is not None:
            raise UserError(f"`{name}` does not go with this kind of data: leave it out.")


def _digest(key: list[Any]) -> str:
    return hashlib.sha256(repr(key).encode()).hexdigest()[:8]


def _info(root: Path, digest: str, found: Found) -> DatasetInfo:
    stem = re.sub(r"[^a-z0-9]+", "-", root.stem.lower()).strip("-")[:40] or "own"
    train, validation, test = (int((found.split == number).sum()) for number in range(len(SPLITS)))
    skipped = f" {_files(len(found.unreadable))} skipped." if found.unreadable else ""
    return DatasetInfo(
        name=f"{stem}-{digest}",
        title=quoted(root.stem),
        modality=found.modality,
        classes=found.classes,
        input_shape=found.x.shape[1:],
        train=train,
        validation=validation,
        test=test,
        split=found.how + skipped,
        licence="your own",
        source=str(root),
        download_bytes=0,
        preview=True,
        channels=found.channels,
        rate_hz=found.rate_hz,
        sampling_hz=found.sampling_hz,
        front_end=found.front_end,
        people=_people(found),
        checksum=found.checksum,
        counts=_counts(found),
    )


def _counts(found: Found) -> tuple[tuple[int, ...], ...]:
    sides = (found.y[found.split == number] for number in range(len(SPLITS)))
    return tuple(tuple(np.bincount(side, minlength=len(found.classes)).tolist()) for side in sides)


def _people(found: Found) -> str | None:
    """What the split holds out whole: nobody if a person is on two sides."""
    if found.people is None:
        return None
    sides = [set(found.people[found.split == number].tolist()) for number in range(len(SPLITS))]
    if sum(map(len, sides)) > len(set.union(*sides)):
        return None
    return "speaker" if found.modality == "speech" else "subject"


def _files(count: int) -> str:
    return "1 unreadable file was" if count == 1 else f"{count} unreadable files were"
