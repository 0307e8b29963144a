"""Estimates against what runs use: the peak memory of a real worker, and the size of the run that it leaves.

Of each modality, with the recipe of the data set but one epoch and two rounds: the peak does not depend on epochs. Each
worker is a process of its own, with a cold cache of the teacher's answers; its peak is what the kernel counted
(`ru_maxrss`). Fashion-MNIST is thinned to 12,000 training pictures.

    python benchmarks/estimate.py
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from table import publish

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bdistil.config import DistilConfig  # noqa: E402
from bdistil.runs import Run, create_run  # noqa: E402
from bdistil.runs.estimate_record import Estimate  # noqa: E402
from bdistil.runs.launch import ENVIRONMENT  # noqa: E402
from bdistil.teachers.cards import cards  # noqa: E402

LIMIT = 0.3  # of the measured value
UNITS = 1e9, 1e6  # of memory, of the disk
RUNS = {"digits": None, "watch": None, "free-spoken-digits": None, "dsa-19": None, "fashion-mnist": 12_000}


def expected(config: DistilConfig) -> Estimate:
    """The estimate, made in a process of its own as pages do."""
    code = (
        "import json, sys; from bdistil.config import DistilConfig; from bdistil.runs.estimate import estimate; "
        "print(estimate(DistilConfig.build(**json.load(sys.stdin))).model_dump_json())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=config.model_dump_json(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return Estimate.model_validate_json(done.stdout)


def measured(run: Run) -> tuple[int, int]:
    """Peak bytes of memory of a worker that trains the run to its end, and the bytes of the run's files."""
    command = [sys.executable, "-P", "-m", "bdistil", "resume", str(run.path), "--worker"]
    process = subprocess.Popen(command, env={**os.environ, **ENVIRONMENT, "PYTHONPATH": str(ROOT)})
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0 and run.state() == "finished", f"the run of {run.path} ended as {run.state()}"
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return peak, sum(file.stat().st_size for file in run.path.rglob("*") if file.is_file())


def teacher_of(dataset: str) -> str:
    """The shipped teacher, or one that is trained for an epoch."""
    if not cards(dataset):
        subprocess.run(
            [sys.executable, "-m", "bdistil", "teach", "--dataset", dataset, "--epochs", "1"],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    return cards(dataset)[0].name


def main(datasets: Sequence[str]) -> None:
    rows, far = [], []
    with tempfile.TemporaryDirectory() as home:
        os.environ["BDISTIL_HOME"] = home
        for dataset in datasets:
            epochs: dict[str, Any] = {"epochs": 1, "polish_epochs": 1, "rounds": 2}
            config = DistilConfig.create(dataset, teacher=teacher_of(dataset), examples=RUNS[dataset], **epochs)
            estimate, used = expected(config), measured(create_run(config))
            row = [dataset, config.data_info.modality]
            for value, real, unit in zip((estimate.memory_bytes, estimate.disk_bytes), used, UNITS, strict=True):
                row += [f"{value / unit:.2f}", f"{real / unit:.2f}", f"{value / real - 1:+.0%}"]
                far += [dataset] if abs(value / real - 1) > LIMIT else []
            rows.append(row)
            print(*row, flush=True)
    head = (
        "data set",
        "modality",
        "memory estimated (GB)",
        "peak of the worker (GB)",
        "off",
        "disk estimated (MB)",
        "size of the run (MB)",
        "off",
    )
    publish("estimate", head, rows, packages=("torch", "numpy"))
    assert not far, f"estimates are more than {LIMIT:.0%} off for {', '.join(far)}"


if __name__ == "__main__":
    main(sys.argv[1:] or list(RUNS))
