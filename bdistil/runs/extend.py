"""Extending: a finished ensemble takes more students, and those that it has stay as they are.

Only frozen rounds can be extended (method `b-distil`; the statement of the method, "Inference"). The longer ensemble is
a run of its own whose `parent` is the shorter one: it begins with the parent's rounds and with what happened in them,
and its worker goes on from there as after an interruption. η stays what it was set to for the parent
(`planned_rounds`), so that every round's edges and weights are of one booster.
"""

import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from bdistil.atomic import write_bytes
from bdistil.budgets import parse
from bdistil.config import DistilConfig
from bdistil.errors import UserError
from bdistil.method_registry import METHODS
from bdistil.paths import open_regular
from bdistil.records import AttemptFinished, EpochFinished, RoundFinished, RoundStarted, RoundUnmet
from bdistil.runs.store import Run, create_run

MOST = 64
NEEDED = ("student.safetensors", "student.json", "round.json", "logits.npz")
BEGUN = ("dataset", "teacher", "scale", "rounds_done", "points")  # of run.json, which the longer run begins with
TAKEN = (RoundStarted, EpochFinished, AttemptFinished, RoundUnmet, RoundFinished)
SAMPLE = "This run keeps no students or training answers of its rounds, as samples do, so it cannot be extended."


def extend_run(
    parent: Run, rounds: int | None = None, threads: int | None = None, *, budgets: str | None = None
) -> Run:
    """A new run, waiting for a worker, that begins with all rounds of `parent` and is to have `rounds` more.

    budgets: instead of rounds, and only where `parent` has budgets: further ones, a round for each. threads: CPU
    threads of its worker, the parent's setting by default. Raises UserError where `refusal` has a reason, for rounds or
    budgets that cannot be, and if the folder for runs cannot be written.
    """
    config, info = extended(parent, rounds, threads, budgets=budgets), parent.info()
    begun = {name: getattr(info, name) for name in BEGUN}
    title = f"{config.data_info.title}, {info.rounds_done} + {config.rounds - info.rounds_done} students"
    return create_run(config, title, parent=parent.id, begun=begun, fill=lambda run: _take_rounds(parent, run))


def extended(
    parent: Run, rounds: int | None = None, threads: int | None = None, *, budgets: str | None = None
) -> DistilConfig:
    """The configuration of the longer run. Raises UserError as `extend_run` does."""
    config, info = _config(parent), parent.info()
    done, checksum = info.rounds_done, config.data_info.checksum
    if checksum and not config.examples and info.dataset and checksum != info.dataset.checksum:
        raise UserError("The data has changed since this run was trained, so it cannot be extended. Start a new run.")
    added = _added_budgets(config, rounds, budgets) if config.budgets else _added_rounds(rounds, budgets, done)
    changed = {"planned_rounds": config.rounds_for_eta, "threads": threads or config.threads}
    return DistilConfig.create(**config.model_dump() | added | changed)


def _added_rounds(rounds: int | None, budgets: str | None, done: int) -> dict[str, object]:
    """The options of a longer run without budgets."""
    if budgets is not None:
        raise UserError("The students of this run have no budgets: leave out `budgets`, and give `rounds`.")
    if rounds is None:
        raise UserError("Say how many students to add: give `rounds`, such as 2.")
    most = MOST - done
    if type(rounds) is not int or not 1 <= rounds <= most:
        raise UserError(f"Rounds to add must be a whole number from 1 to {most}; got “{rounds}”.")
    return {"rounds": done + rounds}


def _added_budgets(config: DistilConfig, rounds: int | None, budgets: str | None) -> dict[str, object]:
    """The options of a longer run with budgets."""
    if rounds is not None or not budgets:
        last = str(config.budgets).rpartition(",")[2].strip()
        raise UserError(
            f"This run has a round for each of its budgets: leave out `rounds`, and give `budgets` above {last}."
        )
    both = f"{config.budgets},{budgets}"
    return {"budgets": both, "rounds": len(parse(both))}


def differing(parent: Run, options: Mapping[str, Any]) -> tuple[str, Any] | None:
    """The first option, with its value there, in which `options` differ from what `parent` was trained with.

    Raises UserError where `refusal` has a reason, and for a value that cannot be.
    """
    config = _config(parent)
    asked = DistilConfig.create(**{**config.model_dump(), **options})
    others = ((name, getattr(config, name)) for name in options if getattr(asked, name) != getattr(config, name))
    return next(others, None)


def _config(parent: Run) -> DistilConfig:
    """As it is stored; an option that the parent's version did not know yet is as the recipe of its method has it."""
    reason = refusal(parent)
    if reason:
        raise UserError(reason)
    return DistilConfig.create(**parent.info().config.model_dump())


def refusal(parent: Run) -> str | None:
    """Why no rounds can be added to this run, as a sentence; None where they can."""
    info = parent.info()
    config = info.config
    if not isinstance(config, DistilConfig):
        return "This run trains a teacher: there are no students to add to."
    reason = METHODS[config.method].not_extended
    if reason:
        return reason
    if config.mode == "segments":
        return (
            "The students of this run have shared out the whole series, a segment each: nothing is left for more to "
            "read. Runs of the mode full can be extended."
        )
    if info.state != "finished":
        return "This run has not finished. Resume it first; then rounds can be added."
    if info.rounds_done >= MOST:
        return f"This run has {MOST} students, as many as there can be."
    return None if all(map(_is_complete, parent.round_folders())) else SAMPLE


def _is_complete(folder: Path) -> bool:
    """Whether a round's folder has all that further rounds are trained on."""
    if not all((folder / name).is_file() for name in NEEDED):
        return False
    try:
        with open_regular(folder / "logits.npz") as file, np.load(file, allow_pickle=False) as logits:
            return "train" in logits
    except (OSError, ValueError, EOFError, BadZipFile):
        return False


def _take_rounds(parent: Run, run: Run) -> None:
    """The parent's rounds, and what happened in them, into the directory of a run that nobody sees yet."""
    for folder in parent.round_folders():
        own = run.path / "rounds" / folder.name
        own.mkdir(parents=True)
        for file in folder.iterdir():
            _link(file, own / file.name)
    _link(parent.path / "targets.npz", run.path / "targets.npz")
    lines = "".join(event.model_dump_json() + "\n" for event in parent.events()[0] if isinstance(event, TAKEN))
    write_bytes(run.path / "events.jsonl", lines.encode())


def _link(source: Path, target: Path) -> None:
    """A second name for the same file (none is ever written in place), or a copy where that cannot be."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP):
            raise
        shutil.copyfile(source, target)
