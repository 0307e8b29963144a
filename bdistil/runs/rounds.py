"""Saving finished rounds in the run's directory, whole or not at all, and restoring them to go on.

rounds/NN/     of frozen rounds: student.safetensors, student.json, logits.npz (f_t of each split, float32, on the
               normalised scale), round.json (record and point), heaviest.npz
               of corrective rounds: round.json and prefix.npz (F_t, as it stood when round t ended), and of the
               newest one all students as they stood, ensemble/
polish/NN/     of corrective rounds, once they are polished: what rounds/NN/ holds of frozen ones
attempts/NN/   of a round in progress: candidates that the search has rejected
"""

import io
import json
import shutil
from operator import itemgetter
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from bdistil.atomic import new_folder, write_bytes
from bdistil.config import DistilConfig
from bdistil.cost import prefix_costs
from bdistil.data.dataset import Splits
from bdistil.ensemble import ProgressiveEnsemble
from bdistil.errors import UserError
from bdistil.method.distillation import DistillationData
from bdistil.method.frozen import Round
from bdistil.method.joint import Snapshot
from bdistil.method.search import Attempt
from bdistil.paths import open_regular, read_json, read_regular
from bdistil.records import AttemptRecord, FinishedRound, Point, PrefixCost
from bdistil.runs import previews
from bdistil.runs.job import DistillationJob
from bdistil.runs.points import point, prefix_logits, scores
from bdistil.runs.store import Run
from bdistil.students.build import rebuild
from bdistil.students.student import Student

DAMAGES = (UserError, FileNotFoundError, ValueError, KeyError, EOFError, BadZipFile)


def save_round(job: DistillationJob, ensemble: ProgressiveEnsemble, done: Round) -> None:
    """Write a finished frozen round; its failed attempts are no longer needed then."""
    run, data, t = job.run, job.data, len(ensemble)
    earlier = [_read_splits(folder / "logits.npz") for folder in run.round_folders()]
    prefixes = Splits.of(lambda split: prefix_logits([*(f[split] for f in earlier), done.outputs[split]], data.c))
    row = _point(job, t, prefixes.map(lambda each: each[-2:]), prefix_costs(ensemble)[-1])
    with new_folder(_round(run, t), parents=False) as folder:
        _write_student(folder, done.student)
        _write_round(folder, data, FinishedRound(record=done.record, point=row), done.heaviest)
        (folder / "logits.npz").write_bytes(arrays_bytes(dict(done.outputs.items())))
    shutil.rmtree(run.path / "attempts", ignore_errors=True)


def save_corrective_round(job: DistillationJob, ensemble: ProgressiveEnsemble, snapshot: Snapshot) -> np.ndarray:
    """Write a finished corrective round: the prefix as it stands, and all students so that the next can go on.

    Returns the prefix on the training inputs as it is written, normalised.
    """
    run, data, t = job.run, job.data, len(ensemble)
    prefixes = snapshot.outputs.map(_normalised_prefixes)
    row = _point(job, t, prefixes.map(lambda each: data.c * each[-2:]), prefix_costs(ensemble)[-1])
    with new_folder(_round(run, t), parents=False) as folder:
        _write_round(folder, data, FinishedRound(record=snapshot.records[-1], point=row))
        (folder / "prefix.npz").write_bytes(arrays_bytes({split: each[-1] for split, each in prefixes.items()}))
        ensemble.save(folder / "ensemble")
    if t > 1:
        shutil.rmtree(_round(run, t - 1) / "ensemble", ignore_errors=True)
    return prefixes.train[-1]


def save_polish(job: DistillationJob, ensemble: ProgressiveEnsemble, snapshot: Snapshot) -> None:
    """Write the polished students, all rounds at once."""
    run, data = job.run, job.data
    prefixes = snapshot.outputs.map(lambda outputs: prefix_logits(outputs, data.c))
    costs = prefix_costs(ensemble)
    with new_folder(run.path / "polish", parents=False) as whole:
        for t, student in enumerate(ensemble.students, start=1):
            folder = whole / f"{t:02d}"
            folder.mkdir()
            pair = prefixes.map(itemgetter(slice(max(0, t - 2), t)))
            row = _point(job, t, pair, costs[t - 1])
            _write_student(folder, student)
            finished = FinishedRound(record=snapshot.records[t - 1], point=row)
            _write_round(folder, data, finished, snapshot.heaviest[t - 1])
            outputs = {split: each[t - 1] for split, each in snapshot.outputs.items()}
            (folder / "logits.npz").write_bytes(arrays_bytes(outputs))


def save_attempt(run: Run, attempt: Attempt) -> None:
    """Write a rejected candidate: an interruption must not cost its training."""
    record, attempts = attempt.record, run.path / "attempts"
    attempts.mkdir(exist_ok=True)
    with new_folder(attempts / f"{record.round:02d}" / f"{record.attempt:02d}", parents=False) as folder:
        _write_student(folder, attempt.student)
        (folder / "attempt.json").write_text(record.model_dump_json())


def remove_leftovers(run: Run) -> None:
    """Remove what a killed worker has left half-written, or had no time to remove."""
    rounds, attempts = run.unpolished_folders(), _numbered(run.path / "attempts")
    for parent in (run.path, run.path / "rounds", *attempts):
        for path in parent.glob(".*"):
            if path.is_dir():
                shutil.rmtree(path)
            elif not path.name.startswith(".heartbeat."):  # whoever started this worker may be writing that one
                path.unlink()
    outdated = [
        *(folder / "ensemble" for folder in rounds[:-1]),
        *(folder for folder in attempts if int(folder.name) <= len(rounds)),
    ]
    for folder in outdated:
        shutil.rmtree(folder, ignore_errors=True)


def restore(run: Run, data: DistillationData) -> tuple[ProgressiveEnsemble, list[np.ndarray]]:
    """The ensemble of a run's finished frozen rounds, and f_t of each on the training inputs.

    Raises UserError for a damaged round.
    """
    ensemble, finished = _new_ensemble(run, data), []
    for folder in run.round_folders():
        try:
            ensemble.append(_read_student(folder))
            finished.append(_read_splits(folder / "logits.npz").train)
        except DAMAGES:
            raise _damaged(folder) from None
    return ensemble.eval(), finished


def restore_snapshot(run: Run, data: DistillationData) -> tuple[ProgressiveEnsemble, np.ndarray | None]:
    """The students as the last corrective round left them, and its prefix on the training inputs, None before round 1.

    Raises UserError for a damaged round.
    """
    folders = run.unpolished_folders()
    if not folders:
        return _new_ensemble(run, data), None
    try:
        return ProgressiveEnsemble.load(folders[-1] / "ensemble"), _read_splits(folders[-1] / "prefix.npz").train
    except DAMAGES:
        raise _damaged(folders[-1]) from None


def restore_polished(run: Run, data: DistillationData) -> ProgressiveEnsemble:
    """The ensemble of the polished students. Raises UserError for a damaged one."""
    ensemble = _new_ensemble(run, data)
    for folder in run.round_folders():
        try:
            ensemble.append(_read_student(folder))
        except DAMAGES:
            raise _damaged(folder) from None
    return ensemble.eval()


def restore_attempts(run: Run, round: int) -> list[Attempt]:
    """The candidates of a round that were rejected before an interruption, in order, up to a damaged one."""
    attempts = []
    for folder in _numbered(run.path / "attempts" / f"{round:02d}"):
        try:
            attempts.append(Attempt(_read_student(folder).eval(), AttemptRecord.read(folder / "attempt.json")))
        except DAMAGES:
            break
    return attempts


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an NPZ file. Raises as numpy does; the file is closed even where it is damaged."""
    with open_regular(path) as file, np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def _read_splits(path: Path) -> Splits[np.ndarray]:
    """The array of each split. Raises as `read_arrays`, and KeyError where one is missing."""
    return Splits.of(read_arrays(path).__getitem__)


def arrays_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """The bytes of an NPZ file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write an NPZ file, whole or not at all."""
    write_bytes(path, arrays_bytes(arrays))


def _point(job: DistillationJob, t: int, prefixes: Splits[np.ndarray], cost: PrefixCost) -> Point:
    """The frontier's point of prefix t; `prefixes` holds F_{t−1} (from t = 2 on) and F_t of each split, scaled by c."""
    data = job.data
    return point(
        t,
        prefixes.test[-1],
        data.teacher.test,
        data.dataset.y_test,
        prefixes.test[-2] if t > 1 else None,
        train=scores(prefixes.train[-1], data.teacher.train, data.dataset.y_train),
        validation=scores(prefixes.validation[-1], data.teacher.validation, data.dataset.y_validation),
        cost=cost,
        teacher_macs=job.teacher_macs,
        budget=job.budgets[t - 1] if job.budgets else None,
        people=data.dataset.test_persons,
    )


def _normalised_prefixes(outputs: np.ndarray) -> np.ndarray:
    """Outputs f_1 … f_t (t, N, L) -> prefixes F_1 … F_t of the same shape, float32."""
    counts = np.arange(1, len(outputs) + 1)[:, None, None]
    return (outputs.astype(np.float64).cumsum(axis=0) / counts).astype(np.float32)


def _write_student(folder: Path, student: Student) -> None:
    (folder / "student.safetensors").write_bytes(student.weights())
    (folder / "student.json").write_text(json.dumps(student.spec))


def _read_student(folder: Path) -> Student:
    spec = read_json(folder / "student.json")
    return rebuild(spec, read_regular(folder / "student.safetensors"))


def _write_round(
    folder: Path, data: DistillationData, finished: FinishedRound, heaviest: dict[str, np.ndarray] | None = None
) -> None:
    (folder / "round.json").write_text(finished.model_dump_json())
    if heaviest is not None and finished.record.round > 1:  # in round 1 all weigh the same
        dataset, index = data.dataset, heaviest["index"]
        answers = {"true": dataset.y_train[index], "teacher": data.teacher.train[index].argmax(1)}
        drawn = previews.arrays(dataset, dataset.x_train[index])
        (folder / "heaviest.npz").write_bytes(arrays_bytes(heaviest | answers | drawn))


def _numbered(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9][0-9]"))


def _round(run: Run, t: int) -> Path:
    return run.path / "rounds" / f"{t:02d}"


def _new_ensemble(run: Run, data: DistillationData) -> ProgressiveEnsemble:
    config = run.stored().config
    assert isinstance(config, DistilConfig)
    return data.ensemble(config.dataset, config.teacher)


def _damaged(folder: Path) -> UserError:
    return UserError(f"{folder} is damaged. Delete it and all later ones, then resume.")
