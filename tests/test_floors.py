"""The house: rooms stand on floors, and imports go down them only; no circle of modules."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# From the ground up: the modules and rooms of bdistil/ on each floor, then the dashboard.
FLOORS = (
    ("errors", "atomic", "paths", "record", "statistics", "scale", "inputs", "options"),
    ("data",),
    ("students",),
    ("teachers",),
    ("budgets", "method_registry", "recipes", "config"),
    ("records",),
    ("ensemble", "cost"),
    ("training",),
    ("method",),
    ("runs",),
    ("results",),
    ("report",),
    ("estimator", "cli", "__main__"),
    ("app", "pages"),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def modules(root: Path) -> dict[str, Path]:
    """Dotted names of all modules of the engine and the dashboard."""
    files = [file for part in ("bdistil", "app", "pages") for file in sorted((root / part).rglob("*.py"))]
    return {".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def room(module: str) -> str:
    """The room, or the module, that stands on a floor: `runs` of `bdistil.runs.store`, `app` of all of the app."""
    parts = module.split(".")
    return parts[0] if parts[0] != "bdistil" else parts[1]


def imports(source: str, known: set[str]) -> set[str]:
    """The known modules that a source imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    found = set()
    for name in names:
        while name and name not in known:
            name = name.rpartition(".")[0]
        found |= {name} - {"", "bdistil"}
    return found


def house(sources: dict[str, str]) -> dict[str, set[str]]:
    """What each module imports of the others."""
    return {name: imports(source, set(sources)) - {name} for name, source in sources.items() if name != "bdistil"}


def climbs(edges: dict[str, set[str]]) -> list[str]:
    """Imports of a higher floor."""
    return [
        f"{one} -> {other}"
        for one, others in edges.items()
        for other in sorted(others)
        if FLOOR[room(other)] > FLOOR[room(one)]
    ]


@pytest.fixture(scope="module")
def edges() -> dict[str, set[str]]:
    return house({name: path.read_text() for name, path in modules(ROOT).items()})


def test_every_module_has_a_floor(edges: dict[str, set[str]]) -> None:
    assert {room(name) for name in edges} == set(FLOOR)


def test_imports_go_down_the_floors_only(edges: dict[str, set[str]]) -> None:
    assert climbs(edges) == []


def test_there_is_no_circle(edges: dict[str, set[str]]) -> None:
    assert list(TopologicalSorter(edges).static_order())


def test_a_climb_and_a_circle_are_found() -> None:
    climbing = house({"bdistil.errors": "def f():\n    from bdistil.runs import store", "bdistil.runs.store": ""})
    assert climbs(climbing) == ["bdistil.errors -> bdistil.runs.store"]
    turning = house({"bdistil.paths": "import bdistil.errors", "bdistil.errors": "from bdistil import paths"})
    with pytest.raises(CycleError):
        list(TopologicalSorter(turning).static_order())


def test_the_ensemble_needs_no_data_set_and_no_run() -> None:
    code = "import sys, bdistil.ensemble; print(*sorted(name for name in sys.modules if name.startswith('bdistil')))"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert len(loaded) <= 15, loaded
    assert not any(name.startswith(("bdistil.data", "bdistil.runs")) for name in loaded)
