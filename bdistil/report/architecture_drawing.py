"""The composed network of a run as an HTML table that is a picture: a row a student, a column a level, arrows where a
student reads those above it, and what each costs. Dressed by the page's style sheet; pure functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bdistil.report import formats
from bdistil.results.architecture import ANSWER, Block, Part, columns
from bdistil.students.catalogue import COMPOSITIONS

COSTS = ("MACs", "of them for reading others", "Parameters", "Kept for the next")


def caption(parts: Sequence[Part]) -> str:
    """What numbers and arrows mean in this network."""
    names = {part.composition for part in parts}
    used = [each for each in COMPOSITIONS.values() if each.arrow and each.name in names]
    sizes = "units of the state" if "state" in columns(parts) else "channels of each level"
    sizes += "; all students share one cell" if any(part.shares for part in parts) else ""
    if not used:
        return f"Numbers: {sizes}. Every student stands alone: it reads the inputs only."
    arrows = "; ".join(each.arrow if len(used) == 1 else f"{each.name}: {each.arrow}" for each in used)
    return f"Numbers: {sizes}. Arrows: {arrows}."


def table(parts: Sequence[Part]) -> str:
    """The network; `parts` of `results.architecture`, at least one."""
    names, windows = columns(parts), any(part.window not in (None, (0.0, 1.0)) for part in parts)
    titles = ["Student", *(["Reads"] if windows else []), *(name.capitalize() for name in names)]
    most = max(part.macs for part in parts)
    head = "".join(f'<th scope="col">{title}</th>' for title in titles)
    head += "".join(f'<th scope="col" class="number">{title}</th>' for title in COSTS)
    body = "".join(_row(part, names, windows, most) for part in parts)
    return (
        '<div class="wide" tabindex="0" role="region" aria-label="The students and their connections">'
        f'<table class="composed"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _row(part: Part, names: Sequence[str], windows: bool, most: float) -> str:
    window = f"<td>{_window(part)}</td>" if windows else ""
    blocks = "".join(_cell(name, part.blocks.get(name)) for name in names)
    bar = f'<i class="cost" style="width:{100 * part.macs / (most or 1):.0f}%"></i>'
    each = "" if part.first == part.last else " each"
    costs = (
        _cost(part.macs, formats.macs, each) + bar,
        _cost(part.reading_macs, formats.macs, each),
        _cost(part.parameters, formats.quantity, each),
        _cost(part.carry_bytes, formats.size, each),
    )
    numbers = "".join(f'<td class="number">{cost}</td>' for cost in costs)
    name = f"{part.number} <span>{part.composition}</span>"
    return f'<tr><th scope="row">{name}</th>{window}{blocks}{numbers}</tr>'


def _cell(name: str, block: Block | None) -> str:
    """A block; an arrow from above it, which is told in words as well."""
    if block is None:
        return "<td></td>"
    words = "answer" if name == ANSWER else str(block.size) if block.size else "reused"
    spoken = '<span class="announce">, reads the students before it</span>' if block.reads else ""
    classes = " ".join(["block", *(["reads"] if block.reads else []), *(["passed"] if block.size == 0 else [])])
    return f'<td><span class="{classes}">{words}{spoken}</span></td>'


def _window(part: Part) -> str:
    if part.window is None or part.first != part.last:
        return ""
    first, end = (formats.decimal(100 * share, 0) for share in part.window)
    return f"{first} to {end}{formats.NO_BREAK}%"


def _cost(value: int, words: Callable[[float], str], each: str) -> str:
    return words(value) + (each if value else "")
