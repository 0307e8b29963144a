"""Runs that an earlier version recorded are read, extended and resumed by this one."""

import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from bdistil.records import RENAMED_OPTIONS, with_current_names
from bdistil.report.documents import report
from bdistil.results import load
from bdistil.runs import Run, open_run
from bdistil.runs.extend import extend_run
from bdistil.runs.launch import start_worker
from tests.workers import finished

RECORDED = Path(__file__).parents[1] / "recorded" / "schema-1"
NAMES = ("frozen", "polished", "stopped", "teacher")
RENAMED = {"certified": "condition_met", "turned_down": "rejected"}  # in records; options have names of their own


@pytest.fixture
def recorded(own_home: Path) -> Path:
    """A home with copies of the recorded runs; returns the folder that they are in."""
    shutil.copytree(RECORDED, own_home / "runs")
    return own_home / "runs"


def unlike(expected: Any, found: Any, path: str = "") -> list[str]:
    """Where `found` lacks or changes what is in `expected`; more fields than that are fine."""
    if isinstance(expected, dict) and isinstance(found, dict):
        gone = [f"{path}.{key} is gone" for key in expected if key not in found]
        pairs = [(expected[key], found[key], f"{path}.{key}") for key in expected if key in found]
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        gone, pairs = [], [(*pair, f"{path}[{n}]") for n, pair in enumerate(zip(expected, found, strict=True))]
    else:
        return [] if expected == found else [f"{path}: {expected!r} became {found!r}"]
    return gone + [line for pair in pairs for line in unlike(*pair)]


def comparable(document: dict[str, Any]) -> dict[str, Any]:
    """The document with its time as a time, and its records' fields by the names that they have now."""
    renamed = {
        part: [{RENAMED.get(name, name): value for name, value in record.items()} for record in document[part]]
        for part in ("rounds", "attempts")
    }
    renamed["config"] = with_current_names(document["config"])
    return {**document, **renamed, "created": datetime.fromisoformat(document["created"])}


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_run_still_says_what_it_said(recorded: Path, name: str) -> None:
    expected = json.loads((recorded / name / "expected-show.json").read_text())
    found = json.loads(json.dumps(report(open_run(recorded / name))))
    assert not any(RENAMED.keys() & record.keys() for record in found["rounds"] + found["attempts"])
    assert not RENAMED_OPTIONS.keys() & found["config"].keys()
    assert unlike(comparable(expected), comparable(found)) == []


def test_a_changed_document_would_be_noticed(recorded: Path) -> None:
    expected = json.loads((recorded / "frozen" / "expected-show.json").read_text())
    found = json.loads((recorded / "frozen" / "expected-show.json").read_text())
    found["rounds"][1]["edge_min"] = -1
    del found["scale"]
    assert len(unlike(expected, found)) == 2


@pytest.mark.parametrize("name", ("frozen", "polished"))
def test_a_recorded_run_gives_its_results(recorded: Path, name: str) -> None:
    results = load(open_run(recorded / name))
    assert [point.prefix for point in results.points] == [1, 2]
    assert all(0.8 <= point.accuracy <= 1 for point in results.points)


def test_a_recorded_run_is_extended(recorded: Path) -> None:
    longer = extend_run(open_run(recorded / "frozen"), 1)
    start_worker(longer)
    assert len(finished(longer).rounds()) == 3


def test_a_stopped_run_goes_on(recorded: Path) -> None:
    run: Run = open_run(recorded / "stopped")
    start_worker(run)
    assert len(finished(run).rounds()) == 3
