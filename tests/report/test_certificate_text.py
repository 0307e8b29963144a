"""The guarantee in sentences: every outcome of a certificate has its headline, with the numbers that it rests on."""

import math

import pytest

from bdistil.report import certificate_text as words
from bdistil.results.certificate import Guarantee, Heavy
from tests.builders.records import class_round, round_record


def found(rounds=24, telling=10, since=12, needed=None, bound=0.44, trivial=0.8, broken=None, name="Shirt"):
    shown = class_round(name, 6, rounds, 0.2, bound, trivial)
    return Guarantee(rounds, 10, shown, broken, telling, since, needed)


def test_a_bound_that_tells_something_for_every_class():
    assert words.finding(found()) == (
        "Every class has a guarantee from round 12 on: for Shirt the largest error is at most 0.44, where 0.80 would "
        "hold without boosting. Measured: 0.20."
    )
    assert words.tighter(found()) == ""


def test_a_bound_that_tells_something_for_some_classes():
    assert words.finding(found(telling=3, name="4")) == (
        "There is a guarantee for 3 of 10 classes: for “4” the largest error is at most 0.44 from round 12 on, where "
        "0.80 would hold without boosting. Measured: 0.20."
    )


def test_a_vacuous_bound_says_so_with_its_number():
    assert words.finding(found(6, telling=0, since=None, bound=1.2, trivial=0.9)) == (
        "No useful guarantee yet: the theory allows a largest error of 1.20 for Shirt, and 0.90 would hold without "
        "boosting. Measured: 0.20."
    )


def test_a_broken_certificate_is_damage():
    broken = class_round("Shirt", 6, 3, 0.9, 0.8, 0.8)
    sentence = words.finding(found(broken=broken))
    assert "exceeds its bound in round 3 for Shirt (0.90, where 0.80 is the most there can be)" in sentence
    assert words.tighter(found(broken=broken, telling=0)) == ""


@pytest.mark.parametrize(
    ("telling", "needed", "sentence"),
    [
        (0, (9.0, 11.0) * 5, "for every class after 9 to 11 rounds in all."),
        (0, (9.0,) * 10, "for every class after 9 rounds in all."),
        (0, (9.0,) * 7 + (math.inf,) * 3, "for seven of ten classes after 9 rounds in all, for the other three never."),
        (7, (4.0,) * 7 + (9.0,) * 3, "for the three classes left after 9 rounds in all."),
        (9, (4.0,) * 9 + (9.0,), "for the class left after 9 rounds in all."),
        (7, (4.0,) * 7 + (9.0, 12.0, math.inf), "for two of the three classes left after 9 to 12 rounds in all, for"),
        (0, (math.inf,) * 10, "there would be no guarantee for any class."),
        (7, (4.0,) * 7 + (math.inf,) * 3, "there would be no guarantee for the three classes left."),
    ],
)
def test_how_many_rounds_it_would_take(telling, needed, sentence):
    text = words.tighter(found(rounds=6, telling=telling, since=None, needed=needed))
    assert "rounds like these" in text and sentence in text
    assert "square root of the number of rounds" in text


def test_without_the_nine_bounds_nothing_is_foretold():
    assert words.tighter(found(telling=0)).startswith("The bound falls about as")


def test_close_numbers_are_told_apart():
    assert words.apart(0.44, 0.8) == ("0.44", "0.80")
    assert words.apart(0.8161, 0.8204) == ("0.816", "0.820")
    assert words.apart(0.5, 0.5) == ("0.5000", "0.5000")


def test_the_words_of_a_pair():
    pair = Heavy(3, "Shirt", "Coat", "Shirt", True, 3.24)
    assert (words.error(pair), words.times(pair)) == ("too low", "3.2×")
    assert "equal weights" in words.heaviest(1) and "student 4" in words.heaviest(4)


def test_which_students_miss_the_condition_is_said():
    first, met = (round_record(round=n, condition_met=True, edges=(float(n > 1),) * 4) for n in (1, 2))
    assert words.condition([first, met]) == (
        "The weak learning condition is met: each student corrects those before it on every class."
    )
    missed = [round_record(round=n, edges=(-0.1, 0.1, 0.0, 0.1)[: 10 - 2 * n]) for n in (3, 4)]
    assert words.condition([first, met, missed[0]]) == (
        "The weak learning condition is met in 1 of 2 rounds from the second on; missed by student 3 on 2 of 4 classes."
    )
    assert words.condition([first, met, *missed]).endswith(
        "missed by student 3 on 2 of 4 classes and student 4 on 1 of 2 classes."
    )


def test_polished_students_are_named():
    assert "after polishing" in words.meaning(600, True) and "polish" not in words.meaning(600, False)


def test_classes_whose_bound_tells_something_do_not_wait():
    """Of ten, seven needed as many rounds as there have been."""
    text = words.tighter(found(rounds=6, telling=7, since=None, needed=(6.0,) * 7 + (9.0,) * 3))
    assert "for the three classes left after 9 rounds in all." in text


def test_effective_examples_are_whole_and_rounded():
    assert words.effective(3, 12.6, 600).startswith("Round 3 uses 13 of 600 training examples effectively")


def test_a_weight_of_a_hundred_shares_has_no_decimals_and_one_too_high_says_so():
    pair = Heavy(3, "Shirt", "Coat", "Shirt", False, 123.4)
    assert (words.error(pair), words.times(pair)) == ("too high", "123×")


def test_panels_say_how_many_rounds_are_done_where_not_all_are():
    assert words.panels(6, 4, 0.8).startswith("Horizontal: rounds 1 to 6 (4 done). Vertical: 0 to 0.8 ")
    assert words.panels(6, 6, 0.8).startswith("Horizontal: rounds 1 to 6. Vertical: 0 to 0.8 ")
    assert words.panels(1, 1, 0.8).startswith("Horizontal: the one round. Vertical:")
