"""What the benchmarks share: a markdown table, printed and kept in `benchmarks/results/NAME.md`, with its machine."""

import os
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bdistil.report import formats
from bdistil.results.loading import FrontierPoint

RESULTS = Path(__file__).parent / "results"


def publish(name: str, head: Sequence[str], rows: Iterable[Sequence[Any]], packages: Sequence[str] = ()) -> None:
    """Prints a table under its machine and the versions of `packages`, and writes both to its file."""
    lines = [head, ["---"] * len(head), *rows]
    table = "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    text = f"`python benchmarks/{name}.py`: {_machine()}{', ' if versions else ''}{versions}.\n\n{table}\n"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    print(text, flush=True)


def prefix_cells(row: FrontierPoint) -> tuple[str, ...]:
    """The cells of a prefix: from its number of students to its parameters."""
    return (
        str(row.prefix),
        f"{100 * row.accuracy:.2f}",
        formats.interval(row.accuracy_low, row.accuracy_high),
        f"{row.points_lost:.2f}",
        f"{row.points_lost_low:.2f} to {row.points_lost_high:.2f}",
        f"{100 * row.agreement:.2f}",
        f"{row.macs / 1e6:.2f}",
        f"{100 * (row.macs_ratio or 0):.1f}",
        f"{row.parameters / 1e3:.0f}",
    )


def _machine() -> str:
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}"
