"""What an option is. Each is declared once, as a field of a configuration, and everything else derives from that.

A field `rounds: int = option(title="Rounds", help="…", ge=1, le=64)` of a class that extends `Options` gives the strict
check of its value, the sentence for a value that cannot be, the parameter of the command line (`cli.parameters`), and
the label, help and limits of a form's widget (`app/form.py`).

The engine's sentences name options as Python does, in backticks: "Leave out `examples`." `in_voice` lets the command
line and the dashboard name them as their users know them: --examples, and the field “Training examples”.
"""

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from types import NoneType
from typing import Any, Literal, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo

from bdistil.errors import UserError, nearest, quoted

Group = Literal["data", "teacher", "students", "search", "training", "run"]
GROUPS: tuple[Group, ...] = get_args(Group)
_NAMED = re.compile(r"`([a-z]\w*)`")
_LIMITS = ("ge", "gt", "le", "lt")
_NUMBERS: dict[type, tuple[str, str]] = {int: ("a whole number", "INTEGER"), float: ("a number", "FLOAT")}


def option(
    default: Any = ...,
    *,
    title: str,
    help: str = "",
    group: Group | None = None,
    unit: str = "",
    takes: str = "text",
    metavar: str = "TEXT",
    choices: Mapping[str, str] | None = None,
    unlisted: tuple[str, ...] = (),
    flag: str = "",
    step: float | None = None,
    empty: str = "",
    form: bool = False,
    **limits: Any,
) -> Any:
    """A field of a configuration, with all that is to be said of it.

    default: none where the data set's recipe always has one. title: its label. help: whole sentences for somebody who
    has not met it. group: under which heading the command line has it; None where it is not offered there. unit: of a
    number, such as "pixels". takes: what a text must be. metavar: what stands for a text in the command line's help.
    choices: the values, with what each does; unlisted: further ones, that only Python gives. flag: its name on the
    command line where that differs. step: by which a form's buttons change a number. empty: what no value means. form:
    whether the form of Distil has it among its further options. limits: ge, gt, le, lt, as pydantic has them, and what
    else a pydantic field takes.
    """
    field = Field(default, title=title, description=help, **limits)
    declared = Declared(group, unit, takes, metavar, choices or {}, unlisted, flag, step, empty, form)
    field.metadata.append(declared)  # beside the limits, which pydantic keeps there
    return field


@dataclass(frozen=True)
class Declared:
    """What a field says of its option beyond what pydantic has a place for, see `option`."""

    group: Group | None
    unit: str
    takes: str
    metavar_of_text: str
    choices: Mapping[str, str]
    unlisted: tuple[str, ...]
    flag: str
    step: float | None
    empty: str
    form: bool


@dataclass(frozen=True, kw_only=True)
class Option(Declared):
    """An option as it is declared; its flag is whole, `--rounds`.

    kind: int, float, bool, str, or tuple for texts; object for what only Python gives. default: None also where there
    is none. ge, gt, le, lt: limits, None where there are none.
    """

    name: str
    title: str
    help: str
    kind: type
    default: Any
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None

    @classmethod
    def of(cls, name: str, field: FieldInfo) -> "Option":
        """The option that a field declares."""
        declared = next(entry for entry in field.metadata if isinstance(entry, Declared))
        limits = {key: getattr(entry, key) for entry in field.metadata for key in _LIMITS if hasattr(entry, key)}
        said = {**vars(declared), "flag": f"--{declared.flag or name.replace('_', '-')}"}
        return cls(
            name=name,
            title=field.title or name,
            help=field.description or "",
            kind=_kind(field.annotation),
            default=None if field.is_required() else field.default,
            **said,
            **limits,
        )

    @property
    def bounds(self) -> tuple[Any, Any]:
        """The least and the largest number, of the option's own kind; None where there is none."""
        ends = (self.gt if self.ge is None else self.ge, self.lt if self.le is None else self.le)
        low, high = (None if end is None else self.kind(end) for end in ends)
        return low, high

    @property
    def expected(self) -> str:
        """What a value must be: `a whole number of pixels from 0 to 8`."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.kind is bool:
            return "true or false"
        if self.kind not in _NUMBERS:
            return self.takes
        number = _NUMBERS[self.kind][0] + (f" of {self.unit}" if self.unit else "")
        return f"{number}{self._range()}"

    @property
    def metavar(self) -> str:
        """What stands for the value in the command line's help: `INTEGER 1..64`, `FLOAT >0..100`, `FLOAT 0..<1`."""
        if self.choices:
            return "NAME"
        if self.kind not in _NUMBERS:
            return self.metavar_of_text
        low = _told(self.ge) or _told(self.gt, ">")
        high = _told(self.le) or _told(self.lt, "<")
        return f"{_NUMBERS[self.kind][1]} {low}..{high}"

    def _range(self) -> str:
        above = _told(self.gt, " above ")
        if self.le is None and self.lt is None:
            return above or _told(self.ge, ", at least ")
        if above:
            return above + (_told(self.le, ", at most ") or _told(self.lt, " and below "))
        return _told(self.ge, " from ") + (_told(self.le, " to ") or _told(self.lt, " to below "))

    def refusal(self, value: object) -> UserError:
        """The sentence on a value that cannot be. A number that was given as a text is said to be one."""
        text = "the text " if isinstance(value, str) and self.kind in (*_NUMBERS, bool) else ""
        return UserError(self._refusal(f"{text}“{quoted(self._written(value))}”"))

    def _refusal(self, got: str) -> str:
        return f"`{self.name}` must be {self.expected}; got {got}."

    def arguments(self, value: Any) -> list[str]:
        """A value as the command line takes it: `["--rounds", "3"]`; nothing for None."""
        if value is None:
            return []
        if isinstance(value, Options):
            return value.arguments()
        if self.kind is bool:
            return [self.flag if value else f"--no-{self.flag[2:]}"]
        if self.kind is tuple:
            return [self.flag, *value] if self.several else [self.flag, ",".join(value)]
        return [self.flag, self._written(value)]

    def _written(self, value: object) -> str:
        """A value as one would write it: 3, not 3.0, where fractions are possible."""
        return f"{value}".removesuffix(".0") if self.kind is float else f"{value}"

    @property
    def several(self) -> bool:
        """Whether its value is several words of a command line, as its metavar is."""
        return " " in self.metavar_of_text

    def read(self, text: str) -> Any:
        """The value that a text of the command line stands for; its limits are the configuration's to check.

        Raises UserError for what is no number where one is needed.
        """
        try:
            return self.kind(text) if self.kind in _NUMBERS else text
        except ValueError:
            raise UserError(self._refusal(f"“{quoted(text)}”")) from None


def _told(limit: float | None, before: str = "") -> str:
    """A limit with a word before it; nothing where there is none."""
    if limit is None:
        return ""
    power = len(str(limit)) - 1
    return before + (f"10^{power}" if power > 9 and limit == 10**power else f"{limit}")


def _kind(annotation: Any) -> type:
    """The type of a field's values, None left aside."""
    kinds = [kind for kind in get_args(annotation) or (annotation,) if kind is not NoneType]
    if get_origin(annotation) is tuple or (len(kinds) == 1 and get_origin(kinds[0]) is tuple):
        return tuple
    return kinds[0] if kinds[0] in (int, float, bool, str) else object


class Options(BaseModel):
    """A set of options: frozen, complete, and strict (`true` is no 1, and "1" is none either)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @classmethod
    @functools.cache
    def options(cls) -> Mapping[str, Option]:
        """All options by name, in the order in which they are declared."""
        return {name: Option.of(name, field) for name, field in cls.model_fields.items()}

    def arguments(self, *names: str) -> list[str]:
        """Options as the command line takes them: those of these names, in this order, or all. None is left out."""
        told = [(self.options()[name], getattr(self, name)) for name in names or self.options()]
        return [word for declared, value in told for word in declared.arguments(value)]

    @classmethod
    def checked_values(cls, values: Mapping[str, object]) -> Self:
        """The options with exactly these values. Raises UserError, one sentence, for the first that cannot be."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            first = error.errors()[0]
        name = str(first["loc"][0])
        if first["type"] == "missing" or name not in cls.model_fields:
            raise UserError(f"This configuration was written by another version: check its option {name}.")
        raise cls.options()[name].refusal(values[name])

    @classmethod
    def check_names(cls, given: Mapping[str, object]) -> None:
        """Raises UserError with the nearest name if there is no option of a name that is given."""
        unknown = sorted(set(given) - set(cls.model_fields))
        if unknown:
            raise UserError(f"There is no option called {unknown[0]}.{nearest(unknown[0], cls.model_fields)}")

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        """NumPy's numbers are numbers."""
        if isinstance(value, Integral) and not isinstance(value, int):
            return int(value)
        return float(value) if isinstance(value, Real) and not isinstance(value, int | float) else value

    @field_validator("*")
    @classmethod
    def _one_of_the_choices(cls, value: Any, read: ValidationInfo) -> Any:
        declared = cls.options()[str(read.field_name)]
        if declared.choices and value is not None and value not in (*declared.choices, *declared.unlisted):
            raise ValueError
        return value


def by_group(*configurations: type[Options]) -> list[Option]:
    """The options that these configurations offer on the command line, those of a group together, in `GROUPS`' order.

    An option of several configurations is there once, as the first one declares it.
    """
    found: dict[str, Option] = {}
    for configuration in configurations:
        found = {**configuration.options(), **found}
    return [each for group in GROUPS for each in found.values() if each.group == group]


def in_voice(sentence: str, said: Callable[[str, bool], str | None]) -> str:
    """A sentence of the engine with its options as somebody else says them.

    said: gives a name's words, and whether they begin the sentence; None leaves it as it is.
    """

    def words(found: re.Match[str]) -> str:
        begins = found.start() == 0 or sentence[: found.start()].endswith((". ", "\n"))
        return said(found[1], begins) or found[0]

    return _NAMED.sub(words, sentence)
