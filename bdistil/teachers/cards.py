"""Saved teachers: a folder each with model.safetensors and card.json, one's own in the home, shipped ones in assets.

The card says what the teacher is and where its figures come from; everything here reads cards alone and needs no torch.
"""

import json
from pathlib import Path
from typing import Any

from bdistil.errors import UserError, nearest
from bdistil.paths import ASSETS, home

SCHEMA = 1


def cards(dataset: str | None = None) -> list[dict[str, Any]]:
    """The cards of all saved teachers (of one data set), shipped ones first, then by name; `path` is the folder.

    A folder whose card cannot be read is left out.
    """
    found = []
    for parent in (ASSETS / "teachers", home() / "teachers"):
        for path in sorted(parent.glob("*/card.json")):
            try:
                found.append(_read(path.parent))
            except UserError:
                continue
    return [card for card in found if dataset in (None, card["dataset"])]


def card(name: str) -> dict[str, Any]:
    """The card of a teacher by its name, or by its folder.

    Raises UserError if there is none, with the nearest name, or if it cannot be read.
    """
    for parent in (home() / "teachers", ASSETS / "teachers"):
        if (parent / name / "card.json").is_file():
            return _read(parent / name)
    if (Path(name) / "card.json").is_file():
        return _read(Path(name).resolve())
    known = [saved["name"] for saved in cards()]
    raise UserError(f"There is no teacher called {name}.{nearest(name, known)}")


def card_for(name: str | None, dataset: str) -> dict[str, Any]:
    """The card of the named teacher, or of the data set's first one, checked against the data set's classes.

    Raises UserError if there is none or it does not fit.
    """
    from bdistil.data.catalogue import info

    known = info(dataset)
    if name is None:
        fitting = cards(dataset)
        if not fitting:
            raise UserError(f"There is no teacher for {dataset} yet. Train one: bdistil teach --dataset {dataset}.")
        return fitting[0]
    chosen = card(name)
    if len(chosen["classes"]) != len(known.classes):
        raise UserError(
            f"This teacher answers {len(chosen['classes'])} classes, the dataset has {len(known.classes)}. "
            f"Choose one trained on {dataset}."
        )
    if tuple(chosen["input_shape"]) != known.input_shape:
        raise UserError(
            f"This teacher reads inputs of shape {tuple(chosen['input_shape'])}, those of {dataset} have "
            f"{known.input_shape}. Choose one trained on {dataset}."
        )
    return chosen


def _read(folder: Path) -> dict[str, Any]:
    try:
        card = json.loads((folder / "card.json").read_text())
        schema, _ = card["schema"], (card["name"], card["classes"], card["dataset"], card["input_shape"], card["macs"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"The teacher {folder.name} cannot be read: its card.json is incomplete.") from None
    if schema > SCHEMA:
        raise UserError(f"The teacher {folder.name} was written by a newer version; update to use it.")
    return {**card, "name": folder.name, "path": str(folder)}
