"""How long Home takes with a thousand runs: reading all their files, and the whole script of the page.

The runs are invented, of six kinds (finished, polished, stopped, failed, another data set, a teacher), with a name
and a note each; Home shows thirty cards and the samples. First: in a process that has read none of the files (listing),
or imported none of the page's modules (Home). Again: the median of five more, as at every later visit. In processor
time, which other work on the machine hardly changes.

    python benchmarks/many_runs.py
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest
from table import publish

from bdistil.runs import list_runs, note_run, open_run, rename_run
from tests.builders import build_run

HOME = Path(__file__).resolve().parents[1] / "pages" / "home.py"
RUNS, AGAIN = 1000, 5
MOST = 1.0  # seconds
KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"method": "b-distil+polish"},
    {"state": "stopped"},
    {"state": "failed"},
    {"dataset": "fashion-mnist"},
    {"kind": "teach"},
)


def fill(home: Path) -> None:
    """A thousand run folders: one of each kind, the others links to its files beside a run.json of their own."""
    first = [build_run(home / "kinds" / str(number), **kind) for number, kind in enumerate(KINDS)]
    for number in range(RUNS):
        source, run = first[number % len(first)], home / "runs" / f"run-{number:04d}"
        run.mkdir(parents=True)
        for file in source.iterdir():
            (run / file.name).symlink_to(file)
        record = json.loads((source / "run.json").read_text())
        created = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number)
        (run / "run.json").unlink()
        (run / "run.json").write_text(json.dumps(record | {"run": run.name, "created": created.isoformat()}))
        rename_run(open_run(run.name), f"Run {number} of many")
        note_run(open_run(run.name), "Temperature 4, half the width.")


def draw() -> None:
    page = AppTest.from_file(str(HOME), default_timeout=600).run()
    assert not page.exception and f"30 of {RUNS} runs." in " ".join(each.proto.body for each in page.get("html"))


def timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ["BDISTIL_HOME"] = home
        fill(Path(home))
        time.sleep(2.5)  # files that have just been written are read again
        rows, again = [], {}
        for name, work in (("all runs are listed", list_runs), ("Home is drawn", draw)):
            first = timed(work)
            again[name] = statistics.median(timed(work) for _ in range(AGAIN))
            rows.append((name, f"{first:.2f}", f"{again[name]:.2f}"))
    publish(
        "many_runs", (f"processor seconds, {RUNS} runs", "first", "again"), rows, packages=("streamlit", "pydantic")
    )
    assert again["Home is drawn"] <= MOST, f"Home took {again['Home is drawn']:.2f} s"


if __name__ == "__main__":
    main()
