"""What the benchmarks share: a markdown table, printed and kept in `benchmarks/results/NAME.md`, with its machine."""

import os
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

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


def _machine() -> str:
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}"
