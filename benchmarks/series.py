"""Speech and sensors: the polished students of each recipe against their teacher, over seeds and over held-out persons.

Splits: free-spoken-digits, the official one (3 seeds) and speakers held out (6 rotations of 4/1/1, 3 seeds each);
dsa-19, persons held out (4 rotations of 4/2/2, one seed) and the random split of the literature. A teacher is trained
for each split and rotation, as `bdistil teach` does, and never seen again by its seed: a seed is one of the students'
training. Every run is measured twice, before its heads are corrected and after, so that what meeting the weak learning
condition costs is a difference of the same students. `alone` is the same recipe without a connection between students.
Intervals are 95 % t intervals of the mean of differences: over whole persons where the split holds them out, over
examples elsewhere. Finished parts are kept in FOLDER, and a training that was interrupted goes on where it was.

    python benchmarks/series.py --work FOLDER
"""

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from table import publish
from work import folder, kept

from bdistil.config import DistilConfig, TeachConfig
from bdistil.cost import model_cost, prefix_costs
from bdistil.data.catalogue import data_home
from bdistil.data.dataset import Dataset, Splits
from bdistil.data.views import view
from bdistil.ensemble import ProgressiveEnsemble
from bdistil.inputs import normalise
from bdistil.method.distillation import Distillation, DistillationData
from bdistil.method.joint import corrective_round, polish
from bdistil.statistics import group_interval
from bdistil.training.loop import Checkpoint, predict
from bdistil.training.teacher import teach

# Data set, rotations (None: it has one split), seeds of the students, and whether `alone` is trained beside.
SPLITS: tuple[tuple[str, tuple[int | None, ...], tuple[int, ...], bool], ...] = (
    ("dsa-19", (0, 1, 2, 3), (0,), True),
    ("free-spoken-digits-official", (None,), (0, 1, 2), True),
    ("free-spoken-digits", (0, 1, 2, 3, 4, 5), (0, 1, 2), False),
    ("dsa-19-random", (None,), (0,), False),
)
# At most so many points below the teacher, at no more than a quarter of its MACs.
MOST_LOST = {"free-spoken-digits-official": 1.0, "free-spoken-digits": 2.0, "dsa-19": 1.0, "dsa-19-random": 1.0}
LEAST_TEACHER, MOST_SHARE, LEAST_MET, MOST_GIVEN_UP = {"free-spoken-digits": 0.78}, 0.25, 0.95, 0.5
PUBLISHED = {"dsa-19": "published, persons held out: LSTM 85.2, MI-RNN 89.6"}
BATCH = 500
ALONE: dict[str, Any] = {
    "composition": "alone",
    "head": "student",
    "cell": "own",
}  # what students that read nobody have instead
HEAD = (
    "split",
    "students (b-distil+polish)",
    "teacher (%)",
    "t = 1 … T (%)",
    "points below the teacher, t = T",
    "95 % interval",
    "MACs (%)",
    "rounds t ≥ 2 that meet the condition",
    "points given up for it, t = 1 … T",
)
Part = dict[str, Any]


def main() -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    work, rows, missed = folder(__doc__.partition("\n")[0]), [], []
    for name, rotations, seeds, with_alone in SPLITS:
        for composed in (True, False) if with_alone else (True,):
            parts = list(trained(work, name, rotations, seeds, composed))
            rows += [row(name, parts, composed)]
            if composed:
                rows += by_rotation(name, parts) if len(rotations) > 1 else []
                missed += misses(name, parts)
            publish("series", HEAD, rows, ("torch",))  # what is finished so far
    assert not missed, "\n".join(missed)


def trained(
    work: Path, name: str, rotations: tuple[int | None, ...], seeds: tuple[int, ...], composed: bool
) -> Iterator[Part]:
    """The result of every rotation and seed, from its file or trained now."""
    for rotation in rotations:
        place = name if rotation is None else f"{name}-{rotation}"
        waiting: list[tuple[Dataset, torch.nn.Module]] = []

        def taught(rotation: int | None = rotation, place: str = place, waiting: list = waiting) -> tuple:
            if not waiting:
                waiting.append(teacher(work / f"{place}.safetensors", name, rotation))
            return waiting[0]

        for seed in seeds:
            config = students_config(name, seed, composed)
            settings = {"config": config.model_dump(), "teacher": teacher_config(name).model_dump()}
            file = work / f"{place}-seed-{seed}{'' if composed else '-alone'}.json"
            yield kept(file, settings, partial(train_with, config, taught))


def teacher_config(name: str) -> TeachConfig:
    return TeachConfig.create(name)


def students_config(name: str, seed: int, composed: bool, **options: Any) -> DistilConfig:
    """The recipe of the default method, or of another in `options`; or the same of students that read nobody."""
    return DistilConfig.create(name, teacher="its own", seed=seed, **options, **({} if composed else ALONE))


def teacher(checkpoint: Path, name: str, rotation: int | None) -> tuple[Dataset, torch.nn.Module]:
    """The data of a rotation, and a teacher for them."""
    module = import_module(f"bdistil.data.{name.replace('-', '_')}")
    splits = module.read(data_home()) if rotation is None else module.read(data_home(), rotation=rotation)
    data = Dataset.of(module.INFO, splits)
    model, _ = teach(teacher_config(name), data, checkpoint=Checkpoint(checkpoint))
    return data, model.eval()


def train_with(config: DistilConfig, taught: Callable[[], tuple[Dataset, torch.nn.Module]]) -> Part:
    """What a training results in, with a teacher that is only trained where it is needed."""
    return train(config, *taught())


def train(config: DistilConfig, data: Dataset, model: torch.nn.Module) -> Part:
    """Students, before and after their heads are corrected, and which test examples each prefix gets right."""
    started = time.process_time()
    task = task_of(config, data, model)
    ensemble, previous = task.ensemble(), None
    free = config.model_copy(update={"meet_condition": False})
    for _ in range(config.rounds):
        previous = corrective_round(Distillation(free, task, ensemble), previous).outputs.train.mean(axis=0)
    polish(Distillation(free, task, ensemble))
    before = right(ensemble, data)
    standing = polish(Distillation(config.model_copy(update={"polish_epochs": 0}), task, ensemble))
    people = np.arange(len(data.y_test)) if data.test_persons is None else data.test_persons
    answers = task.teacher.test.argmax(axis=1) == data.y_test
    return {
        "seconds": time.process_time() - started,
        "people": people.tolist(),
        "teacher": bits(answers),
        "before": before,
        "after": right(ensemble, data),
        "condition_met": [record.condition_met for record in standing.records],
        "macs": [cost.macs for cost in prefix_costs(ensemble)],
        "teacher_macs": model_cost(model, data.info.input_shape).macs,
    }


def task_of(config: DistilConfig, data: Dataset, model: torch.nn.Module) -> DistillationData:
    """The data with the teacher's answers on them and on the views of the training inputs."""

    def ask(x: np.ndarray) -> np.ndarray:
        info = data.info
        return predict(model, x, lambda rows: normalise(rows, data.mean, data.std, info.front_end)).numpy()

    views = np.stack([view(data.x_train, v, config.seed, config.augmentation(data.info)) for v in range(config.views)])
    view_logits = np.stack([ask(x) for x in views])
    logits = Splits(view_logits[0], ask(data.x_validation), ask(data.x_test))
    return DistillationData(data, logits, views, view_logits)


def right(ensemble: ProgressiveEnsemble, data: Dataset) -> list[str]:
    """For each prefix, which test examples it gets right."""
    batches = [ensemble(data.x_test[i : i + BATCH]) for i in range(0, len(data.x_test), BATCH)]
    return [bits(prefix.argmax(axis=1) == data.y_test) for prefix in torch.cat(batches, dim=1).numpy()]


def bits(values: np.ndarray) -> str:
    return "".join("1" if value else "0" for value in values)


def points(text: str) -> np.ndarray:
    """100 where an example is right, 0 where it is not: their mean is an accuracy in per cent."""
    return 100.0 * (np.frombuffer(text.encode(), np.uint8) == ord("1"))


def row(name: str, parts: list[Part], composed: bool) -> tuple:
    """The table's row of a split: means over rotations and seeds."""
    accuracies = [[points(prefix).mean() for prefix in part["after"]] for part in parts]
    given_up = np.mean([cost_of_meeting(part) for part in parts], axis=0)
    met = [met for part in parts for met in part["condition_met"][1:]]
    low, high = interval(parts)
    spread = f" ± {statistics.stdev([last for *_, last in accuracies]):.1f}" if len(parts) > 1 else ""
    return (
        name,
        f"composed, {len(parts)} runs" if composed else f"alone, {len(parts)} runs",
        f"{teacher_accuracy(parts):.2f}",
        ", ".join(f"{a:.2f}" for a in np.mean(accuracies, axis=0)) + spread,
        f"{lost(parts):.2f}",
        f"{low:.2f} to {high:.2f}",
        ", ".join(f"{100 * share:.1f}" for share in shares(parts[0])),
        f"{sum(met)} of {len(met)}",
        ", ".join(f"{points:.2f}" for points in given_up),
    )


def by_rotation(name: str, parts: list[Part]) -> list[tuple]:
    """A row for each person or pair of persons that is held out: teacher and all students, mean over seeds."""
    rows = []
    for who in dict.fromkeys(tuple(sorted(set(part["people"]))) for part in parts):
        mine = [part for part in parts if set(part["people"]) == set(who)]
        last = statistics.mean(points(part["after"][-1]).mean() for part in mine)
        place = f"{name}, held out: {', '.join(map(str, who))}"
        figures = (f"{teacher_accuracy(mine):.2f}", f"t = T: {last:.2f}", f"{lost(mine):.2f}")
        rows.append((place, PUBLISHED.get(name, ""), *figures, "", "", "", ""))
    return rows


def misses(name: str, parts: list[Part]) -> list[str]:
    """The aims that a split's runs do not reach."""
    met = [met for part in parts for met in part["condition_met"][1:]]
    given_up = np.mean([cost_of_meeting(part)[-1] for part in parts])
    aims = {
        f"{lost(parts):.2f} points below the teacher": lost(parts) <= MOST_LOST[name],
        f"{100 * shares(parts[0])[-1]:.1f} % of the teacher's MACs": shares(parts[0])[-1] <= MOST_SHARE,
        f"a teacher of {teacher_accuracy(parts):.2f} %": teacher_accuracy(parts) >= 100 * LEAST_TEACHER.get(name, 0.0),
        f"{sum(met)} of {len(met)} rounds meet the condition": sum(met) >= LEAST_MET * len(met),
        f"{given_up:.2f} points given up for the condition": given_up <= MOST_GIVEN_UP,
    }
    return [f"{name}: {what}" for what, reached in aims.items() if not reached]


def cost_of_meeting(part: Part) -> list[float]:
    """Points of test accuracy that each prefix loses by correcting heads."""
    return [points(b).mean() - points(a).mean() for b, a in zip(part["before"], part["after"], strict=True)]


def lost(parts: list[Part]) -> float:
    """Points below the teacher of all students, mean over runs."""
    return statistics.mean(points(part["teacher"]).mean() - points(part["after"][-1]).mean() for part in parts)


def teacher_accuracy(parts: list[Part]) -> float:
    return statistics.mean(points(part["teacher"]).mean() for part in parts)


def shares(part: Part) -> list[float]:
    """Each prefix's MACs as a share of the teacher's."""
    return [macs / part["teacher_macs"] for macs in part["macs"]]


def interval(parts: list[Part]) -> tuple[float, float]:
    """The 95 % interval of the points below the teacher over whole persons, or single examples, alike in weight."""
    by_person: dict[int, list[float]] = {}
    for part in parts:
        differences, people = points(part["teacher"]) - points(part["after"][-1]), np.array(part["people"])
        for person in np.unique(people):
            by_person.setdefault(int(person), []).append(differences[people == person].mean())
    means = np.array([statistics.mean(values) for values in by_person.values()])
    return group_interval(means, np.arange(len(means)), (-100, 100))


if __name__ == "__main__":
    main()
