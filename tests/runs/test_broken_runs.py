"""One broken run keeps nobody from the others: whatever stands in its files, it is read, or is one sentence."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bdistil.errors import UserError
from bdistil.report.documents import listing, report
from bdistil.report.text import describe_run
from bdistil.results import load
from bdistil.runs import list_runs, open_run

RECORDED = Path(__file__).parents[1] / "recorded" / "schema-1" / "frozen"
ODD = (None, True, 5, -1, 10**30, 0.5, "", "abc", "zzz", [], {}, [None], {"a": 1}, [[1]], "\x1b[31m", "9" * 400)
CASES = 2000


@pytest.fixture
def broken(own_home: Path) -> Path:
    """The folder of a run that tests break; beside it is one that stays whole."""
    for name in ("broken", "whole"):
        shutil.copytree(RECORDED, own_home / "runs" / name)
    return own_home / "runs" / "broken"


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in a JSON document, itself included; of long lists the first element."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*path, 0))


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of the document with another value at a path."""
    if not path:
        return value
    copy = json.loads(json.dumps(document))
    at = copy
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return copy


def read_all(run: Path) -> None:
    """All that pages and the command line read of the store and of the run. Raises nothing but UserError."""
    summaries = {summary.id: summary for summary in list_runs(samples=False)}
    assert set(summaries) == {"broken", "whole"} and summaries["whole"].error is None
    assert json.dumps(listing(list(summaries.values())))
    error = summaries["broken"].error
    assert error is None or "\n" not in error
    for read in (report, describe_run, load):
        try:
            read(open_run(run))
        except UserError as refused:
            assert str(refused).endswith(".") and "\n" not in str(refused)


def variants(rng: np.random.Generator, file: Path) -> Iterator[bytes]:
    """Contents of a file of JSON, or of JSON lines, with one value replaced, cut at any byte, or of another kind."""
    content = file.read_bytes()
    lines = content.splitlines() if file.suffix == ".jsonl" else [content]
    while True:
        kind = rng.integers(10)
        if kind == 0:
            yield content[: rng.integers(len(content))]
        elif kind == 1:
            yield rng.bytes(200)
        else:
            number = int(rng.integers(len(lines)))
            document = json.loads(lines[number])
            every = list(places(document))
            odd = changed(document, every[rng.integers(len(every))], ODD[rng.integers(len(ODD))])
            yield b"\n".join([*lines[:number], json.dumps(odd).encode(), *lines[number + 1 :], b""])


def files_of(run: Path) -> list[Path]:
    return [run / "run.json", run / "events.jsonl", run / "rounds/02/round.json", run / "ensemble/ensemble.json"]


def test_any_value_in_any_field_is_read_or_one_sentence(broken: Path) -> None:
    rng = np.random.default_rng(0)
    for file in files_of(broken):
        whole, contents = file.read_bytes(), variants(rng, file)
        for _ in range(CASES // len(files_of(broken))):
            content = next(contents)
            file.write_bytes(content)
            try:
                read_all(broken)
            except Exception as error:
                raise AssertionError(f"{file.name}: {content[:2000]!r}") from error
        file.write_bytes(whole)


@pytest.mark.parametrize("name", ["run.json", "events.jsonl", "rounds/02/round.json", "targets.npz"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "link to nothing", "device"])
def test_files_of_another_type_are_no_trap(broken: Path, name: str, kind: str) -> None:
    path = broken / name
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero" if kind == "device" else "/nowhere")
    read_all(broken)


@pytest.mark.parametrize("change", [{"created": "zzz"}, {"points": "abc"}, {"title": 5}, {"teacher": "resnet"}])
def test_a_run_json_with_nonsense_is_one_card(broken: Path, change: dict[str, Any]) -> None:
    document = json.loads((broken / "run.json").read_text())
    (broken / "run.json").write_text(json.dumps({**document, **change}))
    [summary] = [summary for summary in list_runs(samples=False) if summary.id == "broken"]
    assert summary.error == (
        f"This run cannot be read: its run.json is incomplete (see {next(iter(change))}). The others are not affected."
    )
    read_all(broken)


def test_a_configuration_without_rounds_is_one_card(broken: Path) -> None:
    document = json.loads((broken / "run.json").read_text())
    del document["config"]["rounds"]
    (broken / "run.json").write_text(json.dumps(document))
    assert [summary.error is None for summary in list_runs(samples=False) if summary.id == "broken"] == [False]
