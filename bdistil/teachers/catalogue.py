"""The names of the teacher architectures (zoo.py builds them). Imports no torch."""

from bdistil.errors import UserError, nearest

ARCHITECTURES: dict[str, str] = {
    "resnet-s": "residual network, three stages of 16 to 64 channels, for 8-pixel pictures",
    "resnet-m": "residual network, three stages of 48 to 160 channels, for 28-pixel pictures",
}


TORCHVISION = "torchvision:"  # what any of torchvision's classification models is named after


def check(name: str) -> str:
    """The name, if it is an architecture; UserError with the nearest one otherwise. torchvision's need torch."""
    if name.startswith(TORCHVISION):
        from bdistil.teachers.torchvision_models import check as check_torchvision

        return check_torchvision(name)
    if name not in ARCHITECTURES:
        raise UserError(f"There is no teacher architecture called {name}.{nearest(name, ARCHITECTURES)}")
    return name


def short(name: str) -> str:
    """An architecture's name as part of a file's: `torchvision:resnet18@64` is resnet18-64."""
    return name.removeprefix(TORCHVISION).replace("@", "-")
