"""What is doubtful about a teacher's answers is one sentence, and what is usual none."""

import numpy as np
import pytest

from bdistil.data.dataset import Splits
from bdistil.errors import UserError
from bdistil.teachers.doubts import check_spread, doubts, far_below

LABELS = Splits(np.arange(1000) % 10, np.arange(300) % 10, np.arange(300) % 10)


def answers(shares):
    """Logits that are right for these shares of each split's examples, and name the next class for the others."""
    return Splits(
        *(
            np.eye(10)[np.where(np.arange(len(labels)) < share * len(labels), labels, (labels + 1) % 10)]
            for share, (_, labels) in zip(shares, LABELS.items(), strict=True)
        )
    )


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        (
            (0.54, 0.96, 0.96),
            "right for 54.0 % of the train, 96.0 % of the validation, 96.0 % of the test examples: "
            "better on examples that it was not trained on",
        ),
        ((0.54, 0.54, 0.96), "check that the rows for train and validation are in the dataset’s order"),
        ((0.99, 0.95, 0.54), "check that the rows for validation and test are in the dataset’s order"),
        ((0.02, 0.96, 0.96), "hardly more often than in a random order"),
        ((0.96, 0.95, 0.97), None),
        ((1.0, 0.75, 0.75), None),  # overfitted
        ((0.93, 0.96, 0.97), None),  # trained with strong augmentation
    ],
)
def test_accuracies_that_differ_more_than_training_explains_are_doubted(shares, words):
    found = doubts(answers(shares), LABELS)
    assert len(found) == (words is not None) and (words or "") in "".join(found)


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (1e-6, "all classes are equally likely: multiply them by about 1e+06"),
        (1e30, "one class has all the probability: multiply them by about 1e-30"),
        (0.0, "the same logit"),
        (0.1, None),
        (1.0, None),
        (10.0, None),
    ],
)
def test_logits_of_an_unusable_scale_are_refused(factor, words):
    logits = (10 * factor * np.eye(10)).astype(np.float32)
    if words is None:
        check_spread(logits, 2.0, "train.npz")
        return
    with pytest.raises(UserError) as error:
        check_spread(logits, 2.0, "train.npz")
    assert words in str(error.value) and "train.npz" in str(error.value)


def test_the_temperature_decides_what_scale_is_usable():
    logits = (1e-3 * np.eye(10)).astype(np.float32)
    check_spread(logits, 1e-3, "train.npz")
    with pytest.raises(UserError, match="multiply them by about 1e\\+04"):
        check_spread(logits, 1.0, "train.npz")


def test_a_student_that_gains_less_than_half_is_far_below():
    assert "right for 17.0 % of the test examples, the teacher for 96.0 %" in far_below(0.17, 0.96, 10)
    assert far_below(0.70, 0.96, 10) is None and far_below(0.05, 0.1, 10) is None


def test_a_student_may_lose_half_of_what_the_teacher_gains_over_chance():
    """Of four classes a quarter is chance: 0.625 lies half way to 1."""
    assert far_below(0.624, 1.0, 4) and far_below(0.625, 1.0, 4) is None
