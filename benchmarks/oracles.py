"""One progressive ensemble against one model distilled for each budget, at equal training cost for the whole frontier.

The ensemble is the preset `b-distil+polish` as it ships, with small students and T = 4. Its rivals are dense students
of the same family that read nobody, one for each prefix, as much wider as makes their MACs the prefix's, trained by the
code that trains a first round: same teacher, loss, views, optimiser and schedule, as many epochs as rivals of this size
are given in practice. Cost is epochs times MACs, summed over all passes that train; the polish gets as many whole
epochs as leave the ensemble at or below its rivals' total. Seconds are of the processor, one thread, validation and
head correction included. Fashion-MNIST, 15,000 training images; a seed is one of the students' training.
Ends in the aim: ahead at every prefix on validation and test, by the mean.

    python benchmarks/oracles.py --work FOLDER
"""

import math
import statistics
import time
from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import torch
from table import publish
from work import DATASET, folder, kept, measured, small_task

from bdistil.config import DistilConfig
from bdistil.cost import macs, prefix_costs
from bdistil.method.distillation import Distillation, DistillationData
from bdistil.method.joint import distil_together
from bdistil.method.ladder import Rung
from bdistil.method.student_training import new_student, train_student
from bdistil.students.catalogue import CATALOGUE
from bdistil.students.cnn import CNN
from bdistil.teachers.cards import card_for
from bdistil.training.loop import Position

EXAMPLES, SEEDS, T = 15_000, (0, 1, 2), 4
WIDTHS = (12, 18, 24, 24)  # of the ensemble's first student: three eighths of cnn-m's, small enough for many seeds
ROUND_EPOCHS, RIVAL_EPOCHS = 2, 12  # to the polish a round is about what it is in the recipe, one epoch to twelve
SAME_MACS = 0.03  # what "the same MACs" may differ by
HEAD = (
    "prefix",
    "M MACs, prefix / single model",
    "what",
    "b-distil+polish",
    "one model for each budget",
    "difference",
)
FIGURES = {"validation": "validation accuracy (%)", "test": "test accuracy (%)", "kl": "validation KL to the teacher"}
JUDGED = ("validation", "test")
SMALL, SINGLE = "cnn-small", "cnn-single"  # names of widths, for as long as this benchmark runs


def main() -> None:
    torch.set_num_threads(1)
    work, task = folder(__doc__.partition("\n")[0]), small_task(EXAMPLES)
    costs = ensemble_macs(task)
    singles = [single_widths(task, wanted) for wanted in costs]
    single_costs = [single_macs(task, widths) for widths in singles]
    rounds_cost, total = ROUND_EPOCHS * sum(costs), RIVAL_EPOCHS * sum(single_costs)
    polish_epochs = math.floor((total - rounds_cost) / costs[-1])
    ours, theirs = [], []
    for seed in SEEDS:
        config = ensemble_config(seed, polish_epochs)
        ours.append(
            kept(
                work / f"ensemble-seed-{seed}.json",
                settings(task, config, WIDTHS),
                partial(train_ensemble, task, config),
            )
        )
        configs = [single_config(widths, seed) for widths in singles]
        theirs.append(
            [
                kept(
                    work / f"single-{t}-seed-{seed}.json",
                    settings(task, config, widths),
                    partial(train_single, task, config, widths),
                )
                for t, (config, widths) in enumerate(zip(configs, singles, strict=True), start=1)
            ]
        )
    table, behind = comparison(costs, single_costs, ours, theirs)
    cost = (rounds_cost + polish_epochs * costs[-1], total)
    table += spending(cost, ours, theirs, polish_epochs)
    publish("oracles", HEAD, table, ("torch",))
    assert cost[0] <= cost[1], "the ensemble cost more to train than its rivals"
    assert not behind, "\n".join(behind)


def ensemble_config(seed: int, polish_epochs: int) -> DistilConfig:
    """The preset with small students; everything else as it ships."""
    CATALOGUE[SMALL] = WIDTHS
    return DistilConfig.create(
        DATASET,
        teacher=card_for(None, DATASET).name,
        student=SMALL,
        rounds=T,
        seed=seed,
        epochs=ROUND_EPOCHS,
        polish_epochs=polish_epochs,
    )


def single_config(widths: Sequence[int], seed: int) -> DistilConfig:
    """A first round of a student that nobody will read."""
    CATALOGUE[SINGLE] = tuple(widths)
    return DistilConfig.create(
        DATASET,
        teacher=card_for(None, DATASET).name,
        student=SINGLE,
        method="b-distil",
        composition="alone",
        rounds=1,
        seed=seed,
        epochs=RIVAL_EPOCHS,
    )


def settings(task: DistillationData, config: DistilConfig, widths: Sequence[int]) -> dict[str, Any]:
    """What a kept result is a result of."""
    return {"config": config.model_dump(), "widths": list(widths), "data": task.dataset.checksum, "c": task.c}


def train_ensemble(task: DistillationData, config: DistilConfig) -> dict[str, Any]:
    """Rounds, polish and head correction; what each prefix reaches in the end."""
    started = time.process_time()
    ensemble = task.ensemble()
    records = distil_together(Distillation(config, task, ensemble))
    seconds = time.process_time() - started
    met = [record.condition_met for record in records]
    return {"seconds": seconds, "condition_met": met, "prefixes": measured(task, config, ensemble)}


def train_single(task: DistillationData, config: DistilConfig, widths: Sequence[int]) -> dict[str, Any]:
    """One dense student; what it reaches."""
    CATALOGUE[SINGLE] = tuple(widths)
    started = time.process_time()
    no_weights = np.zeros(task.g_hat.shape)  # a first round has no weak learning condition to meet
    position, rung = Position("rounds", round=1, attempt=1), Rung(0, "alone")
    student, _ = train_student(Distillation.new(config, task), no_weights, position, rung, gain=0.0)
    seconds = time.process_time() - started
    ensemble = task.ensemble()
    ensemble.append(student)
    return {"seconds": seconds, "prefixes": measured(task, config, ensemble)}


def ensemble_macs(task: DistillationData) -> list[int]:
    """MACs of each prefix."""
    config, ensemble = ensemble_config(seed=0, polish_epochs=0), task.ensemble()
    for t in range(1, T + 1):
        ensemble.append(new_student(Distillation(config, task, ensemble), Position("rounds", t, 1)))
    return [cost.macs for cost in prefix_costs(ensemble)]


def single_macs(task: DistillationData, widths: Sequence[int]) -> int:
    """MACs of a dense student of these widths."""
    with torch.device("meta"):  # shapes suffice to count
        info = task.dataset.info
        return macs(CNN(widths, info.input_shape, len(info.classes)), torch.zeros(1, *info.input_shape), {})


def single_widths(task: DistillationData, wanted: int) -> tuple[int, ...]:
    """Channels of a dense student of `wanted` MACs, all levels widened alike; in fours, or twos, where that hits it."""
    scale = math.sqrt(wanted / single_macs(task, WIDTHS))
    for multiple in (4, 2, 1):
        units = [scale * width / multiple for width in WIDTHS]
        choices = product(*({math.floor(unit), math.ceil(unit)} for unit in units))
        widths = min(
            (tuple(multiple * n for n in counts) for counts in choices),
            key=lambda widths: abs(single_macs(task, widths) - wanted),
        )
        if abs(single_macs(task, widths) - wanted) <= SAME_MACS * wanted:
            return widths
    raise AssertionError(f"no dense student of about {wanted} MACs")


def comparison(
    costs: list[int], single_costs: list[int], ours: list[dict[str, Any]], theirs: list[list[dict[str, Any]]]
) -> tuple[list[tuple], list[str]]:
    """The table's rows, mean ± standard deviation over seeds, differences seed by seed; and what is not ahead."""
    table, behind = [], []
    for t in range(T):
        place = (t + 1, f"{costs[t] / 1e6:.3f} / {single_costs[t] / 1e6:.3f}")
        for figure, what in FIGURES.items():
            mine = [run["prefixes"][t][figure] for run in ours]
            single = [runs[t]["prefixes"][0][figure] for runs in theirs]
            gained = [a - b for a, b in zip(mine, single, strict=True)]
            spreads = spread(figure, mine), spread(figure, single), spread(figure, gained, "+")
            table.append((*place, what, *spreads))
            if figure in JUDGED and statistics.mean(gained) <= 0:
                behind.append(f"prefix {t + 1}, {what}: {statistics.mean(gained):+.2f}")
    return table, behind


def spending(
    cost: tuple[float, float], ours: list[dict[str, Any]], theirs: list[list[dict[str, Any]]], polish_epochs: int
) -> list[tuple]:
    """The rows on what all prefixes together cost to train."""
    place = ("all", "")
    seconds = [run["seconds"] for run in ours], [sum(run["seconds"] for run in runs) for runs in theirs]
    met_all = [met for run in ours for met in run["condition_met"][1:]]
    return [
        (*place, "epochs", f"{ROUND_EPOCHS} a round, {polish_epochs} of polish", f"{RIVAL_EPOCHS} each", ""),
        (*place, "epochs × M MACs", *(f"{value / 1e6:.1f}" for value in cost), f"{(cost[0] - cost[1]) / 1e6:+.1f}"),
        (*place, "processor seconds", *(f"{statistics.mean(values):.0f}" for values in seconds), ""),
        (*place, "rounds t ≥ 2 that meet the condition", f"{sum(met_all)} of {len(met_all)}", "–", ""),
    ]


def spread(figure: str, values: Sequence[float], sign: str = "") -> str:
    digits = 4 if figure == "kl" else 2
    return f"{statistics.mean(values):{sign}.{digits}f} ± {statistics.stdev(values):.{digits}f}"


if __name__ == "__main__":
    main()
