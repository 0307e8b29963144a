"""How one's own data is to be read: the options of files and folders that nobody here has seen."""

from typing import Any

from pydantic import field_validator

from bdistil.data.folders import MEDIA
from bdistil.errors import UserError, quoted
from bdistil.options import Options, option


class OwnData(Options):
    """How one's own data is to be read; what is None is not asked for. It is part of a run's configuration."""

    side: int | None = option(
        None,
        ge=4,
        le=512,
        title="Side of pictures",
        unit="pixels",
        group="data",
        empty="as most have it",
        help="Side of the square that your own pictures are scaled to.",
    )
    subject_pattern: str | None = option(
        None,
        title="Person in a file’s name",
        empty="unknown",
        takes="a regular expression",
        metavar="REGEX",
        group="data",
        help="A regular expression whose group 1 finds the person in a file's name; persons are then held out whole.",
    )
    kind: str | None = option(
        None,
        title="Kind of files",
        empty="all",
        takes="an ending of pictures or recordings, such as jpg, png or wav",
        metavar="ENDING",
        group="data",
        help="The ending of the only files that are read, such as jpg: for pictures beside masks.",
    )
    series: str | None = option(
        None,
        title="Column of series",
        takes="a column's name",
        metavar="COLUMN",
        group="data",
        help="The column of your own table that says to which series a row belongs.",
    )
    label: str | None = option(
        None,
        title="Column of labels",
        takes="a column's name",
        metavar="COLUMN",
        group="data",
        help="The column of your own table that holds the class.",
    )
    subject: str | None = option(
        None,
        title="Column of persons",
        empty="unknown",
        takes="a column's name",
        metavar="COLUMN",
        group="data",
        help="The column of your own table that names the person; persons are then held out whole.",
    )
    time: str | None = option(
        None,
        title="Column of times",
        empty="none",
        takes="a column's name",
        metavar="COLUMN",
        group="data",
        help="The column of your own table that holds the time of a row, in seconds or as a date (ISO 8601).",
    )
    channels: tuple[str, ...] | None = option(
        None,
        min_length=1,
        title="Columns of values",
        takes="columns' names with commas between them",
        metavar="COLUMN,…",
        strict=False,
        group="data",
        help="The columns of your own table that hold measurements, with commas between them.",
        empty="all others",
    )
    window: int | None = option(
        None,
        ge=2,
        le=100_000,
        title="Steps of a window",
        unit="steps",
        group="data",
        help="How many steps of a series make one example.",
    )
    overlap: float | None = option(
        None,
        ge=0,
        le=0.99,
        title="Overlap of windows",
        empty="0.5",
        step=0.1,
        group="data",
        help="Share of a window that the next one begins with.",
    )

    @field_validator("channels", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @field_validator("kind")
    @classmethod
    def _ending(cls, value: str | None) -> str | None:
        ending = None if value is None else value.lower().removeprefix(".")
        if ending is not None and f".{ending}" not in MEDIA:
            raise ValueError
        return ending

    @classmethod
    def create(cls, **given: Any) -> "OwnData":
        """The options of what is given and is not None. Raises UserError, one sentence, for a value that cannot be."""
        given = {name: value for name, value in given.items() if value is not None}
        cls.check_names(given)
        return cls.checked_values(given)

    @classmethod
    def given(cls, options: object) -> "OwnData | None":
        """Options as a configuration has them, or as a stored one has. Raises UserError as `create` does."""
        if options is None or isinstance(options, cls):
            return options
        if not isinstance(options, dict):
            raise UserError(f"Own data must be given as options by name; got “{quoted(options)}”.")
        return cls.create(**options)
