"""What a worker does with a run of each kind: phase by phase, writing what is finished into the run's directory."""

from collections.abc import Callable
from typing import Any

import torch

from bdistil.config import TeachConfig
from bdistil.data import Dataset, load_dataset
from bdistil.runs.store import Run
from bdistil.teach import finish_teacher, teach
from bdistil.training import Checkpoint, Position, Watch
from bdistil.worker import Pulse, versions


def teach_phases(run: Run, pulse: Pulse, seconds: Callable[[], float]) -> None:
    """Train a teacher and save it with its card."""
    config = TeachConfig(**run.stored()["config"])
    data = load_dataset(config.dataset)
    run.update(phase="teacher", dataset=describe(data))
    run.record("phase", phase="teacher")
    device = best_device()
    model, validation = teach(config, data, checkpoint=_checkpoint(run), watch=_watch(run, pulse, seconds, 1),
                              device=device)  # fmt: skip
    run.update(phase="report")
    run.record("phase", phase="report")
    card = finish_teacher(config, data, model, validation, versions(), seconds(), device)
    run.update(teacher_name=card["name"])
    run.record("teacher_finished", teacher=card["name"], card=card)


def describe(data: Dataset) -> dict[str, Any]:
    """A data set as run.json tells it."""
    known = data.info
    return {
        "name": known.name, "title": known.title, "modality": known.modality, "train": len(data.x_train),
        "validation": len(data.x_validation), "test": len(data.x_test), "classes": list(known.classes),
        "split": known.split, "checksum": data.checksum,
    }  # fmt: skip


def best_device() -> str:
    """A GPU where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def _checkpoint(run: Run) -> Checkpoint:
    return Checkpoint(run.path / "checkpoint.safetensors")


def _watch(run: Run, pulse: Pulse, seconds: Callable[[], float], rounds: int) -> Watch:
    """Tells the run's directory what a training does: heartbeats between, an event and the time after each epoch."""

    def batch(position: Position, epoch: int, epochs: int, number: int, batches: int) -> None:
        fraction = (epoch - 1 + number / batches) / epochs
        pulse.beat(
            phase=position.phase, round=position.round, attempt=position.attempt, epoch=epoch, epochs=epochs,
            batch=number, batches=batches, fraction=fraction,
            seconds_left=pulse.seconds_left(((position.round or 1) - 1 + fraction) / rounds),
        )  # fmt: skip

    def finished(position: Position, record: dict[str, Any]) -> None:
        run.record("epoch", phase=position.phase, round=position.round, attempt=position.attempt, **record)
        run.update(seconds=seconds())

    return Watch(batch, finished, pulse.stop)


PHASES = {"teach": teach_phases}
