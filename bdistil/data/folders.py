"""A folder of class folders, of pictures or of recordings: what is in it, and reading it.

    ROOT/CLASS/…          split here, by whole persons where file names tell them
    ROOT/train/CLASS/…    with test/ and, if it is there, val/ beside it, or as others call them: the split is kept;
                          where there is no test/, val/ is the test split

Nothing outside of the folder is read: links that lead out of it count as unreadable. So do files of kinds that are not
read; notes beside the pictures or recordings do not.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bdistil.data import audio, pictures
from bdistil.data.dataset import SPLITS
from bdistil.data.imported import TRAIN, Found, numbered, split_anew, split_validation
from bdistil.errors import UserError

RECORDINGS = frozenset({".flac", ".wav"})
MEDIA = pictures.SUFFIXES | RECORDINGS
_NOTES = frozenset({".csv", ".db", ".html", ".ini", ".json", ".log", ".md", ".tsv", ".txt", ".xml", ".yaml", ".yml"})
_SPLIT_FOLDERS = {"train": "train", "training": "train", "val": "validation", "valid": "validation",
                  "validation": "validation", "dev": "validation", "test": "test", "testing": "test"}  # fmt: skip
_UNREADABLE_SHARE = 0.01  # of all files: more of them is no accident
_SIDES = (8, 64)
_LONGEST_SECONDS = 5.0
_MOST_RECORDINGS = 95  # per cent that are heard to their end
_THREADS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True)
class File:
    """A picture or recording: its name below the root, its class, its split where folders say it, its person."""

    name: str
    label: str
    split: str | None
    person: str | None


def scan(root: Path, subject_pattern: str | None,
         kinds: frozenset[str] = MEDIA) -> tuple[list[File], tuple[str, ...]]:  # fmt: skip
    """Lists the pictures or recordings below a folder, sorted by name, and a sentence for each other file in it.

    kinds: endings of the files to list, if others. Reads none of them. Raises UserError, one sentence, where folders
    are no class folders, or persons are missing.
    """
    person_in = _person_finder(subject_pattern)
    files, others = [], []
    for split, part in _parts(root).items():
        classes = _subfolders(part)
        if split and not classes:
            raise UserError(f"{part} holds no class folders: add those of train.")
        _check_names(part, classes)
        for folder in classes:
            above, found = folder.relative_to(root).as_posix(), list(_listed(folder, kinds))
            mine = [File(f"{above}/{name}", folder.name, split, person_in(name)) for name, why in found if not why]
            others += [f"{above}/{name} {why}" for name, why in found if why]
            if not mine:
                nothing = "no picture and no recording" if kinds == MEDIA else "no table"
                raise UserError(f"The class folder {above} of {root} holds {nothing}: fill it or "
                                f"remove it{f', for {others[-1]}' if found else '.'}")  # fmt: skip
            files += mine
    _check_classes(root, files, "pictures or recordings" if kinds == MEDIA else "tables")
    return files, tuple(others)


def _parts(root: Path) -> dict[str | None, Path]:
    """The folder of each split that is there; of None where it is to be split here. Raises UserError for half of it."""
    folders = _subfolders(root)
    split_of = {folder: _SPLIT_FOLDERS.get(folder.name.casefold()) for folder in folders}
    named = [folder for folder in folders if split_of[folder] and _subfolders(folder)]
    if not any(split_of[folder] == "train" for folder in named):
        if named or (folders and all(split_of.values())):
            raise UserError(f"{root} has the folder {(named or folders)[0].name}, called like a split, and no folder "
                            "train of class folders: add one, or rename it.")  # fmt: skip
        return {None: root}
    other = [folder.name for folder in folders if not split_of[folder]]
    if other:
        raise UserError(f"{root} has the folder {other[0]} beside train, where only val and test may be: move it.")
    parts: dict[str | None, Path] = {}
    for folder in folders:
        if parts.setdefault(split_of[folder], folder) != folder:
            raise UserError(f"{root} has two folders for {split_of[folder]}: keep one of them.")
    if "test" not in parts:
        if "validation" not in parts:
            raise UserError(f"{root} has no folder test or val beside {parts['train'].name}: add one, or give "
                            f"{parts['train']} as the data to have it split.")  # fmt: skip
        parts["test"] = parts.pop("validation")
    return parts


def read_folder(root: Path, files: list[File], others: tuple[str, ...], side: int | None) -> Found:
    """Reads the files that `scan` has listed; what it says of others is told with what can't be read.

    side: of the pictures, in pixels; by default the shorter side that most have, from 8 to 64. Recordings are read at
    8 or 16 kHz, whichever most have at least, and as long as 95 of 100 of those to train on, 5 s at most. A file that
    can't be read is skipped. Raises UserError if that is more than one in a hundred.
    """
    read = _read_recordings if _suffix(files[0].name) in RECORDINGS else _read_pictures
    found = read(root, files, side)
    return replace(found, unreadable=found.unreadable + others)


def _read_pictures(root: Path, files: list[File], side: int | None) -> Found:
    with pictures.bombs_refused():
        files, shapes, unreadable = _each(root, files, lambda file: pictures.look(root / file.name, file.name))
        layout = _layout(root, files)
        if side is None:
            sides = np.clip([shape.side for shape in shapes], *_SIDES)[layout["split"] == TRAIN]
            side = Counter(sides.tolist()).most_common(1)[0][0]
        colour = any(shape.colour for shape in shapes)
        kept, read, more = _each(
            root, files, lambda file: pictures.read_picture(root / file.name, file.name, side, colour), unreadable
        )
    return _found(files, kept, layout, np.stack(read), modality="image", unreadable=more)


def _read_recordings(root: Path, files: list[File], side: int | None) -> Found:
    if side is not None:
        raise UserError(f"{root} holds recordings, which have no side: leave --side out.")
    import torchaudio  # noqa: F401  (its modules import each other: two threads that begin with it at once fail)

    files, lengths, unreadable = _each(root, files, lambda file: audio.length(root / file.name, file.name))
    layout = _layout(root, files)
    train = layout["split"] == TRAIN
    rates, seconds = (np.array(values)[train] for values in zip(*lengths, strict=True))
    sampling_hz = 16_000 if np.median(rates) >= 16_000 else 8_000
    heard = min(float(np.percentile(seconds, _MOST_RECORDINGS, method="lower")), _LONGEST_SECONDS)
    frames = max(1, int(np.ceil(heard * audio.FRAMES_HZ)))

    def read(file: File) -> np.ndarray:
        samples = audio.read_recording(root / file.name, sampling_hz, frames / audio.FRAMES_HZ, file.name)
        return audio.log_mel(samples, sampling_hz, frames)

    kept, features, more = _each(root, files, read, unreadable)
    return _found(files, kept, layout, np.stack(features), modality="speech", unreadable=more,
                  rate_hz=audio.FRAMES_HZ, sampling_hz=sampling_hz, front_end="running-maximum")  # fmt: skip


def read_files(root: Path, files: list[File], read: Callable[[File], Any]
               ) -> tuple[list[File], list[Any], tuple[str, ...], dict[str, Any]]:  # fmt: skip
    """Reads each file with `read`, which raises UserError for one that can't be read, in threads.

    Returns the files that were read, what `read` gave, a sentence for each other one, and labels, persons and split of
    those that were read. Raises UserError if more than one in a hundred can't be read.
    """
    kept, given, unreadable = _each(root, files, read)
    return kept, given, unreadable, _layout(root, kept)


def _each(root: Path, files: list[File], read: Callable[[File], Any],
          unreadable: tuple[str, ...] = ()) -> tuple[list[File], list[Any], tuple[str, ...]]:  # fmt: skip
    """Reads each file, in threads; returns those that can be read, what was read, and a sentence for each other one."""

    def attempt(file: File) -> tuple[Any, str | None]:
        try:
            path = root / file.name
            if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
                raise UserError(f"{file.name} is a link out of the folder: put the file itself there, or remove it.")
            if not path.is_file():  # a pipe would be waited for
                raise UserError(f"{file.name} is no file that could be read: put one there, or remove it.")
            return read(file), None
        except UserError as error:
            return None, str(error)

    total = len(files) + len(unreadable)
    with ThreadPoolExecutor(_THREADS) as pool:
        answers = list(pool.map(attempt, files))
    unreadable += tuple(sentence for _, sentence in answers if sentence)
    if len(unreadable) > _UNREADABLE_SHARE * total:
        which = "1 file" if len(unreadable) == 1 else f"{len(unreadable)} files"
        raise UserError(f"{which} of {total} in {root} can't be read, more than one in a hundred: {unreadable[0]}")
    good = [(file, answer) for file, (answer, sentence) in zip(files, answers, strict=True) if not sentence]
    lost = {file.label for file in files} - {file.label for file, _ in good}
    if lost:
        raise UserError(f"No file of the class {min(lost)} in {root} can be read, for example: {unreadable[-1]}")
    return [file for file, _ in good], [answer for _, answer in good], unreadable


def _layout(root: Path, files: list[File]) -> dict[str, Any]:
    """Labels, persons and split of the files, and how they were split."""
    y, classes = numbered([file.label for file in files])
    people = None if files[0].person is None else numbered([file.person for file in files])[0]
    groups, what = (np.arange(len(files)), "files") if people is None else (people, "persons")
    by = "files of each class" if people is None else "persons, none of whom is on two sides"
    if files[0].split is None:
        split, how = split_anew(y, groups, what, classes, str(root)), f"60/20/20 of the {by}, with a fixed seed."
    else:
        split = np.array([SPLITS.index(file.split) for file in files])
        how = "As its folders train, val and test say."
        if not (split == SPLITS.index("validation")).any():
            split = split_validation(split, y, groups, what, classes, str(root))
            test = next(file.name.partition("/")[0] for file in files if file.split == "test")
            named = "train and test say"
            if _SPLIT_FOLDERS[test.casefold()] == "validation":
                named = f"train and {test} say, where {test} is the test split, as there is no folder test"
            how = f"As its folders {named}; a tenth of the {what} is held out of train for validation."
    return {"y": y, "classes": classes, "people": people, "split": split, "how": how}


def _found(files: list[File], kept: list[File], layout: dict[str, Any], x: np.ndarray, **known: Any) -> Found:
    """Everything of the files that were kept of those that were split."""
    names = [file.name for file in kept]
    rows = np.isin([file.name for file in files], names)
    people = layout["people"]
    return Found(x=x, y=layout["y"][rows], split=layout["split"][rows], classes=layout["classes"], how=layout["how"],
                 people=None if people is None else people[rows], files=np.array(names), **known)  # fmt: skip


def _person_finder(pattern: str | None) -> Callable[[str], str | None]:
    """A function from a file's name below its class folder to the person in it, or to None if persons are not asked."""
    if pattern is None:
        return lambda name: None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserError(f"The subject pattern {pattern} is no regular expression ({error}): mend it.") from None
    if not compiled.groups:
        raise UserError(f"The subject pattern {pattern} has no group: put the part that names the person in ( ).")

    def person(name: str) -> str:
        match = compiled.search(name)
        if not match or not match[1]:
            raise UserError(f"The subject pattern {pattern} finds no person in {name}: mend it, or rename the file.")
        return match[1]

    return person


def _check_names(part: Path, classes: list[Path]) -> None:
    seen: dict[str, str] = {}
    for folder in classes:
        legible = folder.name.encode("utf-8", "replace").decode()
        if legible != folder.name:
            raise UserError(f"The class folder {legible} of {part} has a name that is not UTF-8: rename it.")
        other = seen.setdefault(folder.name.casefold(), folder.name)
        if other != folder.name:
            raise UserError(f"The class folders {other} and {folder.name} of {part} differ only in case: rename one.")


def _check_classes(root: Path, files: list[File], what: str) -> None:
    """Raises UserError unless there are two classes or more, all of them to train on, all of one kind of files."""
    if len({_suffix(file.name) in RECORDINGS for file in files}) > 1:
        raise UserError(f"{root} holds both pictures and recordings: keep one kind.")
    labels = {file.label for file in files if file.split in (None, "train")}
    if len(labels) < 2:
        raise UserError(f"{root} needs 2 class folders with {what}, and has {len(labels)}: add more.")
    stranger = next((file for file in files if file.label not in labels), None)
    if stranger:
        above = stranger.name.rpartition(f"/{stranger.label}/")[0] or stranger.split
        alike = [label for label in labels if label.casefold() == stranger.label.casefold()]
        if alike:
            raise UserError(f"{root} has the class folders {alike[0]} in train and {stranger.label} in {above}, which "
                            "differ in case: rename one.")  # fmt: skip
        raise UserError(f"The class folder {above}/{stranger.label} of {root} is not in train: add it there.")


def _subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted, without hidden ones. Raises UserError for a link to a folder."""
    found = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    for path in found:
        if path.is_symlink():
            raise UserError(f"{path} is a link to a folder, which is not followed: put the folder itself there.")
    return found


def _listed(folder: Path, kinds: frozenset[str], above: str = "") -> Iterator[tuple[str, str]]:
    """Names of the files in a class folder and the folders in it, sorted, and why a file is left out, else nothing.

    Hidden files and notes are no part of it.
    """
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        ending = _suffix(entry.name)
        if entry.name.startswith(".") or ending in _NOTES - kinds:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _listed(Path(entry.path), kinds, f"{above}{entry.name}/")
        elif ending in kinds:
            yield above + entry.name, ""
        elif entry.is_dir():
            yield above + entry.name, "is a link to a folder, which is not followed: put the folder itself there."
        else:
            yield above + entry.name, "is of a kind that is not read: save it as another one, or remove it."


def _suffix(name: str) -> str:
    """The ending of a file's name, in lower case; both endings of a compressed file."""
    stem, ending = os.path.splitext(name.lower())
    return os.path.splitext(stem)[1] + ending if ending == ".gz" else ending
