"""What ships of a run and its data: few steps that keep every answer, and few recordings, those that Explore plays."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from bdistil.results import load
from bdistil.results.disagreements import disagreements
from bdistil.runs import Run, open_run
from bdistil.runs.previews import read
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


@pytest.mark.parametrize("method", ["b-distil", "b-distil+polish"])
def test_rounded_logits_give_the_same_answers_in_a_quarter_of_the_room(make, own_home, method):
    path = build_run(own_home / "runs" / "r", method=method, rounds=4)
    answers = path / ("polish" if method.endswith("polish") else "rounds") / "02" / "logits.npz"
    with np.load(answers) as arrays:
        kept = dict(arrays)
    kept["test"][:, :2] = 0.5 + 1e-4 * np.arange(2)[::-1]  # a close decision on every example: no step is fine enough
    kept["test"][::9, :2] = 0.1
    np.savez(answers, **kept)
    run, sample = open_run(path), Run(make.make(open_run(path), "r"))
    for split in ("validation", "test"):
        assert (make._answers(run, split) == make._answers(sample, split)).all()
    before, after = load(run.path), load(sample.path)
    assert [point.accuracy for point in before.points] == [point.accuracy for point in after.points]
    assert np.abs(before.prefixes - after.prefixes).max() < before.run.scale.c / make.STEPS
    packed = sum(file.stat().st_size for file in sample.path.rglob("*.npz"))
    assert packed < sum(file.stat().st_size for file in path.rglob("*.npz")) / 4
