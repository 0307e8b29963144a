"""Every number format and sentence about results, in each of its variants, as the design words them."""

import pytest

from bdistil.records import TeacherRecord
from bdistil.report import formats as w
from bdistil.teachers.black_box import UNKNOWN_SPLIT
from tests.builders.records import point

N, T = "\u00a0", "\u202f"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (w.percent(0.9334), f"93.3{N}%"),
        (w.percent(1.0), f"100.0{N}%"),
        (w.interval(0.928, 0.9381), "92.8 to 93.8"),
        (w.points(-1.0), "−1.0 points"),
        (w.points(0.52), "+0.5 points"),
        (w.points(-0.04), "0.0 points"),
        (w.points(100 * (0.91 - 0.9695)), w.points(-5.95)),
        (w.signed(0.0034, 3), "+0.003"),
        (w.edge(0.012), "+0.0120"),
        (w.edge(-0.00006), "\u22120.0001"),
        (w.edge(0.0000312), "+0.000031"),
        (w.edge(-0.00000091), "\u22120.00000091"),
        (w.edge(0.0), "0.0000"),
        (w.seconds(1.44), f"1.4{N}s"),
        (w.seconds(9.96), f"10.0{N}s"),
        (w.seconds(10), f"10{N}s"),
        (w.seconds(75), f"1{N}min"),
        (w.kl_change(0.1, 0.1005), f"+0.5{N}%"),
        (w.kl_change(0.1, 0.098), f"−2.0{N}%"),
        (w.kl_change(0.0, 0.0), f"0.0{N}%"),
        (w.share(0.1234), f"12{N}%"),
        (w.share(0.0099), f"under 1{N}%"),
        (w.share(0.0), f"0{N}%"),
        (w.share(0.01), f"1{N}%"),
        (w.count(10_000), f"10{T}000"),
        (w.count(470), "470"),
        (w.count(1_234), "1234"),
        (w.count(9_999), "9999"),
        (w.count(-12_345), f"-12{T}345"),
        (w.count(1_234_567), f"1{T}234{T}567"),
        (w.quantity(950), "950"),
        (w.quantity(999.7), f"1.0{N}k"),
        (w.quantity(40_000), f"40{N}k"),
        (w.quantity(999_700), f"1.0{N}M"),
        (w.macs(1_740_000), f"1.7{N}M"),
        (w.macs(44_600_000), f"44.6{N}M"),
        (w.macs_between(22_100, 57_000), f"22 to 57{N}k"),
        (w.macs_between(400_000, 1_200_000), f"400{N}k to 1.2{N}M"),
        (w.macs_between(59_900, 60_100), f"60{N}k"),
        (w.macs_between(900, 1_200), f"900 to 1.2{N}k"),
        (w.macs(99_960_000), f"100{N}M"),
        (w.quantity(0), "0"),
        (w.size(2_800_000), f"2.8{N}MB"),
        (w.size(12), f"12{N}bytes"),
        (w.duration(0.2), f"1{N}s"),
        (w.duration(59.7), f"1{N}min"),
        (w.duration(3120), f"52{N}min"),
        (w.duration(7800), f"2{N}h 10{N}min"),
        (w.duration(7200), f"2{N}h"),
        (w.duration(3599), f"1{N}h"),
        (w.duration(3569), f"59{N}min"),
        (w.duration(59.4), f"59{N}s"),
        (w.count_students(1), "one student"),
        (w.count_students(12), "twelve students"),
        (w.count_students(13), "13 students"),
        (w.students(1), "1 student"),
        (w.listing(["Shirt"]), "Shirt"),
        (w.listing(["Shirt", "Coat", "Dress"]), "Shirt, Coat and Dress"),
    ],
)
def test_formats(text, expected):
    assert text == expected


@pytest.mark.parametrize(
    ("prefix", "accuracy", "apart", "sentence"),
    [
        (3, 0.933, True, "3 of 6 students reach 93.3 %, 1.0 points below the teacher, for 12 % of its cost."),
        (1, 0.933, True, "One student reaches 93.3 %, 1.0 points below the teacher, for 12 % of its cost."),
        (6, 0.945, True, "All 6 students reach 94.5 %, 0.2 points above the teacher, for 12 % of its cost."),
        (
            6,
            0.9434,
            False,
            "All 6 students reach 94.3 %, level with the teacher, for 12 % of its cost; "
            "the test split cannot tell them apart.",
        ),
        (
            5,
            0.939,
            False,
            "5 of 6 students reach 93.9 %, 0.4 points below the teacher, for 12 % of its cost; "
            "the test split cannot tell them apart.",
        ),
    ],
)
def test_headline(prefix, accuracy, apart, sentence):
    price = f"{w.share(0.12)} of its cost"
    assert w.finding(prefix, 6, accuracy, 0.943, price=price, apart=apart).replace(N, " ") == sentence


def test_hover_keeps_its_order():
    row = point(prefix=4, accuracy=0.936, accuracy_low=0.931, accuracy_high=0.941, agreement=0.958)
    assert [line.replace(N, " ") for line in w.hover(row, "7.0 M MACs, 16 % of the teacher")] == [
        "4 students",
        "accuracy 93.6 % (93.1 to 94.1)",
        "7.0 M MACs, 16 % of the teacher",
        "agrees with the teacher on 95.8 %",
    ]


def test_disagreement_captions():
    assert w.disagreement(3, 470, 10_000) == (
        f"470 of 10{T}000 test examples; shown are those that the students are surest of. "
        "Filled: right with that many students."
    )
    assert w.disagreement(3, 0, 10_000) == "3 students answer like the teacher on every test example."
    assert w.disagreement(1, 0, 10_000) == "1 student answers like the teacher on every test example."


def test_a_prefix_that_has_read_a_part_says_so():
    sentence = w.finding(2, 4, 0.93, 0.95, price="8 % of its cost", heard=0.5)
    assert sentence.startswith("2 of 4 students reach 93.0\u00a0% after 50\u00a0% of the window, 2.0 points below")


@pytest.mark.parametrize(
    ("accuracies", "found"),
    [
        (
            [0.7, 0.894, 0.9, 0.9],
            "50\u00a0% of the window is nearly as good as all of it: 2 students reach "
            "89.4\u00a0%, 0.6 points below all 4 at its end.",
        ),
        (
            [0.7, 0.8, 0.9, 0.9],
            "75\u00a0% of the window is as good as all of it: 3 students reach 90.0\u00a0%, "
            "all 4 reach 90.0\u00a0% at its end.",
        ),
        (
            [0.9, 0.8, 0.85, 0.9],
            "Waiting pays: after 75\u00a0% of the series 3 students reach 85.0\u00a0%, "
            "5.0 points below all 4 at its end.",
        ),
        (
            [0.895, 0.9, 0.9, 0.9],
            "25\u00a0% of the window is nearly as good as all of it: one student reaches "
            "89.5\u00a0%, 0.5 points below all 4 at its end.",
        ),
        (
            [0.899, 0.9, 0.9, 0.9],
            "25\u00a0% of the window is nearly as good as all of it: one student reaches "
            "89.9\u00a0%, 0.1 points below all 4 at its end.",
        ),
    ],
)
def test_early_prediction_says_from_where_on_it_is_as_good_as_the_end(accuracies, found):
    assert w.early([0.25, 0.5, 0.75, 1.0], accuracies) == found


def test_a_prefix_above_the_last_one_is_not_called_below():
    assert "as good as all of it: one student reaches 92.0" in w.early([0.5, 1.0], [0.92, 0.9])


@pytest.mark.parametrize(
    ("persons", "apart", "end"),
    [
        (2, True, "; below it for each of two test persons."),
        (2, False, "; two test persons cannot tell them apart."),
        (3, True, "."),
        (3, False, "; the test split cannot tell them apart."),
    ],
)
def test_two_persons_give_no_interval_to_tell_by(persons, apart, end):
    sentence = w.finding(2, 4, 0.93, 0.95, price="8 % of its cost", apart=apart, persons=persons)
    assert sentence.endswith(f"for 8 % of its cost{end}")


def test_an_interval_is_called_a_range_where_too_few_persons_stand_behind_it():
    names = [w.interval_name(persons).replace(N, " ") for persons in (None, 2, 3)]
    assert names == ["95 % interval", "range over two persons", "95 % interval"]


def test_so_many_points_below_the_end_still_count_as_the_same():
    accuracies = [0.5, 0.75]  # 25 points apart, exactly
    assert w.early([0.5, 1.0], accuracies, close=25.0).startswith(f"50{N}% of the window is nearly as good")
    assert w.early([0.5, 1.0], accuracies, close=24.9).startswith("Waiting pays")


@pytest.mark.parametrize(
    ("people", "text"),
    [
        (None, "Whiskers are 95 % intervals on the test split."),
        (("speaker", 1), "Whiskers are 95 % intervals on the test split. It holds one speaker alone: "),
        (("speaker", 2), "The test split holds two speakers: whiskers, and the range of the difference to the "),
        (("person", 3), "Whiskers are 95 % intervals on the test split. They, and the interval of the difference to "),
    ],
)
def test_what_whiskers_mean_depends_on_how_many_persons_are_tested(people, text):
    assert w.intervals(people).startswith(text)


def test_below_the_largest_class_is_below_and_not_level():
    assert w.below_largest(0.41, "walking", 0.41) is None
    assert w.below_largest(0.409, "walking", 0.41) == f"40.9{N}% is below always answering walking: 41{N}%."


def test_twenty_names_are_all_told_and_of_more_how_many():
    names = [f"c{number}" for number in range(22)]
    assert w.some_of(names[:20]) == ", ".join(names[:20])
    assert w.some_of(names) == f"{', '.join(names[:20])} and 2 more"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, []),
        ({"kind": "onnx"}, [UNKNOWN_SPLIT]),
        ({"kind": "onnx", "split_known": True}, []),
        ({"split_known": False}, [UNKNOWN_SPLIT]),
        ({"macs_stated": True}, ["What the teacher costs is as stated with it, not counted."]),
    ],
)
def test_what_rests_on_a_black_box_is_said(fields, said):
    assert w.black_box(TeacherRecord(name="t", **fields)) == said
