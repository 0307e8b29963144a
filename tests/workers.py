"""Real workers for tests: start one, wait for what it does, interrupt it, and compare what two runs have made."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bdistil.config import DistilConfig, TeachConfig
from bdistil.records import AnyEvent, FinishedRound
from bdistil.runs import Run, create_run
from bdistil.runs.launch import start_worker

PATIENCE = 240  # seconds: a busy machine may need minutes for what takes seconds on an idle one


def teach_config(**given: Any) -> TeachConfig:
    """Three epochs of the digits' teacher, some seconds each."""
    return TeachConfig.create("digits", **(dict(epochs=3, threads=1) | given))


def distil_config(**given: Any) -> DistilConfig:
    """Three short rounds on digits, of the shipped teacher: frozen ones."""
    small = dict(teacher="digits-resnet-s", method="b-distil", rounds=3, epochs=4, views=2, batch_size=32, threads=1)
    return DistilConfig.create("digits", **(small | given))


def polished_config(**given: Any) -> DistilConfig:
    """Three short corrective rounds on digits and a polish."""
    return distil_config(**(dict(method="b-distil+polish", epochs=2, polish_epochs=3) | given))


def started(config: DistilConfig | TeachConfig) -> Run:
    """A new run with a worker on it."""
    run = create_run(config)
    start_worker(run)
    return run


def finished(run: Run) -> Run:
    """The same run, once its worker has ended and has finished it."""
    until(lambda: not run.is_alive())
    assert run.state() == "finished", (run.info().error, run.log_tail())
    return run


def until(condition: Callable[[], Any]) -> Any:
    """What `condition` returns as soon as that is true."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.02)
    raise AssertionError(f"still not so after {PATIENCE} seconds")


def told(run: Run, kind: str, **fields: Any) -> list[AnyEvent]:
    """The events of a kind that have these values."""
    wanted = {"kind": kind, **fields}
    return [event for event in run.events()[0] if wanted.items() <= dict(event).items()]


def send(run: Run, number: signal.Signals) -> None:
    """Send the worker a signal, and wait until it is gone."""
    os.kill(run.heartbeat().pid, number)
    until(lambda: not run.is_alive())


def made(run: Run) -> dict[str, bytes]:
    """All that the rounds of a run have made, bit for bit: weights, and each split's logits."""
    content = {}
    for folder in run.round_folders():
        content[f"{folder.name} weights"] = (folder / "student.safetensors").read_bytes()
        with np.load(folder / "logits.npz") as logits:
            content |= {f"{folder.name} {split}": logits[split].tobytes() for split in logits}
    return content


def ensemble_files(run: Run) -> dict[Path, bytes]:
    """The saved ensemble, file by file."""
    folder = run.path / "ensemble"
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# For a nursery's worker: no head correction helps, so every search goes through all its attempts.
HOPELESS = """
import bdistil.method.search
bdistil.method.correction.correct_heads = lambda *problem, **options: None
"""


def everything(run: Run) -> dict[str, Any]:
    """All that must not depend on interruptions: what the rounds made, prefixes before a polish, records, ensemble."""
    entries = [*run.rounds(), *(run.unpolished() or [])]
    prefixes = {}
    for folder in run.unpolished_folders() if run.is_polished() else []:
        with np.load(folder / "prefix.npz") as splits:
            prefixes |= {f"{folder.name} {split}": splits[split].tobytes() for split in splits}
    return {
        "made": made(run),
        "ensemble": ensemble_files(run),
        "prefixes": prefixes,
        "entries": [timeless(entry) for entry in entries],
    }


def timeless(entry: FinishedRound) -> FinishedRound:
    """A round's record and point with its seconds set to 0."""
    record = entry.record.model_copy(update={"seconds": 0.0, "correction_seconds": 0.0})
    return entry.model_copy(update={"record": record})
