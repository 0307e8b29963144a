"""HTML of results: what it says without colour, that users' text is escaped, and that pictures are what they show."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from bdistil.report import tables
from bdistil.results.certificate import Heavy
from bdistil.results.confusion import ClassAccuracy, Confusion
from bdistil.results.disagreements import Disagreement
from bdistil.runs.previews import Pictures
from tests.builders.records import class_round, point

CONFUSION = Confusion(("a<b", "Coat"), np.array([[94.6, 5.4], [0.4, 99.6]]), np.array([[90.0, 10.0], [0.0, 100.0]]))
EXAMPLE = Disagreement(12_345, "<i>", "Coat", 0.61, "<i>", 0.97, (False, True, True))


def cells(html):
    return re.findall(r'<td(?: class="([^"]*)")?>([^<]*)</td>', html)


def test_confusion_outlines_the_diagonal_and_steps_the_rest():
    html = tables.confusion_table(CONFUSION, "students")
    assert cells(html) == [("own", "95"), ("s3", "5.4"), ("", ""), ("own", "100")]
    assert html.count('scope="row"') == html.count('scope="col"') == 2


def test_the_difference_says_its_sign_and_which_side_is_better():
    html = tables.confusion_table(CONFUSION, "difference")
    assert cells(html) == [
        ("s2 better own", "+4.6"),  # more right answers
        ("s2 better", "−4.6"),  # fewer wrong ones
        ("", ""),
        ("own", ""),
    ]
    worse = Confusion(CONFUSION.classes, CONFUSION.teacher, CONFUSION.students)
    assert ("s2 worse own", "−4.6") in cells(tables.confusion_table(worse, "difference"))


@pytest.mark.parametrize("view", ["students", "teacher", "difference"])
def test_class_names_are_escaped(view):
    html = tables.confusion_table(CONFUSION, view)
    assert "a&lt;b" in html and "a<b" not in html


def test_classes_lie_on_one_line_from_a_round_tenth_to_all():
    html = tables.class_table([ClassAccuracy("a<b", 9, 0.779, 0.827)], 4)
    assert "a&lt;b" in html and "−4.8" in html and "77.9\u00a0%" in html and "70 to 100\u00a0%" in html
    assert 'class="ours" style="left:26.3%"' in html and 'class="teacher" style="left:42.3%"' in html
    assert tables.class_table([], 4) == ""


def test_gallery_marks_the_wrong_answer_by_a_sign():
    html = tables.gallery([EXAMPLE], Pictures(np.zeros((12_346, 8, 8), np.uint8), 16), 2, "light")
    assert html.count("✕") == 1 and '<dd class="wrong">Coat ✕</dd>' in html
    assert "<dd>&lt;i&gt;</dd>" in html and "<i>" not in html.replace('<i class="', "")


def test_without_pictures_probabilities_are_told():
    html = tables.probability_table([EXAMPLE], 2)
    assert (
        "12\u202f345" in html and "Coat ✕, 61\u00a0%" in html and "&lt;i&gt;, 97\u00a0%" in html and "<img" not in html
    )


def test_prefix_strip_speaks_and_outlines_the_chosen():
    html = tables.prefix_strip((False, True, True), 2)
    assert re.findall(r'<i class="([^"]*)">', html) == ["wrong", "right chosen", "right"]
    assert 'aria-label="Right with 2, 3 of 3 students"' in html
    assert "Wrong with every prefix" in tables.prefix_strip((False,), 1)


def pixels(address):
    kind, _, content = address.partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


def test_grey_pictures_are_ink_on_paper_and_colours_stay():
    grey = np.array([[0, 16], [8, 4]], np.uint8)
    np.testing.assert_array_equal(pixels(tables.picture_address(grey, 16)), [[255, 0], [127, 191]])
    colour = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    np.testing.assert_array_equal(pixels(tables.picture_address(colour, 255)), colour)


def test_heavy_pairs_say_how_the_ensemble_erred_and_what_it_weighs():
    pairs = [Heavy(7, "<i>", "Coat", "<i>", True, 3.24), Heavy(8, "Coat", "Coat", "Coat", False, 2.0)]
    pairs = [pairs[0], Heavy(7, "Bag", "Coat", "<i>", False, 3.0), pairs[1], Heavy(9, "Bag", "Bag", "Bag", True, 1.0)]
    html = tables.heavy_gallery(pairs, Pictures(np.zeros((4, 4, 4), np.uint8), 255), "light", most=2)
    assert html.count("<img") == 2 and 'alt="Training example 7, Coat"' in html
    assert "too low" in html and "too high" in html and "3.2×" in html
    assert '<dd class="wrong">&lt;i&gt; ✕</dd>' in html and "<i>" not in html


def test_panels_say_without_colour_whether_a_bound_tells_something():
    classes = [class_round("<i>", 0, 6, 0.3, 0.44, 0.8), class_round("Coat", 1, 6, 0.3, 0.9, 0.8)]
    html = tables.panels(classes, ["data:one", "data:two"])
    assert html.count("✓ guarantee") == html.count("✕ no guarantee") == 1
    assert '<p class="tells">✓' in html and '<p class="vacuous">✕' in html
    assert "<h3>&lt;i&gt;</h3>" in html and 'alt="Coat: deviation, bound and trivial bound by round"' in html
    assert "<dt>bound</dt><dd>0.44</dd>" in html


def test_a_cell_takes_the_next_step_at_its_limit():
    matrix = np.array([[90.0, 0.5, 2.0], [10.0, 85.0, 5.0], [0.49, 9.51, 90.0]])
    found = Confusion(("a", "b", "c"), matrix, np.zeros((3, 3)))
    of_students = cells(tables.confusion_table(found, "students"))
    assert [step for step, _ in of_students] == ["own", "s1", "s2", "s4", "own", "s3", "", "s3", "own"]
    of_difference = cells(tables.confusion_table(found, "difference"))
    assert [step for step, _ in of_difference] == [
        *("s4 better own", "s1 worse", "s2 worse"),
        *("s4 worse", "s4 better own", "s3 worse"),
        *("", "s3 worse", "s4 better own"),
    ]


def test_what_is_reached_early_is_told_with_its_time_and_against_the_end():
    points = [
        point(window_share=0.25, accuracy=0.84, accuracy_low=0.8, accuracy_high=0.88),
        point(prefix=2, window_share=1.0, accuracy=0.9, accuracy_low=0.88, accuracy_high=0.92),
    ]
    html = tables.early_table(points, 0.79, 2.0)
    assert "25\u00a0%, 0.50\u00a0s" in html and "100\u00a0%, 2.00\u00a0s" in html
    assert re.findall(r'<td class="number">([^<]*)', html) == [
        *("84.0\u00a0%", "80.0 to 88.0", "−6.0"),
        *("90.0\u00a0%", "88.0 to 92.0", "0.0"),
    ]
    assert "70 to 100\u00a0%" in html  # the teacher's mark, too, lies on the line
    assert re.findall(r'class="(\w+)" style="left:([\d.]+)%"', html) == [
        *(("ours", "46.7"), ("teacher", "30.0")),
        *(("ours", "66.7"), ("teacher", "30.0")),
    ]
    assert "\u00a0s<" not in tables.early_table(points, 0.79, None)


def test_a_bound_equal_to_the_trivial_one_says_nothing():
    html = tables.panels([class_round("Coat", 0, 1, 0.8, 0.8, 0.8)], ["data:one"])
    assert "✕ no guarantee" in html and "✓ guarantee" not in html
