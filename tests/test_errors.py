"""The nearest name is suggested when there is one, and only then."""

import pytest

from bdistil.errors import UserError, nearest


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
