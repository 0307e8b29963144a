"""The composed network of a finished run: its students, what each reads of those before it, and what each costs.

Read from ensemble.json (`Student.spec`) and the frontier's cumulative costs, without torch and without weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, model_validator

from bdistil.records import Point, Record
from bdistil.students.catalogue import blocks_of

ANSWER = "answer"


@dataclass(frozen=True)
class Block:
    """One part of a student. size: channels of a level or units of a state; 0 where the student only passes on what
    earlier ones left, None for the answer. reads: whether what an earlier student left joins here.
    """

    size: int | None
    reads: bool


@dataclass(frozen=True)
class Part:
    """Students `first` to `last`, in a row and all alike.

    window: from where to where the student reads, shares of a series; None for pictures. blocks: by name, in the order
    of the computation. macs, parameters: what one student adds; reading_macs: the part of its MACs that is spent on
    earlier students. carry_bytes: what it leaves for the next.
    shares: whether its recurrent cell is the first student's.
    """

    first: int
    last: int
    family: str
    composition: str
    window: tuple[float, float] | None
    blocks: Mapping[str, Block]
    macs: int
    reading_macs: int
    parameters: int
    carry_bytes: int
    shares: bool = False

    @property
    def number(self) -> str:
        """`3`, or `2 to 24`."""
        return str(self.first) if self.first == self.last else f"{self.first} to {self.last}"


class _Spec(Record):
    """How a student is described (`Student.spec`), as far as it is drawn: which fields there are depends on its family.

    reads: shapes by name. steps: of a series. blocks: sizes of what the family draws, by name.
    """

    model_config = ConfigDict(strict=False)  # what a validator has looked into before is no JSON: its lists are lists

    family: str
    reads: dict[str, tuple[int, ...]]
    input_shape: tuple[int, ...] = Field(min_length=2)
    composition: str | None = None
    cell: str = "own"
    steps: tuple[int, int] | None = None
    blocks: dict[str, Annotated[int, Field(ge=0)]]

    @model_validator(mode="before")
    @classmethod
    def _drawn(cls, spec: Any) -> Any:
        try:
            return {**spec, "blocks": blocks_of(spec)}
        except (KeyError, TypeError):
            raise ValueError("this describes no student") from None


class _Saved(Record):
    spec: _Spec


class _Ensemble(Record):
    """ensemble.json, as far as it is drawn."""

    students: tuple[_Saved, ...]


def architecture(folder: Path, points: Sequence[Point]) -> list[Part]:
    """The students of the run in `folder`, alike ones together; nothing where it has no ensemble yet or a damaged one.

    points: the frontier's, one a student.
    """
    try:
        students = _Ensemble.read(folder / "ensemble" / "ensemble.json").students
    except (OSError, ValueError):
        return []
    if len(students) != len(points):
        return []
    befores = (None, *points[:-1])
    return _together(
        [_part(saved.spec, before, point) for saved, before, point in zip(students, befores, points, strict=True)]
    )


def columns(parts: Sequence[Part]) -> list[str]:
    """Names of the blocks of all students, in the order of the computation."""
    longest = max(parts, key=lambda part: len(part.blocks))
    return [name for name in longest.blocks if name != ANSWER] + [ANSWER]


def lines(parts: Sequence[Part]) -> list[str]:
    """The same as text, a line for each of `parts`: `2 to 6: cnn, add; level 1 32 ←, …, answer; 1 768 576 MACs`."""
    found = []
    for part in parts:
        blocks = ", ".join(_words(name, block) for name, block in part.blocks.items())
        window = "" if part.window is None else f"reads {100 * part.window[0]:.0f} to {100 * part.window[1]:.0f} %; "
        costs = [f"{part.macs} MACs", *([f"{part.reading_macs} of them for reading"] if part.reading_macs else [])]
        costs += [f"{part.parameters} parameters"]
        kind = f"{part.family}, {part.composition}{', one cell for all' if part.shares else ''}"
        found.append(f"{part.number:>8}: {kind}; {window}{blocks}; {', '.join(costs)}")
    return found


def _words(name: str, block: Block) -> str:
    return name + ("" if block.size is None else f" {block.size}") + (" <-" if block.reads else "")


def _part(spec: _Spec, before: Point | None, point: Point) -> Part:
    """One student, and what it adds to the costs of the prefix before it."""
    composition = spec.composition or {"triangular": "concat-all"}.get(spec.family, "alone")
    return Part(
        point.prefix,
        point.prefix,
        spec.family,
        composition if spec.reads else "alone",
        _window(spec),
        _blocks(spec, composition),
        point.macs - (before.macs if before else 0),
        point.overhead_macs - (before.overhead_macs if before else 0),
        point.parameters - (before.parameters if before else 0),
        point.carry_bytes,
        spec.cell == "shared",
    )


def _window(spec: _Spec) -> tuple[float, float] | None:
    if len(spec.input_shape) != 2:
        return None
    length = spec.input_shape[1]
    first, end = spec.steps or (0, length)
    return first / length, end / length


def _blocks(spec: _Spec, composition: str) -> dict[str, Block]:
    """What the family draws of a student, and the answer."""
    read, last = {name.replace("level", "level ") for name in spec.reads}, list(spec.blocks)[-1:]
    if composition == "concat" and read.issuperset(last):  # its head reads both students' last levels
        read = read.difference(last) | {"features"}
    blocks = {name: Block(size, name in read) for name, size in spec.blocks.items()}
    return blocks | {ANSWER: Block(None, bool(read & {"features", "pooled"}))}


def _together(parts: Sequence[Part]) -> list[Part]:
    """Neighbours that differ in their number alone, as one."""
    together: list[Part] = []
    for part in parts:
        if together and replace(together[-1], first=0, last=0) == replace(part, first=0, last=0):
            together[-1] = replace(together[-1], last=part.last)
        else:
            together.append(part)
    return together
