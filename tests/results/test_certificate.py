"""What a certificate amounts to: whether it holds, from when on it tells something, and what would make it tell."""

import numpy as np
import pytest

from bdistil.method.certificate import Certificate
from bdistil.records import ByEta
from bdistil.results.certificate import Heavy, bounds, by_round, guarantee, heaviest
from bdistil.runs import Run
from tests.builders import build_run
from tests.builders.records import round_record

NAMES = ["a", "b"]
ETA = 0.9


def record(number, measured, bound, trivial, **more):
    """One round of two classes."""
    return round_record(
        round=number,
        measured_by_class=measured,
        bound_by_class=bound,
        trivial_by_class=trivial,
        edges=(0.0, 0.01),
        relative_edges=(0.0, 0.1),
        effective_examples=500.0,
        **more,
    )


def of(path):
    run = Run(path)
    info = run.info()
    records = [entry.record for entry in run.rounds()]
    classes, examples = info.dataset.classes, info.dataset.train
    return records, classes, examples, info.scale.eta_B / info.scale.B


def test_a_row_for_each_round_and_class(tmp_path):
    records, classes, *_ = of(build_run(tmp_path / "r", rounds=3))
    rows = by_round(records, classes)
    assert [row.round for row in rows] == [1] * 10 + [2] * 10 + [3] * 10
    assert tuple(row.name for row in rows[:10]) == classes
    [row] = [row for row in rows if (row.round, row.place) == (2, 4)]
    assert row.bound == records[1].bound_by_class[4] and row.edge == records[1].edges[4]
    nine = bounds(records[1], 4)
    least = min(nine, key=lambda at: at.bound)
    assert len(nine) == 9 and (least.bound, least.multiple) == (row.bound, row.multiple)


@pytest.mark.parametrize("rounds", [1, 2, 6, 24])
@pytest.mark.parametrize("method", ["b-distil", "b-distil+polish"])
def test_the_certificate_of_a_run_holds(tmp_path, rounds, method):
    found = guarantee(*of(build_run(tmp_path / "r", rounds=rounds, method=method)))
    assert found.broken is None and found.rounds == rounds
    assert found.shown.measured <= found.shown.bound and found.shown.round == rounds


def test_one_round_tells_nothing_since_the_deviation_is_its_own_trivial_bound(tmp_path):
    found = guarantee(*of(build_run(tmp_path / "r", rounds=1)))
    assert found.telling == 0 and found.since is None
    assert found.shown.measured == pytest.approx(found.shown.trivial) and all(n > 1 for n in found.needed)


def test_from_when_on_every_class_tells_something():
    rows = [
        record(1, (0.5, 0.5), (2.0, 2.0), (0.5, 0.5)),
        record(2, (0.3, 0.3), (0.4, 0.7), (0.5, 0.5)),
        record(3, (0.3, 0.3), (0.6, 0.4), (0.5, 0.5)),
        record(4, (0.3, 0.2), (0.4, 0.45), (0.5, 0.5)),
        record(5, (0.3, 0.2), (0.4, 0.4), (0.5, 0.5)),
    ]
    found = guarantee(rows, NAMES, 600, ETA)
    assert (found.telling, found.since, found.shown.name) == (2, 4, "a")
    found = guarantee(rows[:3], NAMES, 600, ETA)
    assert (found.telling, found.since, found.shown.name) == (1, 3, "b")
    assert found.needed is None, "these records kept only the least bound"
    found = guarantee(rows[:1], NAMES, 600, ETA)
    assert (found.telling, found.since) == (0, None)


def test_a_class_that_tells_nothing_is_shown_where_it_comes_closest():
    found = guarantee([record(1, (0.2, 0.6), (0.9, 0.9), (0.2, 0.8))], NAMES, 600, ETA)
    assert found.shown.name == "b" and found.telling == 0


def test_a_deviation_above_its_bound_is_found():
    rows = [record(1, (0.5, 0.5), (0.6, 0.6), (0.5, 0.5)), record(2, (0.5, 0.7), (0.6, 0.6), (0.5, 0.5))]
    broken = guarantee(rows, NAMES, 600, ETA).broken
    assert (broken.round, broken.name, broken.measured, broken.bound) == (2, "b", 0.7, 0.6)


def test_the_rounds_needed_are_those_after_which_a_repetition_of_the_run_tells_something():
    """Terms that do not change are a run whose every round has the same edges, V and b."""
    examples, terms = 600, np.array([[0.1, 0.4, 0.6], [0.3, 0.7, 0.9]])  # −mean edge + mean growth/η, by η and class
    etas, trivial = ETA * np.array([1.0, 2.0]), np.array([0.5, 0.5, 0.5])

    def after(rounds):
        return terms + np.log(2 * examples) / (etas[:, None] * rounds)

    by_class = ((0.0,) * 3,) * 2
    by_eta = ByEta(
        multiples=(1.0, 2.0),
        edges=by_class,
        second=by_class,
        relative_edges=by_class,
        bounds=tuple(map(tuple, after(2).tolist())),
    )
    row = round_record(
        round=2,
        edges=(0.0,) * 3,
        effective_examples=1.0,
        measured_by_class=(0.1,) * 3,
        bound_by_class=tuple(after(2).min(axis=0).tolist()),
        trivial_by_class=tuple(trivial.tolist()),
        by_eta=by_eta,
    )
    needed = guarantee([row], ["a", "b", "c"], examples, ETA).needed
    assert needed[2] == np.inf
    for place in (0, 1):
        assert after(needed[place]).min(axis=0)[place] < 0.5 <= after(needed[place] - 1).min(axis=0)[place]


def test_rounds_that_repeat_one_another_are_foretold():
    """Independent deviations of the same size: the forecast after four rounds is met within a few."""
    rng = np.random.default_rng(0)
    g_hat = rng.uniform(-1, 1, (400, 2))
    certificate, records = Certificate(g_hat, 24), []
    for _ in range(24):
        records.append(certificate.update(g_hat + rng.uniform(-0.4, 0.4, g_hat.shape)))
    foretold = max(guarantee(records[:4], NAMES, 400, certificate.eta).needed)
    met = guarantee(records, NAMES, 400, certificate.eta).since
    assert met > 4 and abs(foretold - met) <= 0.35 * met


def test_an_old_run_is_read_as_far_as_it_goes(tmp_path):
    path = build_run(tmp_path / "r", old=True)
    records, *rest = of(path)
    found = guarantee(records, *rest)
    assert found.needed is None and found.broken is None
    assert all(row.multiple is None for row in by_round(records, rest[0])) and bounds(records[-1], 0) == []
    assert heaviest(Run(path).round_folders()[2], rest[0], rest[1]) is None


@pytest.mark.parametrize("method", ["b-distil", "b-distil+polish"])
def test_the_heaviest_pairs_with_their_pictures(tmp_path, method):
    path = build_run(tmp_path / "r", dataset="fashion-mnist", method=method)
    _, classes, examples, _ = of(path)
    folders = Run(path).round_folders()
    pairs, pictures = heaviest(folders[3], classes, examples)
    assert pictures.images.shape == (12, 28, 28) and pictures.white == 255 and len(pairs) == 12
    times = [pair.times for pair in pairs]
    assert times == sorted(times, reverse=True) and times[0] > 1
    assert {pair.name for pair in pairs} <= set(classes)
    with np.load(folders[3] / "heaviest.npz") as kept:
        assert [pair.too_low for pair in pairs] == (kept["sign"] == 1).tolist()
        assert [pair.label for pair in pairs] == [classes[place] for place in kept["true"]]
    assert heaviest(folders[0], classes, examples) is None


def test_damaged_pictures_are_none(tmp_path):
    path = build_run(tmp_path / "r")
    file = path / "rounds" / "02" / "heaviest.npz"
    file.write_bytes(file.read_bytes()[:500])
    assert heaviest(file.parent, of(path)[1], 600) is None


def test_a_bound_equal_to_the_trivial_one_tells_nothing_and_one_that_is_reached_is_not_broken():
    found = guarantee([record(1, (0.5, 0.25), (0.5, 0.5), (0.5, 0.5))], NAMES, 600, ETA)
    assert (found.telling, found.since, found.broken) == (0, None, None)


def test_of_bounds_that_tell_something_the_one_with_the_least_slack_is_shown():
    found = guarantee([record(1, (0.1, 0.38), (0.3, 0.4), (0.5, 0.5))], NAMES, 600, ETA)
    assert (found.shown.name, found.shown.bound) == ("b", 0.4)


def test_a_pair_is_read_with_its_class_its_label_and_the_teachers_answer(tmp_path):
    kept = dict(
        index=[5, 2], label=[1, 0], true=[0, 1], teacher=[2, 1], sign=np.array([1, -1], np.int8), weight=[0.25, 0.125]
    )
    np.savez(tmp_path / "heaviest.npz", **kept, images=np.zeros((2, 4, 4), np.uint8), max=16)
    (first, second), _ = heaviest(tmp_path, ["a", "b", "c"], 10)
    assert first == Heavy(5, "b", "a", "c", True, 5.0) and second == Heavy(2, "a", "b", "b", False, 2.5)
