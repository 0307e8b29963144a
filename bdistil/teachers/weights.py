"""A saved teacher's network: written with its card, and rebuilt from it (safetensors only, nothing is unpickled)."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from bdistil.atomic import new_folder
from bdistil.errors import UserError
from bdistil.paths import home, read_regular
from bdistil.teachers.card import SavedTeacher
from bdistil.teachers.cards import cards, folders
from bdistil.teachers.zoo import build_teacher


def save_teacher(model: nn.Module, card: SavedTeacher) -> str:
    """Write model.safetensors and card.json under the home, whole or not at all; returns the teacher's name.

    A name that is taken gets a number, so that no finished teacher is lost; what the same run has saved before it was
    interrupted is found again.
    """
    weights = save({key: tensor.contiguous() for key, tensor in model.state_dict().items()})
    checksum = hashlib.sha256(weights).hexdigest()
    for saved in cards(card.dataset):
        if card.run and (saved.run, saved.weights_sha256) == (card.run, checksum):
            return saved.name
    name, suffix = card.name, 2
    while any((folder / name).exists() for folder in folders()):
        name, suffix = f"{card.name}-{suffix}", suffix + 1
    card = card.model_copy(update={"name": name, "weights_sha256": checksum})
    with new_folder(home() / "teachers" / name) as folder:
        (folder / "model.safetensors").write_bytes(weights)
        (folder / "card.json").write_text(json.dumps(card.document(), indent=1))
    return name


def load_teacher(card: SavedTeacher) -> nn.Module:
    """The network of a card (of `cards.card`), in evaluation mode, frozen.

    Raises UserError if its file is missing, damaged, or of another architecture or class count than the card says.
    """
    name = card.name
    try:
        content = read_regular(Path(card.path) / "model.safetensors")
    except OSError:
        raise UserError(f"The teacher {name} has no model.safetensors. Train it again: bdistil teach.") from None
    if hashlib.sha256(content).hexdigest() != card.weights_sha256:
        raise UserError(f"The weights of the teacher {name} are damaged (checksum differs). Train it again.")
    model = build_teacher(card.architecture, input_shape=card.input_shape, classes=len(card.classes))
    try:
        model.load_state_dict(load(content))
    except (RuntimeError, SafetensorError):
        raise UserError(
            f"The weights of the teacher {name} are not those of a {card.architecture} with "
            f"{len(card.classes)} classes. Choose another teacher."
        ) from None
    return model.eval().requires_grad_(False).to(memory_format=torch.channels_last)
