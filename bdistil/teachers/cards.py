"""Saved teachers: a folder each with model.safetensors and card.json, one's own in the home, shipped ones in assets.

The card says what the teacher is and where its figures come from; everything here reads cards alone and needs no torch.
Black boxes, answers or an ONNX file instead of a saved teacher, get a card of the same kind when they are named.
"""

import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bdistil.errors import UserError, nearest
from bdistil.paths import ASSETS, home
from bdistil.teachers.black_box import logits_card

if TYPE_CHECKING:
    from bdistil.data.custom import OwnData

SCHEMA = 1
# What the rest of the engine relies on.
KINDS = {"name": str, "dataset": str, "architecture": str, "classes": list, "input_shape": list, "mean": list,
         "std": list, "macs": int | None, "weights_sha256": str}  # fmt: skip


def folders() -> tuple[Path, Path]:
    """Where teachers lie: the shipped ones, then one's own. A name means the first that has it."""
    return ASSETS / "teachers", home() / "teachers"


def cards(dataset: str | None = None) -> list[dict[str, Any]]:
    """The cards of all saved teachers (of one data set), shipped ones first, then by name; `path` is the folder.

    A folder whose card cannot be read is left out.
    """
    found = []
    for parent in folders():
        for path in sorted(parent.glob("[!.]*/card.json")):
            try:
                found.append(_read(path.parent))
            except UserError:
                continue
    return [card for card in found if dataset in (None, card["dataset"])]


def card(name: str) -> dict[str, Any]:
    """The card of a teacher by its name, or by its folder, whose path then is the name by which it is found again.

    Raises UserError if there is none, with the nearest name, or if it cannot be read.
    """
    for parent in folders():
        if (parent / name).parent == parent and os.path.isfile(parent / name / "card.json"):
            return _read(parent / name)
    if os.path.isfile(Path(name) / "card.json"):
        folder = Path(name).resolve()
        return _read(folder) | {"name": str(folder)}
    known = [saved["name"] for saved in cards()]
    raise UserError(f"There is no teacher called {name}.{nearest(name, known)}")


def card_for(name: str | None, dataset: str, data: "OwnData | None" = None, *,
             teacher_logits: Sequence[str] | None = None, teacher_input: str | None = None,
             teacher_macs: int | None = None) -> dict[str, Any]:  # fmt: skip
    """The card of the named teacher, or of the data set's first one, checked against the data set's classes.

    data: how to read what a path names. The other options are those of `DistilConfig`: with teacher_logits the name is
    of no account, an ONNX file is named by its path. Raises UserError if there is none, it does not fit, or an option
    is not for it.
    """
    from bdistil.data.catalogue import info, located

    known, dataset = info(dataset, data), located(dataset)
    onnx = str(name).lower().endswith(".onnx")
    if teacher_input is not None and (teacher_logits or not onnx):
        raise UserError("--teacher-input says what an ONNX file reads: give one with --teacher, or leave it out.")
    if teacher_logits:
        return logits_card(teacher_logits, known, teacher_macs)
    if onnx:
        from bdistil.teachers.onnx_teacher import onnx_card

        return onnx_card(str(name), known, teacher_input, teacher_macs)
    if teacher_macs is not None:
        raise UserError("--teacher-macs states what a black box costs, a saved teacher’s are counted: leave it out.")
    if name is None:
        fitting = cards(dataset)
        if not fitting:
            how = shlex.join(["bdistil", "teach", "--dataset", dataset, *(data.flags() if data else ())])
            raise UserError(f"There is no teacher for {dataset} yet. Train one: {how}.")
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


def card_of(config: Any) -> dict[str, Any]:
    """The card of a run's teacher (`DistilConfig`). Raises UserError as `card_for` does."""
    return card_for(config.teacher, config.dataset, config.data, teacher_logits=config.teacher_logits,
                    teacher_input=config.teacher_input, teacher_macs=config.teacher_macs)  # fmt: skip


def _read(folder: Path) -> dict[str, Any]:
    try:
        card = json.loads((folder / "card.json").read_text())
        newer = card["schema"] > SCHEMA
        whole = all(isinstance(card[name], kind) for name, kind in KINDS.items() if not newer)
    except (OSError, ValueError, KeyError, TypeError):
        whole = newer = False
    if newer:
        raise UserError(f"The teacher {folder.name} was written by a newer version; update to use it.")
    if not whole:
        raise UserError(f"The teacher {folder.name} cannot be read: its card.json is incomplete. Choose another one.")
    return {**card, "name": folder.name, "path": str(folder)}
