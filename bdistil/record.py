"""The base of every record of a file: immutable, strictly typed, and read in one way."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from bdistil.paths import open_regular

MOST_BYTES = 64_000_000  # of a file: a round of a thousand classes has one
_R = TypeVar("_R", bound="Record")


def problems(error: ValidationError) -> list[tuple[str, str]]:
    """Where and what: the dotted field, "" for the whole document, and pydantic's type of each problem."""
    return [(".".join(map(str, each["loc"])), each["type"]) for each in error.errors()]


def is_newer(error: ValidationError) -> bool:
    """Whether a record's `schema` is that of a newer version."""
    return ("schema", "less_than_equal") in problems(error)


class Record(BaseModel):
    """A record of a file: immutable, strictly typed, of finite numbers. Unknown fields are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False, populate_by_name=True)

    def document(self) -> dict[str, JsonValue]:
        """The record as JSON's own types."""
        return self.model_dump(mode="json", by_alias=True)

    @classmethod
    def read(cls: type[_R], path: Path) -> _R:
        """The record that a JSON file holds.

        Raises OSError if it can't be opened, and ValueError if it is not JSON or not such a record.
        """
        with open_regular(path) as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ValueError(f"{path.name} is larger than {MOST_BYTES // 10**6} MB")
        return cls.model_validate_json(content)
