"""The command line: bad input is one line on standard error and exit 2, and documents are JSON and nothing else."""

import importlib.metadata
import json
import os
import shutil
import signal
import socket
import subprocess
import sys

import pytest
from PIL import Image

from bdistil.config import DistilConfig
from bdistil.errors import printable, quoted
from bdistil.records import Notice
from bdistil.runs import Run, list_runs, open_run
from bdistil.teachers import card
from tests.builders import build_run, hold
from tests.report.test_documents import check
from tests.workers import told, until


@pytest.fixture
def refused(bdistil, own_home):
    """Calls the program with unusable input; returns the one line it says."""

    def call(*words):
        status, out, err = bdistil(*words)
        assert (status, out) == (2, "") and err.count("\n") == 1 and "Traceback" not in err, (status, out, err)
        assert not (own_home / "runs").exists() or not any((own_home / "runs").iterdir())
        return err.strip()

    return call


RUN = ("run", "--dataset", "digits", "--quiet")


@pytest.mark.parametrize("content", ["[" * 100_000, " " * 1_000_001])
def test_a_config_too_deep_or_too_large_is_one_sentence(refused, tmp_path, content):
    file = tmp_path / "c.json"
    file.write_text(content)
    assert "config" in refused("run", "--config", file)


def test_a_config_that_is_no_regular_file_is_one_sentence(refused):
    assert "/dev/zero is no readable JSON file" in refused("run", "--config", "/dev/zero")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("run", "--dataset", "digit"), "There is no dataset called digit. Did you mean digits?"),
        (("teach", "--dataset", "fashion-minst"), "Did you mean fashion-mnist?"),
        (("data", "fasion-mnist"), "Did you mean fashion-mnist?"),
        (("run",), "No dataset was named."),
        ((*RUN, "--teacher", "digits-rasnet"), "no teacher called digits-rasnet. Did you mean digits-resnet-s?"),
        ((*RUN, "--student", "cnn-xxs"), "Did you mean cnn-xs?"),
        (("teach", "--dataset", "digits", "--teacher", "resnet-z"), "Did you mean resnet-"),
        *(
            ((*RUN, "--rounds", value), f"--rounds must be a whole number from 1 to 64; got “{value}”.")
            for value in ("0", "-1", "1000000", "five")
        ),
        *(
            ((*RUN, "--temperature", value), f"--temperature must be a number above 0, at most 100; got “{value}”.")
            for value in ("0", "nan", "-inf")
        ),
        *(
            ((*RUN, "--learning-rate", value), f"--learning-rate must be a number above 0, at most 10; got “{value}”.")
            for value in ("0", "nan", "inf", "fast")
        ),
        (
            ("teach", "--dataset", "digits", "--learning-rate", "nan"),
            "--learning-rate must be a number above 0, at most",
        ),
        (("teach", "--dataset", "digits", "--epochs", "0"), "--epochs can be 0 only with --weights, which"),
        ((*RUN, "--composition", "both"), "--composition must be one of alone, add, concat, concat-all, carry-state"),
        ((*RUN, "--method", "polish"), "--method must be one of b-distil, b-distil+polish; got “polish”."),
        ((*RUN, "--head", "both"), "--head must be one of student, prefix; got “both”."),
        ((*RUN, "--retries", "many"), "--retries must be a whole number from 0 to 10; got “many”."),
        ((*RUN, "--polish-epochs", "-1"), "--polish-epochs must be a whole number from 0 to 1000; got “-1”."),
        ((*RUN, "--meet-condition=maybe"), "Option '--meet-condition' does not take a value."),
        (("run", "--extend", "nothing", "--rounds", "2"), "There is no run called nothing."),
        (("show", "nothing"), "There is no run and no teacher called nothing."),
        (("show", "digits-rasnet-s"), "no teacher called digits-rasnet-s. Did you mean digits-resnet-s?"),
        (("rename", "nothing", "x"), "There is no run called nothing."),
        (("rename", "digits", "x"), "This run ships with the product and stays as it is."),
        (("delete", "digits"), "This run ships with the product and stays as it is."),
        (("restore", "digits"), "There is no run called digits in the trash."),
        (("resume", "../x"), "There is no run called ../x."),
        (("stop", "x" * 300), "There is no run called x"),
        ((*RUN, "--round", "5"), "No such option: --round"),
        ((*RUN, "--rounds"), "'--rounds' requires an argument. See bdistil --help."),
        (("teach",), "Missing option '--dataset'. See bdistil --help."),
        (("dance",), "No such command 'dance'. See bdistil --help."),
        (("app", "--port", "99999"), "Invalid value for '--port'"),
        (("app", "--port", "http"), "Invalid value for '--port'"),
    ],
)
def test_unusable_words_are_one_sentence(refused, words, sentence):
    assert sentence in refused(*words)


def test_the_price_of_a_teacher_is_told_before_it_is_trained(bdistil):
    words = ("teach", "--dataset", "digits", "--teacher", "resnet-s", "--epochs", "3", "--dry-run")
    status, out, err = bdistil(*words, "--json")
    assert (status, err) == (0, "") and list_runs(samples=False) == []
    told, shipped = json.loads(out), card("digits-resnet-s")
    assert all(told[name] == getattr(shipped, name) for name in ("macs", "parameters", "bytes"))
    assert (told["config"]["architecture"], told["config"]["epochs"]) == ("resnet-s", 3)
    assert told["seconds"] > 0 and told["memory_bytes"] > 1e8
    first, second = bdistil(*words)[1].replace("\u00a0", " ").splitlines()[:2]
    assert first == "resnet-s: 1.8 M MACs, 177 k parameters"
    assert second.startswith("3 epochs, about ") and second.endswith(" GB of memory")


def test_the_price_of_a_run_is_told_before_its_teacher_is_there(bdistil, walks):
    words = ("run", "--dataset", walks, "--series", "series", "--label", "label", "--subject", "who")
    words = (*words, "--window", "40", "--rounds", "1")
    refused = bdistil(*words)
    assert refused[0] == 2 and "There is no teacher for" in refused[2] and list_runs(samples=False) == []
    status, out, err = bdistil(*words, "--dry-run")
    lines = out.replace("\u00a0", " ").splitlines()
    assert (status, err) == (0, "") and list_runs(samples=False) == []
    assert lines[0].startswith("There is no teacher for this data yet. Training one first takes about ")
    assert lines[1].startswith(
        f"  bdistil teach --dataset {walks} --series series --label label --subject who --window 40"
    )
    assert " of the teacher" in lines[3] and lines[4].startswith("first usable model after about ")
    assert " GB of memory, " in lines[5]
    assert bdistil(*words, "--teacher", "nobody", "--dry-run")[0] == 2


@pytest.mark.parametrize("content", [None, "", "[1]", "{", '"digits"'])
def test_a_config_that_is_none_is_one_sentence(refused, tmp_path, content):
    file = tmp_path / "config.json"
    if content is not None:
        file.write_text(content)
    assert refused("run", "--config", file).startswith(quoted(file))


@pytest.mark.parametrize(
    "stored",
    [
        {"dataset": ["digits"]},
        {"dataset": "digits", "teacher": 5},
        {"dataset": "digits", "rounds": {}},
        {"dataset": "digits", "polish": 1},
    ],
)
def test_a_config_of_odd_values_is_one_sentence(refused, tmp_path, stored):
    file = tmp_path / "config.json"
    file.write_text(json.dumps(stored))
    refused("run", "--config", file)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"classes": list("abc")}, "This teacher answers 3 classes, the dataset has 10."),
        ({"input_shape": [1, 28, 28]}, "This teacher reads inputs of shape (1, 28, 28)"),
        ({"schema": 2}, "was written by a newer version; update to use it."),
        ({"classes": 10}, "cannot be read: its card.json is incomplete."),
    ],
)
def test_a_teacher_that_does_not_fit_is_one_sentence(refused, tmp_path, changes, sentence):
    shipped = card("digits-resnet-s")
    folder = shutil.copytree(shipped.path, tmp_path / "mine")
    (folder / "card.json").write_text(json.dumps({**json.loads((folder / "card.json").read_text()), **changes}))
    assert sentence in refused(*RUN, "--teacher", folder)


def test_no_network_is_one_sentence(refused, tmp_path, monkeypatch):
    from bdistil.data import fashion_mnist

    monkeypatch.setenv("BDISTIL_DATA", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, and never listening
        monkeypatch.setattr(fashion_mnist, "URL", f"http://127.0.0.1:{nobody.getsockname()[1]}/")
        assert refused("data", "fashion-mnist") == "There is no network and fashion-mnist is not here. Choose digits."


@pytest.mark.parametrize("content", [b"", b"no gzip", b"\x1f\x8b\x08\x00cut"])
def test_damaged_data_is_one_sentence(refused, tmp_path, monkeypatch, content):
    from bdistil.data import fashion_mnist

    monkeypatch.setenv("BDISTIL_DATA", str(tmp_path))
    (tmp_path / "FashionMNIST" / "raw").mkdir(parents=True)
    for file in fashion_mnist._FILES:
        (tmp_path / "FashionMNIST" / "raw" / file.name).write_bytes(content)
    assert "-ubyte.gz is damaged" in refused("data", "fashion-mnist")


def test_a_port_in_use_is_one_sentence(refused):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert (
            refused("app", "--port", port)
            == f"Port {port} is in use. Choose another one: bdistil app --port {port + 1}."
        )


def test_roots_of_data_reach_the_dashboard(bdistil, refused, tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(subprocess, "call", lambda command, env: started.append(env["BDISTIL_DATA_ROOTS"]) or 0)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    monkeypatch.chdir(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert bdistil("app", "--port", port, "--data-root", "one", "--data-root", tmp_path / "two") == (0, "", "")
    assert started == [f"{tmp_path / 'one'}:{tmp_path / 'two'}"]
    (tmp_path / "file").touch()
    for folder in ("file", "nowhere"):
        assert f"{tmp_path / folder} can be no --data-root" in refused("app", "--port", port, "--data-root", folder)


def test_a_home_that_cannot_be_written_is_one_sentence(refused, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("BDISTIL_HOME", str(tmp_path / "file"))
    assert "cannot be written" in refused("teach", "--dataset", "digits", "--quiet")


@pytest.fixture
def runs(own_home):
    """Runs of every kind, readable and not."""
    for state in ("queued", "running", "stopped", "failed", "finished"):
        build_run(own_home / "runs" / state, state=state)
    build_run(own_home / "runs" / "teach", kind="teach")
    build_run(own_home / "runs" / "corrupt", damage="corrupt")
    build_run(own_home / "runs" / "newer", damage="newer")
    return own_home / "runs"


def test_unreadable_runs_are_one_sentence_and_the_others_are_listed(bdistil, runs):
    assert bdistil("show", "corrupt")[::2] == (
        2,
        "This run cannot be read: its run.json is incomplete. The others are not affected.\n",
    )
    assert bdistil("resume", "newer")[::2] == (2, "Written by a newer version; update to open it.\n")
    status, out, err = bdistil("list")
    assert (status, err) == (0, "")
    assert all(path.name in out for path in runs.iterdir())
    (runs / "finished" / "rounds" / "03" / "round.json").write_text("{")
    assert bdistil("show", "finished")[::2] == (
        2,
        "This run cannot be read: its round 3 is damaged. The others are not affected.\n",
    )


def test_what_cannot_be_started_or_stopped_is_one_sentence(bdistil, runs):
    assert bdistil("resume", "finished") == (2, "", "This run has finished; there is nothing to resume.\n")
    assert bdistil("stop", "stopped") == (2, "", "stopped is not training.\n")
    with hold(runs / "running"):
        assert bdistil("resume", "running", "--quiet") == (2, "", "This run is training already.\n")
        assert bdistil("stop", "running") == (0, "running\n", "")
    assert Run(runs / "running").stop_requested()


def test_documents_are_json_and_nothing_else(bdistil, runs):
    status, out, err = bdistil("list", "--json")
    lines = {line["run"]: line for line in json.loads(out)["runs"]}
    assert (status, err) == (0, "") and lines.keys() >= {path.name for path in runs.iterdir()}
    assert lines["corrupt"]["state"] == lines["newer"]["state"] == "unreadable"
    for path in runs.iterdir():
        if lines[path.name]["state"] != "unreadable":
            status, out, err = bdistil("show", path.name, "--json")
            assert (status, err) == (0, "") and json.loads(out)["run"] == path.name
            if path.name == "finished":
                check(json.loads(out))
            assert bdistil("show", path.name)[::2] == (0, "")


def test_help_and_data_are_told(bdistil):
    status, out, err = bdistil()
    assert (status, err) == (0, "") and all(
        name in out for name in ["data", "teach", "run", "resume", "stop", "list", "show", "app"]
    )
    status, out, err = bdistil("data")
    assert (status, err) == (0, "") and "fashion-mnist" in out and "digits" in out


def test_data_says_what_is_in_a_data_set_and_what_leaks(bdistil):
    from bdistil.data import embedded

    status, out, err = bdistil("data", "watch")
    told = out.splitlines()
    assert (status, err) == (0, "") and told[0].startswith("Watch: 2,669 train") and told[-1] == str(embedded.FOLDER)
    assert "Persons 1 to 6 train" in told[1] and told[2] == "Nothing leaks: no person and no example is on two sides."
    assert told[3] == "Series of 6 channels and 100 steps at 50 Hz (2 s)."
    assert "Examples of                 train  validation        test" in told
    assert "  Upright row                 341         132         128" in told


@pytest.fixture
def created(monkeypatch):
    """Lets `run` make its run, and stops before a worker."""
    made = []

    def follow(run, quiet):
        made.append(run)
        return run.stored()

    monkeypatch.setattr("bdistil.cli.progress.follow", follow)
    return made


def test_a_shown_config_makes_the_same_run_again_and_the_command_line_comes_first(bdistil, created, tmp_path):
    odd = dict(seed=7, shift=2, flip=True, rounds=2, label_share=0.25, threads=1, composition="concat", views=3)
    bdistil(*RUN, "--label-share", "0.25")
    first = created[0].stored().config.model_dump(mode="json")
    file = tmp_path / "config.json"
    file.write_text(json.dumps(first | odd))
    status, out, _ = bdistil("run", "--config", file)
    assert (status, out) == (0, created[1].id + "\n")
    shown = json.loads(bdistil("show", created[1].id, "--json")[1])["config"]
    assert shown == first | odd
    file.write_text(json.dumps(shown))
    bdistil("run", "--config", file, "--rounds", "4", "--quiet")
    again = created[2].stored().config.model_dump(mode="json")
    assert again == shown | {"rounds": 4} and DistilConfig.create(**again).rounds == 4


def test_a_config_with_the_names_of_version_0_1_0_is_read(bdistil, created, tmp_path):
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"dataset": "digits", "certified": False, "most_lost": 0.01, "horizon": 9}))
    assert bdistil("run", "--config", file)[0] == 0
    config = created[0].stored().config
    assert (config.meet_condition, config.max_accuracy_drop, config.planned_rounds) == (False, 0.01, 9)


def test_a_teacher_named_by_its_folder_is_found_again_by_the_worker(bdistil, created, tmp_path, monkeypatch):
    folder = shutil.copytree(card("digits-resnet-s").path, tmp_path / "elsewhere" / "mine")
    monkeypatch.chdir(tmp_path)
    assert bdistil(*RUN, "--teacher", "elsewhere/mine")[0] == 0
    monkeypatch.chdir("/")
    assert card(created[0].stored().config.teacher).path == str(folder)


def test_options_of_the_search_and_the_polish_reach_the_run(bdistil, created):
    bdistil(*RUN, "--no-meet-condition", "--retries", "1", "--polish-epochs", "2", "--head", "student")
    config = created[0].stored().config
    assert (config.method, config.meet_condition, config.retries) == ("b-distil+polish", False, 1)
    assert (config.polish_epochs, config.head) == (2, "student")
    bdistil(*RUN, "--method", "b-distil", "--meet-condition")
    config = created[1].stored().config
    assert (config.method, config.composition, config.head) == ("b-distil", "add", "student")
    assert config.meet_condition is True


@pytest.fixture
def short(own_home):
    """A finished plain run that can be extended, as far as its files tell."""
    path = build_run(own_home / "runs" / "short", rounds=3)
    for folder in (path / "rounds").iterdir():
        for name in ("student.safetensors", "student.json"):
            (folder / name).touch()
    return path


EXTEND = ("run", "--extend", "short", "--quiet")


def test_rounds_are_added_to_a_finished_run(bdistil, created, short):
    status, out, _ = bdistil(*EXTEND, "--rounds", "2", "--threads", "1", "--epochs", "8", "--dataset", "digits")
    info = created[0].stored()
    assert (status, out) == (0, created[0].id + "\n")
    assert (info.parent, info.config.rounds, info.config.threads) == ("short", 5, 1)


@pytest.fixture
def short_with_budgets(short):
    """The same with a budget for each round."""
    info = json.loads((short / "run.json").read_text())
    info["config"]["budgets"] = "20k,40k,60k"
    (short / "run.json").write_text(json.dumps(info))


def test_budgets_are_added_to_a_run_with_budgets(bdistil, created, short_with_budgets):
    status, out, _ = bdistil(*EXTEND, "--budgets", "120k")
    config = created[0].stored().config
    assert (status, out) == (0, created[0].id + "\n")
    assert (config.budgets, config.rounds) == ("20k,40k,60k,120k", 4)


def test_rounds_are_not_added_to_a_run_with_budgets(bdistil, created, short_with_budgets):
    status, out, err = bdistil(*EXTEND, "--rounds", "2")
    assert (status, out) == (2, "") and err.count("\n") == 1 and not created
    assert "leave out --rounds, and give --budgets above 60k." in err


def test_a_dry_run_with_budgets_says_what_the_students_cost(bdistil, created, own_home):
    status, out, _ = bdistil("run", "--dataset", "digits", "--budgets", "1%,3%", "--dry-run", "--json")
    expected = json.loads(out)
    teacher = expected["macs"] / expected["macs_ratio"]
    assert status == 0 and not created and len(expected["macs_of"]) == 2
    assert 0.75 * 0.01 * teacher < expected["macs_of"][0] <= 0.01 * teacher
    assert expected["macs"] <= 0.03 * teacher


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "Say how many students to add: give --rounds, such as 2."),
        (("--budgets", "9M"), "The students of this run have no budgets: leave out --budgets, and give --rounds."),
        (("--rounds", "two"), "--rounds must be a whole number from 1 to 64; got “two”."),
        (("--rounds", "62"), "Rounds to add must be a whole number from 1 to 61; got “62”."),
        (("--rounds", "2", "--seed", "1"), "short was trained with seed 0, and so are its further rounds"),
        (("--rounds", "2", "--label-share", "0.5"), "short was trained with label share 0.0, and so are"),
        (("--rounds", "2", "--method", "b-distil+polish"), "short was trained with method b-distil, and so are"),
        (("--rounds", "2", "--epochs", "none"), "--epochs must be a whole number from 1 to 1000; got “none”."),
        (("--rounds", "2", "--config", "x.json"), "leave --config out"),
    ],
)
def test_rounds_that_cannot_be_added_are_one_sentence(bdistil, created, short, words, sentence):
    status, out, err = bdistil(*EXTEND, *words)
    assert (status, out) == (2, "") and err.count("\n") == 1 and sentence in err and not created


@pytest.mark.parametrize(("run", "sentence"), [("teach", "trains a teacher"), ("stopped", "has not finished")])
def test_runs_that_cannot_be_extended_say_why(bdistil, created, runs, run, sentence):
    status, out, err = bdistil("run", "--extend", run, "--rounds", "2")
    assert (status, out) == (2, "") and sentence in err and not created


def test_method_and_condition_are_told(bdistil, runs):
    shown = bdistil("show", "finished")[1]
    assert "method b-distil, " in shown and "condition met in all" in shown
    lines = {line.split()[0]: line for line in bdistil("list")[1].splitlines()}
    assert " b-distil " in lines["finished"] and " teacher " in lines["teach"]


def test_a_renamed_run_has_one_name_in_list_and_show_and_every_command_takes_it(bdistil, runs):
    assert bdistil("rename", "finished", "The  best") == (0, "finished\n", "")
    assert bdistil("note", "The best", "of all\nso far") == (0, "finished\n", "")
    (line,) = (line for line in bdistil("list")[1].splitlines() if line.startswith("finished "))
    assert line.endswith("  The best")
    (entry,) = (entry for entry in json.loads(bdistil("list", "--json")[1])["runs"] if entry["run"] == "finished")
    assert entry["title"] == "The best"
    shown = bdistil("show", "The best")
    assert shown == bdistil("show", "finished") and shown[1].splitlines()[:4] == [
        "finished: finished",
        "The best",
        "of all",
        "so far",
    ]
    document = json.loads(bdistil("show", "The best", "--json")[1])
    assert (document["run"], document["title"], document["note"]) == ("finished", "The best", "of all\nso far")
    assert bdistil("resume", "The best")[2] == "This run has finished; there is nothing to resume.\n"
    assert bdistil("stop", "The best")[2] == "The best is not training.\n"
    assert bdistil("rename", "The best", "") == (0, "finished\n", "")
    assert "There is no run and no teacher called The best." in bdistil("show", "The best")[2]


def test_a_name_that_several_runs_have_is_refused_with_their_ids(bdistil, runs):
    for run in ("finished", "stopped"):
        bdistil("rename", run, "mine")
    status, out, err = bdistil("show", "mine")
    assert (status, out) == (2, "") and err.startswith("2 runs are called mine: choose one by its id, ")
    assert "finished" in err and "stopped" in err
    bdistil("rename", "failed", "stopped")  # an id comes before a name
    assert bdistil("show", "stopped")[1].startswith("stopped: stopped\nmine\n")


def test_a_deleted_run_comes_back(bdistil, runs):
    files = sorted(path.name for path in (runs / "finished").iterdir())
    status, out, err = bdistil("delete", "finished")
    assert (status, out) == (0, "finished\n") and err.endswith("comes back with: bdistil restore finished\n")
    assert bdistil("show", "finished")[0] == 2 and not (runs / "finished").exists()
    assert bdistil("restore", "finished") == (0, "finished\n", "")
    assert sorted(path.name for path in (runs / "finished").iterdir()) == files
    with hold(runs / "running"):
        assert bdistil("delete", "running") == (2, "", "This run is training; stop it first.\n")


def test_a_teacher_is_shown_by_its_card(bdistil, tmp_path):
    status, out, err = bdistil("show", "digits-resnet-s")
    lines, shipped = out.replace("\u00a0", " ").splitlines(), card("digits-resnet-s")
    assert (status, err) == (0, "") and lines == [
        "digits-resnet-s: a teacher, resnet-s",
        "1.8 M MACs, 177 k parameters, 714 kB",
        "trained on digits: 10 classes, examples of 1 × 8 × 8",
        "split: 60/20/20 of all 1,797 images, each class in the same proportion, with a fixed seed.",
        "accuracy 100.0 % of the test split (95 % interval 98.9 to 100.0), 99.7 % of validation",
        "trained for 60 epochs, 4 min, on 2026-11-24",
        f"trained again by: {shipped.command}",
        "licence of the data: CC BY 4.0",
        f"folder {shipped.path}",
    ]
    document = json.loads(bdistil("show", "digits-resnet-s", "--json")[1])
    assert document["architecture"] == "resnet-s" and document["accuracy"] == 1.0
    folder = shutil.copytree(shipped.path, tmp_path / "mine")
    assert bdistil("show", folder)[1].splitlines()[-1] == f"folder {folder}"
    (folder / "card.json").write_text("{")
    assert bdistil("show", folder)[2].startswith("The teacher mine cannot be read: its card.json is incomplete.")


def test_on_a_narrow_terminal_a_run_is_listed_in_two_lines(bdistil, runs, monkeypatch):
    wide = bdistil("list")[1]
    assert all(len(line.split()) > 3 for line in wide.splitlines())
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    narrow = bdistil("list")[1].splitlines()
    assert len(narrow) == 2 * len(wide.splitlines()) and "finished" in narrow
    assert narrow[narrow.index("finished") + 1].startswith("  finished  b-distil ")


@pytest.mark.parametrize(
    ("state", "worker_gone", "status", "sentence"),
    [
        ("failed", False, 2, "The disk is full."),
        ("stopped", False, 130, "Stopped; go on with: bdistil resume mine"),
        ("stopped", True, 1, "The worker ended without a word; go on with: bdistil resume mine"),
    ],
)
def test_how_a_run_ends_is_the_exit_status(bdistil, own_home, monkeypatch, state, worker_gone, status, sentence):
    stopped = Run(build_run(own_home / "runs" / "mine", state="stopped")).info()
    ended = stopped.model_copy(
        update={
            "state": state,
            "worker_gone": worker_gone,
            "error": "The disk is full.",
            "exit_status": 2,
        }
    )
    monkeypatch.setattr("bdistil.runs.launch.start_worker", lambda run: 1)
    monkeypatch.setattr("bdistil.cli.progress.watch", lambda run, quiet, seen: ended)
    assert bdistil("resume", "mine") == (status, "", sentence + "\n")


def test_ctrl_c_stops_cleanly_and_the_run_goes_on(own_home):
    """The real program: Ctrl-C in the middle of a round gives 130, resuming gives 0 and the id."""
    program = [sys.executable, "-m", "bdistil"]
    options = ["--rounds", "2", "--epochs", "12", "--views", "1", "--batch-size", "32", "--threads", "1"]
    process = subprocess.Popen(
        [*program, "run", "--dataset", "digits", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    run = Run(until(lambda: list_runs(samples=False))[0].path)
    until(lambda: told(run, "epoch", round=1, epoch=1))
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (130, "")
    assert err == f"run {run.id}\nStopped; go on with: bdistil resume {run.id}\n"
    assert run.state() == "stopped" and not run.info().worker_gone

    ended = subprocess.run([*program, "resume", run.id], capture_output=True, text=True, timeout=300)
    assert (ended.returncode, ended.stdout) == (0, run.id + "\n")
    lines = ended.stderr.replace("\u00a0", " ").splitlines()
    assert [line.split(":")[0] for line in lines] == [f"run {run.id}", "round 1 of 2", "round 2 of 2", "polish"]
    assert all(": validation " in line and line.endswith(" % of the teacher") for line in lines[1:])
    assert max(map(len, lines)) <= 80
    assert open_run(run.id).state() == "finished"
    check(json.loads(subprocess.check_output([*program, "show", run.id, "--json"])))


def test_a_teacher_whose_weights_are_of_another_shape_fails_with_one_sentence(own_home, tmp_path):
    """Only the worker opens the weights: the command line passes its sentence and exit status on."""
    import hashlib

    import torch
    from safetensors.torch import save

    folder = shutil.copytree(card("digits-resnet-s").path, tmp_path / "mine")
    weights = save({"head.weight": torch.zeros(3, 64)})
    (folder / "model.safetensors").write_bytes(weights)
    stored = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**stored, "weights_sha256": hashlib.sha256(weights).hexdigest()}))
    ended = subprocess.run(
        [sys.executable, "-m", "bdistil", *RUN, "--teacher", str(folder)], capture_output=True, text=True, timeout=300
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1 and "are not those of a resnet-s with 10 classes" in ended.stderr


HOSTILE = "a\x1b[2Jb\nc\rd\x9be\u202e"


def program(*words):
    """Exit status, standard output and standard error of the program in a process of its own."""
    ended = subprocess.run(
        [sys.executable, "-m", "bdistil", *map(os.fsencode, map(str, words))],
        capture_output=True,
        text=True,
        timeout=300,
        errors="surrogateescape",
    )
    return ended.returncode, ended.stdout, ended.stderr


def test_what_others_have_named_never_reaches_the_terminal_raw(own_home, tmp_path):
    """Titles, names of runs, folders, columns and classes, and the words of the command line itself."""
    build_run(own_home / "runs" / f"run {HOSTILE}", title=f"title {HOSTILE}", classes=tuple("0123456789"))
    build_run(own_home / "runs" / "failed", state="failed", error=f"because of {HOSTILE}")
    (own_home / "runs" / f"broken {HOSTILE}").mkdir()
    folder = tmp_path / f"folder {HOSTILE}"
    for label in ("one", HOSTILE):
        for number in range(12):
            (folder / label).mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 8), 20 * number).save(folder / label / f"{HOSTILE}{number}.png")
    (folder / "one" / f"{HOSTILE}.png").write_bytes(b"no picture")
    commands = [
        ("list",),
        ("list", "--json"),
        ("show", f"run {HOSTILE}"),
        ("show", "failed"),
        ("show", HOSTILE),
        ("show", f"run {HOSTILE}", "--json"),
        ("data", folder),
        ("data", folder / HOSTILE),
        ("data", HOSTILE),
        ("run", f"--{HOSTILE}"),
        (HOSTILE,),
        ("run", "--dataset", "digits", "--rounds", HOSTILE),
        ("run", "--config", HOSTILE),
        ("rename", "failed", HOSTILE),
        ("note", "failed", HOSTILE.replace("\n", " ")),  # a note may have lines
        ("show", "failed"),
        ("show", HOSTILE),
        ("restore", HOSTILE),
        ("resume", HOSTILE),
        ("stop", f"run {HOSTILE}"),
        ("app", "--data-root", HOSTILE),
        ("run", "--dataset", "digits", "--teacher", HOSTILE),
    ]
    for words in commands:
        status, out, err = program(*words)
        assert not {*(out + err)} & {*"\x1b\r\x9b\u202e"}, words
        assert status in (0, 2) and "Traceback" not in err and err.count("\n") <= 1, (words, err)
        assert "b\nc" not in out + err, words
    (folder / "one" / f"{HOSTILE}.png").unlink()
    status, out, _ = program("data", folder)
    assert status == 0 and out.endswith(f"{printable(folder)}\n")
    assert json.loads(program("show", f"run {HOSTILE}", "--json")[1])["run"] == f"run {HOSTILE}"
    assert r"title a\x1b[2Jb\nc\rd\x9be\u202e" in program("list")[1]


def test_what_a_run_says_as_it_ends_is_printed_without_control_characters(bdistil, own_home, monkeypatch):
    run = Run(build_run(own_home / "runs" / "one", state="failed", error=f"because of {HOSTILE}"))
    run.record(Notice, text=f"look at {HOSTILE}")
    run.update(exit_status=2)
    monkeypatch.setattr("bdistil.runs.launch.start_worker", lambda run: None)
    status, out, err = bdistil("resume", "one", "--quiet")
    assert (status, out) == (2, "") and err == f"look at {printable(HOSTILE)}\nbecause of {printable(HOSTILE)}\n"


def test_numbers_keep_their_units_by_no_break_spaces(bdistil):
    assert "teacher digits-resnet-s: 100.0\u00a0%, 1.8\u00a0M MACs" in bdistil("show", "digits")[1]


def test_output_that_cannot_be_written_is_no_traceback(own_home):
    for words in (["list"], ["list", "--json"], ["show", "digits"], ["show", "digits", "--json"], ["data"]):
        command = [sys.executable, "-m", "bdistil", *words]
        with open("/dev/full", "w") as full:
            ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
        assert ended.returncode == 1 and ended.stderr.count("\n") == 1 and "disk is full" in ended.stderr
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as piped:
            piped.stdout.close()
            assert (piped.stderr.read(), piped.wait()) == ("", 1)


def test_the_version_is_printed(bdistil):
    status, out, err = bdistil("--version")
    assert (status, err) == (0, "") and out == f"bdistil {importlib.metadata.version('bdistil')}\n"
