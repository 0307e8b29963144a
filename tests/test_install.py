"""The wheel holds the dashboard and what ships, and its base works in an empty folder, without torch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Nothing but the wheel's own files and the packages of its base: an import of the training packages fails.
WITHOUT_TORCH = """
import sys
for name in ("torch", "torchvision", "torchaudio", "sklearn", "onnx", "onnxruntime", "soundfile", "safetensors"):
    sys.modules[name] = None
"""
APP = """
import sys
from streamlit.testing.v1 import AppTest
from bdistil.paths import DASHBOARD
sys.path.insert(0, str(DASHBOARD / "app"))  # as `streamlit run` does
for name in ("home", "explore"):
    page = AppTest.from_file(str(DASHBOARD / "pages" / f"{name}.py"), default_timeout=120).run()
    assert not page.exception, page.exception
    print(name, *(choice.label for choice in page.selectbox), *(button.label for button in page.button[:1]))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel of this checkout was unpacked, as an installation would."""
    wheels, target = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    [wheel] = wheels.iterdir()
    subprocess.run([*pip, "install", "--no-deps", "--target", str(target), str(wheel)], check=True, capture_output=True)
    (target / "sitecustomize.py").write_text(WITHOUT_TORCH)
    return target


def run(installed: Path, folder: Path, *words: str) -> str:
    """What Python prints in an empty folder, with the installed package and without the repository on its path."""
    environment = {**os.environ, "PYTHONPATH": str(installed), "BDISTIL_HOME": str(folder / "home")}
    done = subprocess.run([sys.executable, "-P", *words], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_installed_package_is_the_one_that_runs(installed: Path, tmp_path: Path) -> None:
    where = run(installed, tmp_path, "-c", "import bdistil; print(bdistil.__file__)")
    assert Path(where.strip()).is_relative_to(installed)
    assert (installed / "bdistil" / "py.typed").exists()  # whoever imports it is checked against its types


def test_it_lists_the_samples(installed: Path, tmp_path: Path) -> None:
    listed = run(installed, tmp_path, "-m", "bdistil", "list")
    assert {"digits", "fashion-mnist", "watch"} <= {line.split()[0] for line in listed.splitlines()}


def test_it_opens_home_and_explore(installed: Path, tmp_path: Path) -> None:
    assert run(installed, tmp_path, "-c", APP).splitlines() == ["home Explore this run", "explore Run Cost axis Class"]


def test_it_reads_the_embedded_data(installed: Path, tmp_path: Path) -> None:
    read = "from bdistil.data import load_dataset; print(load_dataset('watch').info.name)"
    assert run(installed, tmp_path, "-c", read) == "watch\n"


def test_torch_is_really_away(installed: Path, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="No module named 'torch'|import of torch halted"):
        run(installed, tmp_path, "-c", "import torch")


def test_the_wheel_leaves_out_what_only_the_repository_needs(installed: Path) -> None:
    dashboard = installed / "bdistil" / "_dashboard"
    assert sorted(folder.name for folder in dashboard.iterdir()) == ["app", "assets", "pages"]
    assert not list(dashboard.rglob("make.py")) and not list((dashboard / "assets").glob("*.png"))
    assert not (installed / "tests").exists() and not (installed / "benchmarks").exists()
