"""What every test gets: seeds of its own, and a home of its own, so that no test reads or writes the user's runs."""

import random
import sys

import numpy as np
import pytest


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
