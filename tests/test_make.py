"""What ships of a data set with recordings: those that Explore plays of its samples, and few of them."""

import importlib.util
from pathlib import Path

import pytest

from bdistil.examples import read
from bdistil.results import load
from bdistil.results.disagreements import disagreements
from bdistil.runs import open_run
from tests.builders import build_previews, build_run

FILE = Path(__file__).parents[1] / "assets" / "make.py"


@pytest.fixture
def make(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("make", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ASSETS", tmp_path / "assets")
    return module


def played(path):
    results = load(path)
    return {each.index for prefix in (1, 2) for each in disagreements(results, prefix)[1]}


def test_two_samples_share_the_recordings_that_explore_plays(make, own_home):
    build_previews(own_home, "free-spoken-digits", recorded=400)
    options = {"dataset": "free-spoken-digits", "rounds": 2, "mode": "segments"}
    paths = [build_run(own_home / "runs" / f"r{seed}", seed=seed, **options) for seed in (0, 1)]
    for path in paths:
        make.make(open_run(path), path.name)
    shipped = read(make.ASSETS / "previews" / "free-spoken-digits.npz")
    assert set(shipped.recordings) == played(paths[0]) | played(paths[1]) and len(shipped) == 400
    kept = read(own_home / "previews" / "free-spoken-digits.npz")
    assert all((kept.recordings[place] == samples).all() for place, samples in shipped.recordings.items())


def test_no_more_than_sixty_recordings_ship(make, own_home, monkeypatch):
    build_previews(own_home, "free-spoken-digits", recorded=400)
    monkeypatch.setattr(make, "RECORDINGS", 5)
    path = build_run(own_home / "runs" / "r", dataset="free-spoken-digits", rounds=2)
    make.make(open_run(path), "r")
    assert len(read(make.ASSETS / "previews" / "free-spoken-digits.npz").recordings) == 5
