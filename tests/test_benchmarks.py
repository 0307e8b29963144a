"""Benchmarks are run by hand, so a renamed name would break them unseen: all that they import is there."""

import ast
import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


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
