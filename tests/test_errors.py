"""The nearest name is suggested when there is one, and only then."""

import pytest

from bdistil.errors import UserError, nearest, quoted


@pytest.mark.parametrize(
    ("typed", "suggestion"),
    [("digit", " Did you mean digits?"), ("FASHION-MNIST", " Did you mean fashion-mnist?"), ("zebra", ""), ("", "")],
)
def test_nearest_suggests_the_one_similar_name(typed, suggestion):
    assert nearest(typed, ["digits", "fashion-mnist"]) == suggestion


def test_nearest_keeps_the_case_of_the_choice():
    assert nearest("resnet-S", ["ResNet-S"]) == " Did you mean ResNet-S?"


def test_nearest_of_no_choices_is_empty():
    assert nearest("digits", []) == ""


def test_user_error_shows_its_sentence():
    assert str(UserError("Rounds must be 1 … 64.")) == "Rounds must be 1 … 64."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("walks.csv", "walks.csv"),
        ("größe 1", "größe 1"),
        ("99.5\u00a0%, 70\u202f000", "99.5\u00a0%, 70\u202f000"),
        ("one\u2028line\x9b\r", r"one\u2028line\x9b\r"),
        (12, "12"),
        ("a\nb\tc\x1b[31m\x00", r"a\nb\tc\x1b[31m\x00"),
        ("\u202eevil\u200b\udce9", r"\u202eevil\u200b\udce9"),
        ("a" * 80, "a" * 80),
        ("a" * 50 + "b" * 50, "a" * 40 + "…" + "b" * 39),
    ],
)
def test_text_of_the_user_is_escaped_and_shortened_in_the_middle(text, shown):
    assert quoted(text) == shown


@pytest.mark.parametrize("most", [1, 2, 3, 10, 80])
@pytest.mark.parametrize("text", ["x" * 10**6, "\n" * 45, "\n" * 10**6, "ab" * 41])
def test_no_more_is_shown_than_is_asked_for(text, most):
    shown = quoted(text, most)
    assert len(shown) == most and "…" in shown and shown.isprintable()
