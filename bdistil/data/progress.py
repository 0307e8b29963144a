"""The progress bar of reading data, on standard error where that is a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bdistil.errors import quoted

Tick = Callable[[int, int], None]  # how many files have been read, of how many
_MOST_NAME = 30  # characters


def silent(done: int, total: int) -> None:
    """Tells nobody."""


@contextmanager
def bar(name: str, shown: bool = True) -> Iterator[Tick]:
    """Inside, a bar says that the data of this name is read, and for how long; what it gives moves the bar.

    It is gone at the end. Until it is first moved, the bar only shows that something goes on.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(20), TimeElapsedColumn())
    description = f"reading {quoted(name, _MOST_NAME)}"
    with Progress(*columns, console=console, transient=True, disable=not shown or not console.is_terminal) as progress:
        task = progress.add_task(description, total=None)

        def tick(done: int, total: int) -> None:
            text = f"{description}, {done:,} of {total:,} files"
            progress.update(task, completed=done, total=total, description=text)

        yield tick
