"""Damaged files of every kind are read, or refused in one sentence: 20 of each here, 200 in benchmarks/mutated.py."""

import io
import pickle

import numpy as np
import pytest

from tests import mutations
from tests.mutations import KINDS, Reader, intact


class Payload:
    def __reduce__(self):
        return print, ("executed",)


@pytest.fixture(scope="module")
def reader():
    with Reader() as reader:
        yield reader


@pytest.fixture(scope="module")
def controls():
    with Reader(kinds=()) as reader:
        yield reader


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_read_or_refused_in_one_sentence(reader, kind):
    content = intact(kind)
    assert reader.read(kind, content).what == "read"
    outcomes = [(how, reader.read(kind, damaged)) for how, damaged in mutations.mutations(kind, content, 20)]
    assert [(how, outcome) for how, outcome in outcomes if outcome.failed] == []
    assert any(outcome.what == "refused" for _, outcome in outcomes)


def test_mutations_are_the_same_every_time_and_differ_from_the_file():
    content = intact("CSV")
    first, second = (list(mutations.mutations("CSV", content, 20)) for _ in range(2))
    assert first == second and len({damaged for _, damaged in first} | {content}) > 18


def test_pickles_in_arrays_are_refused_and_not_loaded(reader):
    buffer = io.BytesIO()
    np.savez(buffer, x=np.array([Payload()], dtype=object), y=np.arange(1))
    assert reader.read("NPZ", buffer.getvalue()).what == "refused"
    assert reader.read("safetensors", pickle.dumps(Payload())).what == "refused"


@pytest.mark.parametrize(
    "control, found",
    [
        ("unpickles", "executes something (pickle.find_class)"),
        ("fills memory", "takes more than 1 GB"),
        ("crashes", "raises KeyError"),
        ("dies", "ends the process (-9)"),
        ("waits", "hangs for more than 1 s"),
    ],
)
def test_a_reader_that_does_what_none_may_is_found_out(controls, monkeypatch, control, found):
    monkeypatch.setattr(mutations, "MOST_SECONDS", 1.0 if control == "waits" else 10.0)
    buffer = io.BytesIO()
    np.save(buffer, np.array([Payload()], dtype=object), allow_pickle=True)
    assert controls.read(control, buffer.getvalue()).what == found
