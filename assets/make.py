"""Makes what ships out of one's own: `python assets/make.py RUN NAME` puts a finished run, its teacher (but for
`--no-teacher`: what a command trains in minutes need not ship) and the examples of its test split into this folder.

A sample is a run without what only training needs: no training logits, no checkpoint, no log, each student once.
Logits are rounded to few steps, but for examples on which that would change an answer of the teacher or a prefix, and
what is told of rounds to six digits; pictures keep 16 grey values a channel and series 128 steps, since nothing is
computed from them; of recordings sixty ship at most, those that Explore plays.
"""

import argparse
import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bdistil.atomic import new_folder
from bdistil.data.catalogue import info as dataset_info
from bdistil.paths import ASSETS, home
from bdistil.results import load
from bdistil.results.disagreements import disagreements
from bdistil.runs import Run, open_run, previews
from bdistil.runs.points import prefix_logits
from bdistil.runs.previews import read

STEPS = 2**8  # in a unit of the logits
GREYS, SERIES_STEPS = 16, 128
DIGITS = 6
RECORDINGS = 60
SHIPPED = ("validation", "test")  # splits


def make(run: Run, name: str, with_teacher: bool = True) -> Path:
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
        for precision in (np.float16, np.float32):
            _write_logits(run, folder, precision, {split: np.zeros(0, int) for split in SHIPPED})
            _write_logits(run, folder, precision, _changed(run, Run(folder)))
            if not any(rows.size for rows in _changed(run, Run(folder)).values()):
                break
    teacher = stored["config"]["teacher"]
    if with_teacher:
        _copy_once(home() / "teachers" / teacher, ASSETS / "teachers" / teacher)
    if dataset_info(stored["config"]["dataset"]).preview:
        _ship_examples(run, f"{stored['dataset']['name']}.npz")
    return target


def _shortened(document: str) -> str:
    """JSON with its numbers to `DIGITS` digits."""
    return json.dumps(json.loads(document, parse_float=lambda number: float(f"{float(number):.{DIGITS}g}")))


def _write_logits(run: Run, folder: Path, precision: type, exact: Mapping[str, np.ndarray]) -> None:
    """Labels and logits of the shipped splits; `exact`: the examples of each whose logits keep all of the precision."""
    _write(run.path / "targets.npz", folder / "targets.npz", precision, exact)
    polished = run.path.glob("polish/[0-9][0-9]")
    for finished in sorted([*run.path.glob("rounds/[0-9][0-9]"), *polished]):
        kept = folder / finished.relative_to(run.path)
        kept.mkdir(parents=True, exist_ok=True)
        (kept / "round.json").write_text(_shortened((finished / "round.json").read_text()))
        if (finished / "heaviest.npz").exists():
            shutil.copy(finished / "heaviest.npz", kept)
        if (finished / "logits.npz").exists():
            _write(finished / "logits.npz", kept / "logits.npz", precision, exact)
        if (finished / "prefix.npz").exists():  # nothing reads those of other splits
            _write(finished / "prefix.npz", kept / "prefix.npz", precision, {"test": exact["test"]})


def _write(source: Path, target: Path, precision: type, exact: Mapping[str, np.ndarray]) -> None:
    """The arrays of the splits in `exact`, logits rounded."""
    arrays = _arrays(source)
    kept = {name: array for name, array in arrays.items() if name.endswith(tuple(exact))}
    for split, rows in exact.items():
        for name in (split, f"teacher_{split}"):
            if name in kept:
                rounded = np.round(kept[name].astype(np.float32) * STEPS) / STEPS
                rounded[rows] = kept[name][rows]
                kept[name] = rounded.astype(precision)
    _pack(target, kept)


def _pack(target: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """An NPZ file a sixth smaller than numpy's own: numpy reads all that a zip may hold, and writes deflate only."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_BZIP2) as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")
            member.compress_type = zipfile.ZIP_BZIP2
            with archive.open(member, "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def _arrays(file: Path) -> dict[str, np.ndarray]:
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def _changed(run: Run, sample: Run) -> dict[str, np.ndarray]:
    """By split, the examples on which an answer of the teacher or a prefix is not the run's."""
    return {split: np.flatnonzero((_answers(run, split) != _answers(sample, split)).any(axis=0)) for split in SHIPPED}


def _answers(run: Run, split: str) -> np.ndarray:
    """(1 + T, N): the classes that the teacher and each prefix answer; on test also each as its round left it."""
    outputs = [_arrays(folder / "logits.npz")[split] for folder in run.round_folders()]
    teacher = _arrays(run.path / "targets.npz")[f"teacher_{split}"]
    answers = [teacher.argmax(1)[None], prefix_logits(outputs, run.stored().scale.c).argmax(2)]
    left = [folder / "prefix.npz" for folder in run.unpolished_folders()] if split == "test" else []
    return np.vstack([*answers, *(_arrays(file)[split].argmax(1)[None] for file in left if file.exists())])


def _ship_examples(run: Run, name: str) -> None:
    """Ship the examples of a test split: pictures and series in few steps; series with the recordings that Explore
    plays of this run and of those shipped before, at most `RECORDINGS` in all.
    """
    source, target = home() / "previews" / name, ASSETS / "previews" / name
    if not source.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    kept = _arrays(source)
    if "images" in kept:
        most = min(GREYS - 1, int(kept["max"]))
        kept["images"] = np.round(kept["images"] * (most / float(kept["max"]))).astype(np.uint8)
        kept["max"] = np.array(most)
    else:
        kept["series"] = _in_steps(kept["series"])
        if "audio" in kept:
            kept = _with_few_recordings(kept, _played(run, target))
    if not target.exists() or "audio" in kept:
        _pack(target, kept)


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
    series = previews.stored(kept)
    few = {place: series.recordings[place] for place in sorted(places) if place in series.recordings}
    silent = {name: array for name, array in kept.items() if not name.startswith("audio")}
    return silent | (previews.sound(few, series.sampling_hz) if few else {})


def _copy_once(source: Path, target: Path) -> None:
    if target.exists() or not source.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    (shutil.copytree if source.is_dir() else shutil.copy)(source, target)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--no-teacher", action="store_true")
    asked = parser.parse_args()
    print(make(open_run(asked.run), asked.name, with_teacher=not asked.no_teacher))
