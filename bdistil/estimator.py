"""`BDistil`: the engine on arrays, in scikit-learn's manner. Nothing is written to disk.

`fit` runs the same rounds as a run of the command line does (`distil.distil`); fitted attributes end in an underscore.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from bdistil.config import DistilConfig
from bdistil.data.dataset import Dataset, DatasetInfo
from bdistil.ensemble import ProgressiveEnsemble
from bdistil.errors import UserError
from bdistil.method.distillation import Distillation, DistillationData
from bdistil.method.student_training import BATCH
from bdistil.method_registry import DEFAULT_METHOD
from bdistil.recipes import PRESETS, RECIPES
from bdistil.runs.methods import trainer
from bdistil.students.catalogue import FAMILIES, OWN, family
from bdistil.students.custom import Factory


class BDistil(ClassifierMixin, BaseEstimator):
    """A progressive ensemble of small students, distilled from a teacher's logits.

    student: a name of `students.catalogue`; it says what X is: pictures for `cnn`, series for the others. Or a function
    that makes students of your own (`students.own`): X of four axes are pictures then, others series, and how they are
    composed is theirs to say. rounds: T, 1 … 64. random_state: seed of weights, order and views. The other parameters
    are those of `config.DistilConfig`; where they are None, they are the method's own for pictures or for series.
    Augmented views need the teacher's logits on them, which `fit` is not given, so it trains on the inputs as they are.

    X is raw, not normalised: pictures (N, channels, height, width) or, of one channel, (N, height, width), whole
    numbers from 0 to 255; series (N, time, channels) or, of one channel, (N, time). `ensemble_` itself takes pictures
    (N, channels, height, width) and series (N, channels, time).

    Attributes after `fit`: ensemble_ (`ProgressiveEnsemble`), classes_ (L,), edges_ (T, L): edge_j of each student on
    the training inputs under the weights of its round; records_: a `RoundRecord` a student.
    """

    def __init__(
        self,
        student: str | Factory = "cnn-s",
        rounds: int = 6,
        *,
        method: str = DEFAULT_METHOD,
        composition: str | None = None,
        head: str | None = None,
        mode: str | None = None,
        meet_condition: bool = True,
        retries: int = 3,
        loss: str = "ensemble",
        divergence: str = "kl",
        temperature: float = 2.0,
        label_share: float = 0.0,
        barrier: float = 0.3,
        epochs: int = 10,
        polish_epochs: int = 20,
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        warm_up: float | None = None,
        clip: float | None = None,
        dropout: float | None = None,
        cell: str | None = None,
        growth: float = 1.0,
        batch_size: int = 128,
        random_state: int = 0,
    ):
        self.student = student
        self.rounds = rounds
        self.method = method
        self.composition = composition
        self.head = head
        self.mode = mode
        self.meet_condition = meet_condition
        self.retries = retries
        self.loss = loss
        self.divergence = divergence
        self.temperature = temperature
        self.label_share = label_share
        self.barrier = barrier
        self.epochs = epochs
        self.polish_epochs = polish_epochs
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.warm_up = warm_up
        self.clip = clip
        self.dropout = dropout
        self.cell = cell
        self.growth = growth
        self.batch_size = batch_size
        self.random_state = random_state

    def fit(
        self,
        X: np.ndarray,
        y: np.ndarray | None = None,
        *,
        teacher_logits: np.ndarray,
        validation_data: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> "BDistil":
        """Distil. X: raw inputs, see the class.

        y: labels (N,), needed only for a label share; else the teacher's answers stand in. teacher_logits: (N, L).
        validation_data: (X, teacher_logits) to report on after each epoch. Raises UserError for what does not fit.
        """
        self._pictures = family(self.student) in FAMILIES["image"] if isinstance(self.student, str) else np.ndim(X) == 4
        config = self._config()
        X, g = self._inputs(X), _logits(teacher_logits, len(X))
        self.classes_ = np.unique(y) if y is not None else np.arange(g.shape[1])
        if len(self.classes_) != g.shape[1]:
            raise UserError(f"The teacher answers {g.shape[1]} classes and y has {len(self.classes_)}: they differ.")
        labels = np.searchsorted(self.classes_, y) if y is not None else g.argmax(1)
        x_check, g_check = X[:1], g[:1]
        if validation_data is not None:
            x_check = self._inputs(validation_data[0])
            g_check = _logits(validation_data[1], len(x_check))
        check = (x_check, g_check.argmax(1))
        known = DatasetInfo(
            name="arrays",
            title="Arrays",
            modality=self._modality(),
            classes=tuple(map(str, self.classes_)),
            input_shape=X.shape[1:],
            train=len(X),
            validation=len(x_check),
            test=0,
            split="as given",
            licence="",
            source="",
            download_bytes=0,
            preview=False,
        )
        config.fitting(known)
        data = Dataset.of(known, {"train": (X, labels), "validation": check, "test": (X[:1], labels[:1])})
        task = DistillationData(data, {"train": g, "validation": g_check, "test": g[:1]}, X[None], g[None])
        self.ensemble_ = task.ensemble()
        self.records_ = trainer(config.method).fit(Distillation(config, task, self.ensemble_))
        self.edges_ = np.array([record.edges for record in self.records_])
        return self

    def staged_decision_function(self, X: np.ndarray) -> Iterator[np.ndarray]:
        """Raw inputs (N, …) to the logits (N, L) of prefix 1, 2, … T, on the teacher's scale, in one pass."""
        check_is_fitted(self)
        X = self._inputs(X)
        batches = [self.ensemble_.staged(X[start : start + BATCH]) for start in range(0, len(X), BATCH)]
        for parts in zip(*batches, strict=True):
            yield np.concatenate([part.cpu().numpy() for part in parts])

    def decision_function(self, X: np.ndarray, prefix: int | None = None) -> np.ndarray:
        """Logits (N, L) of a prefix (default: all students), on the teacher's scale."""
        check_is_fitted(self)
        ensemble, X = self.ensemble_.truncate(len(self.ensemble_) if prefix is None else prefix), self._inputs(X)
        last = []
        for start in range(0, len(X), BATCH):
            *_, logits = ensemble.staged(X[start : start + BATCH])
            last.append(logits.cpu().numpy())
        return np.concatenate(last)

    def predict(self, X: np.ndarray, prefix: int | None = None) -> np.ndarray:
        """Classes (N,) by a prefix (default: all students)."""
        return self.classes_[self.decision_function(X, prefix).argmax(1)]

    def predict_until(self, X: np.ndarray, deadline_ms: float) -> np.ndarray:
        """Classes (N,) by as many students as are expected to finish within the deadline, at least one."""
        check_is_fitted(self)
        logits, _ = self.ensemble_.predict_until(self._inputs(X), deadline_ms)
        return self.classes_[logits.cpu().numpy().argmax(1)]

    def _config(self) -> DistilConfig:
        given = {name: value for name, value in self.get_params().items() if value is not None or name == "student"}
        del given["random_state"]
        modality, recipe = self._modality(), {}
        for source in (RECIPES[modality], PRESETS.get((modality, self.method), {})):
            recipe |= {name: value for name, value in source.items() if name in self.get_params()}
        fixed = dict(dataset="arrays", teacher="arrays", seed=self.random_state, views=1, shift=0, flip=False)
        if callable(self.student):
            own = dict(composition=OWN, head="student", mode="full", cell="own", dropout=0.0)
            for name, value in own.items():
                if given.get(name, value) != value:
                    raise UserError(
                        f"The {name} is for bdistil's own students, and those of your making are as you "
                        f"write them: leave {name} out."
                    )
            fixed |= dict(student=OWN, factory=self.student, **own)
        return DistilConfig.build(**recipe | given | fixed)

    def _modality(self) -> str:
        """Series of which no more is known are taken for a sensor's."""
        return "image" if self._pictures else "sensor"

    def _inputs(self, X: Any) -> np.ndarray:
        return _images(X) if self._modality() == "image" else _series(X)


def load(folder: str | Path) -> ProgressiveEnsemble:
    """The ensemble saved in a folder, or the finished run of that id. Raises UserError if there is none."""
    from bdistil.runs import open_run

    if (Path(folder) / "ensemble.json").is_file():
        return ProgressiveEnsemble.load(folder)
    return ProgressiveEnsemble.load(open_run(folder).path / "ensemble")


def _images(X: Any) -> np.ndarray:
    X = np.asarray(X)
    X = X[:, None] if X.ndim == 3 else X
    if X.ndim != 4 or not len(X):
        raise UserError(f"Inputs have shape {X.shape}; give (N, channels, height, width) or (N, height, width).")
    if X.dtype != np.uint8 and not ((X >= 0) & (X <= 255) & (np.floor(X) == X)).all():
        raise UserError("Inputs must be raw pixels: whole numbers from 0 to 255.")
    return X.astype(np.uint8)


def _series(X: Any) -> np.ndarray:
    """Series (N, time, channels) or (N, time) -> float32 (N, channels, time)."""
    X = np.asarray(X, dtype=np.float32)
    X = X[:, :, None] if X.ndim == 2 else X
    if X.ndim != 3 or not X.size:
        raise UserError(f"Inputs have shape {X.shape}; give (N, time, channels), or (N, time) for one channel.")
    if not np.isfinite(X).all():
        raise UserError(f"Series {int((~np.isfinite(X)).any(axis=(1, 2)).argmax())} holds NaN or infinity: mend it.")
    return np.ascontiguousarray(X.transpose(0, 2, 1))


def _logits(logits: Any, rows: int) -> np.ndarray:
    logits = torch.as_tensor(logits).detach().cpu().numpy().astype(np.float32)
    if logits.ndim != 2 or len(logits) != rows:
        raise UserError(f"The teacher's logits have shape {logits.shape}; give one row for each of the {rows} inputs.")
    return logits
