"""What a worker does with a run of each kind: phase by phase, writing what is finished into the run's directory."""

import io
import json
from collections.abc import Callable
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch

from bdistil.boosting import B, theory_eta
from bdistil.config import DistilConfig, TeachConfig
from bdistil.cost import prefix_costs
from bdistil.data import Dataset, load_dataset
from bdistil.data.views import Augmentation, view
from bdistil.distil import Round, Task, composition, distil
from bdistil.ensemble import ProgressiveEnsemble
from bdistil.errors import UserError
from bdistil.paths import home
from bdistil.results.frontier import point, prefix_logits, scores
from bdistil.runs.files import new_folder, write_bytes
from bdistil.runs.store import Run
from bdistil.students.build import rebuild
from bdistil.teach import finish_teacher, teach
from bdistil.teachers.cards import card_for
from bdistil.teachers.logits import TeacherLogits
from bdistil.training import Checkpoint, Position, Stopped, Watch
from bdistil.worker import Pulse, versions


def teach_phases(run: Run, pulse: Pulse, seconds: Callable[[], float]) -> None:
    """Train a teacher and save it with its card."""
    config = TeachConfig.build(**run.stored()["config"])
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


def distil_phases(run: Run, pulse: Pulse, seconds: Callable[[], float]) -> None:
    """Ask the teacher, train round after round from where the run stands, and save the ensemble."""
    config, device = DistilConfig.build(**run.stored()["config"]), best_device()
    card = card_for(config.teacher, config.dataset)
    run.update(phase="teacher")
    run.record("phase", phase="teacher")
    task = make_task(config, card, pulse, device)
    _describe_task(run, config, task, card)

    run.update(phase="rounds")
    run.record("phase", phase="rounds")
    ensemble, finished = restore(run, task)
    _tell_untold_rounds(run)
    watch = _watch(run, pulse, seconds, config.rounds)
    rounds = distil(config, task, ensemble, finished, checkpoint=_checkpoint(run), watch=watch, device=device)
    for t in range(len(finished) + 1, config.rounds + 1):
        _announce(run, config, t)
        _keep_round(run, task, ensemble, next(rounds), card)
        run.update(seconds=seconds())

    run.update(phase="report")
    run.record("phase", phase="report")
    ensemble.cpu().save(run.path / "ensemble")


def make_task(config: DistilConfig, card: dict[str, Any], pulse: Pulse | None = None, device: str = "cpu") -> Task:
    """The data set with the teacher's logits on its splits and on the views of its training inputs."""
    data, ask = load_dataset(config.dataset), TeacherLogits(card, device)
    augmentation = Augmentation(config.shift, config.flip)
    views = np.stack([view(data.x_train, v, config.seed, augmentation) for v in range(config.views)])
    pictures = [data.x_validation, data.x_test, *views]
    total = sum(map(len, pictures))

    def ticker(before: int, count: int) -> Callable[[float], None]:
        def tick(done: float) -> None:
            if pulse:
                pulse.beat(phase="teacher", fraction=(before + done * count) / total)
                if pulse.stop():
                    raise Stopped

        return tick

    befores = np.cumsum([0, *map(len, pictures)])
    validation, test, *view_logits = (
        ask(x, ticker(int(before), len(x))) for x, before in zip(pictures, befores, strict=False)
    )
    return Task(data, {"train": view_logits[0], "validation": validation, "test": test}, views, np.stack(view_logits))


def restore(run: Run, task: Task) -> tuple[ProgressiveEnsemble, list[np.ndarray]]:
    """The ensemble of a run's finished rounds, and f_t of each on the training inputs.

    Raises UserError for a damaged round.
    """
    config = run.stored()["config"]
    ensemble, finished = task.ensemble(dataset=config["dataset"], teacher=config["teacher"]), []
    for folder in run.round_folders():
        try:
            spec = json.loads((folder / "student.json").read_text())
            ensemble.append(rebuild(spec, (folder / "student.safetensors").read_bytes()))
            with open(folder / "logits.npz", "rb") as file, np.load(file, allow_pickle=False) as logits:
                finished.append(logits["train"])
        except (UserError, FileNotFoundError, ValueError, KeyError, EOFError, BadZipFile):
            raise UserError(f"{folder} is damaged. Delete it and all later ones, then resume.") from None
    return ensemble.eval(), finished


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


def _describe_task(run: Run, config: DistilConfig, task: Task, card: dict[str, Any]) -> None:
    """Write targets.npz, the previews, and what run.json says of the task.

    Raises UserError if the teacher or the data are no longer those of the run's finished rounds.
    """
    data, before = task.data, run.stored()
    if before["scale"] and (before["scale"]["c"], before["dataset"]["checksum"]) != (task.c, data.checksum):
        raise UserError("The teacher or the dataset has changed since this run began. Start a new run.")
    targets = {f"teacher_{split}": logits for split, logits in task.teacher.items()}
    targets |= {f"labels_{split}": data.split(split)[1] for split in task.teacher}
    _write_arrays(run.path / "targets.npz", targets)
    previews = home() / "previews" / f"{config.dataset}.npz"
    if not previews.exists():
        previews.parent.mkdir(parents=True, exist_ok=True)
        images = data.x_test[:, 0] if data.x_test.shape[1] == 1 else data.x_test.transpose(0, 2, 3, 1)
        _write_arrays(previews, {"images": images, "max": np.array(data.x_train.max())})
    told = {key: card.get(key) for key in ("name", "accuracy", "accuracy_low", "accuracy_high", "macs", "parameters",
                                           "bytes")}  # fmt: skip
    eta_b = theory_eta(len(data.x_train), config.rounds) * B
    scale = {"c": task.c, "B": B, "eta_B": eta_b, "temperature": config.temperature}
    run.update(dataset=describe(data), teacher={**told, "latency_ms": {}}, scale=scale)


def _announce(run: Run, config: DistilConfig, t: int) -> None:
    run.record("round_started", round=t, attempt=1, composition=composition(config, t), barrier=config.barrier,
               epochs=config.epochs)  # fmt: skip


def _keep_round(run: Run, task: Task, ensemble: ProgressiveEnsemble, done: Round, card: dict[str, Any]) -> None:
    """Write a finished round, whole or not at all, then tell of it."""
    t = len(ensemble)
    prefixes = {split: _prefixes(run, task, split, done) for split in task.teacher}
    labels = {split: task.data.split(split)[1] for split in task.teacher}
    told = {split: scores(prefixes[split][-1], task.teacher[split], labels[split]) for split in ("train", "validation")}
    row = point(
        t, prefixes["test"][-1], task.teacher["test"], labels["test"], prefixes["test"][-2] if t > 1 else None,
        **told, cost=prefix_costs(ensemble)[-1], teacher_macs=card["macs"],
    )  # fmt: skip
    with new_folder(run.path / "rounds" / f"{t:02d}") as folder:
        (folder / "student.safetensors").write_bytes(done.student.weights())
        (folder / "student.json").write_text(json.dumps(done.student.spec))
        (folder / "logits.npz").write_bytes(_arrays(done.outputs))
        (folder / "round.json").write_text(json.dumps({"record": done.record, "point": row}, allow_nan=False))
    _tell_untold_rounds(run)


def _prefixes(run: Run, task: Task, split: str, done: Round) -> np.ndarray:
    """All prefixes (t, N, L) of a split, on the teacher's scale, the one that `done` completes last."""
    students = []
    for folder in run.round_folders():
        with np.load(folder / "logits.npz", allow_pickle=False) as logits:
            students.append(logits[split])
    return prefix_logits([*students, done.outputs[split]], task.c)


def _tell_untold_rounds(run: Run) -> None:
    """Events and summary of finished rounds that a crash kept from being told."""
    rounds = run.rounds()
    told = {event["round"] for event in run.events()[0] if event["kind"] == "round_finished"}
    for number, entry in enumerate(rounds, start=1):
        if number not in told:
            record = entry["record"]
            condition = {key: record[key] for key in ("barrier", "edge_min", "edges", "relative_edges", "certified")}
            run.record("attempt_finished", round=number, attempt=1, composition=record["composition"][-1],
                       outcome="kept", **condition)  # fmt: skip
            run.record("round_finished", round=number, **entry)
    summary = [{key: entry["point"][key] for key in ("prefix", "accuracy", "macs", "macs_ratio")} for entry in rounds]
    run.update(rounds_done=len(rounds), points=summary)


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


def _arrays(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _write_arrays(path: Any, arrays: dict[str, np.ndarray]) -> None:
    write_bytes(path, _arrays(arrays))


PHASES = {"teach": teach_phases, "distil": distil_phases}
