"""Composition against none: the recipes of both methods, and the same of students that read nobody.

Same teacher, students, views, losses and epochs; the MACs of prefixes differ by what widths in whole steps allow. On
Fashion-MNIST 15,000 of the training images; on free-spoken-digits, the official split, the teacher of `series.py`, all
recordings. A seed is one of the students' training. Polished students' heads are corrected on both sides; frozen ones
are trained once, without the search, which might train either side again. `alone` students have heads, and cells, of
their own. Finished parts are kept in FOLDER.
The aim: ahead at every t ≥ 3 on the test split by more than the seeds' spread, the larger of both standard deviations.
Frozen students meet it, which is asserted; polished ones miss it on Fashion-MNIST, and misses are printed.

    python benchmarks/composition.py --work FOLDER      about an hour on one thread
"""

import statistics
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import series
import torch
from table import publish
from work import DATASET, folder, kept, measured, small_task

from bdistil.config import DistilConfig
from bdistil.cost import prefix_costs
from bdistil.method.distillation import Distillation, DistillationData
from bdistil.method.frozen import distil
from bdistil.method.joint import distil_together
from bdistil.method_registry import METHODS

SPEECH, SEEDS, EXAMPLES, FROM = "free-spoken-digits-official", (0, 1, 2), 15_000, 3
FIGURES = {"test": "test accuracy (%)", "kl": "validation KL to the teacher"}
HEAD = ("data set", "method", "prefix", "MACs, composed / alone", "what", "composed", "alone", "difference")
Part = dict[str, Any]


def main() -> None:
    torch.set_num_threads(1)
    work, table = folder(__doc__.partition("\n")[0]), []
    makers: dict[str, Callable[[str], DistillationData]] = {DATASET: pictures, SPEECH: partial(speech, work)}
    for dataset, task_of in makers.items():
        for method in METHODS:
            once = cache(partial(task_of, method))  # and not at all where every part is finished
            sides = [parts(work, dataset, method, once, composed) for composed in (True, False)]
            table += comparison(dataset, method, *sides)
            publish("composition", HEAD, table, ("torch",))  # what is finished so far
    check(table)


def check(table: list[tuple]) -> None:
    """Asserts the aim of frozen students; prints where polished ones miss it."""
    behind = misses(table)
    print(*(f"Missed: {line}" for line in behind), sep="\n")
    frozen = [line for line in behind if "polish" not in line]
    assert not frozen, "\n".join(frozen)


def misses(table: list[tuple]) -> list[str]:
    """The prefixes that miss the aim, by the figures as printed."""
    behind = []
    for dataset, method, prefix, _, what, *sides, gained in table:
        spread = max(float(side.split(" ± ")[1]) for side in sides)
        if what == FIGURES["test"] and int(prefix) >= FROM and float(gained) <= spread:
            behind.append(f"{dataset}, {method}, prefix {prefix}: {gained} points, the seeds' spread is {spread:.2f}")
    return behind


def pictures(method: str) -> DistillationData:
    """Some of the training images; their views are the same for both methods."""
    return small_task(EXAMPLES)


def speech(work: Path, method: str) -> DistillationData:
    """The recordings, with the answers of a teacher that is trained, or found, in `work`."""
    data, teacher = series.teacher(work / f"{SPEECH}.safetensors", SPEECH, None)
    return series.task_of(config_of(SPEECH, 0, method, composed=True), data, teacher)


def config_of(dataset: str, seed: int, method: str, composed: bool) -> DistilConfig:
    """One side of the comparison."""
    config = series.students_config(dataset, seed, composed, method=method)
    return config.model_copy(update={"meet_condition": config.polished})


def trained(config: DistilConfig, task_of: Callable[[], DistillationData]) -> Part:
    """What a training results in, on data that are only made where it has to be trained."""
    return train(config, task_of())


def parts(work: Path, dataset: str, method: str, task_of: Callable[[], DistillationData], composed: bool) -> list[Part]:
    """The result of every seed, from its file or trained now."""
    found = []
    for seed in SEEDS:
        config = config_of(dataset, seed, method, composed)
        file = work / f"{dataset}-{method}-{config.composition}-{seed}.json"
        settings = {"config": config.model_dump(), "examples": EXAMPLES}
        found.append(kept(file, settings, partial(trained, config, task_of)))
    return found


def train(config: DistilConfig, task: DistillationData) -> Part:
    """The method's rounds, to its end; what each prefix reaches and costs then."""
    ensemble = task.ensemble()
    if config.polished:
        distil_together(Distillation(config, task, ensemble))
    else:
        list(distil(Distillation(config, task, ensemble)))
    return {"prefixes": measured(task, config, ensemble), "macs": [cost.macs for cost in prefix_costs(ensemble)]}


def comparison(dataset: str, method: str, composed: list[Part], alone: list[Part]) -> list[tuple]:
    """The rows of both sides, mean ± standard deviation over seeds."""
    table = []
    for t, macs in enumerate(zip(composed[0]["macs"], alone[0]["macs"], strict=True), start=1):
        place = (dataset, method, t, " / ".join(f"{each / 1e6:.3f} M" for each in macs))
        for figure, what in FIGURES.items():
            ours, theirs = ([part["prefixes"][t - 1][figure] for part in side] for side in (composed, alone))
            gained = statistics.mean(ours) - statistics.mean(theirs)
            n = 4 if figure == "kl" else 2
            told = [f"{statistics.mean(side):.{n}f} ± {statistics.stdev(side):.{n}f}" for side in (ours, theirs)]
            table.append((*place, what, *told, f"{gained:+.{n}f}"))
    return table


if __name__ == "__main__":
    main()
