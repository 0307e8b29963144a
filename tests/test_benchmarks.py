"""Benchmarks are run by hand, so a renamed name would break them unseen: all that they import is there."""

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"


@pytest.mark.parametrize("path", sorted(BENCHMARKS.glob("*.py")), ids=lambda path: path.stem)
def test_all_that_a_benchmark_imports_is_there(path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    assert not missing(imports)


def test_a_name_that_is_gone_is_found():
    imports = [node for node in ast.walk(ast.parse("def f():\n    from bdistil.runs.worker import Pulse, work"))]
    assert missing([node for node in imports if isinstance(node, ast.ImportFrom)]) == ["bdistil.runs.worker.Pulse"]


def missing(imports: list[ast.ImportFrom]) -> list[str]:
    """What is imported, at the top or inside a function, and does not exist."""
    return [f"{node.module}.{one.name}" for node in imports for one in node.names if not _exists(node.module, one.name)]


def _exists(module: str, name: str) -> bool:
    if hasattr(importlib.import_module(module), name):
        return True
    try:
        importlib.import_module(f"{module}.{name}")
    except ImportError:
        return False
    return True


def test_every_fault_of_the_list_can_still_be_put_in(monkeypatch):
    """The text that it replaces stands exactly once in its file, and what it makes of that is a program."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    faults = importlib.import_module("faults")
    every = list(faults.faults())
    assert len(every) >= 60 and len({fault.row for fault in every}) == len(every)
    for fault in every:
        text = (ROOT / fault.file).read_text(encoding="utf-8")
        ast.parse(broken := fault.put_into(text))
        assert broken != text and all((ROOT / test).is_file() for test in fault.tests), fault


def test_a_fault_whose_line_has_changed_is_named(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    faults = importlib.import_module("faults")
    for text, times in (("a = 2", 0), ("a = 1; a = 1", 2)):
        with pytest.raises(ValueError, match=f"cost.py has 'a = 1' {times} times, not once"):
            faults.Fault("bdistil/cost.py", "a = 1", "a = 3", ()).put_into(text)
