"""The student families one can name, and the ways in which students read their predecessors. No torch here.

A student's name is its family's and a size. To add a family, write a module of its name in this folder with the
function `build` and the dictionary `STUDENTS` (see `cnn`), and enter it in `FAMILIES`; a composition is entered in
`COMPOSITIONS`, and the modules of the families that offer it implement it.
Paper: the classes that FIND-WL searches (arXiv 2302.10093, Algorithm 2).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Required, TypedDict

from bdistil.errors import UserError, nearest


@dataclass(frozen=True)
class Composition:
    """A way to read the students before.

    summary: what a student does by it, in a list. start: the same of student {number} after {earlier}. arrow: what an
    arrow means in the drawing of the network, empty where there is none.
    """

    name: str
    summary: str
    start: str
    arrow: str = ""


ALONE = Composition(name="alone", summary="reads the inputs only", start="student {number} reads the inputs only")
COMPOSITIONS: dict[str, Composition] = {
    composition.name: composition
    for composition in (
        ALONE,
        Composition(
            name="add",
            summary="adds the student before it, level by level",
            start="student {number} adds to the activations of student {earlier}",
            arrow="the activations of the student above are added at that level",
        ),
        Composition(
            name="concat",
            summary="reads the student before it, level by level",
            start="student {number} reads the activations of student {earlier}",
            arrow="the activations of the student above are read beside the student’s own",
        ),
        Composition(
            name="concat-all",
            summary="reads all students before it, level by level",
            start="student {number} reads the activations of all before it",
            arrow="the activations of all students above are read beside the student’s own",
        ),
        Composition(
            name="carry-state",
            summary="goes on from the last state of the student before it",
            start="student {number} goes on from the state of student {earlier}",
            arrow="the student begins with the state in which the one above it ended",
        ),
        Composition(
            name="carry-state-pool",
            summary="goes on from that state, and answers from what all so far have read",
            start="student {number} goes on from the state of student {earlier}",
            arrow="the student begins with the state in which the one above it ended, and its answer also reads what "
            "those above it have read",
        ),
    )
}


class StudentSpec(TypedDict, total=False):
    """What builds a student again, as plain JSON; its family decides which fields there are."""

    family: Required[str]
    reads: Required[dict[str, list[int]]]
    input_shape: list[int]
    classes: int
    composition: str
    head: str
    widths: list[int]
    hidden: int
    channels: int
    steps: list[int]
    dropout: float
    cell: str
    module: str


@dataclass(frozen=True)
class Family:
    """Students of one kind, in sizes.

    modalities: of the data that they read. sizes: by name, from the cheapest to the dearest. ladder: ways to read
    predecessors, from the least to the most expressive, the rungs of FIND-WL; in_segments: those of students that read
    a segment of a series each, all by default. blocks: the drawing's blocks of a student, its `spec` to name and size.
    kinds: what `spec` may have under "family", the family's name by default. shares_cell: whether students that train
    together may share their recurrent cell.
    """

    name: str
    modalities: tuple[str, ...]
    sizes: dict[str, tuple[int, ...]]
    ladder: tuple[str, ...]
    blocks: Callable[[StudentSpec], dict[str, int]]
    in_segments: tuple[str, ...] | None = None
    kinds: tuple[str, ...] = ()
    shares_cell: bool = False

    def compositions(self, mode: str = "full") -> tuple[str, ...]:
        """The ladder in a mode."""
        return self.in_segments if mode == "segments" and self.in_segments else self.ladder


def blocks_of(spec: StudentSpec) -> dict[str, int]:
    """The drawing's blocks of a student, by name; none of a student of somebody's own making."""
    kind = spec["family"]
    family = next((each for each in FAMILIES.values() if kind in (each.kinds or (each.name,))), None)
    return family.blocks(spec) if family else {}


def levels(widths: Iterable[int]) -> dict[str, int]:
    """Blocks of a convolutional student: the channels of each level."""
    return {f"level {number}": width for number, width in enumerate(widths, start=1)}


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(
            name="cnn",
            modalities=("image",),
            # Channels per level: multiples of 16 make MACs nearly free in time on a CPU, fewer save MACs but no time.
            sizes={
                "cnn-xs": (8, 16, 16, 16),
                "cnn-s": (16, 32, 48, 48),
                "cnn-m": (32, 48, 64, 64),
                "cnn-l": (64, 128, 192, 192),
                "cnn-xl": (48, 48, 96, 96, 128, 128),
            },
            ladder=("alone", "add", "concat", "concat-all"),
            blocks=lambda spec: levels(spec["widths"]),
            kinds=("cnn", "triangular"),
        ),
        Family(
            name="gru",
            modalities=("speech", "sensor"),
            sizes={"gru-xs": (8,), "gru-s": (16,), "gru-m": (24,)},  # units of the state
            ladder=("alone", "carry-state", "carry-state-pool"),
            blocks=lambda spec: {"state": spec["hidden"]},
            shares_cell=True,
        ),
        Family(
            name="tcn",
            modalities=("speech", "sensor"),
            sizes={"tcn-s": (12,), "tcn-m": (24,)},  # channels of each of the three levels
            ladder=("alone", "add", "concat"),
            blocks=lambda spec: levels([spec["channels"]] * 3),
            in_segments=("alone",),  # convolutions read each other over the same steps
        ),
    )
}
CATALOGUE: dict[str, tuple[int, ...]] = {name: size for each in FAMILIES.values() for name, size in each.sizes.items()}
OWN = "own"  # student and composition of modules of somebody's own making (custom.py), which read what they like
# What a student's output layer gives, and whose a recurrent student's cell is.
HEADS: dict[str, str] = {"student": "each gives its own answer", "prefix": "each gives the answer of all so far"}
CELLS: dict[str, str] = {"own": "each student has its own", "shared": "all students share one"}


def names(modality: str | None = None) -> tuple[str, ...]:
    """Names of the students (that read data of a modality), each family's from the cheapest to the dearest."""
    return tuple(name for name in CATALOGUE if modality is None or modality in family(name).modalities)


def family(name: str) -> Family:
    """The family of a student: its name begins with the family's."""
    return FAMILIES[name.partition("-")[0]]


def check(name: str, modality: str | None = None) -> str:
    """`name` itself if it is a student's (that reads data of the modality), else UserError."""
    if name not in CATALOGUE:
        raise UserError(
            f"There is no student {name!r}: choose one of {_list(names(modality))}.{nearest(name, CATALOGUE)}"
        )
    if modality is not None and modality not in family(name).modalities:
        raise UserError(f"The student {name} does not read {modality} data: choose one of {_list(names(modality))}.")
    return name


def check_composition(name: str, student: str | None = None) -> str:
    """`name` itself if it is a composition's (of the student's family), else UserError."""
    if name not in COMPOSITIONS:
        raise UserError(
            f"There is no composition {name!r}: choose one of {_list(COMPOSITIONS)}.{nearest(name, COMPOSITIONS)}"
        )
    if student is not None and name not in family(student).ladder:
        raise UserError(
            f"The student {student} has no composition {name}: choose one of {_list(family(student).ladder)}."
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
