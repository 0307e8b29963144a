"""Classes of which a split has no example, or too few for a figure."""

from collections.abc import Sequence
from dataclasses import dataclass

FEWEST = 10  # examples of a class in a split below which a figure of it is little more than chance


@dataclass(frozen=True)
class Scarce:
    """The classes of a split (of `classes` in all) without an example, and those with fewer than `FEWEST`, by name."""

    split: str
    classes: int
    absent: tuple[str, ...] = ()
    thin: tuple[str, ...] = ()


def scarce(names: Sequence[str], counts: Sequence[int], split: str) -> Scarce:
    """Which of the classes a split lacks, or has few examples of. Without counts, none."""
    paired = list(zip(names, counts, strict=True)) if len(counts) else []
    return Scarce(
        split,
        len(names),
        absent=tuple(name for name, count in paired if count == 0),
        thin=tuple(name for name, count in paired if 0 < count < FEWEST),
    )
