"""Teachers that are objects in Python: arrays of logits, classifiers, torch modules and functions.

`prepare` checks what was given and fits a classifier that is not fitted yet; `answer` gives the logits for inputs, and
`column_labels` says which class each column is of.
"""

from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted
from torch import nn

from bdistil.errors import UserError, quoted
from bdistil.teachers.black_box import are_probabilities, as_logits, check_finite

BATCH = 500


def is_array(teacher: Any) -> bool:
    """Whether it is the answers themselves, which hold for their own inputs alone."""
    return isinstance(teacher, list | tuple) or (hasattr(teacher, "__array__") and not isinstance(teacher, type))


def prepare(teacher: Any, X: Any, y: Any = None) -> Any:
    """The teacher, ready to answer: of a classifier of scikit-learn that is not fitted, a clone fitted on X and y.

    Raises UserError if it is no teacher.
    """
    if isinstance(teacher, type) or not (is_array(teacher) or callable(teacher) or _is_classifier(teacher)):
        what = teacher.__name__ if isinstance(teacher, type) else f"of type {type(teacher).__name__}"
        raise UserError(
            f"A teacher cannot be {what}: give an array of logits, a classifier with decision_function or "
            "predict_proba, a torch.nn.Module or a function from inputs to logits."
        )
    if not _is_classifier(teacher) or _is_fitted(teacher):
        return teacher
    if y is None:
        raise UserError(
            "BDistil requires y to be passed, but the target y is None, and its teacher is not fitted: give the "
            "labels, or a fitted teacher."
        )
    return clone(teacher).fit(_rows(teacher, X), y)


def answer(teacher: Any, X: Any, examples: int) -> np.ndarray:
    """The teacher's logits for N = `examples` inputs as the user has them, float32 (N, L).

    Classifiers are asked for `decision_function` or, without one, for `predict_proba`; scikit-learn's read pictures
    and series flattened to rows. Modules read batches as float32, in evaluation mode. Raises UserError as `as_answers`.
    """
    if is_array(teacher):
        return as_answers(teacher, examples)
    if isinstance(teacher, nn.Module):
        return as_answers(_module_outputs(teacher, np.asarray(X)), examples)
    if hasattr(teacher, "decision_function"):
        return as_answers(teacher.decision_function(_rows(teacher, X)), examples, scores=True)
    if hasattr(teacher, "predict_proba"):
        return as_answers(teacher.predict_proba(_rows(teacher, X)), examples)
    return as_answers(teacher(X), examples)


def as_answers(given: Any, examples: int, scores: bool = False) -> np.ndarray:
    """What a teacher answered as logits, float32 (N, L): given so, or as probabilities (N, L).

    Of two classes it may be (N,) or (N, 1), of the second: the log-odds, or a probability. scores: they are no
    probabilities, whatever they look like. Raises UserError if there is not one finite row an example.
    """
    try:
        given = given.detach().cpu().float().numpy() if isinstance(given, torch.Tensor) else given
        with np.errstate(over="ignore"):  # what overflows is told as infinite
            answers = np.array(given, dtype=np.float32)
    except (TypeError, ValueError):
        raise UserError("The teacher's answers are no numbers: give logits, one row for each input.") from None
    if answers.ndim not in (1, 2) or len(answers) != examples or not answers.size:
        raise UserError(
            f"The teacher's logits have shape {answers.shape}; give one row for each of the {examples} inputs."
        )
    columns = answers.reshape(examples, -1)
    check_finite(columns, "The teacher")
    if columns.shape[1] == 1:
        one = np.asarray(given, dtype=np.float64).reshape(examples, 1)  # 1 − p is exact enough in double precision
        likely = not scores and one.min() >= 0 and one.max() <= 1
        columns = np.hstack([1 - one, one] if likely else [-one / 2, one / 2])
    logits = as_logits(columns) if not scores and are_probabilities(columns) else columns
    return logits.astype(np.float32, copy=False)


def column_labels(teacher: Any, columns: int, classes: Any = None, y: np.ndarray | None = None) -> np.ndarray:
    """The label of each of a teacher's columns, (L,): those of `classes`, of the classifier, or of y, sorted.

    Without any of them they are 0 … L − 1. Raises UserError if there is not one label a column.
    """
    how = "name the label of each column, in their order, with classes=…"
    if classes is not None:
        labels, source = np.asarray(classes), "classes"
    elif hasattr(teacher, "classes_"):
        labels, source, how = np.asarray(teacher.classes_), "its classes_", "it needs one column for each class"
    elif y is not None:
        labels, source = np.unique(y), "y"
    else:
        return np.arange(columns)
    if len(labels) != columns:
        count = "1 class" if len(labels) == 1 else f"{len(labels)} classes"
        raise UserError(f"The teacher's answers have {columns} columns, and {source} has {count}: {how}.")
    if len(set(labels.tolist())) < columns:
        raise UserError("Two columns of the teacher's answers have the same label in classes: give each its own.")
    return labels


def places(y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Where each label of y (N,) is in the classes (L,), int64. Raises UserError for one that is not among them."""
    numbers = {label: place for place, label in enumerate(classes.tolist())}
    for label in np.unique(y).tolist():
        if label not in numbers:
            known = quoted(", ".join(map(repr, numbers)))
            raise UserError(
                f"y has the label {quoted(repr(label))}, and the teacher knows {known}: name the label of each of its "
                "columns, in their order, with classes=…."
            )
    return np.array([numbers[label] for label in y.tolist()], dtype=np.int64)


def _is_classifier(teacher: Any) -> bool:
    if isinstance(teacher, nn.Module):
        return False
    return hasattr(teacher, "decision_function") or hasattr(teacher, "predict_proba")


def _is_fitted(classifier: Any) -> bool:
    """Of a classifier that is not of scikit-learn's kind nothing is known: it has to answer as it is."""
    if isinstance(classifier, BaseEstimator):
        try:
            check_is_fitted(classifier)
        except NotFittedError:
            return False
    return True


def _rows(classifier: Any, X: Any) -> Any:
    """Inputs as a classifier reads them."""
    X = X if hasattr(X, "iloc") else np.asarray(X)  # data frames keep the names of their columns
    flat = isinstance(classifier, BaseEstimator) and not get_tags(classifier).input_tags.three_d_array
    return X.reshape(len(X), -1) if flat and X.ndim > 2 else X


def _module_outputs(module: nn.Module, X: np.ndarray) -> torch.Tensor:
    weights = next((p for p in module.parameters() if p.is_floating_point()), torch.empty(0))
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        with torch.no_grad():
            batches = [X[start : start + BATCH] for start in range(0, len(X), BATCH)]
            return torch.cat([module(torch.tensor(x, dtype=weights.dtype, device=weights.device)) for x in batches])
    finally:
        for part in training:
            part.training = True
