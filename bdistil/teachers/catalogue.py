"""The names of the teacher architectures (zoo.py and series.py build them). Imports no torch."""

from contextlib import suppress

from bdistil.errors import UserError, nearest
from bdistil.teachers.naming import TORCHVISION

ARCHITECTURES: dict[str, str] = {
    "resnet-s": "residual network, three stages of 16 to 64 channels, for 8-pixel pictures",
    "resnet-m": "residual network, three stages of 48 to 160 channels, for 28-pixel pictures",
    "resnet-20": "residual network of 20 layers, three stages of 16 to 64 channels",
    "conv1d-s": "convolutions over time, two stages of 32 channels, for short series",
    "conv1d-m": "convolutions over time, two stages of 64 channels",
    "gru-l": "two layers of 64 gated recurrent units",
}
KINDS: dict[str, tuple[str, ...]] = {"image": ("resnet",), "speech": ("conv1d", "gru"), "sensor": ("conv1d", "gru")}


def names(modality: str | None = None) -> tuple[str, ...]:
    """Names of the architectures (that read data of a modality)."""
    kinds = None if modality is None else KINDS[modality]
    return tuple(name for name in ARCHITECTURES if kinds is None or name.partition("-")[0] in kinds)


def check(name: str, modality: str | None = None) -> str:
    """The name, if it is an architecture (that reads data of the modality); UserError with the nearest one else.

    torchvision's need torch.
    """
    if name.startswith(TORCHVISION) and modality in (None, "image"):
        from bdistil.teachers.torchvision_models import check as check_torchvision

        return check_torchvision(name)
    if name not in ARCHITECTURES and not name.startswith(TORCHVISION):
        meant = f" Did you mean {TORCHVISION}{name}?" if _is_torchvisions(name) else nearest(name, ARCHITECTURES)
        raise UserError(f"There is no teacher architecture called {name}.{meant}")
    if name not in names(modality):
        choices = ", ".join(names(modality))
        raise UserError(f"The architecture {name} does not read {modality} data: choose one of {choices}.")
    return name


def _is_torchvisions(name: str) -> bool:
    """Whether torchvision, where it is installed, has a model of this name."""
    with suppress(ModuleNotFoundError):
        from torchvision import models

        return name.partition("@")[0] in models.list_models(module=models)
    return False
