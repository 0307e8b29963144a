"""The README keeps its word: it is short, its example prints what it says, and CI runs its command."""

import re
from pathlib import Path

from tests.test_docs import printed_as_promised, python_blocks

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MOST_WORDS, MOST_BYTES = 900, 200_000


def test_it_is_short():
    assert len(README.split()) <= MOST_WORDS


def test_the_python_example_prints_what_its_comments_say(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [example] = python_blocks(README)
    printed_as_promised(example)


def test_continuous_integration_runs_its_command():
    commands = re.findall(r"^    (python3 -m venv .+ && .+)$", README, re.MULTILINE)
    assert len(commands) == 2 and commands[0].endswith("streamlit run app/main.py")
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith(commands[1])


def test_its_picture_is_there_in_both_themes_and_small():
    pictures = re.findall(r'(?:srcset|src)="([^"]+)"', README)
    assert pictures == ["docs/slider-dark.png", "docs/slider-light.png"]
    assert all(0 < (ROOT / picture).stat().st_size < MOST_BYTES for picture in pictures)


def test_its_results_are_those_of_the_committed_tables():
    _, _, rest = README.partition("## Results\n")
    quoted = set(re.findall(r"\d+\.\d+", rest.partition("\n## ")[0]))
    tables = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "benchmarks" / "results").glob("*.md"))
    assert len(quoted) >= 6 and quoted <= set(re.findall(r"\d+\.\d+", tables))
