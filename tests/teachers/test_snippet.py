"""The program to copy runs as it is: both teachers that it writes give the same answers, on every split."""

import warnings

import numpy as np
import pandas as pd
import pytest

from bdistil.data import load_dataset
from bdistil.data.dataset import SPLITS
from bdistil.data.reading import OwnData
from bdistil.teachers import card_for
from bdistil.teachers.logits import teacher_oracle
from bdistil.teachers.snippet import snippet
from tests.data.test_custom_folders import pictures, recordings


def series(folder):
    rows = [(f"s{n}", n % 2, float((n % 2) * t + n)) for n in range(20) for t in range(12)]
    pd.DataFrame(rows, columns=["walk", 'what "it" is', "ax"]).to_csv(folder / "walks.csv", index=False)
    return folder / "walks.csv"


OWN = {
    "pictures": (lambda folder: pictures(folder / "pets", 5), None),
    "recordings": (lambda folder: recordings(folder / "words", takes=1), {"subject_pattern": "^([a-z]+)_"}),
    "series": (series, {"series": "walk", "label": 'what "it" is', "channels": ("ax",), "window": 6}),
}


@pytest.mark.parametrize("kind", ["digits", *OWN])
def test_its_answers_are_those_of_its_onnx_file(tmp_path, monkeypatch, kind):
    dataset, data = "digits", None
    if kind in OWN:
        make, options = OWN[kind]
        dataset, data = str(make(tmp_path)), OwnData(**options) if options else None
    monkeypatch.chdir(tmp_path)
    program = snippet(dataset, data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        exec(compile(program, "snippet", "exec"), {})
    read = load_dataset(dataset, data)
    answers = teacher_oracle(card_for(None, dataset, data, teacher_logits=("train.npz", "test.npz")), read)
    exported = card_for("teacher.onnx", dataset, data, teacher_input="normalised")
    assert ("normalised, running-maximum →" in exported.signature) == (kind == "recordings")
    for split in SPLITS:
        x, _ = read.split(split)
        expected = teacher_oracle(exported, read)(x, split)
        assert len(x) == len(expected) and np.ptp(expected) > 0.01
        assert answers(x, split) == pytest.approx(expected, abs=1e-3)
