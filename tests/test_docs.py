"""The documents keep their word: generated parts are fresh, examples run, and what they name exists."""

import contextlib
import importlib
import importlib.util
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
WRITTEN = [*DOCUMENTS, ROOT / "CHANGELOG.md", ROOT / "SECURITY.md"]
GENERATED = re.compile(r"<!-- generated: .*?<!-- end -->", re.DOTALL)
names = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def python_blocks(document: str) -> list[str]:
    """The fenced Python of a document that names no file to write."""
    return re.findall(r"^```python\n(.*?)^```", document, re.DOTALL | re.MULTILINE)


def printed_as_promised(example: str) -> None:
    """Runs Python whose comments that begin with two spaces, or a line, say what is printed: word for word, and
    accuracies, which differ a little between machines, within 0.02.
    """
    expected = re.findall(r"(?:^|  )# (.+)$", example, re.MULTILINE)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(example, "example", "exec"), {})
    printed = output.getvalue().splitlines()
    number = r"\d\.\d{2,3}"
    assert [re.sub(number, "…", line) for line in printed] == [re.sub(number, "…", line) for line in expected]
    for line, promise in zip(printed, expected, strict=True):
        assert list(map(float, re.findall(number, line))) == pytest.approx(
            list(map(float, re.findall(number, promise))), abs=0.02
        )


# Generated parts.


@pytest.fixture(scope="module")
def generate():
    """docs/generate.py as a module."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("columns", ["40", "200"])
def test_generated_parts_are_fresh_whatever_the_width_of_the_terminal(generate, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    pages = generate.pages()
    assert {"command-line.md", "python.md", "file-formats.md", "results.md"} <= {page.name for page in pages}
    stale = [page.name for page in pages if generate.generated(text(page)) != text(page)]
    assert not stale, f"{', '.join(stale)}: run python -m docs.generate"


def test_a_stale_part_is_found(generate):
    page = text(ROOT / "docs" / "command-line.md")
    assert generate.generated(page.replace("`--json`", "`--yaml`")) == page


def test_every_public_name_is_documented():
    import bdistil
    import bdistil.data
    import bdistil.results

    page = text(ROOT / "docs" / "python.md")
    for module in (bdistil, bdistil.data, bdistil.results):
        missing = [name for name in module.__all__ if name != "CATALOGUE" and f"`{module.__name__}.{name}`" not in page]
        assert missing == []


def test_every_benchmark_has_its_section():
    page = text(ROOT / "docs" / "results.md")
    for result in (ROOT / "benchmarks" / "results").glob("*.md"):
        assert f"<!-- generated: result {result.stem} -->" in page
        assert f"    python benchmarks/{result.stem}.py" in page


def test_numbers_in_the_results_stand_in_the_tables_below_them():
    """Decimals: those of a table, or the aims that its benchmark states."""
    checked = 0
    for section in re.split(r"^##+ ", text(ROOT / "docs" / "results.md"), flags=re.MULTILINE):
        tables = re.findall(r"<!-- generated: result (\w+) -->", section)
        if tables:
            sources = [f"{name}.py" for name in tables] + [f"results/{name}.md" for name in tables]
            known = re.findall(r"\d+\.\d+", "".join(text(ROOT / "benchmarks" / source) for source in sources))
            quoted = re.findall(r"\d+\.\d+", GENERATED.sub("", section))
            assert set(quoted) <= set(known), (section.partition("\n")[0], set(quoted) - set(known))
            checked += len(quoted)
    assert checked > 40


# What documents name.


def code(document: str) -> Iterator[str]:
    """Inline code, and the lines of code blocks; a line that ends with a backslash goes on in the next."""
    document = GENERATED.sub("", document).replace("\\\n", " ")
    fences = re.findall(r"^```.*?\n(.*?)^```", document, re.DOTALL | re.MULTILINE)
    rest = re.sub(r"^```.*?^```", "", document, flags=re.DOTALL | re.MULTILINE)
    yield from (line for fence in fences for line in fence.splitlines())
    yield from re.findall(r"^    (.+)$", rest, re.MULTILINE)
    yield from re.findall(r"`([^`\n]+)`", rest)


def program() -> dict[str, set[str]]:
    """The flags of each command."""
    from bdistil.cli.main import app

    group = typer.main.get_command(app)
    commands = {
        name: {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
        for name, command in group.commands.items()
    }
    return {name: flags | {"--help"} for name, flags in commands.items()}


def unknown(document: str) -> list[str]:
    """Commands and flags of bdistil that a document shows and the program does not have."""
    commands, found = program(), []
    every = set().union(*commands.values(), {"--version"})
    for line in code(document):
        flags = re.findall(r"(?<![\w-])--[a-z][a-z-]*", line)
        called = re.match(r"bdistil ([a-z]+)\b", line)
        if called:
            name = called[1]
            found += [f"bdistil {name}"] if name not in commands else []
            found += [f"{name} {flag}" for flag in flags if flag not in commands.get(name, every)]
        elif line.startswith("--"):
            found += [flag for flag in flags if flag not in every]
    return found


@names
def test_every_command_and_flag_that_is_shown_exists(path):
    assert unknown(text(path)) == []


def test_a_flag_that_is_gone_is_found():
    assert unknown("Use `--certificate` or\n\n    bdistil run --dataset D \\\n        --side 8 --port 1\n") == [
        "run --port",
        "--certificate",
    ]
    assert unknown("Use `bdistil train`.") == ["bdistil train"]


def test_every_command_is_shown():
    shown = re.findall(r"^    bdistil (\w+)", text(ROOT / "docs" / "command-line.md"), re.MULTILINE)
    assert set(program()) == set(shown)


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path):
    for link in re.findall(r'(?:\]\(|src="|srcset=")([^)"]+)', text(path)):
        file, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(text(target)), link


def anchors(document: str) -> set[str]:
    """The names that GitHub gives to headings."""
    headings = re.findall(r"^#+ (.+)$", document, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@names
def test_every_file_that_is_named_exists(path):
    named = re.findall(r"\b(?:app|pages|bdistil|tests|benchmarks|assets|docs|scripts)/[\w/.-]*\w\b/?", text(path))
    made = set(re.findall(r"title=(\S+)", text(path))) | {"pages/compare.py"}
    parts = [name for name in GENERATED.sub("", "\n".join(named)).splitlines() if name not in made]
    assert [name for name in parts if not (ROOT / name).exists() and not (ROOT / "bdistil" / name).exists()] == []


def test_the_tree_of_the_repository_is_whole():
    """The top of CONTRIBUTING names every folder, and every folder and module of the engine."""
    tree = text(ROOT / "CONTRIBUTING.md").partition("    app/")[2].partition("\n\n")[0]
    rooms = {f"{path.name}/" if path.is_dir() else path.name for path in (ROOT / "bdistil").iterdir()}
    missing = {room for room in rooms if not room.startswith(("_", "py.typed")) and room not in tree}
    assert missing == set()


# Examples.


def test_the_python_page_prints_what_its_comments_say(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    [example] = python_blocks(text(ROOT / "docs" / "python.md"))
    printed_as_promised(example)


def test_a_table_is_loaded_as_shown(walks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = walks.read_text().replace("series,label,who,height", "walk,activity,person,height", 1)
    walks.write_text(table)
    [example] = python_blocks(text(ROOT / "docs" / "your-data.md"))
    loaded = {}
    exec(compile(example.replace("window=100", "window=10"), "your-data.md", "exec"), loaded)
    assert loaded["data"].info.classes == ("falls", "rises")


def test_the_program_that_writes_a_black_box_is_the_one_that_the_form_shows():
    from bdistil.teachers.snippet import snippet

    assert python_blocks(text(ROOT / "docs" / "your-teacher.md")) == [snippet("digits")]


# The walk-throughs of CONTRIBUTING, in a copy of the package.


def section(heading: str) -> str:
    return text(ROOT / "CONTRIBUTING.md").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def follow(walk: str, copy: Path) -> None:
    """Makes the files and the changes that a walk-through shows, in a copy of the repository."""
    for kind, file, block in re.findall(r"^```(\w+) title=(\S+)\n(.*?)^```", walk, re.DOTALL | re.MULTILINE):
        if kind == "python":
            assert not (copy / file).exists()
            (copy / file).write_text(block)
            continue
        lines = block.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] in " -")
        after = "".join(line[1:] for line in lines if line[0] in " +")
        source = (copy / file).read_text()
        assert source.count(before) == 1, f"{file} has no such place:\n{before}"
        (copy / file).write_text(source.replace(before, after))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the engine that a test may change, beside links to what it reads."""
    folder = tmp_path / "copy"
    shutil.copytree(ROOT / "bdistil", folder / "bdistil", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("app", "pages", "assets"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def run(copy: Path, *words: str) -> str:
    """What Python prints with the copy instead of the package."""
    environment = {**os.environ, "PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *words], cwd=copy, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_a_data_set_is_added_as_shown(copy):
    walk = section("A data set")
    follow(walk, copy)
    commands = re.findall(r"^    (bdistil .+)$", walk, re.MULTILINE)
    checked, taught = (run(copy, "-m", *shlex.split(command)) for command in commands)
    assert "300" in checked and "Leak" not in checked
    assert taught.splitlines()[-1].startswith("waves-")


def test_a_student_family_is_added_as_shown(copy):
    walk = section("A student family")
    follow(walk, copy)
    [example] = python_blocks(walk)
    [promised] = re.findall(r"  # (.+)$", example, re.MULTILINE)
    assert run(copy, "-c", example).splitlines() == [promised]


def test_a_page_is_added_as_shown():
    from streamlit.testing.v1 import AppTest

    [example] = python_blocks(section("A page"))
    page = AppTest.from_string(example, default_timeout=120).run()
    assert not page.exception
    assert [title.value for title in page.title] == ["Compare"]


@pytest.mark.parametrize(
    ("heading", "module", "table"),
    [
        ("A cost axis", "bdistil.report.cost_axes", "AXES"),
        ("A method or a baseline", "bdistil.method_registry", "METHODS"),
    ],
)
def test_an_entry_is_as_shown(heading, module, table):
    home = importlib.import_module(module)
    [example] = python_blocks(section(heading))
    entry = eval(example, vars(home))
    assert type(entry) is type(next(iter(getattr(home, table).values())))


def test_a_change_of_a_place_that_is_gone_is_found(copy):
    with pytest.raises(AssertionError, match="no such place"):
        follow("```diff title=bdistil/paths.py\n nowhere\n+added\n```", copy)
