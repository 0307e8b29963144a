"""Saved teachers: a folder each with model.safetensors and card.json, one's own in the home, shipped ones in assets.

The card says what the teacher is and where its figures come from; everything here reads cards alone and needs no torch.
Black boxes, answers or an ONNX file instead of a saved teacher, get a card of the same kind when they are named.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from bdistil.errors import UserError, nearest
from bdistil.paths import ASSETS, home
from bdistil.record import is_newer
from bdistil.teachers.black_box import UNKNOWN_SPLIT, logits_card
from bdistil.teachers.card import SavedTeacher, TeacherCard

if TYPE_CHECKING:
    from bdistil.data.dataset import DatasetInfo
    from bdistil.data.reading import OwnData

_Card = TypeVar("_Card", bound=TeacherCard)


def folders() -> tuple[Path, Path]:
    """Where teachers lie: the shipped ones, then one's own. A name means the first that has it."""
    return ASSETS / "teachers", home() / "teachers"


def cards(dataset: str | None = None) -> list[SavedTeacher]:
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
    return [card for card in found if dataset in (None, card.dataset)]


def cards_for(dataset: str, data: "OwnData | None" = None) -> list[SavedTeacher]:
    """The cards of the teachers that were trained on the very train split of a data set, in the order of `cards`.

    data: how to read what a path names. Raises UserError as `info` does.
    """
    from bdistil.data.catalogue import info

    data_info = info(dataset, data)
    return [saved for saved in cards() if trained_on(saved, data_info)]


def trained_on(card: SavedTeacher, info: "DatasetInfo") -> bool | None:
    """Whether a teacher was trained on this train split; None where its card does not say on which.

    Splits of the catalogue are fixed by their name, which is all that is compared before the data is read. One's own
    data is compared by its checksum, so that a file that was moved or renamed still finds its teachers.
    """
    if info.checksum is None:
        return card.dataset == info.name
    return card.data_checksum == info.checksum if card.data_checksum else None


def check_split(card: TeacherCard, checksum: str, dataset: str, data: "OwnData | None" = None) -> None:
    """Raises UserError unless the data whose `Dataset.checksum` is given, before any thinning, is the teacher's own."""
    if isinstance(card, SavedTeacher) and card.data_checksum not in (None, checksum):
        raise _other_split(card, dataset, data)


def _other_split(card: TeacherCard, dataset: str, data: "OwnData | None") -> UserError:
    return UserError(
        f"The teacher {card.name} was trained on other data, or on another split of it, and may have seen test "
        f"examples of this one. Train one for this split.",
        command=_teach(dataset, data),
    )


def _teach(dataset: str, data: "OwnData | None") -> list[str]:
    """The command that trains a teacher on a data set."""
    return ["teach", "--dataset", dataset, *(data.arguments() if data else ())]


def _noted(card: _Card) -> _Card:
    """A card that says whether it is on record what the teacher was trained on, with a notice where it is not.

    Pretrained weights have seen data of which their card knows nothing.
    """
    known = card.split_known
    if known is None:
        known = isinstance(card, SavedTeacher) and not card.config.get("weights")
    notices = tuple(notice for notice in card.notices if notice != UNKNOWN_SPLIT)
    return card.model_copy(update={"split_known": known, "notices": notices if known else (*notices, UNKNOWN_SPLIT)})


def card(name: str) -> SavedTeacher:
    """The card of a teacher by its name, or by its folder, whose path then is the name by which it is found again.

    Raises UserError if there is none, with the nearest name, or if it cannot be read.
    """
    for parent in folders():
        if (parent / name).parent == parent and os.path.isfile(parent / name / "card.json"):
            return _read(parent / name)
    if os.path.isfile(Path(name) / "card.json"):
        folder = Path(name).resolve()
        return _read(folder).model_copy(update={"name": str(folder)})
    known = [saved.name for saved in cards()]
    raise UserError(f"There is no teacher called {name}.{nearest(name, known)}")


def card_for(
    name: str | None,
    dataset: str,
    data: "OwnData | None" = None,
    *,
    teacher_logits: Sequence[str] | None = None,
    teacher_input: str | None = None,
    teacher_output: str | None = None,
    teacher_macs: int | None = None,
) -> TeacherCard:
    """The card of the named teacher, or of the data set's first one, checked against the data set's classes.

    data: how to read what a path names. The other options are those of `DistilConfig`: with teacher_logits the name is
    of no account, an ONNX file is named by its path. Raises UserError if there is none, it does not fit, or an option
    is not for it, or if the teacher was trained on another split. `split_known` says whether it is on record which.
    """
    from bdistil.data.catalogue import info, located

    data_info, dataset = info(dataset, data), located(dataset)
    onnx = str(name).lower().endswith(".onnx")
    if teacher_input is not None and (teacher_logits or not onnx):
        raise UserError("`teacher_input` says what an ONNX file reads: give one with `teacher`, or leave it out.")
    if teacher_output is not None and (teacher_logits or not onnx):
        raise UserError("`teacher_output` names an output of an ONNX file: give one with `teacher`, or leave it out.")
    if teacher_logits:
        return _noted(logits_card(teacher_logits, data_info, teacher_macs))
    if onnx:
        from bdistil.teachers.onnx_teacher import onnx_card

        return _noted(onnx_card(str(name), data_info, teacher_input, teacher_macs, teacher_output))
    if teacher_macs is not None:
        raise UserError("`teacher_macs` states what a black box costs, a saved teacher’s are counted: leave it out.")
    if name is None:
        fitting = cards_for(dataset, data)
        if not fitting:
            raise UserError(_no_teacher(dataset), command=_teach(dataset, data))
        return fitting[0]
    chosen = card(name)
    if len(chosen.classes) != len(data_info.classes):
        raise UserError(
            f"This teacher answers {len(chosen.classes)} classes, the dataset has {len(data_info.classes)}. "
            f"Choose one trained on {dataset}."
        )
    if chosen.input_shape != data_info.input_shape:
        raise UserError(
            f"This teacher reads inputs of shape {chosen.input_shape}, those of {dataset} have "
            f"{data_info.input_shape}. Choose one trained on {dataset}."
        )
    same = trained_on(chosen, data_info)
    if same is False:
        raise _other_split(chosen, dataset, data)
    return chosen if same else _noted(chosen.model_copy(update={"split_known": False}))


def _no_teacher(dataset: str) -> str:
    """Why no teacher is offered: there is none for the data set, or those that there are know another split of it."""
    others = [saved.name for saved in cards(dataset)]
    if others:
        return (
            f"There is no teacher for this split of {dataset} yet: {others[0]} was trained on another one, or "
            f"before the data changed. Train one first."
        )
    return f"There is no teacher for {dataset} yet. Train one first."


def card_of(config: Any) -> TeacherCard:
    """The card of a run's teacher (`DistilConfig`). Raises UserError as `card_for` does."""
    return card_for(
        config.teacher,
        config.dataset,
        config.data,
        teacher_logits=config.teacher_logits,
        teacher_input=config.teacher_input,
        teacher_output=config.teacher_output,
        teacher_macs=config.teacher_macs,
    )


def _read(folder: Path) -> SavedTeacher:
    try:
        card = SavedTeacher.read(folder / "card.json")
    except ValidationError as error:
        if is_newer(error):
            raise UserError(f"The teacher {folder.name} was written by a newer version; update to use it.") from None
        raise _unreadable(folder) from None
    except (OSError, ValueError):
        raise _unreadable(folder) from None
    return _noted(card.model_copy(update={"name": folder.name, "path": str(folder)}))


def _unreadable(folder: Path) -> UserError:
    return UserError(f"The teacher {folder.name} cannot be read: its card.json is incomplete. Choose another one.")
