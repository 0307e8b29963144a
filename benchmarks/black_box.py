"""A real black box: CIFAR-10 as a folder of JPEGs, and a ResNet-56's logits on them instead of a teacher.

Needs $BDISTIL_DATA/cifar10-jpeg: `train` and `test` with a folder a class, and the answers resnet56-train.npz and
resnet56-test.npz (`logits`, `files`); downloads nothing. The answers cost 125.5 M MACs an example, as stated by whoever
gave them. They were fitted to all training pictures, so agreement on the validation split is optimistic. One run of one
seed, a run like any other: interrupted, it goes on when this is started again with the same folder. JPEGs are lossy:
accuracies are not comparable with published ones on CIFAR-10.

Ends in the claim: within 3.0 points of the black box on the test split at no more than 30 % of its MACs.

    python benchmarks/black_box.py --work FOLDER      one to two hours on one thread
"""

import os
from typing import Any

from table import prefix_cells, publish
from work import folder

from bdistil.cli.progress import watch
from bdistil.config import DistilConfig
from bdistil.data import data_home
from bdistil.report import formats
from bdistil.results import load
from bdistil.runs import Run, create_run, list_runs
from bdistil.runs.launch import start_worker

MACS = 125_500_000
RECIPE: dict[str, Any] = dict(
    student="cnn-xl",
    rounds=2,
    epochs=2,
    polish_epochs=40,
    weight_decay=0.05,
    views=32,
    shift=4,
    flip=True,
    clean_epochs=0,
    threads=1,
)
MOST_LOST, MOST_SHARE = 3.0, 0.30  # points, and share of the black box's MACs
HEAD = (
    "students",
    "accuracy (%)",
    "95 % interval",
    "points below the black box",
    "95 % interval",
    "agreement (%)",
    "M MACs",
    "share of its MACs (%)",
    "parameters (k)",
)


def finished() -> Run:
    """The run of this recipe in the home: a new one, or the one that an earlier start has begun or finished."""
    pictures = data_home() / "cifar10-jpeg"
    answers = [str((pictures / f"resnet56-{split}.npz").resolve()) for split in ("train", "test")]
    config = DistilConfig.create(
        str(pictures), teacher="resnet56-train.npz", teacher_logits=answers, teacher_macs=MACS, **RECIPE
    )
    # Options that a later version has added are read at their defaults: they do not make it another run.
    same = [Run(known.path) for known in list_runs(samples=False) if known.info and known.info.config == config]
    run = same[0] if same else create_run(config)
    if run.state() != "finished":
        start_worker(run)
        watch(run, quiet=False)
    return run


def main() -> None:
    os.environ["BDISTIL_HOME"] = str(folder(__doc__.partition("\n")[0]))
    run = finished()
    assert run.state() == "finished", f"{run.id} is {run.state()}: start this again to go on"
    results = load(run.path)
    points, teacher = results.points, results.run.known_teacher
    assert teacher.macs and teacher.accuracy_low is not None and teacher.accuracy_high is not None
    black_box = (
        "black box",
        f"{100 * teacher.accuracy:.2f}",
        formats.interval(teacher.accuracy_low, teacher.accuracy_high),
        "",
        "",
        "",
        f"{teacher.macs / 1e6:.1f}, as stated",
        "100",
        "",
    )
    publish(
        "black_box",
        HEAD,
        [black_box, *map(prefix_cells, points)],
        ["torch"],
    )
    last = points[-1]
    assert last.points_lost <= MOST_LOST, f"{last.points_lost:.2f} points below the black box"
    assert last.macs <= MOST_SHARE * teacher.macs, f"{100 * last.macs / teacher.macs:.1f} % of its MACs"


if __name__ == "__main__":
    main()
