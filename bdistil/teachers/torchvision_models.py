"""Any of torchvision's classification models as a teacher: `torchvision:resnet18`, or `torchvision:resnet18@64`.

The number is the side of the pictures that the model is given, 224 pixels by default, what torchvision's weights were
trained on; convolutional models read smaller ones too, at a fraction of the cost. Pictures are resized and grey ones
repeated inside the module, so that the rest of the engine sees (channels, height, width) as with any teacher.
"""

import os
from collections.abc import Mapping
from functools import cache

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from bdistil.data import Dataset
from bdistil.errors import UserError, nearest
from bdistil.paths import open_regular
from bdistil.teachers.naming import TORCHVISION

SIDE = 224
DEFAULT = "DEFAULT"
# What torchvision's weights expect of pixels in [0, 1].
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Two models have heads for training alone, and standardise what they are given once more.
EXTRA: dict[str, dict[str, bool]] = {
    name: {"aux_logits": False, "init_weights": True, "transform_input": True} for name in ("googlenet", "inception_v3")
}
AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
PARALLEL = "module."  # what DataParallel puts before every name
COUNTER = ".num_batches_tracked"  # of batch norms: nothing depends on it, and older files have none
PICKLES = (".pth", ".pt", ".bin", ".pkl", ".ckpt")


class Torchvision(nn.Module):
    """Normalised pictures (batch, 1 or 3 channels, height, width) to logits (batch, classes).

    `scale` and `offset`, one a channel, turn the data set's standardised pictures into those that the weights expect;
    without weights that is nothing.
    """

    scale: Tensor
    offset: Tensor

    def __init__(self, name: str, channels: int, classes: int) -> None:
        super().__init__()
        if channels not in (1, 3):
            raise UserError(f"torchvision’s models read pictures of 1 or 3 channels, the dataset’s have {channels}.")
        model, self.side = split(name)
        self.model = _fresh(model, classes)
        self.register_buffer("scale", torch.ones(1, 3, 1, 1))
        self.register_buffer("offset", torch.zeros(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = x.expand(-1, 3, -1, -1) * self.scale + self.offset
        if x.shape[2:] != (self.side, self.side):
            x = functional.interpolate(x, (self.side, self.side), mode="bilinear", align_corners=False, antialias=True)
        return self.model(x)


def split(name: str) -> tuple[str, int]:
    """`torchvision:NAME@SIDE` as (NAME, SIDE). Raises UserError for a side that is no number of pixels."""
    model, _, side = name.removeprefix(TORCHVISION).partition("@")
    if side and not (side.isdecimal() and 1 <= int(side) <= 1024):
        raise UserError(f"Pictures for {model} must have a side from 1 to 1024 pixels; got “{side}”.")
    return model, int(side or SIDE)


@cache
def check(name: str) -> str:
    """The name, if torchvision has that model and it reads pictures of that side; UserError otherwise."""
    from torchvision import models

    model, side = split(name)
    known = models.list_models(module=models)
    if model not in known:
        raise UserError(f"torchvision has no classification model called {model}.{nearest(model, known)}")
    try:
        with torch.device("meta"):
            _fresh(model, 2).eval()(torch.zeros(2, 3, side, side))
    except (RuntimeError, AssertionError, ValueError):
        raise UserError(f"{model} cannot read pictures of {side} pixels: try {TORCHVISION}{model}@{SIDE}.") from None
    return name


def check_weights(name: str, weights: str, classes: int, *, as_is: bool) -> None:
    """Whether a safetensors file can be put into a teacher, as `load_weights` does; DEFAULT is not looked for yet.

    Raises UserError as `load_weights` does.
    """
    if weights != DEFAULT:
        with torch.device("meta"):
            own = _fresh(split(name)[0], classes).state_dict()
        _fitting(name, weights, own, classes, as_is)


def load_weights(teacher: Torchvision, name: str, weights: str, data: Dataset, *, as_is: bool) -> None:
    """Put weights into a teacher: torchvision's own where `weights` is DEFAULT, else those of a safetensors file.

    They must be the model's, but for an output layer of other classes, which starts afresh; `as_is`: not even that.
    Raises UserError if they cannot be had or are not.
    """
    teacher.model.load_state_dict(_fitting(name, weights, teacher.model.state_dict(), len(data.info.classes), as_is))
    largest, count = float(data.x_train.max()), len(data.mean)
    mean, std = (torch.tensor(list(values) * (3 // count)) / largest for values in (data.mean, data.std))
    teacher.scale.copy_((std / torch.tensor(STD)).view(1, 3, 1, 1))
    teacher.offset.copy_(((mean - torch.tensor(MEAN)) / torch.tensor(STD)).view(1, 3, 1, 1))


def _fitting(name: str, weights: str, own: Mapping[str, Tensor], classes: int, as_is: bool) -> dict[str, Tensor]:
    """The model's state `own` with the weights in its place, but for an output layer of other classes."""
    model, _ = split(name)
    found = _found(model, weights)
    if all(key.startswith(PARALLEL) for key in found):
        found = {key.removeprefix(PARALLEL): tensor for key, tensor in found.items()}
    found = {key: tensor for key, tensor in found.items() if not key.startswith(AUXILIARY)}
    found = {key: own[key] for key in own if key.endswith(COUNTER)} | found
    other = {key for key in own.keys() & found.keys() if found[key].shape != own[key].shape}
    heads = {key for key in other if (len(own[key]), *found[key].shape[1:]) == (classes, *own[key].shape[1:])}
    if own.keys() != found.keys() or other != heads:
        raise UserError(f"The weights {weights} are not those of torchvision’s {model}: give its state_dict.")
    if heads and as_is:
        answers = len(found[min(heads)])
        raise UserError(
            f"The weights {weights} answer {answers} classes, the dataset has {classes}: fine-tune them "
            "with 1 epoch or more."
        )
    return {key: own[key] if key in heads else found[key] for key in own}


def _fresh(model: str, classes: int) -> nn.Module:
    from torchvision import models

    return models.get_model(model, weights=None, num_classes=classes, **EXTRA.get(model, {}))


def _found(model: str, weights: str) -> Mapping[str, Tensor]:
    if weights != DEFAULT:
        try:
            open_regular(weights).close()
            return load_file(weights)
        except FileNotFoundError:
            raise UserError(f"There is no file {weights}: give a safetensors file, or {DEFAULT}.") from None
        except (OSError, SafetensorError):
            if weights.lower().endswith(PICKLES):
                raise UserError(
                    f"{weights} is a pickle, and none is opened here: convert it with "
                    "safetensors.torch.save_file(torch.load(FILE, weights_only=True), NEW_FILE)."
                ) from None
            raise UserError(f"{weights} is no readable safetensors file: give one, or {DEFAULT}.") from None
    from torchvision import models

    os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"  # torchvision’s files are unpickled, as tensors and nothing else
    try:
        return models.get_model(model, weights=DEFAULT).state_dict()
    except OSError:  # of which a failing connection is one
        raise UserError(
            f"There is no network to fetch torchvision’s weights of {model} from: give a safetensors file "
            "with `weights`, or leave out `weights` and train from scratch."
        ) from None
