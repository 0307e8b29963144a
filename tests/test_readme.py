"""The README keeps its word: its example prints what it says, CI runs its command, and what it names is there."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from bdistil.teachers.snippet import snippet

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_python_example_prints_what_its_comments_say(tmp_path, monkeypatch):
    """Word for word; accuracies, which differ a little between machines, within 0.02."""
    example = re.search(r"```python\n(.*?)```", README, re.DOTALL).group(1)
    expected = re.findall(r"(?<=\s)# (.+)", example)
    monkeypatch.chdir(tmp_path)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(example, "README.md", "exec"), {})
    printed = output.getvalue().splitlines()
    number = r"\d\.\d\d"
    assert [re.sub(number, "…", line) for line in printed] == [re.sub(number, "…", line) for line in expected]
    for line, promise in zip(printed, expected, strict=True):
        assert list(map(float, re.findall(number, line))) == pytest.approx(
            list(map(float, re.findall(number, promise))), abs=0.02
        )


def test_the_snippet_is_the_one_that_is_filled_in_for_any_data_set():
    assert re.findall(r"```python\n(.*?)```", README, re.DOTALL)[1] == snippet("digits")


def test_continuous_integration_runs_the_readme_command():
    commands = re.findall(r"^    (python3 -m venv .+ && .+)$", README, re.MULTILINE)
    assert len(commands) == 2
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith(commands[1])


def test_the_files_and_commands_that_it_names_exist():
    layout = re.findall(r"^    ([a-z]+/) ", README, re.MULTILINE)
    scripts = re.findall(r"(?:python|streamlit run) (\w+/\w+\.py)", README)
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert (len(layout), len(scripts)) == (6, 24)
    assert [path for path in layout + scripts + links if not (ROOT / path).exists()] == []


def test_every_command_is_in_its_table():
    from bdistil.cli.main import app

    names = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert names == set(re.findall(r"`bdistil (\w+)", README.partition("## From the command line")[2]))
