"""Managing one's own runs: a name and a note for each, deleting, and bringing a deleted run back.

Name and note lie in `label.json` beside run.json, which stays the worker's; the run's id and folder never change.
A deleted run is moved, whole, into `home()/trash/TIME/ID` and removed for good when `KEPT` has passed.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bdistil.atomic import sync, write_json
from bdistil.errors import UserError, nearest
from bdistil.paths import home
from bdistil.records import MOST_NAME, MOST_NOTE
from bdistil.runs.store import Run

KEPT = timedelta(days=7)  # how long a deleted run can be restored
_TIME = "%Y%m%dT%H%M%S.%f"


def rename_run(run: Run, name: str) -> None:
    """Give a run a name, which is shown instead of its title; an empty one gives it its title back.

    Raises UserError for a sample, for a name of more than `MOST_NAME` characters, and if it cannot be written.
    """
    _relabel(run, name=_text(" ".join(name.split()), "name", MOST_NAME) or None)


def note_run(run: Run, note: str) -> None:
    """Write a note to a run; an empty one removes it.

    Raises UserError for a sample, for a note of more than `MOST_NOTE` characters, and if it cannot be written.
    """
    _relabel(run, note=_text("\n".join(note.splitlines()).strip(), "note", MOST_NOTE))


def delete_run(run: Run) -> None:
    """Move a run to the trash, from where `restore_run` brings it back for seven days.

    Raises UserError for a sample, for one that lies elsewhere, while it is training, and if it cannot be moved.
    """
    _refuse_sample(run)
    if run.path.parent.resolve() != (home() / "runs").resolve():
        raise UserError(f"This run lies outside the folder of runs: delete the folder {run.path} yourself.")
    if run.is_alive():
        raise UserError("This run is training; stop it first.")
    empty_trash(KEPT)
    with _writing():
        place = trash() / f"{datetime.now(UTC):{_TIME}}"
        place.mkdir(parents=True)
        _move(run.path, place / run.id)


def restore_run(name: str) -> Run:
    """Bring the run of this id, as it was deleted last, back from the trash.

    Raises UserError if it is not there, if a run of its id has come meanwhile, and if it cannot be moved.
    """
    deleted = _deleted()
    found = next((path for path in deleted if path.name == name), None)
    if found is None:
        ids = [path.name for path in deleted]
        raise UserError(f"There is no run called {name} in the trash.{nearest(name, ids)}")
    run = Run(home() / "runs" / name)
    if os.path.lexists(run.path):
        raise UserError(f"There is a run called {name} already: delete it first.")
    with _writing():
        run.path.parent.mkdir(parents=True, exist_ok=True)
        _move(found, run.path)
    with suppress(OSError):
        found.parent.rmdir()
    return run


def empty_trash(older: timedelta = timedelta()) -> None:
    """Remove for good what was deleted longer ago than `older`. What cannot be removed is left for the next time."""
    until = f"{datetime.now(UTC) - older:{_TIME}}"
    for place in _places():
        if place.name <= until:
            going = place.with_name(f".{place.name}")  # renamed first: nobody restores half a run
            try:
                os.rename(place, going)
            except OSError:
                continue
            shutil.rmtree(going, ignore_errors=True)


def trash() -> Path:
    """The folder of deleted runs."""
    return home() / "trash"


def _places() -> list[Path]:
    """The folders of the trash, one a deletion, the last one first."""
    folder = trash()
    return sorted((p for p in folder.iterdir() if p.name[:1].isdigit()), reverse=True) if folder.is_dir() else []


def _deleted() -> list[Path]:
    """The deleted runs, the last one first."""
    return [path for place in _places() if place.is_dir() for path in place.iterdir() if path.is_dir()]


def _move(source: Path, target: Path) -> None:
    os.rename(source, target)
    sync(source.parent)
    sync(target.parent)


def _relabel(run: Run, **changed: Any) -> None:
    _refuse_sample(run)
    if not run.path.is_dir():
        raise UserError(f"There is no run called {run.id}; it may have been deleted.")
    with _writing():
        write_json(run.path / "label.json", run.label().model_copy(update=changed).document())


def _text(text: str, what: str, most: int) -> str:
    """The text, which fits and can be stored."""
    if len(text) > most:
        raise UserError(f"A run's {what} has at most {most} characters; this one has {len(text)}.")
    return text.encode(errors="replace").decode()  # words of a command line need not be UTF-8


def _refuse_sample(run: Run) -> None:
    if run.sample:
        raise UserError("This run ships with the product and stays as it is.")


@contextmanager
def _writing() -> Iterator[None]:
    """Within it, what the disk refuses is a UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(f"The folder {home()} cannot be written ({error.strerror}); nothing was changed.") from None
