"""The students one can name, and the ways in which they read their predecessor. No torch here.

A name is its family's and a size. Sizes of `cnn` are channels per level: multiples of 16 make MACs nearly free in time
on a CPU, fewer save MACs but no time. The size of `gru` is that of its state, that of `tcn` its
channels.
Paper: the classes that FIND-WL searches (arXiv 2302.10093, Algorithm 2).
"""

from collections.abc import Iterable

from bdistil.errors import UserError, nearest

CATALOGUE: dict[str, tuple[int, ...]] = {
    "cnn-xs": (8, 16, 16, 16),
    "cnn-s": (16, 32, 48, 48),
    "cnn-m": (32, 48, 64, 64),
    "cnn-l": (64, 128, 192, 192),
    "cnn-xl": (48, 48, 96, 96, 128, 128),
    "gru-xs": (8,),
    "gru-s": (16,),
    "gru-m": (24,),
    "tcn-s": (12,),
    "tcn-m": (24,),
}
# Each family's ways to read a predecessor, from the least to the most expressive: the rungs of FIND-WL's ladder.
LADDERS: dict[str, tuple[str, ...]] = {
    "cnn": ("alone", "add", "concat", "concat-all"),
    "gru": ("alone", "carry-state", "carry-state-pool"),
    "tcn": ("alone", "add", "concat"),
}
# Families by the modality that they read.
FAMILIES: dict[str, tuple[str, ...]] = {"image": ("cnn",), "speech": ("gru", "tcn"), "sensor": ("gru", "tcn")}

# What a student of each composition reads.
COMPOSITIONS: dict[str, str] = {
    "alone": "reads the inputs only",
    "add": "adds the student before it, level by level",
    "concat": "reads the student before it, level by level",
    "concat-all": "reads all students before it, level by level",
    "carry-state": "goes on from the last state of the student before it",
    "carry-state-pool": "goes on from that state, and answers from what all so far have read",
}
OWN = "own"  # student and composition of modules of somebody's own making (own.py), which read what they like
# What a student's output layer gives, and whose a recurrent student's cell is.
HEADS: dict[str, str] = {"student": "each gives its own answer", "prefix": "each gives the answer of all so far"}
CELLS: dict[str, str] = {"own": "each student has its own", "shared": "all students share one"}


def names(modality: str | None = None) -> tuple[str, ...]:
    """Names of the students (that read data of a modality), each family's from the cheapest to the dearest."""
    families = LADDERS if modality is None else FAMILIES[modality]
    return tuple(name for name in CATALOGUE if family(name) in families)


def family(name: str) -> str:
    """The family of a student: what its name begins with."""
    return name.partition("-")[0]


def compositions(student: str, mode: str = "full") -> tuple[str, ...]:
    """A student's compositions in a mode, from the least to the most expressive.

    Convolutions read each other over the same steps: those of different segments stand alone.
    """
    return ("alone",) if mode == "segments" and family(student) == "tcn" else LADDERS[family(student)]


def check(name: str, modality: str | None = None) -> str:
    """`name` itself if it is a student's (that reads data of the modality), else UserError."""
    if name not in CATALOGUE:
        raise UserError(
            f"There is no student {name!r}: choose one of {_list(names(modality))}.{nearest(name, CATALOGUE)}"
        )
    if modality is not None and family(name) not in FAMILIES[modality]:
        raise UserError(f"The student {name} does not read {modality} data: choose one of {_list(names(modality))}.")
    return name


def check_composition(name: str, student: str | None = None) -> str:
    """`name` itself if it is a composition's (of the student's family), else UserError."""
    if name not in COMPOSITIONS:
        raise UserError(
            f"There is no composition {name!r}: choose one of {_list(COMPOSITIONS)}.{nearest(name, COMPOSITIONS)}"
        )
    if student is not None and name not in LADDERS[family(student)]:
        raise UserError(
            f"The student {student} has no composition {name}: choose one of {_list(LADDERS[family(student)])}."
        )
    return name


def check_head(name: str) -> str:
    """`name` itself if a head may give that, else UserError."""
    if name not in HEADS:
        raise UserError(f"There is no head {name!r}: choose one of {_list(HEADS)}.{nearest(name, HEADS)}")
    return name


def check_cell(name: str) -> str:
    """`name` itself if it says whose a recurrent student's cell may be, else UserError."""
    if name not in CELLS:
        raise UserError(f"There is no cell {name!r}: choose one of {_list(CELLS)}.{nearest(name, CELLS)}")
    return name


def segment(mode: str, round: int, rounds: int, input_shape: Iterable[int]) -> tuple[int, int] | None:
    """(first, end) of the steps that the student of a round reads, None for all of them.

    In the mode "segments" a series of S steps is read in `rounds` parts, one a round: [(t − 1)·S/T, t·S/T).
    """
    if mode == "full":
        return None
    *_, steps = input_shape
    return (round - 1) * steps // rounds, round * steps // rounds


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
