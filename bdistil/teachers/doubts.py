"""What is doubtful about a black-box teacher once its answers and the labels are at hand: sentences for the user.

Checked before any round is trained, and by an estimate where the data are here. Imports no torch.
"""

import numpy as np

from bdistil.data.dataset import Dataset, Splits
from bdistil.errors import UserError
from bdistil.teachers.black_box import as_logits, no_better_than_chance, read_answers
from bdistil.teachers.card import GivenAnswers, TeacherCard
from bdistil.teachers.onnx_teacher import OnnxTeacher
from bdistil.teachers.scaling import offered

EXAMPLES = 300  # on which scalings are compared
ERRORS = 3.0  # standard errors from which a difference is no chance
PERMUTED = 0.05  # by which accuracy on data unseen by the teacher hardly exceeds that on its training data
OVERFITTED = 0.3  # by which accuracy on the training data may exceed that on the test split
# The logits' median range over the temperature: the most and the least likely class differ by its exponential.
FLAT, STEEP = 0.05, 300.0
USUAL_RANGE = 10.0  # of the logits of a network trained with cross-entropy


def check_spread(logits: np.ndarray, temperature: float, source: str) -> None:
    """Raises UserError where logits (N, classes) make all classes alike, or one certain, at the temperature.

    Then a student could learn nothing, or only the teacher's decisions. No choice of temperature is made here: that of
    the run was the user's.
    """
    wide = logits.astype(np.float64)
    spread = float(np.median(np.ptp(wide, axis=1)))
    if FLAT <= spread / temperature <= STEEP:
        return
    if not spread:
        raise UserError(f"{source} gives most examples the same logit for every class: check the teacher.")
    effect = "all classes are equally likely" if spread < temperature else "one class has all the probability"
    factor = 10.0 ** round(np.log10(USUAL_RANGE / spread))
    raise UserError(
        f"The logits of {source} differ by {spread:.2g} within an example, so that at temperature "
        f"{temperature:g} {effect}: multiply them by about {factor:.0e}."
    )


def check_given(card: TeacherCard, temperature: float) -> None:
    """Raises UserError as `check_spread` does for a card's files of answers, before any data are read."""
    if not isinstance(card, GivenAnswers):
        return
    for path in card.answers:
        logits, _ = read_answers(path, len(card.classes))
        check_spread(as_logits(logits) if card.probabilities else logits, temperature, path)


def doubts(answers: Splits[np.ndarray], labels: Splits[np.ndarray]) -> list[str]:
    """Sentences where the accuracy of answers (N, classes) on the splits is not as chance and training explain it."""
    right = Splits.of(lambda split: answers[split].argmax(axis=1) == labels[split])
    if sentence := no_better_than_chance(answers.train, labels.train):
        return [sentence]
    shares = ", ".join(f"{100 * hits.mean():.1f} % of the {split}" for split, hits in right.items())
    finding = f"The teacher is right for {shares} examples"
    if any(_exceeds(unseen, right.train, PERMUTED) for unseen in (right.validation, right.test)):
        return [
            f"{finding}: better on examples that it was not trained on is unusual, check that the rows for train and "
            "validation are in the dataset’s order."
        ]
    if any(_exceeds(right.train, unseen, OVERFITTED) for unseen in (right.validation, right.test)):
        return [
            f"{finding}: such a gap is more than overfitting usually explains, check that the rows for validation and "
            "test are in the dataset’s order."
        ]
    return []


def better_scaling(teacher: OnnxTeacher, reads: str, data: Dataset) -> list[str]:
    """A sentence if another scaling makes the teacher right for clearly more of some training examples than `reads`."""
    rows = np.random.default_rng(0).permutation(len(data.x_train))[:EXAMPLES]
    x, y = data.x_train[rows], data.y_train[rows]
    right = {name: teacher.ask(x, name).argmax(axis=1) == y for name in dict.fromkeys((reads, *offered(data.info)))}
    best = max(right, key=lambda name: int(right[name].sum()))
    # McNemar's test: of the examples on which two scalings disagree, as many should be right by either.
    differing = int((right[best] != right[reads]).sum())
    if int(right[best].sum()) - int(right[reads].sum()) <= ERRORS * np.sqrt(differing):
        return []
    return [
        f"The teacher is right for {100 * right[reads].mean():.1f} % of {len(rows)} training examples with the "
        f"input {reads}, and for {100 * right[best].mean():.1f} % with {best}: set `teacher_input` to {best}, "
        "unless you know better."
    ]


def far_below(student: float, teacher: float, classes: int) -> str | None:
    """A sentence where, after round 1, the student gains less than half of what the teacher gains over chance.

    student, teacher: accuracies on the test split.
    """
    chance = 1 / classes
    if teacher <= chance or student - chance >= (teacher - chance) / 2:
        return None
    return (
        f"After round 1 the student is right for {100 * student:.1f} % of the test examples, the teacher for "
        f"{100 * teacher:.1f} %: check the teacher’s logits and inputs, or choose a larger student or more "
        "epochs."
    )


def _exceeds(one: np.ndarray, other: np.ndarray, least: float) -> bool:
    """Whether the share of True in `one` exceeds that in `other` by `least` and by more than chance."""
    first, second = float(one.mean()), float(other.mean())
    error = np.sqrt(first * (1 - first) / len(one) + second * (1 - second) / len(other))
    return first - second > max(least, ERRORS * error)
