"""Parameters that several commands have: the options of a configuration, those of one's own data, and of output.

`takes` gives a command all options that a configuration declares for the command line (`bdistil.options`), and those of
one's own data. `HelpByGroup` prints parameters under the headings that they belong to, an option a line and its help
below it, so that a narrow terminal does as well.
"""

import functools
import inspect
import textwrap
from collections.abc import Callable, Collection
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from bdistil.data.reading import OwnData
from bdistil.options import GROUPS, Option, Options
from bdistil.recipes import chosen_by_recipes

RUN = "run"  # the heading of what no configuration declares
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress display.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document and nothing else.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what it would cost.")]


def takes(config: type[Options] | None = None, required: Collection[str] = ()) -> Callable[..., Callable[..., None]]:
    """Gives a command the options of a configuration and those of one's own data, beside its own parameters.

    The command gets what was given of them as the dictionary `given`, that of one's own data (`OwnData`) in it as
    `data`. required: options without which the command is refused.
    """
    declares = {**(config.options() if config else {}), **OwnData.options()}
    offered = {name: declared for name, declared in declares.items() if declared.group}
    options = [_parameter(declared, name in required) for name, declared in offered.items()]

    def with_options(command: Callable[..., None]) -> Callable[..., None]:
        own = [each for each in inspect.signature(command).parameters.values() if each.name != "given"]

        @functools.wraps(command)
        def called(**words: Any) -> None:
            given = {name: value for name, value in ((name, words.pop(name)) for name in offered) if value is not None}
            data = {name: given.pop(name) for name in OwnData.options() if name in given}
            command(**words, given={**given, "data": OwnData.create(**data)} if data else given)

        called.__signature__ = inspect.Signature([*own, *options])  # type: ignore[attr-defined]  # what typer reads
        called.__annotations__ = {each.name: each.annotation for each in (*own, *options)}
        return called

    return with_options


def _parameter(declared: Option, required: bool) -> inspect.Parameter:
    """An option as typer takes it: texts are read, limits checked by the configuration."""
    kind: Any = declared.kind if declared.kind is bool else tuple[str, str] if declared.several else str
    flags = f"{declared.flag}/--no-{declared.flag[2:]}" if kind is bool else declared.flag
    told = typer.Option(
        flags,
        help=_help(declared),
        metavar=None if kind is bool else declared.metavar,
        rich_help_panel=declared.group,
        show_default=False,
        parser=declared.read if kind is str else None,
    )
    default = inspect.Parameter.empty if required else None
    return inspect.Parameter(
        declared.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind | None, told]
    )


def _help(declared: Option) -> str:
    """An option's help, its choices with what each does, and its default."""
    default = "by data set" if declared.name in chosen_by_recipes() else _default(declared.default)
    told = f"{declared.help} [default: {default}]" if default else declared.help
    return "\n".join([told, *(f"{name}: {does}" for name, does in declared.choices.items())])


def _default(value: object) -> str:
    return "" if value is None else f"{value}" if not isinstance(value, bool) else "yes" if value else "no"


class HelpByGroup(TyperCommand):
    """A command whose help lists parameters by their group."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        told: dict[str, list[tuple[str, str]]] = {group: [] for group in ("arguments", *GROUPS)}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            group = getattr(parameter, "rich_help_panel", None) or RUN
            if record:
                told["arguments" if parameter.param_type_name == "argument" else group].append(record)
        for group, records in told.items():
            if records:
                with formatter.section(group.capitalize()):
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
