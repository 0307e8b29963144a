"""Classes that a split lacks or has few examples of, and what always answering the largest one reaches."""

import json

import numpy as np

from bdistil.data.class_counts import Scarce, scarce
from bdistil.report import formats
from bdistil.results import load
from bdistil.results.scarce import counts_of, largest_class, scarce_of
from tests.builders import build_run, relabel


def test_absent_and_thin_classes_in_their_order():
    assert scarce("abcde", (0, 9, 10, 1, 0), "test") == Scarce("test", 5, absent=("a", "e"), thin=("b", "d"))
    assert scarce("abc", (), "train") == Scarce("train", 3)


def test_what_is_scarce_in_words():
    found = Scarce("validation", 7, absent=("rowing",), thin=("a\n", "b"))
    assert formats.scarce(found) == [
        "No validation examples of 1 of 7 classes: rowing.",
        "Fewer than 10 validation examples of 2 of 7 classes: a\\n, b.",
    ]
    assert formats.scarce(Scarce("test", 7)) == []
    assert formats.some_of([str(number) for number in range(22)]).endswith(", 18, 19 and 2 more")


def test_an_accuracy_below_the_largest_classs_share():
    assert formats.below_largest(0.3951, "walking", 0.41) == "39.5\u00a0% is below always answering walking: 41\u00a0%."
    assert formats.below_largest(0.41, "walking", 0.41) is None


def test_counts_of_a_run_and_of_one_before_they_were_recorded(tmp_path):
    path = build_run(tmp_path / "run")
    relabel(path, lambda labels: np.where(labels == 9, 8, labels))
    old = load(path)
    assert counts_of(old, "train") == () and scarce_of(old, "train") == Scarce("train", 10)
    assert scarce_of(old, "test").absent == ("9",) and sum(counts_of(old, "test")) == len(old.labels)
    info = json.loads((path / "run.json").read_text())
    info["dataset"]["counts"] = {"train": [3, 0] + [40] * 8, "validation": [20] * 10, "test": [40] * 10}
    (path / "run.json").write_text(json.dumps(info))
    assert scarce_of(load(path), "train") == Scarce("train", 10, absent=("1",), thin=("0",))


def test_the_largest_class_and_its_share(tmp_path):
    path = build_run(tmp_path / "run", classes=("healthy", "damaged"))
    relabel(path, lambda labels: np.arange(len(labels)) % 4 == 0)
    assert largest_class(load(path)) == ("healthy", 0.75)
