"""An option is declared once: its check, its sentence, its parameter and its help derive from that."""

import ast
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bdistil.cli.arguments import Given, HelpByGroup, takes
from bdistil.cli.output import in_flags
from bdistil.config import OPTIONS, DistilConfig, TeachConfig
from bdistil.data.reading import OwnData
from bdistil.errors import UserError
from bdistil.options import GROUPS, Option, Options, by_group, option

ENGINE = Path(__file__).parents[1] / "bdistil"


class Small(Options):
    whole: int = option(1, ge=1, le=4, title="Whole", unit="pixels")
    least: int = option(2, ge=2, title="Least")
    above: float = option(0.5, gt=0, le=10, title="Above")
    below: float = option(0.5, ge=0, lt=1, title="Below")
    between: float = option(0.5, gt=0, lt=1, title="Between")
    share: float | None = option(None, ge=0, le=1, title="Share")
    huge: int = option(1, ge=1, le=10**18, title="Huge")
    name: str = option("a", title="Name", choices={"a": "the first", "b": "the second"}, unlisted=("c",))
    text: str | None = option(None, title="Text", takes="a column's name", metavar="COLUMN")
    switch: bool = option(True, title="Switch")


@pytest.mark.parametrize(
    ("name", "expected", "metavar"),
    [
        ("whole", "a whole number of pixels from 1 to 4", "INTEGER 1..4"),
        ("least", "a whole number, at least 2", "INTEGER 2.."),
        ("above", "a number above 0, at most 10", "FLOAT >0..10"),
        ("below", "a number from 0 to below 1", "FLOAT 0..<1"),
        ("between", "a number above 0 and below 1", "FLOAT >0..<1"),
        ("share", "a number from 0 to 1", "FLOAT 0..1"),
        ("huge", "a whole number from 1 to 10^18", "INTEGER 1..10^18"),
        ("name", "one of a, b", "NAME"),
        ("text", "a column's name", "COLUMN"),
        ("switch", "true or false", "TEXT"),
    ],
)
def test_limits_are_worded_from_the_declaration(name: str, expected: str, metavar: str) -> None:
    declared = Small.options()[name]
    assert (declared.expected, declared.metavar) == (expected, metavar)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"whole": 5}, "`whole` must be a whole number of pixels from 1 to 4; got “5”."),
        ({"whole": True}, "`whole` must be a whole number of pixels from 1 to 4; got “True”."),
        ({"whole": 2.0}, "`whole` must be a whole number of pixels from 1 to 4; got “2.0”."),
        ({"whole": "2"}, "`whole` must be a whole number of pixels from 1 to 4; got the text “2”."),
        ({"above": True}, "`above` must be a number above 0, at most 10; got “True”."),
        ({"above": 0}, "`above` must be a number above 0, at most 10; got “0”."),
        ({"above": 0.0}, "`above` must be a number above 0, at most 10; got “0”."),
        ({"above": float("inf")}, "`above` must be a number above 0, at most 10; got “inf”."),
        ({"switch": 1}, "`switch` must be true or false; got “1”."),
        ({"name": "d"}, "`name` must be one of a, b; got “d”."),
        ({"text": 5}, "`text` must be a column's name; got “5”."),
    ],
)
def test_a_value_that_cannot_be_is_a_sentence(given: dict, sentence: str) -> None:
    with pytest.raises(UserError) as refused:
        Small.checked_values(given)
    assert str(refused.value) == sentence


def test_whole_numbers_are_numbers_and_unlisted_choices_are_python_s() -> None:
    assert Small.checked_values({"above": 3, "name": "c"}).above == 3.0
    assert Small(whole=3, switch=False, above=0.25).arguments() == [
        *(
            "--whole",
            "3",
            "--least",
            "2",
            "--above",
            "0.25",
            "--below",
            "0.5",
            "--between",
            "0.5",
            "--huge",
            "1",
            "--name",
            "a",
        ),
        "--no-switch",
    ]


class Patient(DistilConfig):
    patience: int = option(3, ge=1, le=9, title="Patience", group="training", form=True, help="Epochs that may fail.")


def test_an_option_costs_one_place() -> None:
    """The one line above gives a checked value, a sentence, and a parameter with its help; the form's field has a test
    of its own, in tests/app/test_distil.py."""
    made = []
    program = typer.Typer(rich_markup_mode=None)

    @program.command(cls=HelpByGroup)
    @takes(Patient)
    def run(*, given: Given) -> None:
        made.append(Patient.create(str(given.dataset), teacher="t", **given.options))

    words = ["--dataset", "digits", "--patience"]
    assert CliRunner().invoke(program, [*words, "5"]).exit_code == 0 and made[0].patience == 5
    refused = CliRunner().invoke(program, [*words, "10"]).exception
    assert str(refused) == "`patience` must be a whole number from 1 to 9; got “10”."
    told = CliRunner().invoke(program, ["--help"]).output
    assert "  --patience INTEGER 1..9\n      Epochs that may fail. [default: 3]\n" in told


@pytest.mark.parametrize("command", ["run", "teach", "data"])
def test_help_is_readable_on_60_columns(bdistil, monkeypatch, command: str) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    status, told, err = bdistil(command, "--help")
    lines = told.splitlines()
    assert (status, err) == (0, "") and max(map(len, lines)) <= 60
    config = {"run": DistilConfig, "teach": TeachConfig}.get(command)
    offered = by_group(config, OwnData) if config else by_group(OwnData)
    one_line = " ".join(told.split())
    for each in offered:
        flags = f"{each.flag} / --no-{each.flag[2:]}" if each.kind is bool else f"{each.flag} {each.metavar}"
        assert lines.count(f"  {flags}") == 1
        assert each.help in one_line  # whole, not cut off
        assert all(f"{name}: {does}" in one_line for name, does in each.choices.items())
    headings = [line[:-1].lower() for line in lines if line.endswith(":") and line[0] != " "]
    assert [heading for heading in headings if heading in GROUPS] == [
        group for group in GROUPS if any(each.group == group for each in offered) or (group == "run" and config)
    ]


def test_limits_and_types_are_in_the_help(bdistil, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    told = bdistil("run", "--help")[1]
    assert "  --rounds INTEGER 1..64\n      Each round adds one student. [default: by data set]\n" in told
    assert "  --temperature FLOAT >0..100\n" in told and "\n        kl: Kullback-Leibler, of probabilities\n" in told
    assert "planned" not in told and "factory" not in told


@pytest.mark.parametrize("declared", OPTIONS.values(), ids=OPTIONS)
def test_what_is_offered_is_explained(declared: Option) -> None:
    if declared.group:
        assert declared.title and declared.help.endswith(".") and "`" not in declared.help.replace("`bdistil data`", "")


def test_sentences_name_options_in_the_voice_of_their_surface(monkeypatch) -> None:
    from fields import in_fields

    sentence = "`batch_size` must be small. Leave out `examples`, or `nothing` of `architecture`."
    assert in_flags(sentence) == "--batch-size must be small. Leave out --examples, or `nothing` of --teacher."
    assert in_fields(sentence) == (
        "Batch size must be small. Leave out the field “Training examples”, or `nothing` of the field “Architecture”."
    )
    monkeypatch.setenv("BDISTIL_PLAIN_NAMES", "1")  # for the dashboard, which rewords it
    assert in_flags(sentence) == sentence


def flags_in_texts(source: str) -> list[str]:
    """Texts of a module, docstrings aside, that hold an option as the command line writes it."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = [ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)]
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [text for text in texts if " --" in text and text not in docstrings]


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(ENGINE.rglob("*.py")) if "cli" not in path.parts],
    ids=lambda path: str(path.relative_to(ENGINE)),
)
def test_no_sentence_of_the_engine_has_a_flag_of_the_command_line(path: Path) -> None:
    assert flags_in_texts(path.read_text()) == []


def test_the_scan_above_can_fail() -> None:
    assert flags_in_texts('"""Says --this."""\nraise UserError(f"Leave {x} out: use --that.")') == [" out: use --that."]
