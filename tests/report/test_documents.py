"""The documents of `show --json` and `list --json` have every field that scripts are promised."""

import json

import pytest

from bdistil.report.documents import listing, report
from bdistil.runs import Run, list_runs
from tests.builders import build_run

RUN = {
    "schema",
    "run",
    "kind",
    "parent",
    "state",
    "phase",
    "error",
    "sample",
    "created",
    "title",
    "note",
    "dataset",
    "teacher",
    "method",
    "student",
    "mode",
    "config",
    "seconds",
    "threads",
    "versions",
    "scale",
    "frontier",
    "unpolished",
    "rounds",
    "attempts",
}
DATASET = {"name", "modality", "train", "validation", "test", "classes", "split"}
TEACHER = {"name", "accuracy", "macs", "parameters", "bytes", "latency_ms"}
SCALE = {"c", "B", "eta_B", "temperature"}
POINT = {
    "prefix",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "persons",
    "agreement",
    "train",
    "validation",
    "fixed",
    "broken",
    "macs",
    "macs_ratio",
    "parameters",
    "bytes",
    "memory_bytes",
    "overhead_macs",
    "carry_bytes",
    "window_share",
    "latency_ms",
}
ROUND = {
    "round",
    "composition",
    "attempts",
    "condition_met",
    "corrected",
    "kl_before",
    "kl_after",
    "edge_min",
    "edges",
    "relative_edges",
    "barrier",
    "effective_examples",
    "loss",
    "measured",
    "bound",
    "trivial",
    "bound_eta",
    "measured_by_class",
    "bound_by_class",
    "seconds",
}


def check(document):
    """Every field of interface.md, in a document of a finished run."""
    assert document.keys() >= RUN
    assert document["dataset"].keys() >= DATASET
    assert document["teacher"].keys() >= TEACHER
    assert document["scale"].keys() >= SCALE
    assert [row["prefix"] for row in document["frontier"]] == list(range(1, len(document["rounds"]) + 1))
    for row in document["frontier"]:
        assert row.keys() >= POINT
        assert row["train"].keys() == row["validation"].keys() == {"accuracy", "agreement"}
        assert row["accuracy_low"] <= row["accuracy"] <= row["accuracy_high"]
    for record in document["rounds"]:
        assert record.keys() >= ROUND


def test_a_finished_run_has_every_field(own_home):
    document = report(Run(build_run(own_home / "runs" / "mine")))
    check(document)
    assert document["unpolished"] is None and document["parent"] is None and document["error"] is None


def test_a_polished_run_tells_both_frontiers(own_home):
    run = Run(build_run(own_home / "runs" / "mine", method="b-distil+polish"))
    document = report(run)
    check(document)
    assert document["method"] == "b-distil+polish"
    assert document["frontier"] == [entry.point.document() for entry in run.rounds()]
    assert document["unpolished"] == [entry.point.document() for entry in run.unpolished()] != document["frontier"]
    assert [row["prefix"] for row in document["unpolished"]] == [1, 2, 3, 4, 5, 6]


def test_every_attempt_is_listed(own_home):
    document = report(Run(build_run(own_home / "runs" / "mine", rounds=3, search={3: ["edge", "corrected"]})))
    tries = [(each["round"], each["attempt"], each["outcome"]) for each in document["attempts"]]
    assert tries[-2:] == [(3, 1, "edge"), (3, 2, "corrected")] and len(tries) == 4
    assert all({"edges", "barrier", "composition", "seconds"} <= each.keys() for each in document["attempts"])
    assert not document["attempts"][0].keys() & {"v", "time", "kind"}


@pytest.mark.parametrize("kind", ["distil", "teach"])
@pytest.mark.parametrize("state", ["queued", "running", "stopped", "failed"])
def test_a_run_in_any_state_has_every_field(own_home, kind, state):
    document = report(Run(build_run(own_home / "runs" / "mine", kind=kind, state=state)))
    assert document.keys() >= RUN
    assert document["state"] == ("failed" if state == "failed" else "stopped")
    assert len(document["frontier"]) == len(document["rounds"]) == (2 if kind == "distil" and state != "queued" else 0)


def test_the_list_has_a_line_for_every_run(own_home):
    for state in ("queued", "finished"):
        build_run(own_home / "runs" / state, state=state)
    build_run(own_home / "runs" / "teach", kind="teach")
    build_run(own_home / "runs" / "bad", damage="corrupt")
    document = listing(list_runs(samples=False))
    lines = {line["run"]: line for line in document["runs"]}
    assert document["schema"] == 1 and lines.keys() == {"queued", "finished", "teach", "bad"}
    for name in ("queued", "finished", "teach"):
        assert lines[name].keys() == {
            *("run", "kind", "state", "sample", "title"),
            *("dataset", "student", "rounds", "method"),
        }
        assert lines[name]["dataset"]["name"] == "digits"
    assert (lines["finished"]["rounds"], lines["teach"]["rounds"]) == (6, None)
    assert lines["bad"]["state"] == "unreadable" and "cannot be read" in lines["bad"]["error"]


@pytest.mark.parametrize("method", ["b-distil", "b-distil+polish"])
def test_rows_of_earlier_versions_get_the_intervals_over_their_persons(tmp_path, method):
    path = build_run(tmp_path / "run", dataset="watch", rounds=2, method=method)
    new = report(Run(path))
    for file in path.rglob("round.json"):
        entry = json.loads(file.read_text())
        del entry["point"]["persons"]
        file.write_text(json.dumps({**entry, "point": {**entry["point"], "accuracy_low": 0.0, "accuracy_high": 1.0}}))
    old = report(Run(path))
    for rows, before in ((new["frontier"], old["frontier"]), (new["unpolished"] or [], old["unpolished"] or [])):
        for row, earlier in zip(rows, before, strict=True):
            assert row["persons"] == earlier["persons"] == 2
            interval = row["accuracy_low"], row["accuracy_high"]
            assert (earlier["accuracy_low"], earlier["accuracy_high"]) == pytest.approx(interval, abs=0.006)
    assert report(Run(build_run(tmp_path / "digits", rounds=2)))["frontier"][0]["persons"] is None
