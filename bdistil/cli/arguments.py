"""Parameters that several commands have: the options of a configuration, those of one's own data, and of output.

`takes` gives a command all options that a configuration declares for the command line (`bdistil.options`), and those of
one's own data. `HelpByGroup` prints parameters under the headings that they belong to, an option a line and its help
below it, so that a narrow terminal does as well.
"""

import functools
import inspect
import textwrap
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperCommand
from typer.models import ArgumentInfo

from bdistil.data.reading import OwnData
from bdistil.options import Option, Options, by_group
from bdistil.recipes import chosen_by_recipes

RUN = "Run"  # the heading of what no configuration declares
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress display.", rich_help_panel=RUN)]
Json = Annotated[bool, typer.Option("--json", help="One JSON document and nothing else.", rich_help_panel=RUN)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what it would cost.", rich_help_panel=RUN)]


@dataclass(frozen=True)
class Given:
    """What was given on the command line: options of a configuration by name, the data set, how own data is read."""

    options: dict[str, object]
    dataset: str | None = None
    data: OwnData | None = None

    def everything(self) -> dict[str, object]:
        """All of it by name, where it was given."""
        named = {"dataset": self.dataset, "data": self.data}
        return self.options | {name: value for name, value in named.items() if value is not None}


def takes(config: type[Options] | None = None, required: Collection[str] = ()) -> Callable[..., Callable[..., None]]:
    """Gives a command the options of a configuration and those of one's own data, beside its own parameters.

    The command gets what was given of them as `given`. required: options without which the command is refused.
    """
    offered = by_group(config, OwnData) if config else by_group(OwnData)
    options = [_parameter(declared, declared.name in required) for declared in offered]

    def with_options(command: Callable[..., None]) -> Callable[..., None]:
        own = [each for each in inspect.signature(command).parameters.values() if each.name != "given"]
        first = [each for each in own if isinstance(each.annotation.__metadata__[0], ArgumentInfo)]
        last = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own if each not in first]
        parameters = [*first, *options, *last]

        @functools.wraps(command)
        def called(**words: Any) -> None:
            words_of = {declared.name: words.pop(declared.name) for declared in offered}
            given = {name: value for name, value in words_of.items() if value is not None}
            data = {name: given.pop(name) for name in OwnData.options() if name in given}
            command(**words, given=_given(OwnData.create(**data) if data else None, **given))

        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
        called.__annotations__ = {each.name: each.annotation for each in parameters}
        return called

    return with_options


def _given(data: OwnData | None, /, dataset: str | None = None, **options: object) -> Given:
    return Given(options, dataset, data)


def _parameter(declared: Option, required: bool) -> inspect.Parameter:
    """An option as typer takes it: texts are read, limits checked by the configuration."""
    kind: Any = declared.kind if declared.kind is bool else tuple[str, str] if declared.several else str
    flags = f"{declared.flag}/--no-{declared.flag[2:]}" if kind is bool else declared.flag
    option = typer.Option(
        flags,
        help=_help(declared),
        metavar=None if kind is bool else declared.metavar,
        rich_help_panel=(declared.group or RUN).capitalize(),
        show_default=False,
        parser=declared.read if kind is str else None,
    )
    default = inspect.Parameter.empty if required else None
    return inspect.Parameter(
        declared.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind | None, option]
    )


def _help(declared: Option) -> str:
    """An option's help, its choices with what each does, and its default."""
    default = "by data set" if declared.name in chosen_by_recipes() else declared.empty or _default(declared.default)
    text = f"{declared.help} [default: {default}]" if default else declared.help
    return "\n".join([text, *(f"{name}: {does}" for name, does in declared.choices.items())])


def _default(value: object) -> str:
    return "" if value is None else f"{value}" if not isinstance(value, bool) else "yes" if value else "no"


class HelpByGroup(TyperCommand):
    """A command whose help lists parameters by their group."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record:
                kind = f"{parameter.param_type_name.capitalize()}s"
                groups.setdefault(getattr(parameter, "rich_help_panel", None) or kind, []).append(record)
        for group, records in groups.items():
            with formatter.section(group):
                for name, help in records:
                    _write(formatter, name, help)


def _write(formatter: Any, name: str, help: str) -> None:
    """A parameter's line, and the lines of its help indented below; names are never broken."""
    formatter.write(f"  {name}\n")
    for number, line in enumerate(help.splitlines()):
        first, others = (6, 6) if number == 0 else (8, 10)
        wrapped = textwrap.wrap(
            line, formatter.width, initial_indent=first * " ", subsequent_indent=others * " ", break_on_hyphens=False
        )
        formatter.write("".join(f"{each}\n" for each in wrapped))
