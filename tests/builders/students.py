"""The students of invented runs as ensemble.json describes them: their shapes, and what each reads."""

from __future__ import annotations

from typing import Any

from tests.builders.datasets import DATASETS

WIDTHS = (8, 16, 16, 16)
HIDDEN = 16


def specs(dataset: str, rounds: int, composition: str, mode: str) -> list[dict[str, Any]]:
    """What `Student.spec` tells of students 1 … T: `cnn` or `triangular` for pictures, `gru` for series."""
    known = DATASETS[dataset]
    shape, classes = list(known.shape), len(known.classes)
    if known.modality == "image":
        return [_convolutional([1, *shape], classes, composition, number) for number in range(1, rounds + 1)]
    steps = [shape[1] * number // rounds for number in range(rounds + 1)]
    return [
        {
            "family": "gru",
            "hidden": HIDDEN,
            "input_shape": shape,
            "classes": classes,
            "composition": "alone" if number == 1 else composition,
            "head": "student",
            "dropout": 0.0,
            "steps": [steps[number - 1], steps[number]] if mode == "segments" else [0, shape[1]],
            "reads": _state(composition, number) if number > 1 else {},
        }
        for number in range(1, rounds + 1)
    ]


def _state(composition: str, number: int) -> dict[str, list[int]]:
    pooled = {"pooled": [2 * HIDDEN * (number - 1)]} if composition == "carry-state-pool" else {}
    return {"state": [HIDDEN], **pooled}


def _convolutional(shape: list[int], classes: int, composition: str, number: int) -> dict[str, Any]:
    side = shape[1] // (2 if shape[1] >= 16 else 1)
    sides = [side, -(-side // 2), -(-side // 4), -(-side // 4)]
    spec = {"input_shape": shape, "classes": classes, "head": "student"}
    if composition != "concat-all":
        reads = {f"level{n}": [width, s, s] for n, (width, s) in enumerate(zip(WIDTHS, sides, strict=True), 1)}
        return {
            **spec,
            "family": "cnn",
            "widths": list(WIDTHS),
            "composition": composition,
            "reads": reads if number > 1 else {},
        }
    before = [8, *(16 * (number - 1) for _ in range(3))]
    reads = {f"level{n}": [before[n - 1], sides[n - 1], sides[n - 1]] for n in range(1, 4)} | {
        "features": [before[3], 2, 2]
    }
    return {
        **spec,
        "family": "triangular",
        "widths": [0 if number > 1 else 8, 16, 16, 16],
        "head": "prefix",
        "reads": reads if number > 1 else {},
    }
