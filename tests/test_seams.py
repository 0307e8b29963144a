"""The seams hold: what only reads runs imports no torch, and the engine knows nothing of Streamlit."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import bdistil

ENGINE = Path(bdistil.__file__).parent
TORCH_FREE = (
    "bdistil",
    "bdistil.method.certificate",
    "bdistil.cli.main",
    "bdistil.config",
    "bdistil.data.catalogue",
    "bdistil.report.figures",
    "bdistil.report.tables",
    "bdistil.results",
    "bdistil.runs",
    "bdistil.runs.launch",
    "bdistil.report.documents",
    "bdistil.students.catalogue",
    "bdistil.teachers",
    "bdistil.report.formats",
    "bdistil.runs.worker",
)
CHECK = """
import importlib, sys
for module in {}:
    importlib.import_module(module)
print(*{{"torch", "streamlit"}} & {{*sys.modules}})
"""


def heavy(*modules: str) -> set[str]:
    """Which of torch and streamlit a fresh interpreter has loaded after importing these modules."""
    return set(subprocess.check_output([sys.executable, "-c", CHECK.format(modules)], text=True).split())


def test_what_only_reads_imports_neither_torch_nor_streamlit():
    # Together first, because an interpreter takes a second; one by one only to say which it was.
    assert not heavy(*TORCH_FREE) or {module: heavy(module) for module in TORCH_FREE} == {}


def test_the_check_above_can_fail():
    assert heavy("bdistil.runs", "bdistil.training.loop") == {"torch"}
    assert heavy("streamlit") == {"streamlit"}


def imported(source: str) -> set[str]:
    """The top-level packages that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", sorted(ENGINE.rglob("*.py")), ids=lambda path: str(path.relative_to(ENGINE)))
def test_the_engine_never_imports_streamlit_or_the_app(path):
    assert not imported(path.read_text()) & {"streamlit", "app", "pages"}


def test_the_scan_above_can_fail():
    assert imported("def f():\n    from streamlit.runtime import get_instance") == {"streamlit"}
