"""The run store: a run is a directory of plain files, which training writes and everyone else reads.

    run.json         config and summary, rewritten atomically: listing runs reads this one file each, and targets.npz
                     of a run whose version did not measure its teacher
    label.json       the user's name for the run, and a note, where there are any (manage.py)
    events.jsonl     what happened, append-only (events.py)
    heartbeat.json   where training is now, rewritten twice a second and at each epoch's start
    targets.npz      labels and teacher logits of the splits
    rounds/NN/       a finished round: student, logits, record; it exists whole or not at all
    polish/NN/       the same of a polished run's final students; rounds/ then holds the prefixes as rounds ended
    lock, stop, checkpoint.safetensors, heads.safetensors, attempts/, worker.log   the worker's business

Runs of one's own lie in `home()/runs`; finished samples ship in `assets/runs` and are never written.
Whether a run is training is not what its file says but whether a worker holds its lock (lock.py), which the kernel
drops with the process.
"""

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast, get_args
from zipfile import BadZipFile

import numpy as np
from pydantic import ValidationError

from bdistil.atomic import sync, write_json
from bdistil.config import DistilConfig, TeachConfig
from bdistil.data.dataset import SPLITS
from bdistil.errors import UserError, nearest, printable
from bdistil.paths import ASSETS, home, open_regular
from bdistil.record import is_newer, problems
from bdistil.records import (
    SCHEMA,
    AnyEvent,
    Event,
    FinishedRound,
    Heartbeat,
    Record,
    RunCreated,
    RunLabel,
    RunRecord,
    State,
    TeacherRecord,
)
from bdistil.runs import events
from bdistil.runs.lock import is_held
from bdistil.teachers.black_box import Measured, measured
from bdistil.teachers.naming import short

MOST_LOG = 64_000  # bytes of a log that are looked at
FAILURE = "Failed: "  # before what a worker could write to its log alone
SETTLED = 2.0  # seconds after which a file's time tells it from a later version
MOST_CACHED = 4096  # files: Home lists a thousand runs again and again
_R = TypeVar("_R", bound=Record)


class TeacherAccuracies(NamedTuple):
    """Accuracy on the test split with its 95 % interval, and the accuracy of every split that is there."""

    accuracy: float
    accuracy_low: float
    accuracy_high: float
    splits: dict[str, float]


class RunInfo(RunRecord):
    """run.json with `state` as it really is, and `title` and `note` as the user has them.

    worker_gone: its worker ended without saying so. sample: it ships.
    """

    note: str = ""
    worker_gone: bool = False
    sample: bool = False


@dataclass(frozen=True)
class RunSummary:
    """One line of a list of runs: its `info`, or `error`, which says why there is none."""

    id: str
    path: Path
    sample: bool
    info: RunInfo | None
    error: str | None


@dataclass(frozen=True)
class Run:
    """A run's directory. Reading never needs torch and never changes anything."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def sample(self) -> bool:
        """Whether this is a finished run that ships with the product."""
        return self.path.parent == ASSETS / "runs"

    def info(self) -> RunInfo:
        """run.json, with `state` as it really is: a run whose worker is gone is stopped, whatever the file says.

        Its title is the name that the user gave it, if any. Title and note show what doesn't print as escapes.

        Raises UserError if the file is missing, incomplete, or written by a newer version.
        """
        stored, label = self.stored(), self.label()
        gone = stored.state in ("queued", "running") and not self.is_alive()
        changed = {
            "title": printable(label.name or stored.title),
            "note": "\n".join(printable(line) for line in label.note.split("\n")),
            "state": "stopped" if gone else stored.state,
            "teacher": self._teacher(stored.teacher),
        }
        return RunInfo(**dict(stored) | changed, worker_gone=gone, sample=self.sample)

    def label(self) -> RunLabel:
        """The user's name and note; none where label.json is missing or damaged, which takes no run down."""
        try:
            return _record(RunLabel, self.path / "label.json")
        except (OSError, ValueError):
            return RunLabel()

    def _teacher(self, stored: TeacherRecord | None) -> TeacherRecord | None:
        """The teacher's record. Earlier versions took its accuracy from its card: it is counted anew."""
        if stored is None or stored.splits:
            return stored
        path = self.path / "targets.npz"
        try:
            return stored.model_copy(update=_stored_figures(path, path.stat().st_mtime_ns)._asdict())
        except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, BadZipFile):
            return stored

    def stored(self) -> RunRecord:
        """run.json as it was written. Raises UserError as `info` does."""
        try:
            return _record(RunRecord, self.path / "run.json")
        except FileNotFoundError:
            if not self.path.is_dir():
                raise UserError(f"There is no run called {self.id}; it may have been deleted.") from None
            raise _unreadable("its run.json is missing") from None
        except OSError as error:
            raise _unreadable(f"its run.json cannot be opened ({error.strerror})") from None
        except ValidationError as error:
            if is_newer(error):
                raise UserError("Written by a newer version; update to open it.") from None
            raise _unreadable(f"its run.json is incomplete{_place(error)}") from None
        except ValueError:
            raise _unreadable("its run.json is incomplete") from None

    def state(self) -> State:
        return self.info().state

    def update(self, **fields: Any) -> None:
        """Rewrite run.json with some fields changed (the worker's business)."""
        write_json(self.path / "run.json", self.stored().model_copy(update=fields).document())

    def record(self, event: type[Event], **fields: Any) -> None:
        """Append an event of a type, with its fields (the worker's business)."""
        kind, *_ = get_args(event.model_fields["kind"].annotation)  # others are what older versions wrote
        written = cast(AnyEvent, event(time=events.now(), kind=kind, **fields))
        events.append(self.path / "events.jsonl", written)

    def events(self, offset: int = 0) -> tuple[list[AnyEvent], int]:
        """The events from byte `offset` on, and the offset to go on from. Raises UserError if the file is damaged."""
        try:
            return events.read(self.path / "events.jsonl", offset)
        except (OSError, ValueError):
            raise _unreadable("its event file is damaged") from None

    def heartbeat(self) -> Heartbeat | None:
        """Where training is now, or None."""
        try:
            return Heartbeat.read(self.path / "heartbeat.json")
        except (OSError, ValueError):
            return None

    def is_alive(self) -> bool:
        """Whether a worker is training this run, waits for its turn, or is just starting."""
        return not self.sample and self.path.is_dir() and is_held(self.path / "lock")

    def request_stop(self) -> None:
        """Ask the worker to stop after the current batch."""
        (self.path / "stop").touch()

    def stop_requested(self) -> bool:
        return (self.path / "stop").exists()

    def rounds(self) -> list[FinishedRound]:
        """Every finished round, in order; when polished, the final ones.

        Raises UserError for a damaged one.
        """
        return [_finished_round(folder) for folder in self.round_folders()]

    def unpolished(self) -> list[FinishedRound] | None:
        """As `rounds`, each as it stood when its round ended; None where no polish has changed them since."""
        return [_finished_round(folder) for folder in self.unpolished_folders()] if self.is_polished() else None

    def is_polished(self) -> bool:
        """Whether the students have been polished after their rounds (`b-distil+polish`)."""
        return (self.path / "polish").is_dir()

    def round_folders(self) -> list[Path]:
        """The folders of the finished rounds, in order; of a polished run the final ones."""
        return _numbered(self.path / "polish") if self.is_polished() else self.unpolished_folders()

    def unpolished_folders(self) -> list[Path]:
        """The folders of the rounds as they ended, in order."""
        return _numbered(self.path / "rounds")

    def log_tail(self, lines: int = 10) -> list[str]:
        """The last lines that the worker printed."""
        try:
            with open_regular(self.path / "worker.log") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - MOST_LOG))
                return file.read(MOST_LOG).decode(errors="replace").splitlines()[-lines:]
        except OSError:
            return []

    def failure(self) -> str | None:
        """Why the worker ended, where it could write that to its log alone; None where the run says it, or nothing."""
        last = "".join(self.log_tail(1))
        return last.removeprefix(FAILURE) if last.startswith(FAILURE) else None


def _record(kind: type[_R], path: Path) -> _R:
    """The record that a file holds, read again only where the file has changed. Raises as `Record.read` does."""
    stamp = path.stat()
    if time.time() - stamp.st_mtime < SETTLED:
        return kind.read(path)
    return _cached(kind, path, stamp.st_mtime_ns, stamp.st_ino, stamp.st_size)


@lru_cache(maxsize=MOST_CACHED)
def _cached(kind: type[_R], path: Path, *_stamp: int) -> _R:
    return kind.read(path)


@lru_cache(maxsize=MOST_CACHED)
def _stored_figures(path: Path, _changed: int) -> TeacherAccuracies:
    """`teacher_accuracies` of a run's targets.npz. Raises as numpy does, and KeyError for one without a test split."""
    with open_regular(path) as file, np.load(file, allow_pickle=False) as targets:
        return teacher_accuracies(targets)


def teacher_accuracies(targets: Mapping[str, np.ndarray]) -> TeacherAccuracies:
    """What the teacher reaches on a run's own splits, from `teacher_…` (N, classes) and `labels_…` (N,) of each.

    `people_test` (N,), where it is there, says whose each test example is.

    Raises KeyError where the test split is missing.
    """

    def of(split: str) -> Measured:
        return measured(targets[f"teacher_{split}"], targets[f"labels_{split}"], targets.get(f"people_{split}"))

    splits = {split: of(split).accuracy for split in SPLITS if f"teacher_{split}" in targets}
    return TeacherAccuracies(*of("test"), splits)


def create_run(
    config: DistilConfig | TeachConfig,
    title: str | None = None,
    *,
    parent: str | None = None,
    begun: Mapping[str, object] | None = None,
    fill: Callable[[Run], None] | None = None,
) -> Run:
    """Make the directory of a new run, waiting for a worker. Needs no torch.

    parent: the run that it extends. begun: fields of run.json that it begins with. fill: puts files into the
    directory before anyone sees it. Raises UserError if the folder for runs cannot be written.
    """
    created = datetime.now(UTC)
    stem = (
        f"{config.data_info.name}-{config.student if isinstance(config, DistilConfig) else short(config.architecture)}"
    )
    record = RunRecord(
        schema=SCHEMA,
        run=None,
        kind=config.kind,
        parent=parent,
        state="queued",
        created=created.replace(microsecond=0),
        title=title or config.title(),
        method=getattr(config, "method", None),
        student=getattr(config, "student", None),
        mode=getattr(config, "mode", "full"),
        config=config,
    ).model_copy(update=begun)
    try:
        return _new_run(home() / "runs", f"{stem}-{created:%Y%m%d-%H%M%S}", record, fill)
    except OSError as error:
        raise UserError(
            f"The folder for runs, {home()}, cannot be written ({error.strerror}). "
            "Set BDISTIL_HOME to one that can; nothing was lost."
        ) from None


def open_run(name: str | Path) -> Run:
    """A run by its id, one's own before the samples; a `Path` may also be its directory, wherever that lies.

    A str never opens a directory: it may come from a page's address. Raises UserError if there is no such run, or if
    it cannot be read.
    """
    for folder in (home() / "runs", ASSETS / "runs"):
        if (folder / name) in _folders(folder):
            run = Run(folder / name)
            break
    else:
        if isinstance(name, str) or not os.path.isfile(name / "run.json"):
            known = [summary.id for summary in list_runs()]
            raise UserError(f"There is no run called {name}.{nearest(str(name), known)}")
        run = Run(name.resolve())
    run.stored()
    return run


def list_runs(samples: bool = True) -> list[RunSummary]:
    """All runs, newest first, then the samples. An unreadable run is listed with its error, and hides no other."""
    own = sorted((_summary(path) for path in _folders(home() / "runs")), key=_age, reverse=True)
    shipped = sorted((_summary(path) for path in _folders(ASSETS / "runs")), key=_age) if samples else []
    return own + shipped


def _summary(path: Path) -> RunSummary:
    run = Run(path)
    try:
        return RunSummary(run.id, path, run.sample, run.info(), None)
    except UserError as error:
        return RunSummary(run.id, path, run.sample, None, str(error))


_NEVER = datetime.min.replace(tzinfo=UTC)


def _age(summary: RunSummary) -> tuple[datetime, str]:
    return summary.info.created if summary.info else _NEVER, summary.id


def _folders(parent: Path) -> list[Path]:
    return [p for p in parent.iterdir() if p.is_dir() and not p.name.startswith(".")] if parent.is_dir() else []


def _new_run(parent: Path, name: str, record: RunRecord, fill: Callable[[Run], None] | None) -> Run:
    """A new directory of this name, or with a number where it is taken; it appears whole or not at all."""
    parent.mkdir(parents=True, exist_ok=True)
    temporary = Run(Path(tempfile.mkdtemp(dir=parent, prefix=f".{name}.")))
    try:
        temporary.path.chmod(0o755)
        if fill:
            fill(temporary)
        temporary.record(RunCreated, parent=record.parent, rounds_done=record.rounds_done)
        for suffix in ["", *(f"-{n}" for n in range(2, 1000))]:
            run = Run(parent / f"{name}{suffix}")
            write_json(temporary.path / "run.json", record.model_copy(update={"run": run.id}).document())
            try:
                os.rename(temporary.path, run.path)
            except OSError as error:  # a directory that holds a run is never replaced
                if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                    continue
                raise
            sync(parent)
            return run
        raise FileExistsError(errno.EEXIST, "too many runs at once")
    except BaseException:
        shutil.rmtree(temporary.path, ignore_errors=True)
        raise


def _numbered(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if f.name.isdigit()) if folder.is_dir() else []


def _finished_round(folder: Path) -> FinishedRound:
    try:
        return FinishedRound.read(folder / "round.json")
    except (OSError, ValueError):
        raise _unreadable(f"its round {int(folder.name)} is damaged") from None


def _place(error: ValidationError) -> str:
    """Which field of a file is wrong, in parentheses; nothing where the file is no JSON."""
    place, _ = problems(error)[0]
    return f" (see {place})" if place else ""


def _unreadable(reason: str) -> UserError:
    return UserError(f"This run cannot be read: {reason}. The others are not affected.")
