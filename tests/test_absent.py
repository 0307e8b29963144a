"""A test that needs data from outside the repository is skipped with the reason, and fails under CI."""

from types import SimpleNamespace

import pytest

from tests.conftest import pytest_runtest_setup

REASON = "fashion-mnist is not in BDISTIL_DATA; bdistil data fashion-mnist fetches it or says how to get it."


def item(*names):
    """A test that is marked with these data sets."""
    return SimpleNamespace(
        iter_markers=lambda kind: [pytest.mark.data(*names).mark] if kind == "data" and names else []
    )


@pytest.fixture(autouse=True)
def no_data(tmp_path, monkeypatch):
    monkeypatch.setenv("BDISTIL_DATA", str(tmp_path))


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_what_is_not_at_hand_is_named(monkeypatch, ci, outcome):
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match=REASON):
        pytest_runtest_setup(item("digits", "fashion-mnist"))


def test_what_the_repository_has_and_tests_without_the_mark_run(monkeypatch):
    monkeypatch.setenv("CI", "true")
    pytest_runtest_setup(item("digits", "watch", "japanese-vowels"))
    pytest_runtest_setup(item())
