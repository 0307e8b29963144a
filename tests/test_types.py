"""Data that crosses a file is a type: reads by string key and untyped dictionaries are counted, and found."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import bdistil
from bdistil.paths import DASHBOARD

# Readers of files, and of documents that others write, which have no type before they are read.
READERS = {
    "bdistil/records.py",
    "bdistil/paths.py",  # environment variables
    "bdistil/ensemble.py",  # ensemble.json
    "bdistil/teachers/black_box.py",  # the user's files of answers, NPZ
    "bdistil/data/arrays.py",  # NPZ files
    "bdistil/data/audio.py",  # kept features, NPZ
    "bdistil/data/imported.py",  # kept data, NPZ
    "bdistil/data/japanese_vowels.py",  # embedded data, NPZ
    "bdistil/data/speech_commands.py",  # kept features, NPZ
    "bdistil/data/watch.py",  # embedded data, NPZ
    "bdistil/data/ts_files.py",  # headers of .ts files
    "bdistil/data/download.py",  # HTTP headers
    "bdistil/training/loop.py",  # checkpoints
    "bdistil/runs/previews.py",  # previews and heaviest examples, NPZ
    "bdistil/results/certificate.py",  # heaviest examples, NPZ
    "bdistil/results/loading.py",  # targets, NPZ
    "app/doors.py",  # HTTP headers
    "app/main.py",  # the server's requests and theme
}
MOST_READS = 25
MOST_ANY = 9
ROOTS = ("bdistil", "app", "pages")


def reads(tree: ast.AST) -> Iterator[int]:
    """Lines that read `x["key"]`, `x.get("key")` or `x.pop("key")`."""
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=ast.Name(id="Literal")):
                pass
            case ast.Subscript(slice=ast.Constant(value=str()), ctx=ast.Load()):
                yield node.lineno
            case ast.Call(func=ast.Attribute(attr="get" | "pop"), args=[ast.Constant(value=str()), *_]):
                yield node.lineno


def any_dictionaries(tree: ast.AST) -> Iterator[int]:
    """Lines that say `dict[str, Any]` or `Mapping[str, Any]`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and ast.unparse(node) in ("dict[str, Any]", "Mapping[str, Any]"):
            yield node.lineno


def found(count: Callable[[ast.AST], Iterator[int]], readers: set[str] = frozenset()) -> list[str]:
    """`file:line` of all that `count` finds."""
    files = [path for root in ROOTS for path in sorted((DASHBOARD / root).rglob("*.py"))]
    named = [(str(path.relative_to(DASHBOARD)), path) for path in files]
    return [
        f"{name}:{line}" for name, path in named if name not in readers for line in count(ast.parse(path.read_text()))
    ]


def test_reads_by_string_key_are_few() -> None:
    places = found(reads, READERS)
    assert len(places) <= MOST_READS, "\n".join([f"{len(places)} reads by string key:", *places])


def test_untyped_dictionaries_are_few() -> None:
    places = found(any_dictionaries)
    assert len(places) <= MOST_ANY, "\n".join([f"{len(places)} untyped dictionaries:", *places])


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ('x["key"]', 1),
        ('x.get("key", 0)', 1),
        ('x.pop("key")', 1),
        ('x["key"] = 1', 0),
        ("x[key]", 0),
        ('Literal["a"]', 0),
    ],
)
def test_a_read_by_string_key_is_counted(line: str, count: int) -> None:
    assert len(list(reads(ast.parse(line)))) == count


def test_an_untyped_dictionary_is_counted() -> None:
    assert len(list(any_dictionaries(ast.parse("def f(x: dict[str, Any]) -> dict[str, int]: ...")))) == 1


def test_the_package_says_that_it_is_typed() -> None:
    assert Path(bdistil.__file__).with_name("py.typed").exists()
