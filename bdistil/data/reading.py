"""How one's own data is to be read: the options of files and folders that nobody here has seen."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from bdistil.data.folders import MEDIA
from bdistil.errors import UserError, quoted


class OwnData(BaseModel):
    """How one's own data is to be read; what is None is not asked for. It is part of a run's configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    side: int | None = Field(
        default=None, ge=4, le=512, title="Side", description="a whole number of pixels from 4 to 512"
    )
    subject_pattern: str | None = Field(default=None, title="Subject pattern", description="a regular expression")
    kind: str | None = Field(
        default=None, title="Kind", description="an ending of pictures or recordings, such as jpg, png or wav"
    )
    series: str | None = Field(default=None, title="Series", description="a column's name")
    label: str | None = Field(default=None, title="Label", description="a column's name")
    subject: str | None = Field(default=None, title="Subject", description="a column's name")
    time: str | None = Field(default=None, title="Time", description="a column's name")
    channels: tuple[str, ...] | None = Field(
        default=None, min_length=1, title="Channels", description="columns' names with commas between them"
    )
    window: int | None = Field(
        default=None, ge=2, le=100_000, title="Window", description="a whole number of steps from 2 to 100000"
    )
    overlap: float | None = Field(default=None, ge=0, le=0.99, title="Overlap", description="a number from 0 to 0.99")

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
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            first = error.errors()[0]
            field = cls.model_fields.get(str(first["loc"][0]))
            if field is None:
                raise UserError(f"There is no option called {quoted(first['loc'][0])} for own data.") from None
            asked = given[str(first["loc"][0])]
            raise UserError(f"{field.title} must be {field.description}; “{quoted(asked)}” is not.") from None

    @classmethod
    def given(cls, options: "OwnData | dict[str, Any] | None") -> "OwnData | None":
        """Options as a configuration has them, or as a stored one has. Raises UserError as `create` does."""
        if options is None or isinstance(options, cls):
            return options
        if not isinstance(options, dict):
            raise UserError(f"Own data must be told as options by name; “{quoted(options)}” is not.")
        return cls.create(**options)

    def flags(self) -> list[str]:
        """What is asked for, as on the command line."""
        asked = self.model_dump(exclude_none=True)
        told = {name: ",".join(value) if name == "channels" else str(value) for name, value in asked.items()}
        return [part for name, value in told.items() for part in (f"--{name.replace('_', '-')}", value)]
