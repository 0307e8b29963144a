"""The composed network of a finished run: its students, what each reads of those before it, and what each costs.

Read from ensemble.json (`Student.spec`) and the frontier's cumulative costs, without torch and without weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from bdistil.paths import read_json
from bdistil.students.catalogue import blocks_of

ANSWER = "answer"
COSTS = ("macs", "overhead_macs", "parameters")  # cumulative over prefixes


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
    earlier students. carry_bytes: what it leaves for the next. Costs are None where the run does not tell them.
    shares: whether its recurrent cell is the first student's.
    """

    first: int
    last: int
    family: str
    composition: str
    window: tuple[float, float] | None
    blocks: Mapping[str, Block]
    macs: float | None
    reading_macs: float | None
    parameters: float | None
    carry_bytes: float | None
    shares: bool = False

    @property
    def number(self) -> str:
        """`3`, or `2 to 24`."""
        return str(self.first) if self.first == self.last else f"{self.first} to {self.last}"


def architecture(folder: Path, points: pd.DataFrame) -> list[Part]:
    """The students of the run in `folder`, alike ones together; nothing where it has no ensemble yet or a damaged one.

    points: the frontier's rows, one a student.
    """
    try:
        document = read_json(folder / "ensemble" / "ensemble.json")
        specs = [student["spec"] for student in document["students"]]
        costs = _costs(points)
        parts = [_part(number, spec, cost) for number, (spec, cost) in enumerate(zip(specs, costs, strict=True), 1)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    return _together(parts)


def columns(parts: Sequence[Part]) -> list[str]:
    """Names of the blocks of all students, in the order of the computation."""
    longest = max(parts, key=lambda part: len(part.blocks))
    return [name for name in longest.blocks if name != ANSWER] + [ANSWER]


def lines(parts: Sequence[Part]) -> list[str]:
    """The same as text, a line for each of `parts`: `2 to 6: cnn, add; level 1 32 ←, …, answer; 1 768 576 MACs`."""
    told = []
    for part in parts:
        blocks = ", ".join(_words(name, block) for name, block in part.blocks.items())
        window = "" if part.window is None else f"reads {100 * part.window[0]:.0f} to {100 * part.window[1]:.0f} %; "
        costs = [f"{part.macs:.0f} MACs"] if part.macs is not None else []
        costs += [f"{part.reading_macs:.0f} of them for reading"] if part.reading_macs else []
        costs += [f"{part.parameters:.0f} parameters"] if part.parameters is not None else []
        kind = f"{part.family}, {part.composition}{', one cell for all' if part.shares else ''}"
        told.append(f"{part.number:>8}: {kind}; {window}{blocks}; {', '.join(costs)}")
    return told


def _words(name: str, block: Block) -> str:
    return name + ("" if block.size is None else f" {block.size}") + (" <-" if block.reads else "")


def _costs(points: pd.DataFrame) -> list[dict[str, float | None]]:
    """What each student adds to the cumulative costs, and what it leaves."""
    table = points.reindex(columns=[*COSTS, "carry_bytes"]).astype(float)
    table[list(COSTS)] = table[list(COSTS)].diff().fillna(table[list(COSTS)].iloc[:1])
    rows = table.to_dict("records")
    return [{name: None if pd.isna(value) else value for name, value in row.items()} for row in rows]


def _part(number: int, spec: Mapping[str, Any], cost: Mapping[str, float | None]) -> Part:
    composition = spec.get("composition") or {"triangular": "concat-all"}.get(spec["family"], "alone")
    return Part(
        number,
        number,
        spec["family"],
        composition if spec["reads"] else "alone",
        _window(spec),
        _blocks(spec, composition),
        cost["macs"],
        cost["overhead_macs"],
        cost["parameters"],
        cost["carry_bytes"],
        spec.get("cell") == "shared",
    )


def _window(spec: Mapping[str, Any]) -> tuple[float, float] | None:
    if len(spec["input_shape"]) != 2:
        return None
    length = spec["input_shape"][1]
    first, end = spec.get("steps") or (0, length)
    return first / length, end / length


def _blocks(spec: Mapping[str, Any], composition: str) -> dict[str, Block]:
    """What the family draws of a student, and the answer."""
    sizes, read = blocks_of(spec), {name.replace("level", "level ") for name in spec["reads"]}
    last = list(sizes)[-1:]
    if composition == "concat" and read.issuperset(last):  # its head reads both students' last levels
        read = read.difference(last) | {"features"}
    blocks = {name: Block(size, name in read) for name, size in sizes.items()}
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
