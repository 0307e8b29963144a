"""Makes what ships out of one's own: `python assets/make.py RUN NAME` puts a finished run, its teacher and the
examples of its test split into this folder.

A sample is a run without what only training needs: no training logits, no checkpoint, no log, each student once.
Logits are rounded, to fixed steps or half precision, where that changes no prefix's answer on any example, and what is
told of rounds to six digits; pictures keep 16 grey values a channel and series 128 steps, since nothing is computed
from them; of recordings sixty ship at most, those that Explore plays.
"""

import json
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from bdistil import examples
from bdistil.data.catalogue import info as dataset_info
from bdistil.examples import read
from bdistil.paths import ASSETS, home
from bdistil.results import load
from bdistil.results.disagreements import disagreements
from bdistil.results.frontier import prefix_logits
from bdistil.runs import Run, open_run
from bdistil.runs.files import new_folder

STEPS = (2**10, 2**12, 2**14, 2**16)  # in a unit of the logits, tried in this order
GREYS, SERIES_STEPS = 16, 128
DIGITS = 6
RECORDINGS = 60


def make(run: Run, name: str) -> Path:
    """Write assets/runs/NAME (and its teacher and previews, where they are not there yet); returns its folder.

    Raises SystemExit unless the run has finished.
    """
    if run.state() != "finished":
        raise SystemExit(f"{run.id} has not finished.")
    target = ASSETS / "runs" / name
    with new_folder(target) as folder:
        stored = json.loads((run.path / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps({**stored, "run": name}, indent=1))
        lines = (run.path / "events.jsonl").read_text().splitlines()
        (folder / "events.jsonl").write_text("".join(f"{_shortened(line)}\n" for line in lines))
        shutil.copytree(run.path / "ensemble", folder / "ensemble")
        for rounded in (*(partial(_fixed, steps=steps) for steps in STEPS), _half, np.asarray):
            _write_logits(run, folder, rounded)
            if _same_answers(run, Run(folder)):
                break
    _copy_once(home() / "teachers" / stored["config"]["teacher"], ASSETS / "teachers" / stored["config"]["teacher"])
    if dataset_info(stored["config"]["dataset"]).preview:
        _ship_examples(run, f"{stored['dataset']['name']}.npz")
    return target


def _shortened(document: str) -> str:
    """JSON with its numbers to `DIGITS` digits."""
    return json.dumps(json.loads(document, parse_float=lambda number: float(f"{float(number):.{DIGITS}g}")))


def _half(logits: np.ndarray) -> np.ndarray:
    return logits.astype(np.float16)


def _fixed(logits: np.ndarray, steps: int) -> np.ndarray:
    """Single precision in steps that compress well: finer than half precision where logits are large."""
    return (np.round(logits * steps) / steps).astype(np.float32)


def _write_logits(run: Run, folder: Path, rounded: Callable[[np.ndarray], np.ndarray]) -> None:
    _write(run.path / "targets.npz", folder / "targets.npz", rounded, "train")
    polished = run.path.glob("polish/[0-9][0-9]")
    for finished in sorted([*run.path.glob("rounds/[0-9][0-9]"), *polished]):
        kept = folder / finished.relative_to(run.path)
        kept.mkdir(parents=True, exist_ok=True)
        (kept / "round.json").write_text(_shortened((finished / "round.json").read_text()))
        if (finished / "heaviest.npz").exists():
            shutil.copy(finished / "heaviest.npz", kept)
        for name, unused in (("logits.npz", "train"), ("prefix.npz", ("train", "validation"))):
            if (finished / name).exists():
                _write(finished / name, kept / name, rounded, unused)


def _write(
    source: Path, target: Path, rounded: Callable[[np.ndarray], np.ndarray], unused: str | tuple[str, ...]
) -> None:
    """The arrays that are not of an unused split, logits rounded."""
    with np.load(source, allow_pickle=False) as arrays:
        kept = {key: arrays[key] for key in arrays.files if not key.endswith(unused)}
    np.savez_compressed(target, **{key: rounded(a) if a.dtype == np.float32 else a for key, a in kept.items()})


def _same_answers(one: Run, other: Run) -> bool:
    """Whether the teacher and every prefix answer alike on every validation and test example."""
    return all(np.array_equal(_answers(one, split), _answers(other, split)) for split in ("validation", "test"))


def _answers(run: Run, split: str) -> np.ndarray:
    """(1 + T, N): the classes that the teacher and each prefix answer."""

    def array(file: Path, name: str) -> np.ndarray:
        with np.load(file, allow_pickle=False) as arrays:
            return arrays[name]

    outputs = [array(folder / "logits.npz", split) for folder in run.round_folders()]
    teacher = array(run.path / "targets.npz", f"teacher_{split}")
    return np.vstack([teacher.argmax(1)[None], prefix_logits(outputs, run.stored()["scale"]["c"]).argmax(2)])


def _ship_examples(run: Run, name: str) -> None:
    """Ship the examples of a test split: pictures and series in few steps; series with the recordings that Explore
    plays of this run and of those shipped before, at most `RECORDINGS` in all.
    """
    source, target = home() / "previews" / name, ASSETS / "previews" / name
    if not source.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with np.load(source, allow_pickle=False) as stored:
        kept = dict(stored)
    if "images" in kept:
        most = min(GREYS - 1, int(kept["max"]))
        kept["images"] = np.round(kept["images"] * (most / float(kept["max"]))).astype(np.uint8)
        kept["max"] = np.array(most)
    else:
        kept["series"] = _in_steps(kept["series"])
        if "audio" in kept:
            kept = _with_few_recordings(kept, _played(run, target))
    if not target.exists() or "audio" in kept:
        np.savez_compressed(target, **kept)


def _in_steps(series: np.ndarray) -> np.ndarray:
    """Float16 (N, C, S) in about `SERIES_STEPS` steps of each channel's range, which are powers of two."""
    spread = np.ptp(series.astype(np.float32), axis=(0, 2), keepdims=True)
    step = 2.0 ** np.round(np.log2(np.maximum(spread, 1e-6) / SERIES_STEPS))
    return (np.round(series / step) * step).astype(np.float16)


def _played(run: Run, shipped: Path) -> list[int]:
    """Places of the examples that Explore shows: of the runs shipped before, then of each prefix of this one."""
    before = read(shipped) if shipped.exists() else None
    results = load(run)
    prefixes = range(1, len(results.points) + 1)
    shown = [example.index for prefix in prefixes for example in disagreements(results, prefix)[1]]
    return list(dict.fromkeys([*(before.recordings if before else ()), *shown]))[:RECORDINGS]


def _with_few_recordings(kept: dict[str, np.ndarray], places: list[int]) -> dict[str, np.ndarray]:
    series = examples.stored(kept)
    few = {place: series.recordings[place] for place in sorted(places) if place in series.recordings}
    silent = {name: array for name, array in kept.items() if not name.startswith("audio")}
    return silent | (examples.sound(few, series.sampling_hz) if few else {})


def _copy_once(source: Path, target: Path) -> None:
    if target.exists() or not source.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    (shutil.copytree if source.is_dir() else shutil.copy)(source, target)


if __name__ == "__main__":
    print(make(open_run(sys.argv[1]), sys.argv[2]))
