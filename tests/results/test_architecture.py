"""The composed network of a run, from its description alone: connections, costs, and alike students together."""

import json
import subprocess
import sys

import pytest

from bdistil.results import load
from bdistil.results.architecture import Block, architecture, columns, lines
from bdistil.runs import open_run
from bdistil.students.catalogue import blocks_of
from tests.builders import build_run


def parts_of(path):
    run = open_run(path)
    return architecture(run.path, load(run).points)


def test_students_that_are_alike_stand_together(tmp_path):
    first, rest = parts_of(build_run(tmp_path / "r", rounds=6))
    assert (first.number, first.composition, rest.number, rest.composition) == ("1", "alone", "2 to 6", "add")
    assert columns([first, rest]) == ["level 1", "level 2", "level 3", "level 4", "answer"]
    assert rest.blocks["level 2"] == Block(16, True) and rest.blocks["answer"] == Block(None, False)
    assert not any(block.reads for block in first.blocks.values()) and first.window is None
    assert (rest.macs, rest.reading_macs, rest.parameters, rest.carry_bytes) == (1_750_000, 9_000, 58_000, 31_000)


def test_a_triangular_network_reads_all_before_it_and_passes_on_where_it_adds_nothing(tmp_path):
    _, second, *_ = parts_of(build_run(tmp_path / "r", rounds=3, method="b-distil+polish"))
    assert second.composition == "concat-all" and second.blocks["level 1"] == Block(0, True)
    assert second.blocks["level 4"] == Block(16, False) and second.blocks["answer"].reads


@pytest.mark.parametrize(("method", "pooled"), [("b-distil", False), ("b-distil+polish", True)])
def test_segments_follow_one_another_and_carry_the_state(tmp_path, method, pooled):
    parts = parts_of(build_run(tmp_path / "r", dataset="watch", rounds=4, mode="segments", method=method))
    assert [part.window for part in parts] == [(0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1)]
    assert columns(parts) == ["state", "answer"]
    assert [part.blocks["state"].reads for part in parts] == [False, True, True, True]
    assert [part.blocks["answer"].reads for part in parts] == [False, pooled, pooled, pooled]


def test_one_cell_for_all_is_told(tmp_path):
    path = build_run(tmp_path / "r", dataset="watch", rounds=4, mode="segments")
    assert not any(part.shares for part in parts_of(path)) and "one cell" not in lines(parts_of(path))[1]
    file = path / "ensemble" / "ensemble.json"
    document = json.loads(file.read_text())
    for student in document["students"]:
        student["spec"]["cell"] = "shared"
    file.write_text(json.dumps(document))
    assert all("one cell for all; reads" in line for line in lines(parts_of(path)))


def test_a_head_that_reads_the_last_level_is_where_concat_arrives(tmp_path):
    path = build_run(tmp_path / "r", rounds=2)
    file = path / "ensemble" / "ensemble.json"
    document = json.loads(file.read_text())
    document["students"][1]["spec"]["composition"] = "concat"
    file.write_text(json.dumps(document))
    blocks = parts_of(path)[1].blocks
    assert not blocks["level 4"].reads and blocks["answer"].reads and blocks["level 3"].reads


@pytest.mark.parametrize("damage", ["gone", "cut", "other"])
def test_without_a_whole_description_there_is_nothing(tmp_path, damage):
    path = build_run(tmp_path / "r", rounds=2)
    file = path / "ensemble" / "ensemble.json"
    file.write_text({"cut": file.read_text()[:100]}.get(damage, "[]"))
    if damage == "gone":
        file.unlink()
    assert parts_of(path) == []


def test_the_samples_tell_their_networks_line_by_line():
    def told(name):
        run = open_run(name)
        return lines(architecture(run.path, load(run).points))

    first, others = told("digits-24")
    assert first.startswith("       1: cnn, alone; level 1 8, level 2 16") and "<-" not in first
    assert others.startswith(" 2 to 24: cnn, add; level 1 8 <-") and others.endswith("42112 MACs, 6594 parameters")
    _, second, *_ = told("digits")
    assert "2: triangular, concat-all" in second and "answer <-; 56576 MACs, 37504 of them for reading" in second


def test_reading_it_imports_no_torch():
    modules = "bdistil.results.architecture, bdistil.report.architecture_drawing"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_convolutions_over_time_have_three_levels(tmp_path):
    path = build_run(tmp_path / "r", dataset="watch", rounds=2)
    file = path / "ensemble" / "ensemble.json"
    document = json.loads(file.read_text())
    spec = {"family": "tcn", "channels": 12, "input_shape": [6, 100], "classes": 7, "steps": [0, 100]}
    levels = {f"level{number}": [12, 50] for number in (1, 2, 3)}
    described = spec | {"composition": "alone", "reads": {}}, spec | {"composition": "add", "reads": levels}
    document["students"] = [{"spec": each} for each in described]
    file.write_text(json.dumps(document))
    first, second = parts_of(path)
    assert columns([first, second]) == ["level 1", "level 2", "level 3", "answer"]
    assert second.blocks["level 3"] == Block(12, True) and second.window == (0.0, 1.0)
    assert not second.blocks["answer"].reads and second.composition == "add"


def test_the_levels_of_convolutions_over_time_are_those_that_are_built():
    from bdistil.students import build_student
    from bdistil.students.tcn import LEVELS

    assert list(blocks_of({"family": "tcn", "channels": 12})) == [name.replace("level", "level ") for name in LEVELS]
    known = build_student("tcn-s", input_shape=(6, 100), classes=7, composition="add").spec
    assert {"family", "channels", "reads", "steps", "composition"} <= set(known)
