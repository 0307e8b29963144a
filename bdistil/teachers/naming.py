"""How torchvision's models are named among the architectures."""

TORCHVISION = "torchvision:"  # what any of torchvision's classification models is named after


def short(name: str) -> str:
    """An architecture's name as part of a file's: `torchvision:resnet18@64` is resnet18-64."""
    return name.removeprefix(TORCHVISION).replace("@", "-")
