"""The students one can name, and the ways in which they read their predecessor. No torch here.

Widths are channels per level; multiples of 16 make MACs nearly free in time on a CPU, fewer save MACs but no time.
Paper: the classes that FIND-WL searches (arXiv 2302.10093, Algorithm 2).
"""

from bdistil.errors import UserError, nearest

CATALOGUE: dict[str, tuple[int, ...]] = {
    "cnn-xs": (8, 16, 16, 16),
    "cnn-s": (16, 32, 48, 48),
    "cnn-m": (32, 48, 64, 64),
}

COMPOSITIONS: tuple[str, ...] = ("alone", "add", "concat", "concat-all")
HEADS: tuple[str, ...] = ("student", "prefix")


def names() -> tuple[str, ...]:
    """Names of the students, from the cheapest to the dearest."""
    return tuple(CATALOGUE)


def check(name: str) -> str:
    """`name` itself if it is a student's, else UserError."""
    if name not in CATALOGUE:
        choices = ", ".join(CATALOGUE)
        raise UserError(f"There is no student {name!r}: choose one of {choices}.{nearest(name, CATALOGUE)}")
    return name


def check_composition(name: str) -> str:
    """`name` itself if it is a composition's, else UserError."""
    if name not in COMPOSITIONS:
        choices = ", ".join(COMPOSITIONS)
        raise UserError(f"There is no composition {name!r}: choose one of {choices}.{nearest(name, COMPOSITIONS)}")
    return name


def check_head(name: str) -> str:
    """`name` itself if a head may give that, else UserError."""
    if name not in HEADS:
        raise UserError(f"There is no head {name!r}: choose one of {', '.join(HEADS)}.{nearest(name, HEADS)}")
    return name
