"""Which runs a list shows, in which order, and what a card says, without drawing any."""

from datetime import UTC, datetime
from pathlib import Path

import cards
import pytest

from bdistil.runs import RunSummary
from tests.builders.records import point, run_info


def summary(name, error=None, **fields):
    info = None if error else run_info(run=name, **fields)
    return RunSummary(name, Path(name), False, info, error)


@pytest.fixture
def runs():
    """Newest first, as `list_runs` gives them."""
    return [
        summary("c", state="running", title="beta", points=()),
        summary("b", title="Alpha", note="Warm-up; τ = 4", points=(point(), point(prefix=2, accuracy=0.8))),
        summary("a", state="stopped", title="gamma", points=(point(accuracy=0.85),)),
        summary("z", "This run cannot be read: its run.json is missing."),
    ]


@pytest.mark.parametrize(
    ("order", "ids"),
    [
        ("Newest first", "cbaz"),
        ("Oldest first", "zabc"),
        ("By name", "bcaz"),
        ("Most accurate first", "bacz"),
        ("Unfinished first", "cabz"),
    ],
)
def test_orders(runs, order, ids):
    assert "".join(run.id for run in cards.ORDERS[order](runs)) == ids
    assert "".join(run.id for run in runs) == "cbaz"


@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        ("", "cbaz"),
        ("  ALPHA ", "b"),
        ("warm τ", "b"),
        ("warm nothing", ""),
        ("training", "c"),
        ("stopped digits", "a"),
        ("cannot", "z"),
        ("cnn-xs 2026", "cba"),
    ],
)
def test_all_words_are_looked_for_in_name_note_data_method_state_and_date(runs, asked, ids):
    assert "".join(run.id for run in runs if cards.matches(run, asked)) == ids


def test_the_date_is_this_machine_s_and_of_any_year():
    local = datetime(2026, 3, 7, 9, 5).astimezone()
    assert cards.made(run_info(created=local.astimezone(UTC))) == "7 Mar 2026, 09:05"
    assert cards.made(run_info(created=local, sample=True)) == "sample, 7 Mar 2026, 09:05"
    for moment in datetime.min, datetime.max:
        assert str(moment.year) in cards.made(run_info(created=moment.replace(tzinfo=UTC)))


def test_a_stopped_run_is_resumed_only_where_that_can_be():
    stopped = run_info(state="stopped", rounds_done=0)
    assert cards.card(stopped, None, "run").button == "Resume"
    assert cards.card(stopped, None, "run", can_train=False).button == "See its training"
