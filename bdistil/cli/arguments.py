"""Options that several commands have: of training, of output, and of one's own data."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

# Values are checked by the configuration, which knows their limits and words their errors: here they stay text.
Text = str | None
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress display.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document and nothing else.")]
Dataset = Annotated[str, typer.Option(help="A data set's name, or a path of your own data.")]
Epochs = Annotated[Text, typer.Option(help="Epochs (of a round); the data set's recipe by default.")]
Seed = Annotated[Text, typer.Option(help="Seed of weights, order and views.")]
Threads = Annotated[Text, typer.Option(help="CPU threads; all cores but one by default.")]
Rate = Annotated[Text, typer.Option(help="Peak learning rate.")]

OWN_DATA = {
    "side": "Own pictures: side that they are resized to, in pixels.",
    "subject_pattern": "Own folders: a regular expression whose group 1 finds the person in a file's name.",
    "kind": "Own folders: the ending of the files that alone are read, such as jpg.",
    "series": "Own tables: the column that names the series.",
    "label": "Own tables: the column of labels.",
    "subject": "Own tables: the column of persons, who are then held out whole.",
    "time": "Own tables: the column of times, in seconds or ISO 8601.",
    "channels": "Own tables: the columns of values, with commas between them; all others by default.",
    "window": "Own tables: steps of a window.",
    "overlap": "Own tables: share of a window that the next one begins with, 0.5 by default.",
}


def reads_own_data(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the options of one's own data beside its own; it gets them as one argument, `own`."""
    own = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[Text, typer.Option(help=told)]
        )
        for name, told in OWN_DATA.items()
    ]
    others = [given for given in inspect.signature(command).parameters.values() if given.name != "own"]

    @functools.wraps(command)
    def with_options(**given: Any) -> None:
        asked = {name: given.pop(name) for name in OWN_DATA}
        command(**given, own=_own_data(asked))

    with_options.__signature__ = inspect.Signature([*others, *own])
    with_options.__annotations__ = {given.name: given.annotation for given in [*others, *own]}
    return with_options


def _own_data(asked: dict[str, Text]) -> Any:
    """How to read one's own data; None where nothing is asked."""
    from bdistil.data.reading import OwnData

    return OwnData.create(**asked) if any(value is not None for value in asked.values()) else None
