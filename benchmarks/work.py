"""What the benchmarks that train share: a small task on Fashion-MNIST, and results that outlive an interruption."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from bdistil.atomic import write_json
from bdistil.config import DistilConfig
from bdistil.ensemble import ProgressiveEnsemble
from bdistil.method.distillation import DistillationData
from bdistil.runs.jobs import distillation_data
from bdistil.teachers.cards import card_for

DATASET = "fashion-mnist"
BATCH = 500


def folder(description: str) -> Path:
    """The folder named on the command line, made if need be, in which a benchmark keeps what it has finished."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--work", type=Path, required=True, metavar="FOLDER", help="where finished parts are kept")
    work = parser.parse_args().work
    work.mkdir(parents=True, exist_ok=True)
    return work


def kept(path: Path, settings: dict[str, Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `make` gives under these settings: from its file if an earlier start got as far, else made and written."""
    if path.exists():
        document = json.loads(path.read_text())
        if document["settings"] == settings:
            return document["result"]
    result = make()
    write_json(path, {"settings": settings, "result": result})
    print(f"{path.stem} is done", flush=True)
    return result


def small_task(examples: int) -> DistillationData:
    """Fashion-MNIST with the shipped teacher, the recipe's views of seed 0, and some of the training inputs only."""
    card = card_for(None, DATASET)
    return distillation_data(DistilConfig.create(DATASET, teacher=card.name, examples=examples), card)


def measured(task: DistillationData, config: DistilConfig, ensemble: ProgressiveEnsemble) -> list[dict[str, float]]:
    """Of each prefix: `validation` and `test`, accuracies in percent, and `kl`, that to the teacher on validation."""
    found: list[dict[str, float]] = [{} for _ in ensemble.students]
    for split in ("validation", "test"):
        x, labels = task.dataset.split(split)
        logits = torch.cat([ensemble(x[i : i + BATCH]) for i in range(0, len(x), BATCH)], dim=1).numpy()
        for figures, prefix in zip(found, logits, strict=True):
            figures[split] = 100 * float((prefix.argmax(1) == labels).mean())
            if split == "validation":
                figures["kl"] = task.divergence(prefix / task.c, split, config.temperature)
    return found
