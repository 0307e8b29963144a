"""The claims that benchmarks assert hold on the tables that are committed with them."""

import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def benchmark_of(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


def committed(name: str) -> list[tuple[str, ...]]:
    text = (BENCHMARKS / "results" / f"{name}.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines[2:]]


@pytest.mark.parametrize(("name", "missed"), [("composition", 5), ("latency", 4)])
def test_committed_tables_pass_and_name_their_misses(name, missed, benchmark_of, capsys):
    benchmark_of(name).check(committed(name))
    assert capsys.readouterr().out.count("Missed: ") == missed


def test_a_worse_table_fails(benchmark_of):
    worse = [tuple("-0.50" if cell == "+0.87" else cell for cell in row) for row in committed("composition")]
    with pytest.raises(AssertionError, match="b-distil, prefix 6"):
        benchmark_of("composition").check(worse)
