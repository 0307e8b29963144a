"""The names of the teacher architectures (zoo.py builds them). Imports no torch."""

from bdistil.errors import UserError, nearest

ARCHITECTURES: dict[str, str] = {
    "resnet-s": "residual network, three stages of 16 to 64 channels, for 8-pixel pictures",
    "resnet-m": "residual network, three stages of 48 to 160 channels, for 28-pixel pictures",
}


def check(name: str) -> str:
    """The name, if it is an architecture; UserError with the nearest one otherwise."""
    if name not in ARCHITECTURES:
        raise UserError(f"There is no teacher architecture called {name}.{nearest(name, ARCHITECTURES)}")
    return name
