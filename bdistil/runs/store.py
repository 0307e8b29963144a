"""The run store: a run is a directory of plain files, which training writes and everyone else reads.

    run.json         config and summary, rewritten atomically: listing runs reads this one file each
    events.jsonl     what happened, append-only (events.py)
    heartbeat.json   where training is now, rewritten about twice a second
    targets.npz      labels and teacher logits of the splits
    rounds/NN/       a finished round: student, logits, record; it exists whole or not at all
    lock, stop, checkpoint.safetensors, worker.log   the worker's business

Runs of one's own lie in `home()/runs`; finished samples ship in `assets/runs` and are never written.
Whether a run is training is not what its file says but whether a worker holds its lock, which the kernel drops with
the process.
"""

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from bdistil.config import DistilConfig, TeachConfig
from bdistil.errors import UserError, nearest
from bdistil.paths import ASSETS, home
from bdistil.runs import events
from bdistil.runs.files import write_json

SCHEMA = 1


@dataclass(frozen=True)
class RunSummary:
    """One line of a list of runs: `info` is its run.json with the state as it is, or `error` says why there is none."""

    id: str
    path: Path
    sample: bool
    info: dict[str, Any] | None
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

    def info(self) -> dict[str, Any]:
        """run.json, with `state` as it really is: a run whose worker is gone is stopped, whatever the file says.

        Raises UserError if the file is missing, incomplete, or written by a newer version.
        """
        info = self.stored()
        claims_worker = info["state"] in ("queued", "running")
        gone = claims_worker and not self.is_alive()
        return {**info, "state": "stopped" if gone else info["state"], "worker_gone": gone, "sample": self.sample}

    def stored(self) -> dict[str, Any]:
        """run.json as it was written. Raises UserError as `info` does."""
        try:
            info = json.loads((self.path / "run.json").read_text())
            schema = info["schema"]
            if schema <= SCHEMA:
                info["run"], info["kind"], info["state"], info["config"], info["created"]  # noqa: B018
        except FileNotFoundError:
            if not self.path.is_dir():
                raise UserError(f"There is no run called {self.id}; it may have been deleted.") from None
            raise UserError("This run cannot be read: its run.json is missing. The others are not affected.") from None
        except (ValueError, KeyError, TypeError):
            raise UserError(
                "This run cannot be read: its run.json is incomplete. The others are not affected."
            ) from None
        if schema > SCHEMA:
            raise UserError("Written by a newer version; update to open it.")
        return info

    def state(self) -> str:
        """queued, running, stopped, failed or finished."""
        return self.info()["state"]

    def update(self, **fields: Any) -> None:
        """Rewrite run.json with some fields changed (the worker's business)."""
        write_json(self.path / "run.json", {**self.stored(), **fields})

    def record(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Append an event (the worker's business)."""
        return events.append(self.path / "events.jsonl", kind, **fields)

    def events(self, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
        """The events from byte `offset` on, and the offset to go on from. Raises UserError if the file is damaged."""
        try:
            return events.read(self.path / "events.jsonl", offset)
        except ValueError:
            raise UserError(
                "This run cannot be read: its event file is damaged. The others are not affected."
            ) from None

    def heartbeat(self) -> dict[str, Any] | None:
        """Where training is now, or None."""
        try:
            return json.loads((self.path / "heartbeat.json").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def lock(self) -> FileLock:
        """The lock that a worker holds for its whole life."""
        return FileLock(self.path / "lock")

    def is_alive(self) -> bool:
        """Whether a worker is training this run, waits for its turn, or is just starting."""
        return not self.sample and self.path.is_dir() and (is_held(self.lock()) or self._worker_starts())

    def _worker_starts(self) -> bool:
        # Between its start and its lock a worker is known by its process alone.
        beat = self.heartbeat()
        try:
            process = psutil.Process(beat["pid"]) if beat else None
            return bool(process) and process.status() != psutil.STATUS_ZOMBIE and self.id in process.cmdline()
        except (psutil.Error, KeyError, TypeError):
            return False

    def request_stop(self) -> None:
        """Ask the worker to stop after the current batch."""
        (self.path / "stop").touch()

    def stop_requested(self) -> bool:
        return (self.path / "stop").exists()

    def rounds(self) -> list[dict[str, Any]]:
        """round.json of every finished round, in order: {"record": ..., "point": ...}."""
        return [json.loads((folder / "round.json").read_text()) for folder in self.round_folders()]

    def round_folders(self) -> list[Path]:
        """The folders of the finished rounds, in order."""
        folder = self.path / "rounds"
        return sorted(f for f in folder.iterdir() if not f.name.startswith(".")) if folder.is_dir() else []

    def log_tail(self, lines: int = 10) -> list[str]:
        """The last lines that the worker printed."""
        try:
            return (self.path / "worker.log").read_text(errors="replace").splitlines()[-lines:]
        except FileNotFoundError:
            return []

    def delete(self) -> None:
        """Remove the run for good. Raises UserError for a sample, or while it is training."""
        if self.sample:
            raise UserError("This run ships with the product and stays.")
        if self.is_alive():
            raise UserError("This run is training; stop it first.")
        shutil.rmtree(self.path)


def create_run(config: DistilConfig | TeachConfig, title: str | None = None, parent: str | None = None) -> Run:
    """Make the directory of a new run, waiting for a worker. Needs no torch.

    Raises UserError if the folder for runs cannot be written.
    """
    created = datetime.now(UTC)
    stem = f"{config.dataset}-{config.student if isinstance(config, DistilConfig) else config.architecture}"
    try:
        path = _make_folder(home() / "runs", f"{stem}-{created:%Y%m%d-%H%M%S}")
    except OSError:
        raise UserError(
            f"The folder for runs, {home()}, cannot be written. Set BDISTIL_HOME to one that can; nothing was lost."
        ) from None
    run = Run(path)
    document = {
        "schema": SCHEMA, "run": run.id, "kind": config.kind, "parent": parent, "state": "queued", "phase": None,
        "error": None, "created": created.isoformat(timespec="seconds"), "title": title or config.title(),
        "dataset": None, "teacher": None, "method": getattr(config, "method", None),
        "student": getattr(config, "student", None), "mode": "full", "config": config.model_dump(), "seconds": 0.0,
        "threads": None, "versions": {}, "scale": None, "rounds_done": 0, "points": [], "teacher_name": None,
    }  # fmt: skip
    write_json(path / "run.json", document)
    run.record("created")
    return run


def open_run(name: str | Path) -> Run:
    """A run by its id, one's own before the samples, or by its directory.

    Raises UserError if there is none, or if it cannot be read.
    """
    for folder in (home() / "runs", ASSETS / "runs"):
        if str(name) and (folder / name).is_dir() and (folder / name).parent == folder:
            run = Run(folder / name)
            break
    else:
        if not (Path(name) / "run.json").is_file():
            known = [summary.id for summary in list_runs()]
            raise UserError(f"There is no run called {name}.{nearest(str(name), known)}")
        run = Run(Path(name).resolve())
    run.stored()
    return run


def list_runs(samples: bool = True) -> list[RunSummary]:
    """All runs, newest first, then the samples. An unreadable run is listed with its error, and hides no other."""
    own = sorted((_summary(path) for path in _folders(home() / "runs")), key=_age, reverse=True)
    shipped = sorted((_summary(path) for path in _folders(ASSETS / "runs")), key=_age) if samples else []
    return own + shipped


def is_held(lock: FileLock) -> bool:
    """Whether another process holds this lock."""
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True


def _summary(path: Path) -> RunSummary:
    run = Run(path)
    try:
        return RunSummary(run.id, path, run.sample, run.info(), None)
    except UserError as error:
        return RunSummary(run.id, path, run.sample, None, str(error))


def _age(summary: RunSummary) -> str:
    return summary.info["created"] if summary.info else ""


def _folders(parent: Path) -> list[Path]:
    return [p for p in parent.iterdir() if p.is_dir() and not p.name.startswith(".")] if parent.is_dir() else []


def _make_folder(parent: Path, name: str) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    for suffix in ["", *(f"-{n}" for n in range(2, 1000))]:
        try:
            (parent / f"{name}{suffix}").mkdir()
        except FileExistsError:
            continue
        return parent / f"{name}{suffix}"
    raise FileExistsError(name)
