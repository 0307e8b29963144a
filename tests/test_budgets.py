"""Budgets: what an option's text says, and what it cannot."""

import pytest

from bdistil.budgets import parse
from bdistil.config import DistilConfig
from bdistil.errors import UserError


def config(**given):
    return DistilConfig.create("digits", teacher="t", **given)


def test_shares_are_of_the_teachers_macs_and_numbers_are_macs():
    assert parse("0.3%,1%, 3.5%").macs(2_000_000) == (6_000, 20_000, 70_000)
    assert parse("200k,1M,1.5G").macs(None) == (200_000, 1_000_000, 1_500_000_000)
    assert parse("900,1k").macs(5) == (900, 1_000)


@pytest.mark.parametrize(
    "text", ["", "0", "1%,", "1%,1%", "3%,1%", "1%,200k", "-1%", "1e3", "a few", "1%;2%", "nan", "0k,1k"]
)
def test_what_is_no_rising_list_is_refused(text):
    with pytest.raises(UserError, match=r"`budgets` must be rising limits on the MACs of each prefix"):
        parse(text)


def test_shares_end_at_the_whole_teacher_and_need_its_macs():
    assert parse("100%").macs(7) == (7,)
    with pytest.raises(UserError, match="at most 100% of the teacher's MACs"):
        parse("50%,101%")
    with pytest.raises(UserError, match="which are not known: give `teacher_macs`"):
        parse("50%").macs(None)


def test_there_is_a_round_for_each_budget():
    assert config(budgets="20k,60k").rounds == 2 and config(budgets="1%").rounds == 1
    assert config(budgets="20k,60k", rounds=2).rounds == 2
    with pytest.raises(UserError, match="each of the 2 budgets, and `rounds` is 3: leave out `rounds`"):
        config(budgets="20k,60k", rounds=3)


def test_budgets_decide_sizes_and_read_the_whole_input():
    with pytest.raises(UserError, match="leave out either `budgets` or `growth`"):
        config(budgets="20k,60k", growth=1.5)
    series = DistilConfig.create("japanese-vowels", teacher="t", budgets="5k,20k")
    assert (series.mode, series.cell, series.rounds) == ("full", "own", 2)
    with pytest.raises(UserError, match="choose the mode full"):
        DistilConfig.create("japanese-vowels", teacher="t", budgets="5k,20k", mode="segments")


@pytest.mark.parametrize("budgets", ["", 5, ("20k", "60k")])
def test_what_is_no_text_of_limits_is_one_sentence(budgets):
    with pytest.raises(UserError, match="`budgets` must be rising limits"):
        config(budgets=budgets)
