"""`BDistil`: the engine on arrays, in scikit-learn's manner. Nothing is written to disk.

`fit` runs the same rounds as a run of the command line does; fitted attributes end in an underscore.
"""

import math
import numbers
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import Tags, assert_all_finite, check_array, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from bdistil.budgets import parse
from bdistil.config import DistilConfig
from bdistil.data.dataset import Dataset, DatasetInfo, Modality, Splits
from bdistil.data.raw_arrays import pictures, series
from bdistil.ensemble import ProgressiveEnsemble
from bdistil.errors import UserError, quoted
from bdistil.method.distillation import Distillation, DistillationData
from bdistil.method.ladder import budgets_of
from bdistil.method.student_training import BATCH
from bdistil.method_registry import DEFAULT_METHOD
from bdistil.runs.methods import trainer
from bdistil.students.catalogue import OWN, names
from bdistil.students.catalogue import check as check_student
from bdistil.students.custom import Factory
from bdistil.teachers.black_box import no_better_than_chance
from bdistil.teachers.python_teacher import answer, as_answers, column_labels, is_array, places, prepare

Split = tuple[np.ndarray, np.ndarray, np.ndarray]  # inputs, logits (N, L) and labels (N,), places in the classes


class InputError(UserError, ValueError):
    """What `BDistil` refuses, in one sentence: also the ValueError that scikit-learn's tools expect."""


class BDistil(ClassifierMixin, BaseEstimator):
    """A classifier in scikit-learn's manner: a progressive ensemble of small students, distilled from a teacher.

        >>> from sklearn.datasets import load_digits
        >>> from sklearn.svm import SVC
        >>> from bdistil import BDistil
        >>> X, y = load_digits(return_X_y=True)
        >>> pictures = X.reshape(-1, 8, 8)
        >>> model = BDistil("cnn-xs", rounds=3, teacher=SVC(gamma=0.001), epochs=2, polish_epochs=4)
        >>> model = model.fit(pictures[:1000], y[:1000])
        >>> for prefix in 1, 2, 3:
        ...     accuracy = (model.predict(pictures[1000:], prefix=prefix) == y[1000:]).mean()
        ...     print(f"{prefix} of 3 students, more than 80 % right: {accuracy > 0.8}")
        1 of 3 students, more than 80 % right: True
        2 of 3 students, more than 80 % right: True
        3 of 3 students, more than 80 % right: True

    X is raw, not normalised: pictures (N, channels, height, width) or, of one channel, (N, height, width), whole
    numbers from 0 to 255; series (N, time, channels) or, of one channel, (N, time), as a table has them.

    student: a name of `students.catalogue`. It says what X is: pictures for `cnn`, series for the others. Or a function
    that makes students of your own (`students.custom`): X of four axes are pictures then, others series, and how they
    are composed is theirs to say.

    rounds: the number of students, 1 to 64. None: the method's own, or one for each of the budgets.

    budgets: upper limits on the MACs of each prefix, rising, such as "20k,60k": each student is as large as fits.

    teacher: the model that is distilled, one of these.

    - A classifier with `decision_function` or `predict_proba`. If it is fitted, it answers as it is; if not, `fit` fits
      a clone of it (`teacher_`) to the same X and y. In `cross_val_score` and `GridSearchCV` scikit-learn clones the
      estimator with its teacher, and a clone is not fitted: each fold trains its own teacher, which has not seen the
      rows that are scored. Give `sklearn.frozen.FrozenEstimator(teacher)` to keep a pretrained one. scikit-learn's
      classifiers are given pictures and series flattened, one row each.
    - A `torch.nn.Module`. It is given batches of X as they are, raw, as float32, and is in evaluation mode meanwhile.
    - A function from X to an array.
    - An array, a row for each row of the X of `fit`. It cannot answer for a part of them: in cross-validation give
      `teacher_logits` to `fit` instead, which are split with X.

    The teacher gives logits (N, L), or probabilities, of which the logarithm is taken. Of two classes it may give one
    column, (N,) or (N, 1): the log-odds, or the probability, of the second class.

    classes: the labels of the teacher's columns, in their order. By default they are those that the classifier knows,
    or all labels in y, sorted.

    validation_fraction: the part of the examples that is held out of training where `fit` is given no validation data,
    by class if each class has two examples or more. It shows what a correction of a student costs.

    random_state: the seed of weights, order and held-out examples; None draws one.

    The other parameters are the options of a run. Where they are None, they are the method's own for pictures or for
    series. `fit` trains on the inputs as they are: the teacher's logits on augmented ones are not known.

    - method: How the rounds are trained.
    - composition: What a student reads of those before it.
    - head: What a student's output layer gives.
    - mode: What each student reads of a series.
    - meet_condition: Adjust the output layer of a student that does not correct the others on every class, and train it
      again if that costs too much.
    - retries: How often a round is trained again with a stronger barrier, before the next composition is tried.
    - loss: What is compared with the teacher.
    - divergence: How answers are compared with the teacher's.
    - temperature: By what logits are divided before kl compares them: the higher, the more unlikely classes count.
    - label_share: How much of the loss is about the true labels; 0 learns from the teacher alone.
    - barrier: How strongly a student is pulled to correct the students before it, as boosting needs it to.
    - epochs: How often a round goes through all examples.
    - polish_epochs: Epochs of the last training, of all students together, that b-distil+polish ends with.
    - learning_rate: The largest step size: it rises to it first, then falls to nearly 0.
    - weight_decay: How strongly large weights are penalised.
    - warm_up: Share of a training in which the learning rate rises.
    - clip: The largest norm of a gradient; longer ones are shortened.
    - dropout: Share of what a recurrent student takes over from the one before it that training leaves out at random.
    - cell: Whose cell a gru uses.
    - growth: How many times the channels of the student before it each student has.
    - batch_size: Training examples that one update of the weights is made from.

    Attributes after `fit`:

    - `classes_` (L,): the labels, sorted; the order of all columns.
    - `ensemble_`: the `ProgressiveEnsemble`. It takes pictures (N, channels, height, width) and, other than here,
      series (N, channels, time).
    - `edges_` (T, L): how much each student corrected the ones before it, by class: edge_j on the examples that were
      trained on, under the weights of the student's round.
    - `records_`: a `RoundRecord` for each student.
    - `teacher_`: the teacher that was asked; None where an array was given.
    - `n_features_in_`: how many numbers one input has. `feature_names_in_`: their names, if X was a data frame.
    """

    def __init__(
        self,
        student: str | Factory = "cnn-s",
        rounds: int | None = None,
        *,
        teacher: Any = None,
        classes: Sequence[Any] | None = None,
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
        budgets: str | None = None,
        batch_size: int | None = None,
        validation_fraction: float = 0.1,
        random_state: int | np.random.RandomState | None = 0,
    ):
        self.student = student
        self.rounds = rounds
        self.teacher = teacher
        self.classes = classes
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
        self.budgets = budgets
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        teacher_logits: Any = None,
        validation_data: tuple[Any, Any] | None = None,
    ) -> "BDistil":
        """Distil. X: raw inputs, see the class.

        y: labels (N,), needed by a teacher that is not fitted and for a label share; else the teacher's decisions stand
        in. teacher_logits: the teacher's answers (N, L), instead of `teacher`. validation_data: (X, y) for a teacher
        that can be asked, (X, its logits) where logits were given. Raises InputError, or scikit-learn's ValueError.
        """
        with _value_errors(), torch.random.fork_rng(devices=[]):
            if isinstance(self.student, str):
                check_student(self.student)  # its name says what X is
            self._pictures = _are_pictures(X, self.student)
            seed = _seed(self.random_state)
            inputs = self._inputs(X, reset=True)
            y = None if y is None else _checked_labels(y, len(inputs))
            info = self._info(inputs)
            config = self._config(info, seed)
            teacher = prepare(self._given_teacher(len(inputs), teacher_logits), X, y)
            answers = answer(teacher, X, len(inputs))
            names = column_labels(teacher, answers.shape[1], self.classes, y)
            columns = np.argsort(names)
            classes, g = names[columns], answers[:, columns]
            labels = g.argmax(1) if y is None else places(y, classes)
            if y is not None and (doubt := no_better_than_chance(g, labels)):
                warnings.warn(doubt, stacklevel=2)
            train = inputs, g, labels
            if validation_data is None:
                train, check = _held_out(train, self.validation_fraction, seed)
            else:
                check = self._validation(teacher, *validation_data, classes, columns)
            data = _data(info, classes, train, check)
            ensemble = data.ensemble()
            budgets = _budgets(config, data)
            records = trainer(config.method).fit(Distillation(config, data, ensemble, budgets=budgets))
        self.classes_, self.ensemble_, self.records_ = classes, ensemble, records
        self.edges_ = np.array([record.edges for record in records])
        self.teacher_ = None if is_array(teacher) else teacher
        return self

    def staged_decision_function(self, X: Any) -> Iterator[np.ndarray]:
        """Raw inputs (N, …) to what `decision_function` gives of prefix 1, 2, … T, in one pass."""
        check_is_fitted(self, "ensemble_")
        with _value_errors():
            X = self._inputs(X)
            batches = [self.ensemble_.staged(X[start : start + BATCH]) for start in range(0, len(X), BATCH)]
            for parts in zip(*batches, strict=True):
                yield _margins(np.concatenate([part.cpu().numpy() for part in parts]))

    def decision_function(self, X: Any, prefix: int | None = None) -> np.ndarray:
        """Logits (N, L) of a prefix (default: all students), on the teacher's scale.

        Of two classes (N,): the second's logit less the first's, above 0 where the second is predicted.
        """
        return _margins(self._logits(X, prefix))

    def predict_proba(self, X: Any, prefix: int | None = None) -> np.ndarray:
        """Probabilities (N, L) of the classes by a prefix (default: all students): the softmax of its logits."""
        logits = torch.from_numpy(self._logits(X, prefix).astype(np.float64))
        return torch.softmax(logits, dim=1).numpy()

    def predict(self, X: Any, prefix: int | None = None) -> np.ndarray:
        """Classes (N,) by a prefix (default: all students)."""
        columns = self._logits(X, prefix).argmax(1)  # raises what there is to raise before classes_ is read
        return self.classes_[columns]

    def predict_until(self, X: Any, deadline_ms: float) -> np.ndarray:
        """Classes (N,) by as many students as are expected to finish within the deadline, at least one."""
        check_is_fitted(self, "ensemble_")
        with _value_errors():
            logits, _ = self.ensemble_.predict_until(self._inputs(X), deadline_ms)
        return self.classes_[logits.cpu().numpy().argmax(1)]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = not _is_for_pictures(self.student)
        tags.input_tags.three_d_array = True
        return tags

    def _logits(self, X: Any, prefix: int | None) -> np.ndarray:
        """Logits (N, L) of a prefix, on the teacher's scale, for inputs as the user has them."""
        check_is_fitted(self, "ensemble_")
        with _value_errors():
            ensemble = self.ensemble_.truncate(len(self.ensemble_) if prefix is None else prefix)
            X, last = self._inputs(X), []
            for start in range(0, len(X), BATCH):
                *_, logits = ensemble.staged(X[start : start + BATCH])
                last.append(logits.cpu().numpy())
        return np.concatenate(last)

    def _config(self, info: DatasetInfo, seed: int) -> DistilConfig:
        # A grid may hold numpy's numbers: plain ones are what options are.
        given = {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in self.get_params(deep=False).items()
            if name in DistilConfig.model_fields and (value is not None or name == "student")
        }
        fixed = dict(dataset="arrays", teacher="arrays", seed=seed, views=1, shift=0, flip=False)
        if callable(self.student):
            own = dict(composition=OWN, head="student", mode="full", cell="own", dropout=0.0)
            for name, value in own.items():
                if given.get(name, value) != value:
                    raise UserError(
                        f"The {name} is for bdistil's own students, and those of your making are as you "
                        f"write them: leave {name} out."
                    )
            fixed |= dict(student=OWN, factory=self.student, **own)
        return DistilConfig.build(**DistilConfig.recipe(info, **given) | given | fixed).fitting(info)

    def _modality(self) -> Modality:
        """Series of which no more is known are taken for a sensor's."""
        return "image" if self._pictures else "sensor"

    def _inputs(self, X: Any, reset: bool = False) -> np.ndarray:
        """Inputs as students read them: uint8 (N, channels, height, width) or float32 (N, channels, time).

        reset: they are those of `fit`, whose shape others must have.
        """
        with np.errstate(over="ignore"):  # what overflows is told as infinite
            array = check_array(
                X,
                dtype="numeric" if self._pictures else np.float32,
                ensure_all_finite=False,
                allow_nd=True,
                ensure_min_samples=2 if reset else 1,
                estimator=self,
                input_name="X",
            )
        if reset or array.ndim == 2:  # names and numbers of columns
            columns = X if array.ndim == 2 else array.reshape(len(array), -1)
            validate_data(self, columns, reset=reset, skip_check_array=True)
        inputs = pictures(array) if self._pictures else series(array)
        if reset:
            self._input_shape = inputs.shape[1:]
        elif inputs.shape[1:] != self._input_shape:
            channels, *rest = self._input_shape
            expected = ", ".join(map(str, [channels, *rest] if self._pictures else [*rest, channels]))
            raise UserError(
                f"Inputs have shape {array.shape}, and BDistil was fitted to (N, {expected}): reshape them."
            )
        return inputs

    def _info(self, inputs: np.ndarray) -> DatasetInfo:
        """What is known of the data before the teacher has answered."""
        return DatasetInfo(
            name="arrays",
            title="Arrays",
            modality=self._modality(),
            classes=(),
            input_shape=inputs.shape[1:],
            train=len(inputs),
            validation=0,
            test=0,
            split="as given",
            licence="",
            source="",
            download_bytes=0,
            preview=False,
        )

    def _given_teacher(self, examples: int, teacher_logits: Any) -> Any:
        """The teacher, or its logits. Raises UserError where there is none, or two."""
        if teacher_logits is None and self.teacher is None:
            raise UserError("There is no teacher: give BDistil(teacher=…), or fit(…, teacher_logits=…).")
        if teacher_logits is None:
            if is_array(self.teacher) and len(self.teacher) != examples:
                raise UserError(
                    f"The teacher is an array of {len(self.teacher)} rows and X has {examples}: it cannot answer for "
                    "other inputs than its own. In cross-validation give it to fit as teacher_logits, which are split "
                    "with X, or choose a teacher that can be asked."
                )
            return self.teacher
        if self.teacher is not None:
            raise UserError("There are two teachers: leave out either teacher or teacher_logits.")
        return np.asarray(teacher_logits) if isinstance(teacher_logits, list | tuple) else teacher_logits

    def _validation(self, teacher: Any, X: Any, given: Any, classes: np.ndarray, columns: np.ndarray) -> Split:
        """The validation data that `fit` was given: y, or the logits of a teacher that cannot be asked."""
        inputs = self._inputs(X)
        g = as_answers(given, len(inputs)) if is_array(teacher) else answer(teacher, X, len(inputs))
        if g.shape[1] != len(columns):
            raise UserError(
                f"The validation data's logits have {g.shape[1]} columns and the teacher's {len(columns)}: give the "
                "same classes in both."
            )
        g = g[:, columns]
        if is_array(teacher) or given is None:
            return inputs, g, g.argmax(1)
        return inputs, g, places(_checked_labels(given, len(inputs)), classes)


def load(folder: str | Path) -> ProgressiveEnsemble:
    """The ensemble saved in a folder, or the finished run of that id. Raises UserError if there is none."""
    from bdistil.runs import open_run

    if (Path(folder) / "ensemble.json").is_file():
        return ProgressiveEnsemble.load(folder)
    return ProgressiveEnsemble.load(open_run(folder).path / "ensemble")


@contextmanager
def _value_errors() -> Iterator[None]:
    """The engine's refusals as `InputError`."""
    try:
        yield
    except UserError as error:
        raise InputError(str(error)) from error.__cause__


def _data(info: DatasetInfo, classes: np.ndarray, train: Split, check: Split) -> DistillationData:
    (x, g, labels), (x_check, g_check, labels_check) = train, check
    info = replace(info, classes=tuple(map(str, classes)), train=len(x), validation=len(x_check))
    # Nothing is tested in `fit`: one example stands in.
    splits = {"train": (x, labels), "validation": (x_check, labels_check), "test": (x[:1], labels[:1])}
    return DistillationData(Dataset.of(info, splits), Splits(g, g_check, g[:1]), x[None], g[None])


def _budgets(config: DistilConfig, data: DistillationData) -> tuple[int, ...]:
    """Limits on the MACs of each prefix, () for none. Warns of those that no student comes near.

    Raises UserError for shares of the teacher's MACs, and for a budget that the smallest student does not fit.
    """
    if config.budgets and parse(config.budgets).shares:
        raise UserError(
            "BDistil does not know the teacher's MACs, so its budgets cannot be shares of them: give `budgets` such as "
            "200k,1M,5M."
        )
    limits, remarks = budgets_of(config, data.dataset.info, None)
    for remark in remarks:
        warnings.warn(remark, stacklevel=3)
    return limits


def _held_out(given: Split, fraction: float, seed: int) -> tuple[Split, Split]:
    """Examples to train on, and the fraction that is held out: of each class alike, where all have two or more."""
    if not 0 < fraction < 1:
        raise UserError(f"`validation_fraction` must be a number above 0, below 1; got “{quoted(fraction)}”.")
    labels = given[2]
    count = min(math.ceil(fraction * len(labels)), len(labels) - 1)
    sizes = np.unique(labels, return_counts=True)[1]
    by_class = sizes.min() > 1 and len(sizes) <= min(count, len(labels) - count)
    kept, held = train_test_split(
        np.arange(len(labels)), test_size=count, stratify=labels if by_class else None, random_state=seed
    )
    inputs, g, labels = given
    return (inputs[kept], g[kept], labels[kept]), (inputs[held], g[held], labels[held])


def _seed(random_state: Any) -> int:
    """The engine's seed: the number itself, or one that scikit-learn's generator draws."""
    if isinstance(random_state, numbers.Integral):
        if not 0 <= int(random_state) < 2**31:
            raise UserError(
                f"`random_state` must be a whole number from 0 to 2147483647, or None; got “{random_state}”."
            )
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def _is_for_pictures(student: Any) -> bool:
    return isinstance(student, str) and student in names("image")


def _are_pictures(X: Any, student: Any) -> bool:
    """Whether X are pictures: the student's name says it; for students of one's own X of four axes are.

    Raises UserError for a name that is no student's.
    """
    if isinstance(student, str):
        check_student(student)
    return _is_for_pictures(student) or (not isinstance(student, str) and np.ndim(X) == 4)


def _checked_labels(y: Any, examples: int) -> np.ndarray:
    """Labels (N,) of any kind. Raises ValueError, as scikit-learn words it, for what is none."""
    y = column_or_1d(y, warn=True)
    if len(y) != examples:
        raise UserError(f"X has {examples} examples and y has {len(y)}: give one label for each.")
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    return y


def _margins(logits: np.ndarray) -> np.ndarray:
    """Logits (N, L) as `decision_function` gives them: of two classes the difference, (N,)."""
    return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits
