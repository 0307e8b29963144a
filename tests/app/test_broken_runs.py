"""A broken run is one card, or one notice on its own page; the pages of all others stand."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.runs.test_broken_runs import RECORDED, files_of, variants

CASES = 16  # of each of which three pages are opened


@pytest.mark.parametrize("seed", range(CASES))
def test_pages_stand_beside_a_broken_run(open_page, runs, seed: int) -> None:
    for name in ("broken", "whole"):
        shutil.copytree(RECORDED, Path(runs) / name)
    rng, files = np.random.default_rng(seed), files_of(Path(runs) / "broken")
    file = files[seed % len(files)]
    file.write_bytes(next(variants(rng, file)))
    for page, address in (("home", {}), ("explore", {"run": "broken"}), ("distil", {"run": "broken"})):
        shown = open_page(page, **address)
        assert not shown.exception, (page, file.name, shown.exception)
