"""What every test gets: seeds of its own, and a home of its own, so that no test reads or writes the user's runs."""

import random
import sys

import numpy as np
import pytest

from tests.absent import absent


def pytest_runtest_setup(item):
    """A test marked `data` needs the data sets that the mark names: see `absent` for where they are not at hand."""
    names = [name for mark in item.iter_markers("data") for name in mark.args]
    if not names:
        return
    from bdistil.data import is_here

    for name in names:
        if not is_here(name):
            absent(f"{name} is not in BDISTIL_DATA; bdistil data {name} fetches it or says how to get it.")


@pytest.fixture(scope="session", autouse=True)
def shared_home(tmp_path_factory):
    """BDISTIL_HOME of whatever outlives a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BDISTIL_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(autouse=True)
def own_home(shared_home, tmp_path_factory, monkeypatch):
    """BDISTIL_HOME of this test, an empty folder."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("BDISTIL_HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def seeds():
    """The same random numbers whatever ran before."""
    random.seed(0)
    np.random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(autouse=True)
def looks_again(monkeypatch):
    """Tests change a folder and ask about it at once: each look is a new one."""
    monkeypatch.setattr("bdistil.data.custom.FRESH", 1e-9)


@pytest.fixture
def walks(tmp_path):
    """A table of series that rise or fall, of six persons."""
    import pandas as pd

    generator = np.random.default_rng(0)
    rows = [
        (f"p{person}-{number}", ["falls", "rises"][number % 2], person, (1 if number % 2 else -1) * step + noise)
        for person in range(6)
        for number in range(6)
        for step, noise in enumerate(generator.normal(0, 3, 40))
    ]
    path = tmp_path / "walks.csv"
    pd.DataFrame(rows, columns=["series", "label", "who", "height"]).to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def trained_home(shared_home, tmp_path_factory):
    """A home in which a worker has finished the run that `distil_config` describes."""
    from tests.workers import distil_config, finished, started

    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BDISTIL_HOME", str(folder))
        finished(started(distil_config()))
    return folder


@pytest.fixture
def trained(trained_home, own_home, monkeypatch):
    """The trained home as BDISTIL_HOME. A test may add runs to it; those that are there are not to be changed."""
    monkeypatch.setenv("BDISTIL_HOME", str(trained_home))
    return trained_home


@pytest.fixture
def bdistil(monkeypatch, capsys):
    """Calls the program in this process; returns exit status, standard output and standard error."""
    from bdistil.cli import main

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["bdistil", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main.main()
        return (ended.value.code or 0, *capsys.readouterr())

    return call
