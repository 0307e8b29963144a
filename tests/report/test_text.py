"""A run as text: everything that it is, and how it went, in lines of which each is checked."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from bdistil.records import Notice, PolishFinished, RoundFinished
from bdistil.report.text import describe_polish, describe_round, describe_run, describe_teaching
from bdistil.runs import open_run
from bdistil.teachers.card import TeacherFigures
from tests.builders import build_run, relabel


def test_absent_and_thin_classes_and_an_accuracy_below_the_largest_classs_share_are_said(tmp_path):
    path = build_run(tmp_path / "r", rounds=2)
    counts = {"train": [60] * 10, "validation": [0, 9] + [20] * 8, "test": [400] + [0] * 9}
    relabel(path, lambda labels: labels * 0)
    told = of(path, dataset={"counts": counts})
    accuracy = open_run(path).rounds()[-1].point.accuracy
    at = told.index(f"2 students: {100 * accuracy:.1f} % is below always answering 0: 100 %.")
    assert told[at + 1 : at + 4] == [
        "No validation examples of 1 of 10 classes: 0.",
        "Fewer than 10 validation examples of 1 of 10 classes: 1.",
        "No test examples of 9 of 10 classes: 1, 2, 3, 4, 5, 6, 7, 8, 9.",
    ]


def of(path, **changes):
    """The lines of a run, its run.json changed."""
    document = json.loads((path / "run.json").read_text())
    for name, value in changes.items():
        document[name] = document[name] | value if isinstance(value, dict) else value
    (path / "run.json").write_text(json.dumps(document))
    return [line.replace("\u00a0", " ") for line in describe_run(open_run(path))]


def test_a_run_says_what_it_is_and_how_each_round_went(tmp_path):
    told = of(build_run(tmp_path / "r", rounds=4, search={3: ["edge", "corrected"]}), parent="shorter")
    assert told.pop(1) == "Digits"
    assert told[:3] == ["r: finished", "data set digits", "extends shorter"]
    assert told[3].startswith("teacher digits-resnet-s: ") and told[3].endswith(" M MACs")
    assert told.pop(4) == "the teacher on this run’s splits: train 97.2 %, validation 97.0 %, test 96.2 %"
    assert told[4].startswith("method b-distil, ") and told[4].endswith(", condition met in all 4 rounds")
    assert told[5] == "student cnn-xs, composition add, mode full"
    assert "reading" not in told[6] and told[7].endswith("of the teacher, reading 9.0 k, carries 31 kB")
    assert told[10] == "rounds" and told[11].startswith("  2 condition met, smallest edge 0.0")
    assert told[11].endswith(", 1 attempt")
    assert ", 2 attempts, head corrected" in told[12]
    last = open_run(tmp_path / "r").rounds()[-1].record
    sides = [f"{getattr(last, name):.2f}" for name in ("measured", "bound", "trivial")]
    least = "certificate after 4, of the class with the least slack"
    assert told[14] == "{}: deviation {}, bound {}, trivial bound {}".format(least, *sides)
    assert told[15] == "students (<- reads what earlier ones left there, a size of 0 passes that on)"


def test_a_round_that_misses_the_condition_and_one_of_another_composition_are_told(tmp_path):
    path = build_run(tmp_path / "r", rounds=3)
    file = path / "rounds" / "02" / "round.json"
    entry = json.loads(file.read_text())
    entry["record"] |= {"condition_met": False, "composition": ["concat"], "edge_min": -0.0123, "corrected": False}
    file.write_text(json.dumps(entry))
    told = of(path)
    assert "  2 condition missed, smallest edge -0.012, 1 attempt, composition concat" in told
    assert "method b-distil, condition met in 2 of 3 rounds" in told


def test_a_black_box_tells_its_signature_and_notices(tmp_path):
    path = build_run(tmp_path / "r", rounds=2, black_box=True)
    open_run(path).record(Notice, text="mine.onnx gives probabilities.")
    told = of(path, teacher={"name": "mine.onnx", "signature": "x float32 (batch, 1, 8, 8) raw", "accuracy": None})
    assert told[3] == "teacher mine.onnx: 96.2 %"  # counted from the stored logits
    assert told[5:7] == ["x float32 (batch, 1, 8, 8) raw", "mine.onnx gives probabilities."]
    assert not any("of the teacher" in line for line in told)


@pytest.mark.parametrize("state", ["queued", "running", "stopped", "failed"])
def test_a_run_that_has_not_ended_is_told_as_far_as_it_has_come(tmp_path, state):
    told = of(build_run(tmp_path / "r", state=state))
    assert told[0].startswith(f"r: {'failed: ' if state == 'failed' else 'stopped'}")
    assert ("rounds" in told) == (state != "queued") and not any(line.startswith("students") for line in told)


def test_a_teachers_run_tells_what_it_reaches_and_costs(tmp_path):
    told = of(build_run(tmp_path / "r", kind="teach"))
    assert told[1:3] == ["Digits", "data set digits"] and len(told) == 4
    assert told[3].startswith("teacher digits-") and " %, " in told[3] and told[3].endswith(" M MACs")


def test_showing_it_imports_no_torch():
    code = (
        "import sys; from bdistil.report.text import describe_run; from bdistil.runs import open_run; "
        "describe_run(open_run('digits')); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_training_ends_with_what_it_has_made():
    card = TeacherFigures(name="t", accuracy=0.952, accuracy_low=0.94, accuracy_high=0.961, epochs=24, seconds=720.0)
    n = "\N{NO-BREAK SPACE}"
    said = f"95.2{n}% of the test split (95{n}% interval 94.0 to 96.1), 24 epochs, 12{n}min"
    assert describe_teaching(card) == said
    assert "(range over two persons 94.0 to 96.1), 1 epoch," in describe_teaching(
        card.model_copy(update={"persons": 2, "epochs": 1})
    )


def test_a_round_that_ends_is_one_line_of_80_characters(tmp_path):
    finished = open_run(build_run(tmp_path / "r", rounds=2)).rounds()
    scores = {"accuracy": 1.0, "agreement": 0.5}
    point = finished[1].point.model_copy(
        update={
            "validation": finished[1].point.validation.model_copy(update=scores),
            "macs": 1_250_000,
            "macs_ratio": 1.0712,
        }
    )
    time = datetime(2026, 12, 1, tzinfo=UTC)
    ended = RoundFinished(time=time, kind="round_finished", round=12, record=finished[1].record, point=point)
    line = describe_round(ended, 24).replace("\u00a0", " ")
    assert line == "round 12 of 24: validation 100.0 %, agreement 50.0 %, cost 107 % of the teacher" and len(line) < 80
    unknown = ended.model_copy(update={"point": point.model_copy(update={"macs_ratio": None})})
    assert describe_round(unknown, 24).replace("\u00a0", " ").endswith("agreement 50.0 %, 1.2 M MACs")
    last = finished[1].model_copy(update={"point": point})
    polished = PolishFinished(time=time, kind="polish_finished", rounds=(finished[0], last))
    assert describe_polish(polished).replace("\u00a0", " ").startswith("polish: validation 100.0 %, agreement 50.0 %")
