"""The versions that a bit-identical repetition depends on."""

import importlib.metadata
import platform


def versions() -> dict[str, str]:
    """Of Python, and of the packages that numbers come from."""
    names = ("bdistil", "torch", "numpy")
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in names}}
