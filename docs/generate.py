"""Writes the generated parts of the documents from the code that they describe.

    python -m docs.generate

A generated part stands in its page between two comments, <!-- generated: NAME ARGUMENT --> and <!-- end -->; the rest
of the page is written by hand. PARTS holds one function for each NAME. `tests/test_docs.py` fails while a page is
stale.
"""

import importlib
import inspect
import json
import re
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import typer
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 100  # of a signature, in characters
LONG = 16  # rows: a longer table is folded
PART = re.compile(r"(<!-- generated: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def pages() -> list[Path]:
    """The documents that hold generated parts."""
    return [path for path in sorted((ROOT / "docs").glob("*.md")) if PART.search(path.read_text(encoding="utf-8"))]


def generated(page: str) -> str:
    """The text of a page with its generated parts written anew."""

    def part(found: re.Match[str]) -> str:
        name, *arguments = found[2].split()
        return f"{found[1]}\n{PARTS[name](*arguments).strip()}\n\n{found[3]}"

    return PART.sub(part, page)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A markdown table."""
    lines = [list(head), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def prose(text: str, names: Iterable[str] = ()) -> str:
    """A docstring as markdown: sessions of Python are set apart, and outside code an asterisk is an asterisk.

    names: what it explains, as `name: …`; they become code.
    """
    return "\n\n".join(
        f"```pycon\n{part}\n```" if part.startswith(">>>") else _paragraph(part, names) for part in text.split("\n\n")
    )


def _paragraph(text: str, names: Iterable[str]) -> str:
    one = "|".join(map(re.escape, names))
    if one:
        listed = re.compile(rf"(?:^|(?<=[.;]\s))((?:(?:{one}),\s+)*(?:{one})):(?=\s)", re.MULTILINE)
        text = listed.sub(lambda found: re.sub(r"\w+", r"`\g<0>`", found[1]) + ":", text)
    text = re.sub(r"^( +\S.*)\n(?=\S)", r"\1\n\n", text, flags=re.MULTILINE)  # a list, or code, ends here
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([*<])", r"\\\1", part) for part in parts)


# The command line.


def commands() -> str:
    """Every command with its arguments and options, as `--help` describes them."""
    from bdistil.cli.main import app

    group = typer.main.get_command(app)
    return "\n\n".join(_command(name, command) for name, command in group.commands.items() if not command.hidden)


def _command(name: str, command: Any) -> str:
    context = command.make_context(name, [], resilient_parsing=True)
    usage = " ".join(["bdistil", name, *command.collect_usage_pieces(context)])
    panels: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.params:
        record = None if parameter.hidden else parameter.get_help_record(context)
        if record:
            lines = [" ".join(line.split()) for line in record[1].splitlines()]
            row = f"`{' '.join(record[0].split())}`", "<br>".join(filter(None, lines))
            panels.setdefault(parameter.rich_help_panel or "", []).append(row)
    parts = [f"## `bdistil {name}`", prose(inspect.cleandoc(command.help or "")), f"    {usage}"]
    for panel, rows in panels.items():
        parts.append(table((panel or "argument or option", "meaning"), rows))
    return "\n\n".join(parts)


# The Python interface.


def python(module: str) -> str:
    """The public classes and functions of a module: those that its `__all__` names, with their docstrings."""
    home = importlib.import_module(module)
    return "\n\n".join(_documented(home, name) for name in public(home))


def module(name: str) -> str:
    """The docstring of a module."""
    return prose(inspect.cleandoc(importlib.import_module(name).__doc__ or ""))


def public(module: ModuleType) -> list[str]:
    """Names of what a module makes public, classes and functions only, classes first."""
    names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    found = {name: getattr(module, name) for name in names}
    chosen = [name for name, value in found.items() if inspect.isclass(value) or inspect.isfunction(value)]
    return sorted(chosen, key=lambda name: (not inspect.isclass(found[name]), name))


def _documented(module: ModuleType, name: str) -> str:
    value = getattr(module, name)
    parts = [f"### `{module.__name__}.{name}`", _signature(name, value), _docstring(value)]
    if inspect.isclass(value):
        for member, raw in vars(value).items():
            if not member.startswith("_") and inspect.getdoc(getattr(value, member)):
                parts += _member(member, raw, getattr(value, member))
    return "\n\n".join(filter(None, parts))


def _member(name: str, raw: Any, bound: Any) -> list[str]:
    if isinstance(raw, property):
        return [f"#### `{name}`", _docstring(raw)]
    if inspect.isfunction(raw) or isinstance(raw, classmethod):
        return [f"#### `{name}`", _signature(name, bound), _docstring(bound)]
    return []


def _signature(name: str, value: Any) -> str:
    """Names and defaults, as code: what the values are is said in the docstring."""
    if inspect.isclass(value) and issubclass(value, BaseModel):
        return ""  # a record: it is read from a file, never made by hand
    signature = inspect.signature(value)
    bare = [
        parameter.replace(annotation=parameter.empty)
        for parameter in signature.parameters.values()
        if parameter.name != "self"
    ]
    text = name + str(signature.replace(parameters=bare, return_annotation=signature.empty))
    lines = textwrap.wrap(text, WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return "```text\n" + "\n".join(lines) + "\n```"


def _docstring(value: Any) -> str:
    names = {*getattr(value, "__annotations__", ()), *getattr(value, "model_fields", ()), *_parameters(value)}
    return prose(inspect.cleandoc(value.__doc__ or ""), sorted(names))


def _parameters(value: Any) -> Iterable[str]:
    return inspect.signature(value).parameters if callable(value) else ()


# The files of a run.


class _Schema(GenerateJsonSchema):
    """JSON Schema in which what is no part of a file (a function) is anything."""

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> dict[str, Any]:
        return {}


def record(name: str) -> str:
    """A type of `bdistil.records`: what it is, and its fields."""
    from bdistil import records

    model = getattr(records, name)
    about, meanings = _explained(model)
    schema = model.model_json_schema(mode="serialization", schema_generator=_Schema)["properties"]
    rows = []
    for field, info in model.model_fields.items():
        stored = info.serialization_alias or info.alias or field
        missing = "" if info.is_required() else f"`{json.dumps(info.get_default(), default=list)}`"
        meaning = _in_json(info.description or meanings.get(field, ""))
        rows.append((f"`{stored}`", _type(schema[stored]), missing, meaning))
    return f"{_in_json(about)}\n\n{table(('field', 'type', 'if missing', 'meaning'), rows)}"


def events() -> str:
    """The kinds of lines in events.jsonl, and what each holds beside `v`, `time` and `kind`."""
    from bdistil import records

    rows = []
    for event in get_args(get_args(records.AnyEvent)[0]):
        fields = [f"`{name}`" for name in event.model_fields if name not in records.Event.model_fields]
        kind = get_args(event.model_fields["kind"].annotation)[0]
        about = _explained(event)[0] if event.__doc__ and "__doc__" in vars(event) else ""
        rows.append((f"`{kind}`", about.replace("\n", " "), ", ".join(fields)))
    return table(("kind", "meaning", "fields"), rows)


def _in_json(text: str) -> str:
    """What is None in Python is null in a file."""
    return re.sub(r"\bNone\b", "`null`", prose(text))


def _explained(model: type) -> tuple[str, dict[str, str]]:
    """The docstring of a record, without its explanations of fields; and those, with the ones that it inherits.

    They stand in docstrings as `name: …` or `one, other: …`, each up to the next.
    """
    about, meanings = "", {}
    for each in reversed(model.__mro__):
        text = " ".join(inspect.cleandoc(vars(each).get("__doc__") or "").split())
        names = "|".join(getattr(each, "model_fields", {})) or "$."
        starts = list(re.finditer(rf"(?<![\w`])((?:(?:{names}), )*(?:{names})): ", text))
        ends = [*(start.start() for start in starts[1:]), len(text)]
        for start, end in zip(starts, ends, strict=False):
            told = re.sub(r"[.;]\s*$", "", text[start.end() : end].strip())
            meanings |= dict.fromkeys(start[1].split(", "), told)
        if each is model:
            about = text[: starts[0].start()] if starts else text
    return about.strip(), meanings


def _type(schema: dict[str, Any]) -> str:
    """A JSON Schema in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return "anything" if name == "JsonValue" else name
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(each) for each in schema["anyOf"]))
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(each)}`" for each in schema["enum"])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"array of {_type(schema.get('items', {}))}"
    if kind == "object":
        inside = schema.get("additionalProperties")
        return f"object of {_type(inside)}" if isinstance(inside, dict) else "object"
    if schema.get("format") == "date-time":
        return "time, ISO 8601"
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None and high < 2**31:
        return f"{low:g}" if low == high else f"{kind} from {low:g} to {high:g}"
    limits = [f"{sign} {schema[key]:g}" for key, sign in _LIMITS.items() if key in schema]
    return " ".join([kind, *limits])


_LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}


# Data sets, and results.


def datasets() -> str:
    """The data sets that have a name."""
    from bdistil.data import CATALOGUE

    rows = []
    for info in CATALOGUE.values():
        counts = " / ".join(f"{count:,}" for count in (info.train, info.validation, info.test))
        rows.append(
            (f"`{info.name}`", info.modality, str(len(info.classes)), counts, f"[{info.licence}]({info.source})")
        )
    return table(("name", "modality", "classes", "train / validation / test", "licence and source"), rows)


def splits() -> str:
    """How the named data sets are split."""
    from bdistil.data import CATALOGUE

    return table(("name", "split"), ((f"`{info.name}`", info.split) for info in CATALOGUE.values()))


def result(name: str) -> str:
    """The table that a benchmark has written, folded where it is long."""
    text = (ROOT / "benchmarks" / "results" / f"{name}.md").read_text(encoding="utf-8").strip()
    origin, _, rest = text.partition("\n\n")
    rows = sum(line.startswith("|") for line in rest.splitlines()) - 2
    if rows > LONG:
        rest = f"<details>\n<summary>The table, {rows} rows</summary>\n\n{rest}\n\n</details>"
    return f"Measured by {origin}\n\n{rest}"


PARTS: dict[str, Callable[..., str]] = {
    part.__name__: part for part in (commands, python, module, record, events, datasets, splits, result)
}


def main() -> None:
    for path in pages():
        before = path.read_text(encoding="utf-8")
        after = generated(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
