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
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bdistil.data import arrays, audio, folders, series_folders, tables, ts_files
from bdistil.data.cache import cached, identity
from bdistil.data.dataset import SPLITS, Dataset, DatasetInfo
from bdistil.data.imported import TEST, ImportedData
from bdistil.data.progress import Tick, silent
from bdistil.data.reading import OwnData
from bdistil.errors import UserError, quoted
from bdistil.paths import absolute

FRESH = 3.0  # seconds for which `info` takes a folder as it was: pages ask often, and looking at 60,000 files takes one
SERIES_FOLDER = ("subject_pattern", "time", "channels", "window", "overlap")  # options of class folders of tables
_VERSION = 5  # raised whenever the same files would be read otherwise


def is_path(name: str) -> bool:
    """Whether a data set is named by a path: by one that exists, or by one with a folder or a file's ending in it."""
    known = tables.is_table(name) or Path(name).suffix.lower() in (".npz", ".ts")
    return bool(name) and ("/" in name or known or os.path.exists(absolute(name)))


@dataclass(frozen=True)
class _Source:
    """Data as it was when it was looked at.

    digest: of what it is known by until it changes. find: reads it, and says how far it is.
    """

    root: Path
    digest: str
    find: Callable[[Tick], ImportedData] = field(compare=False)


def info(path: str, own: OwnData | None = None) -> DatasetInfo:
    """Returns what is known of the data at `path`, which is read if it has not been yet.

    Its name is a short one for files and runs, and another one whenever the data or the options are; a change within a
    folder is noticed after `FRESH` seconds. Raises UserError, one sentence that names file and row, if it cannot be
    used.
    """
    root = absolute(path)
    changed = os.stat(root).st_mtime_ns if os.path.exists(root) else None
    slot = time.monotonic() // FRESH if os.path.isdir(root) else time.monotonic()
    return _info(_looked_at(root, own or OwnData(), changed, slot))


@lru_cache(maxsize=64)
def _looked_at(root: Path, own: OwnData, changed: int | None, slot: float) -> _Source:
    # The time of the root's last change, and when it was looked at, are the cache's key only.
    return _source(root, own)


def read(path: str, own: OwnData | None = None, tick: Tick = silent) -> Path:
    """Reads the data at `path` if it has not been read yet, saying how far it is; returns where it is.

    Raises UserError as `info` does.
    """
    source = _source(absolute(path), own or OwnData())
    source.find(tick)
    return source.root


def unreadable(path: str, own: OwnData | None = None) -> tuple[str, ...]:
    """Returns sentences on how it was read, and one for each file that was skipped. Raises UserError as `info` does."""
    found = _source(absolute(path), own or OwnData()).find(silent)
    return found.notes + found.unreadable


def notes(path: str, own: OwnData | None = None) -> tuple[str, ...]:
    """Returns sentences on how it was read and what may be amiss. Raises UserError as `info` does."""
    return _source(absolute(path), own or OwnData()).find(silent).notes


def recordings(path: str, own: OwnData | None = None) -> list[Path]:
    """Returns the recordings of the test split, in its order; none of other data. Raises UserError as `info` does."""
    root = absolute(path)
    found = _source(root, own or OwnData()).find(silent)
    if found.modality != "speech" or found.files is None:
        return []
    return [root / name for name in found.files[found.split == TEST]]


def load(path: str, own: OwnData | None = None) -> Dataset:
    """Returns the data at `path`. Raises UserError as `info` does."""
    source = _source(absolute(path), own or OwnData())
    found = source.find(silent)
    rows = {name: np.flatnonzero(found.split == number) for number, name in enumerate(SPLITS)}

    def by_split(values: np.ndarray | None) -> dict[str, np.ndarray] | None:
        return None if values is None else {name: values[mine] for name, mine in rows.items()}

    splits = {name: (found.x[mine], found.y[mine]) for name, mine in rows.items()}
    people, files = by_split(found.people), by_split(found.files)
    return Dataset.of(_described(source, found), splits, people, files)


def _source(root: Path, own: OwnData) -> _Source:
    """Looks at the data; what it is read by finds it on the disk if it was read before."""
    paths: list[str]
    find: Callable[[Tick], ImportedData]
    others: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    if pair := ts_files.files_of(root):
        _only(own, "window", "overlap")
        paths, find = [*map(str, pair)], lambda tick: ts_files.read_ts(pair, own)
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
            lambda tick: (
                series_folders.read_series_folder(root, files, others, own, tick)
                if kinds
                else folders.read_folder(root, files, others, own.side, tick)
            ),
        )
    elif not os.path.isfile(root):
        raise UserError(f"There is no file or folder {quoted(root)}: check the path.")
    elif tables.is_table(root):
        _only(own, "series", "label", "subject", "time", "channels", "window", "overlap")
        paths, find = [str(root)], lambda tick: tables.read_table(root, own)
    elif root.suffix.lower() == ".npz":
        _only(own)
        paths, find = [str(root)], lambda tick: arrays.read_arrays(root)
    else:
        raise UserError(
            f"{quoted(root)} is no folder of class folders and no .csv, .tsv, .txt, .parquet, .ts or .npz "
            "file: give one of these."
        )
    asked = [str(root), own.model_dump()]
    key = [_VERSION, audio.FEATURES, *asked, identity(paths, root.parent), others]

    def found(tick: Tick) -> ImportedData:
        read = ImportedData.unpack(cached(f"own/{_digest(asked)}", key, lambda: find(tick).hashed().pack(), alone=True))
        return replace(read, notes=notes + read.notes)  # what is passed over may change, and the data stays the same

    return _Source(root, _digest(key), found)


def _only(own: OwnData, *fitting: str) -> None:
    """Raises UserError for an option that this kind of data does not have."""
    for name in own.model_fields_set - set(fitting):
        if getattr(own, name) is not None:
            raise UserError(f"`{name}` does not go with this kind of data: leave it out.")


def _digest(key: list[Any]) -> str:
    return hashlib.sha256(repr(key).encode()).hexdigest()[:8]


@lru_cache(maxsize=256)
def _info(source: _Source) -> DatasetInfo:
    return _described(source, source.find(silent))


def _described(source: _Source, found: ImportedData) -> DatasetInfo:
    root = source.root
    stem = re.sub(r"[^a-z0-9]+", "-", root.stem.lower()).strip("-")[:40] or "own"
    train, validation, test = (int((found.split == number).sum()) for number in range(len(SPLITS)))
    skipped = f" {_files(len(found.unreadable))} skipped." if found.unreadable else ""
    return DatasetInfo(
        name=f"{stem}-{source.digest}",
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


def _counts(found: ImportedData) -> tuple[tuple[int, ...], ...]:
    sides = (found.y[found.split == number] for number in range(len(SPLITS)))
    return tuple(tuple(np.bincount(side, minlength=len(found.classes)).tolist()) for side in sides)


def _people(found: ImportedData) -> str | None:
    """What the split holds out whole: nobody if a person is on two sides."""
    if found.people is None:
        return None
    sides = [set(found.people[found.split == number].tolist()) for number in range(len(SPLITS))]
    if sum(map(len, sides)) > len(set.union(*sides)):
        return None
    return "speaker" if found.modality == "speech" else "subject"


def _files(count: int) -> str:
    return "1 unreadable file was" if count == 1 else f"{count} unreadable files were"
