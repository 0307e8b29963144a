"""A folder of class folders, of pictures or of recordings: what is in it, and reading it.

    ROOT/CLASS/…          split here, by whole persons where file names tell them
    ROOT/train/CLASS/…    with test/ and, if it is there, val/ beside it, or as others call them: the split is kept;
                          where there is no test/, val/ is the test split

Nothing outside of the folder is read: links that lead out of it count as unreadable. So do files of kinds that are not
read; notes beside the pictures or recordings do not. What is hidden, and what archives, editors and systems leave
behind, is passed over and counted.
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
from bdistil.data.imported import TRAIN, ImportedData, numbered, split_anew, split_validation
from bdistil.data.progress import Tick, silent
from bdistil.errors import UserError, quoted

RECORDINGS = frozenset({".flac", ".wav"})
MEDIA = pictures.SUFFIXES | RECORDINGS
_ALIKE = ({".jfif", ".jpeg", ".jpg"}, {".tif", ".tiff"})  # endings of one kind of file
_NOTES = frozenset({".csv", ".db", ".html", ".ini", ".json", ".log", ".md", ".tsv", ".txt", ".xml", ".yaml", ".yml"})
_LEFT_BEHIND = frozenset(
    {
        "#recycle",
        "$recycle.bin",
        "@eadir",
        "__macosx",
        "__pycache__",
        "desktop.ini",
        "ehthumbs.db",
        "icon\r",
        "lost+found",
        "system volume information",
        "thumbs.db",
    }
)
_SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
_UNREADABLE_SHARE = 0.01  # of all files: more of them is no accident
_SIDES = (8, 64)
_LONGEST_SECONDS = 5.0
_MOST_RECORDINGS = 95  # per cent that are heard to their end
_THREADS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True, eq=False)
class Layout:
    """Labels, persons (None where they are not known) and split of files, each int64 (N,), and how they were split."""

    y: np.ndarray
    classes: tuple[str, ...]
    people: np.ndarray | None
    split: np.ndarray
    how: str


@dataclass(frozen=True)
class File:
    """A picture or recording: its name below the root, its class, its split where folders say it, its person."""

    name: str
    label: str
    split: str | None
    person: str | None


@dataclass(frozen=True)
class Listing:
    """Files of class folders, sorted by name, a sentence for each other one, and sentences on what is passed over."""

    files: list[File]
    others: tuple[str, ...]
    notes: tuple[str, ...]


def scan(root: Path, subject_pattern: str | None, kinds: frozenset[str] = MEDIA, kind: str | None = None) -> Listing:
    """Lists the pictures or recordings below a folder.

    kinds: endings of the files to list, if others. kind: the ending of those that alone are wanted, without its dot.
    Reads none of them. Raises UserError, one sentence, where folders are no class folders, or persons are missing.
    """
    wanted = kinds if kind is None else _endings(f".{kind}")
    person_in = _person_finder(subject_pattern)
    files: list[File] = []
    others: list[str] = []
    unwanted: list[str] = []
    passed_over: set[str] = set()
    parts = _parts(root, passed_over)
    for split, part in parts.items():
        classes = _subfolders(part, passed_over)
        if split and not classes:
            raise UserError(
                f"{quoted(part)} holds no class folders: add those of train, or give "
                f"{quoted(parts['train'])} as the data to have it split."
            )
        _check_names(part, classes)
        for folder in classes:
            above, found = folder.relative_to(root).as_posix(), list(_listed(folder, kinds, passed_over))
            good = [name for name, why in found if not why]
            mine = [
                File(f"{above}/{name}", folder.name, split, person_in(name)) for name in good if _suffix(name) in wanted
            ]
            unwanted += [f"{above}/{name}" for name in good if _suffix(name) not in wanted]
            unread = [f"{quoted(f'{above}/{name}')} {why}" for name, why in found if why]
            if not mine and kind:
                raise UserError(
                    f"The class folder {quoted(above)} of {quoted(root)} holds no file of the kind {kind}: "
                    "add some, or choose another kind with `kind`."
                )
            if not mine:
                nothing = "no picture and no recording" if kinds == MEDIA else "no table"
                raise UserError(
                    f"The class folder {quoted(above)} of {quoted(root)} holds {nothing}: fill it or "
                    f"move it away{f', for {unread[0]}' if unread else '.'}"
                )
            others += unread
            files += mine
    _check_classes(root, files, "pictures or recordings" if kinds == MEDIA else "tables")
    outside = [
        os.path.relpath(entry.path, root)
        for folder in dict.fromkeys((root, *parts.values()))
        for entry in _entries(folder, passed_over)
        if _suffix(entry.name) in kinds - _NOTES
    ]
    notes = [
        *_pairs(files),
        *_left_out("as of another kind than was asked for", unwanted),
        *_left_out("as outside of class folders", outside),
    ]
    if passed_over:
        example = quoted(os.path.relpath(min(passed_over), root))
        count = "1 file or folder" if len(passed_over) == 1 else f"{len(passed_over):,} files and folders"
        notes.append(
            f"Passed over as hidden, or left behind by archives, editors or systems: {count}, such as {example}."
        )
    return Listing(files, tuple(others), tuple(notes))


def _pairs(files: list[File]) -> Iterator[str]:
    """A sentence on pictures or recordings of one name and two kinds, as pictures and their masks are."""
    by_stem: dict[str, list[str]] = {}
    for file in files if _suffix(files[0].name) in MEDIA else ():
        by_stem.setdefault(os.path.splitext(file.name)[0], []).append(os.path.basename(file.name))
    pairs = [names for names in by_stem.values() if len({_endings(_suffix(name)) for name in names}) > 1]
    if pairs:
        first, second = pairs[0][:2]
        count = "1 pair" if len(pairs) == 1 else f"{len(pairs):,} pairs"
        yield (
            f"Notice: {count} like {quoted(first)} and {quoted(second)} count as two examples each: where one is a "
            "mask or a copy of the other, choose a kind of files with `kind`, such as "
            f"{_suffix(first)[1:]}."
        )


def _left_out(why: str, names: list[str]) -> Iterator[str]:
    if names:
        count = "1 file" if len(names) == 1 else f"{len(names):,} files"
        yield f"Left out, {why}: {count}, such as {quoted(names[0])}."


def _parts(root: Path, passed_over: set[str]) -> dict[str | None, Path]:
    """The folder of each split that is there; of None where it is to be split here. Raises UserError for half of it."""
    folders = _subfolders(root, passed_over)
    split_of = {folder: _SPLIT_FOLDERS.get(folder.name.casefold()) for folder in folders}
    named = [folder for folder in folders if split_of[folder]]
    holding = [folder for folder in named if _subfolders(folder, passed_over)]
    train = next((folder for folder in holding if split_of[folder] == "train"), None)
    if train is None:
        if named:
            name = (holding or named)[0].name
            raise UserError(
                f"{quoted(root)} has the folder {name}, named like a split, and no folder train of class "
                f"folders: rename {name} if it is a class, or put the class folders to train on into a "
                "folder train."
            )
        if len(folders) == 1 and _subfolders(folders[0], passed_over):
            raise UserError(
                f"{quoted(root)} needs 2 class folders and has 1, {quoted(folders[0].name)}: give "
                f"{quoted(folders[0])} as the data if the folders in it are the classes."
            )
        return {None: root}
    other = [folder.name for folder in folders if not split_of[folder]]
    if other:
        raise UserError(
            f"{quoted(root)} has the folder {quoted(other[0])} beside {train.name}, where only val and "
            "test may be: move it."
        )
    parts: dict[str | None, Path] = {}
    for folder in folders:
        first = parts.setdefault(split_of[folder], folder)
        if first != folder:
            raise UserError(
                f"{quoted(root)} has two folders for {split_of[folder]}, {first.name} and {folder.name}: "
                "put their files into one."
            )
    if "test" not in parts:
        if "validation" not in parts:
            raise UserError(
                f"{quoted(root)} has no folder test or val beside {train.name}: add one, or give "
                f"{quoted(train)} as the data to have it split."
            )
        parts["test"] = parts.pop("validation")
    return parts


def read_folder(
    root: Path, files: list[File], others: tuple[str, ...], side: int | None, tick: Tick = silent
) -> ImportedData:
    """Reads the files that `scan` has listed; what it says of others is told with what can't be read.

    side: of the pictures, in pixels; by default the shorter side that most have, from 8 to 64. Recordings are read at
    8 or 16 kHz, whichever most have at least, and as long as 95 of 100 of those to train on, 5 s at most. A file that
    can't be read is skipped. Raises UserError if that is more than one in a hundred.
    """
    read = _read_recordings if _suffix(files[0].name) in RECORDINGS else _read_pictures
    found = read(root, files, side, tick)
    return replace(found, unreadable=found.unreadable + others)


def _read_pictures(root: Path, files: list[File], side: int | None, tick: Tick) -> ImportedData:
    with pictures.bombs_refused():
        files, shapes, unreadable = _each(
            root, files, lambda file: pictures.look(root / file.name, quoted(file.name)), tick
        )
        layout = _layout(root, files)
        if side is None:
            sides = np.clip([shape.side for shape in shapes], *_SIDES)[layout.split == TRAIN]
            side = Counter(sides.tolist()).most_common(1)[0][0]
        colour = any(shape.colour for shape in shapes)
        kept, read, more = _each(
            root,
            files,
            lambda file: pictures.read_picture(root / file.name, quoted(file.name), side, colour),
            tick,
            unreadable,
        )
    blank = [file.name for file, pixels in zip(kept, read, strict=True) if (pixels == pixels[:, :1, :1]).all()]
    return _found(
        files, kept, layout, np.stack(read), modality="image", unreadable=more, notes=_blank(blank, len(kept))
    )


def _blank(names: list[str], count: int) -> tuple[str, ...]:
    """A sentence on pictures that are one colour, if there are any."""
    if not names:
        return ()
    return (
        f"Notice: {len(names):,} of {count:,} pictures {'is' if len(names) == 1 else 'are'} one colour, such as "
        f"{quoted(names[0])}; transparent parts are read as white.",
    )


def _read_recordings(root: Path, files: list[File], side: int | None, tick: Tick) -> ImportedData:
    if side is not None:
        raise UserError(f"{quoted(root)} holds recordings, which have no side: leave out `side`.")
    import torchaudio  # noqa: F401  (its modules import each other: two threads that begin with it at once fail)

    files, lengths, unreadable = _each(
        root, files, lambda file: audio.length(root / file.name, quoted(file.name)), tick
    )
    layout = _layout(root, files)
    train = layout.split == TRAIN
    rates, seconds = (np.array(values)[train] for values in zip(*lengths, strict=True))
    sampling_hz = 16_000 if np.median(rates) >= 16_000 else 8_000
    heard = min(float(np.percentile(seconds, _MOST_RECORDINGS, method="lower")), _LONGEST_SECONDS)
    frames = max(1, int(np.ceil(heard * audio.FRAMES_HZ)))

    def read(file: File) -> np.ndarray:
        samples = audio.read_recording(root / file.name, sampling_hz, frames / audio.FRAMES_HZ, quoted(file.name))
        return audio.log_mel(samples, sampling_hz, frames)

    kept, features, more = _each(root, files, read, tick, unreadable)
    return _found(
        files,
        kept,
        layout,
        np.stack(features),
        modality="speech",
        unreadable=more,
        rate_hz=audio.FRAMES_HZ,
        sampling_hz=sampling_hz,
        front_end="running-maximum",
    )


def read_files(
    root: Path, files: list[File], read: Callable[[File], Any], tick: Tick = silent
) -> tuple[list[File], list[Any], tuple[str, ...], Layout]:
    """Reads each file with `read`, which raises UserError for one that can't be read, in threads.

    Returns the files that were read, what `read` gave, a sentence for each other one, and labels, persons and split of
    those that were read. Raises UserError if more than one in a hundred can't be read.
    """
    kept, given, unreadable = _each(root, files, read, tick)
    return kept, given, unreadable, _layout(root, kept)


def _each(
    root: Path, files: list[File], read: Callable[[File], Any], tick: Tick, unreadable: tuple[str, ...] = ()
) -> tuple[list[File], list[Any], tuple[str, ...]]:
    """Reads each file, in threads; returns those that can be read, what was read, and a sentence for each other one."""

    def attempt(file: File) -> tuple[Any, str | None]:
        try:
            path, name = root / file.name, quoted(file.name)
            if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
                raise UserError(f"{name} is a link out of the folder: put the file itself there, or move it away.")
            if not path.is_file():  # a pipe would be waited for
                raise UserError(f"{name} is no file that could be read: put one there, or move it away.")
            return read(file), None
        except UserError as error:
            return None, str(error)

    total = len(files) + len(unreadable)
    with ThreadPoolExecutor(_THREADS) as pool:
        answers = []
        for answer in pool.map(attempt, files):
            answers.append(answer)
            tick(len(answers), len(files))
    unreadable += tuple(sentence for _, sentence in answers if sentence)
    if len(unreadable) > _UNREADABLE_SHARE * total:
        which = "1 file" if len(unreadable) == 1 else f"{len(unreadable)} files"
        raise UserError(
            f"{which} of {total} in {quoted(root)} can't be read, more than one in a hundred: {unreadable[0]}"
        )
    good = [(file, answer) for file, (answer, sentence) in zip(files, answers, strict=True) if not sentence]
    lost = {file.label for file in files} - {file.label for file, _ in good}
    if lost:
        raise UserError(
            f"No file of the class {quoted(min(lost))} in {quoted(root)} can be read, for example: {unreadable[-1]}"
        )
    return [file for file, _ in good], [answer for _, answer in good], unreadable


def _layout(root: Path, files: list[File]) -> Layout:
    y, classes = numbered([file.label for file in files])
    people = None if files[0].person is None else numbered([file.person for file in files])[0]
    groups, what = (np.arange(len(files)), "files") if people is None else (people, "persons")
    by = "files of each class" if people is None else "persons, none of whom is on two sides"
    if files[0].split is None:
        split, how = split_anew(y, groups, what, classes, quoted(root)), f"60/20/20 of the {by}, with a fixed seed."
    else:
        split = np.array([SPLITS.index(file.split) for file in files])
        how = "As its folders train, val and test say."
        if not (split == SPLITS.index("validation")).any():
            split = split_validation(split, y, groups, what, classes, quoted(root))
            test = next(file.name.partition("/")[0] for file in files if file.split == "test")
            named = "train and test say"
            if _SPLIT_FOLDERS[test.casefold()] == "validation":
                named = f"train and {test} say, where {test} is the test split, as there is no folder test"
            how = f"As its folders {named}; a tenth of the {what} is held out of train for validation."
    return Layout(y, classes, people, split, how)


def _found(files: list[File], kept: list[File], layout: Layout, x: np.ndarray, **known: Any) -> ImportedData:
    """Everything of the files that were kept of those that were split."""
    names = [file.name for file in kept]
    rows = np.isin([file.name for file in files], names)
    people = layout.people
    return ImportedData(
        x=x,
        y=layout.y[rows],
        split=layout.split[rows],
        classes=layout.classes,
        how=layout.how,
        people=None if people is None else people[rows],
        files=np.array(names),
        **known,
    )


def _person_finder(pattern: str | None) -> Callable[[str], str | None]:
    """A function from a file's name below its class folder to the person in it, or to None if persons are not asked."""
    if pattern is None:
        return lambda name: None
    shown = quoted(pattern)
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserError(
            f"The subject pattern {shown} is no regular expression ({quoted(error)}): correct it."
        ) from None
    if not compiled.groups:
        raise UserError(f"The subject pattern {shown} has no group: put the part that names the person in ( ).")

    def person(name: str) -> str:
        match = compiled.search(name)
        if not match or not match[1]:
            raise UserError(
                f"The subject pattern {shown} finds no person in {quoted(name)}: correct it, or rename the file."
            )
        return match[1]

    return person


def _check_names(part: Path, classes: list[Path]) -> None:
    seen: dict[str, str] = {}
    for folder in classes:
        legible = folder.name.encode("utf-8", "replace").decode()
        if legible != folder.name:
            raise UserError(
                f"The class folder {quoted(legible)} of {quoted(part)} has a name that is not UTF-8: rename it."
            )
        other = seen.setdefault(folder.name.casefold(), folder.name)
        if other != folder.name:
            raise UserError(
                f"The class folders {quoted(other)} and {quoted(folder.name)} of {quoted(part)} differ "
                "only in case: rename one."
            )


def _check_classes(root: Path, files: list[File], what: str) -> None:
    """Raises UserError unless there are two classes or more, all of them to train on, all of one kind of files."""
    if len({_suffix(file.name) in RECORDINGS for file in files}) > 1:
        raise UserError(
            f"{quoted(root)} holds both pictures and recordings: choose a kind with `kind`, "
            f"such as {_suffix(files[0].name)[1:]}."
        )
    labels = {file.label for file in files if file.split in (None, "train")}
    if len(labels) < 2:
        raise UserError(f"{quoted(root)} needs 2 class folders with {what}, and has {len(labels)}: add more.")
    stranger = next((file for file in files if file.label not in labels), None)
    if stranger:
        above = stranger.name.rpartition(f"/{stranger.label}/")[0] or stranger.split
        alike = [label for label in labels if label.casefold() == stranger.label.casefold()]
        if alike:
            raise UserError(
                f"{quoted(root)} has the class folders {quoted(alike[0])} in train and "
                f"{quoted(stranger.label)} in {above}, which differ in case: rename one."
            )
        raise UserError(
            f"The class folder {quoted(f'{above}/{stranger.label}')} of {quoted(root)} is not in train: add it there."
        )


def _entries(folder: Path | str, passed_over: set[str]) -> list[os.DirEntry[str]]:
    """What is in a folder, sorted by name, without what is hidden or left behind, whose paths go to `passed_over`."""
    found = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith(".") or entry.name.endswith("~") or entry.name.casefold() in _LEFT_BEHIND:
            passed_over.add(entry.path)
        else:
            found.append(entry)
    return found


def _subfolders(folder: Path, passed_over: set[str]) -> list[Path]:
    """The folders in a folder, sorted by name. Raises UserError for a link to a folder."""
    found = [entry for entry in _entries(folder, passed_over) if entry.is_dir()]
    for entry in found:
        if entry.is_symlink():
            raise UserError(
                f"{quoted(entry.path)} is a link to a folder, which is not followed: put the folder itself there."
            )
    return [Path(entry.path) for entry in found]


def _listed(folder: Path, kinds: frozenset[str], passed_over: set[str], above: str = "") -> Iterator[tuple[str, str]]:
    """Names of the files in a class folder and the folders in it, sorted, and why a file is left out, else nothing.

    Notes are no part of it.
    """
    for entry in _entries(folder, passed_over):
        ending = _suffix(entry.name)
        if ending in _NOTES - kinds:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _listed(Path(entry.path), kinds, passed_over, f"{above}{entry.name}/")
        elif ending in kinds:
            yield above + entry.name, ""
        elif entry.is_dir():
            yield above + entry.name, "is a link to a folder, which is not followed: put the folder itself there."
        else:
            yield above + entry.name, "is of a kind that is not read: save it as another one, or move it away."


def _endings(ending: str) -> frozenset[str]:
    """All endings, with their dots, that files of the same kind have."""
    return frozenset(next((alike for alike in _ALIKE if ending in alike), {ending}))


def _suffix(name: str) -> str:
    """The ending of a file's name, in lower case; both endings of a compressed file."""
    stem, ending = os.path.splitext(name.lower())
    return os.path.splitext(stem)[1] + ending if ending == ".gz" else ending
