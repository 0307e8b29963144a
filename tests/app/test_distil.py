import json
import shlex
import shutil
from datetime import UTC, datetime, timedelta

import pytest
import streamlit as st

from bdistil.config import DistilConfig
from bdistil.errors import UserError
from bdistil.options import option
from bdistil.runs import list_runs, open_run
from bdistil.runs.estimate_record import Estimate, StudentCost
from tests.app.conftest import button, charts, copyable, once_answered, written
from tests.builders import add_round, build_run, fail_attempt, hold

ESTIMATE = Estimate(
    macs=300_000,
    macs_ratio=0.16,
    parameters=30_000,
    bytes=120_000,
    teacher=None,
    untrained=None,
    seconds=50.0,
    first_model_seconds=10.0,
    memory_bytes=600_000_000,
    disk_bytes=2_000_000,
    busy=None,
    macs_of=(42_000, 57_000, 22_000, 25_000),
    sizes=None,
    students=tuple(
        StudentCost(student=name, macs=macs, macs_ratio=macs / 2e6)
        for name, macs in (
            ("cnn-xs", 60_000),
            ("cnn-s", 200_000),
            ("cnn-m", 500_000),
            ("gru-xs", 12_000),
            ("gru-m", 40_000),
            ("tcn-s", 30_000),
            ("tcn-m", 90_000),
        )
    ),
)


class Asked:
    """Estimates without a process: answers what it is given, None while one is being made."""

    answer = ESTIMATE

    def ask(self, config):
        self.config = config
        if isinstance(self.answer, UserError):
            raise self.answer
        return self.answer


POLISHED = "b-distil+polish"


@pytest.fixture
def asked(monkeypatch):
    import form

    estimates = Asked()
    monkeypatch.setattr(form, "estimates", lambda: estimates)
    return estimates


@pytest.fixture
def started(monkeypatch):
    """Runs whose worker was started, instead of starting it."""
    import form
    import watch

    names = []
    for module in (form, watch):
        monkeypatch.setattr(module, "start_worker", lambda run: names.append(run.id))
    return names


@pytest.fixture
def teacher(own_home):
    """A saved teacher for digits, as far as a card tells."""
    folder = own_home / "teachers" / "digits-resnet-s"
    folder.mkdir(parents=True)
    card = {
        "schema": 1,
        "name": folder.name,
        "architecture": "resnet-s",
        "dataset": "digits",
        "input_shape": [1, 8, 8],
        "classes": list("0123456789"),
        "mean": [4.9],
        "std": [6.0],
        "macs": 1_800_000,
        "accuracy": 0.989,
        "weights_sha256": "",
    }
    (folder / "card.json").write_text(json.dumps(card))
    return folder.name


def test_form_names_the_price_of_everything(open_page, asked, teacher):
    page = open_page("distil")
    assert page.selectbox(key="dataset").options[0] == "Digits: 1797 pictures, nothing to download"
    assert page.selectbox(key="teacher-digits").options == [
        "digits-resnet-s: 98.9\u00a0% accuracy, 1.8\u00a0M MACs",
        "an ONNX file",
        "answers: two NPZ files of logits",
    ]
    assert "cnn-xs: 60\u00a0k MACs, 3\u00a0% of the teacher" in page.selectbox(key="student-digits").options
    html = written(page)
    for words in (
        "after about 10\u00a0s",
        "about 50\u00a0s",
        "600\u00a0MB",
        "2.0\u00a0MB",
        "Five students of 22 to 57\u00a0k MACs each: all together cost about 16\u00a0% of the teacher.",
    ):
        assert words in html
    assert "--rounds 5 --seed 0" in copyable(page)


def test_every_change_updates_estimate_and_command(open_page, asked, teacher):
    page = open_page("distil")
    page.slider(key="rounds-digits").set_value(3)
    page.number_input(key="barrier-digits-b-distil+polish-cnn").set_value(0.9)
    page.selectbox(key="composition-digits-b-distil+polish-cnn").set_value("concat").run()
    assert (asked.config.rounds, asked.config.barrier, asked.config.composition) == (3, 0.9, "concat")
    assert "--rounds 3 --seed 0 --method b-distil+polish --composition concat --barrier 0.9" in copyable(page)


def test_the_method_brings_its_recipe_and_the_polished_one_is_the_default(open_page, asked, teacher):
    page = open_page("distil")
    assert page.selectbox(key="method").options == [
        "b-distil+polish: all students keep training together; the best frontier",
        "b-distil: finished students never change; can be extended",
    ]
    assert (asked.config.method, asked.config.composition, asked.config.head) == (POLISHED, "concat-all", "prefix")
    page.number_input(key=f"polish_epochs-digits-{POLISHED}-cnn").set_value(7).run()
    assert asked.config.polish_epochs == 7 and "--polish-epochs 7" in copyable(page)
    page.selectbox(key="method").set_value("b-distil").run()
    assert (asked.config.method, asked.config.composition, asked.config.head) == ("b-distil", "add", "student")
    assert page.number_input(key="epochs-digits-b-distil-cnn").value == 20 and asked.config.polish_epochs == 0
    assert "--method b-distil" in copyable(page) and "--polish" not in copyable(page)
    assert not [each for each in page.number_input if each.label == "Epochs of the polish"]


def test_correcting_students_can_be_left_out(open_page, asked, teacher):
    page = open_page("distil")
    page.selectbox(key="method").set_value("b-distil").run()
    assert asked.config.meet_condition and page.number_input(key="retries-digits-b-distil-cnn").value == 3
    page.toggle(key="meet_condition-digits-b-distil-cnn").set_value(False).run()
    assert not asked.config.meet_condition and "--no-meet-condition" in copyable(page)
    assert "Retries" not in [each.label for each in page.number_input]


def test_a_student_stays_chosen_when_its_price_arrives(open_page, asked, teacher):
    asked.answer = None
    page = open_page("distil")
    page.selectbox(key="student-digits").set_value("cnn-m").run()
    assert page.selectbox(key="student-digits").options[:3] == ["cnn-xs", "cnn-s", "cnn-m"] and "…" in written(page)
    asked.answer = ESTIMATE
    page.run()
    assert page.selectbox(key="student-digits").value == "cnn-m" == asked.config.student


def test_address_names_data_set_and_teacher(open_page, asked, teacher):
    page = open_page("distil", dataset="digits", teacher=teacher)
    assert page.selectbox(key="teacher-digits").value == teacher
    page = open_page("distil", dataset="fashion-mnist", teacher="nobody")
    assert page.selectbox(key="dataset").value == "fashion-mnist"
    page.selectbox(key="dataset").set_value("digits").run()
    assert page.selectbox(key="dataset").value == "digits"


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        (
            "temperature-digits-b-distil+polish-cnn",
            0.0,
            "Temperature must be a number above 0, at most 100; got “0”.",
        ),
        ("growth-digits-b-distil+polish-cnn", 4.0, "The last student may have 64 times the first one"),
    ],
)
def test_bad_value_is_a_notice_and_nothing_can_start(open_page, asked, teacher, key, value, sentence):
    page = open_page("distil")
    page.number_input(key=key).set_value(value).run()
    assert not page.exception and sentence in written(page)
    assert "Start distilling" not in [each.label for each in page.button]


def test_fields_have_label_help_and_limits_of_their_options(open_page, asked, teacher):
    page = open_page("distil")
    declared = DistilConfig.options()
    offered = [each for each in declared.values() if each.form and each.name not in ("cell", "retries")]
    for each in offered:
        lists = page.selectbox if each.choices else page.toggle if each.kind is bool else page.number_input
        field = lists(key=f"{each.name}-digits-b-distil+polish-cnn")
        assert (field.label, field.help) == (each.title, each.help)
        if each.kind in (int, float):
            assert (field.min, field.max) == each.bounds
    epochs = page.number_input(key="epochs-digits-b-distil+polish-cnn")
    assert (epochs.min, epochs.max) == (1, 1000)
    epochs.set_value(0).run()
    assert page.number_input(key="epochs-digits-b-distil+polish-cnn").value == 4  # the field takes no such value
    assert asked.config.epochs == 4


class Patient(DistilConfig):
    patience: int = option(3, ge=1, le=9, title="Patience", group="training", form=True, help="Epochs that may fail.")


def test_a_declared_option_has_a_field_and_reaches_the_command(open_page, asked, teacher, monkeypatch):
    """The one line above is all that a new option costs: tests/test_options.py has its parameter and its sentence."""
    import estimate
    import form

    for module in (form, estimate):
        monkeypatch.setattr(module, "DistilConfig", Patient)
    page = open_page("distil")
    field = page.number_input(key="patience-digits-b-distil+polish-cnn")
    assert (field.label, field.help, field.min, field.max) == ("Patience", "Epochs that may fail.", 1, 9)
    assert field.value == asked.config.patience == 3
    field.set_value(6).run()
    assert asked.config.patience == 6 and "--patience 6" in copyable(page)


def test_start_makes_a_run_starts_its_worker_and_opens_its_page(open_page, asked, teacher, started):
    page = open_page("distil")
    page.slider(key="rounds-digits").set_value(2)
    button(page, "Start distilling").click().run()
    assert not page.exception
    (summary,) = list_runs()
    assert started == [summary.id] and page.query_params["run"] == summary.id
    assert summary.info.config.rounds == 2 and summary.info.config.teacher == teacher


def test_refused_start_is_a_notice(open_page, asked, teacher, monkeypatch):
    import form

    def refuse(config):
        raise UserError("The folder for runs cannot be written.")

    monkeypatch.setattr(form, "create_run", refuse)
    page = open_page("distil")
    button(page, "Start distilling").click().run()
    assert "The folder for runs cannot be written." in written(page) and not page.query_params


def test_an_estimate_that_fails_is_a_notice_and_the_run_can_start(open_page, asked, teacher):
    asked.answer = UserError("The estimate failed; the run can be started all the same.")
    page = open_page("distil")
    assert "The estimate failed" in written(page) and not button(page, "Start distilling").disabled


def test_what_the_estimate_refuses_cannot_start(open_page, asked, teacher):
    import engine

    asked.answer = engine.Refused("teacher.onnx reads float32: set `teacher_input` to raw.")
    page = open_page("distil")
    assert (
        "reads float32: set the field “Scaling of its inputs” to raw" in written(page)
        and button(page, "Start distilling").disabled
    )
    asked.answer = ESTIMATE
    page.slider(key="rounds-digits").set_value(3).run()
    assert not button(page, "Start distilling").disabled


def test_a_refusal_is_the_commands_own_and_a_mended_file_is_another_question(own_home, tmp_path):
    import estimate
    from engine import Refused

    file = tmp_path / "teacher.onnx"
    file.write_text("no graph")
    config = DistilConfig.create("digits", teacher=str(file), teacher_input="raw")
    before = estimate._known_by(config)
    with pytest.raises(Refused, match="teacher.onnx is no ONNX file: export the model with torch.onnx.export"):
        estimate.estimate(config)
    file.write_text("another")
    assert estimate._known_by(config) != before


def test_a_busy_machine_is_told_beside_the_estimate(open_page, asked, teacher):
    sentence = "The machine is busy (other programs use 1.6 of 2 cores): the time may be shorter once it is idle."
    assert "busy" not in written(open_page("distil"))
    asked.answer = ESTIMATE.model_copy(update={"busy": sentence})
    assert sentence in written(open_page("distil"))


def test_without_a_teacher_the_page_says_how_to_get_one(open_page, asked):
    page = open_page("distil")
    assert "There is no teacher for digits yet." in written(page)
    assert "Start distilling" not in [each.label for each in page.button]


def test_training_a_teacher_of_ones_own(open_page, asked, started):
    page = open_page("distil")
    page.number_input(key="teach-epochs-digits").set_value(7).run()
    button(page, "Start training").click().run()
    (summary,) = list_runs()
    assert summary.info.kind == "teach" and summary.info.config.epochs == 7 and started == [summary.id]


def once_checked(page):
    """The page when a teacher of torchvision's has been looked at."""
    return once_answered(page, "Checking …", seconds=120)


def test_torchvisions_models_are_trained_as_the_command_trains_them(open_page, asked, started, bdistil, tmp_path):
    page = open_page("distil")
    page.selectbox(key="architecture-digits").set_value("torchvision:").run()
    assert "Start training" not in [each.label for each in page.button]
    page.text_input(key="torchvision-name").set_value("resnet81").run()
    assert "no classification model called resnet81" in written(once_checked(page))
    page.text_input(key="torchvision-name").set_value("squeezenet1_1")
    page.number_input(key="torchvision-side").set_value(32)
    page.text_input(key="torchvision-weights").set_value(str(tmp_path / "mine.pth")).run()
    assert f"There is no file {tmp_path / 'mine.pth'}: give a safetensors file" in written(once_checked(page))
    page.text_input(key="torchvision-weights").set_value("DEFAULT")
    page.number_input(key="teach-epochs-digits").set_value(3).run()
    assert "MACs each" in written(once_checked(page))
    told = shlex.split(copyable(page, "bdistil teach"))
    button(page, "Start training").click().run()
    (summary,) = list_runs()
    config = summary.info.config
    assert (config.architecture, config.weights) == ("torchvision:squeezenet1_1@32", "DEFAULT")
    assert (config.epochs, config.learning_rate) == (3, 0.01) and started == [summary.id]
    assert json.loads(bdistil(*told[1:], "--dry-run", "--json")[1])["config"] == config.model_dump(mode="json")


def test_series_have_no_teachers_of_torchvisions(open_page, asked, teacher):
    page = open_page("distil")
    page.selectbox(key="teach-dataset").set_value("japanese-vowels").run()
    assert "torchvision" not in " ".join(page.selectbox(key="architecture-japanese-vowels").options)


def test_without_torch_nothing_starts_and_finished_runs_open(open_page, asked, teacher, runs, monkeypatch):
    import ui

    monkeypatch.setattr(ui, "has_torch", lambda: False)
    page = open_page("distil")
    labels = [each.label for each in page.button]
    assert "Training needs PyTorch, which is not installed here." in written(page)
    assert "Start distilling" not in labels and "Start training" not in labels
    build_run(runs / "done")
    build_run(runs / "stopped", state="stopped")
    assert open_page("distil", run="done").title[0].value == "Six students are ready"
    page = open_page("distil", run="stopped")
    assert "Resume" not in [each.label for each in page.button] and "needs PyTorch" in written(page)


def test_running(open_page, runs):
    path = build_run(runs / "run", state="running", dataset="fashion-mnist")
    with hold(path):
        page = open_page("distil", run="run")
        html = written(page)
        assert page.title[0].value == "Round 3 of 6 is training"
        assert (
            "Epoch 5 of 8, first attempt, composition add. About 52\u00a0min left; 2 models can be used already."
            in html
        )
        assert 'role="progressbar"' in html and 'aria-valuenow="54"' in html
        assert "Round 2 is done: " in html and "✓ kept" in html and "training" in html
        assert len(charts(page)) == 2
        button(page, "Stop").click().run()
        assert open_run("run").stop_requested()
        assert "Stopping after this batch." in written(page) and button(page, "Stop").disabled


def test_a_worker_without_a_sign_of_life_is_named_on_the_live_page_and_on_its_card(open_page, runs):
    path = build_run(runs / "run", state="running")
    beat = json.loads((path / "heartbeat.json").read_text())

    def told(name, seconds):
        """The page as it is so long after the last heartbeat."""
        time = datetime.now(UTC) - timedelta(seconds=seconds)
        (path / "heartbeat.json").write_text(json.dumps({**beat, "time": time.isoformat()}))
        return written(open_page(name, **({"run": "run"} if name == "distil" else {})))

    with hold(path):
        for phase in (beat["phase"], None):  # reading data, it has nothing to tell and beats all the same
            beat |= {"phase": phase, "epoch": beat["epoch"] if phase else None}
            for name in ("distil", "home"):
                page = told(name, 40)
                assert "No sign of life for 4" in page and "It goes on by itself when the machine wakes" in page
                assert f"end process {beat['pid']} and resume" in page and "min left" not in page
                assert "No sign of life" not in told(name, 5)


def test_a_second_tab_follows_a_run_that_another_one_resumed(open_page, runs, monkeypatch):
    """It looks by itself: a fragment that draws nothing, and has the page drawn anew when the run lives again."""
    looks, anew, fragment = {}, [], st.fragment

    def watched(function=None, *, run_every=None):
        if function is not None:
            return fragment(function)
        return lambda body: looks.update({body.__name__: (run_every, body)}) or fragment(run_every=run_every)(body)

    path = build_run(runs / "run", state="stopped")
    with monkeypatch.context() as patch:
        patch.setattr(st, "fragment", watched)
        page = open_page("distil", run="run")
    assert page.title[0].value == "Stopped in round 3 of 6" and button(page, "Resume")
    every, look = looks["look"]
    assert every == 3.0
    with monkeypatch.context() as patch, hold(path):
        patch.setattr(st, "rerun", lambda: anew.append(True))
        look()
        assert not anew
        open_run("run").update(state="running")
        look()
        assert anew == [True]
    with hold(path):
        assert page.run().title[0].value == "Round 3 of 6 is training"
        assert "Resume" not in [each.label for each in page.button]


def test_charts_change_with_a_round_and_not_with_an_epoch(open_page, runs):
    path = build_run(runs / "run", state="running")
    with hold(path):
        page = open_page("distil", run="run")
        before = charts(page)
        beat = json.loads((path / "heartbeat.json").read_text())
        (path / "heartbeat.json").write_text(json.dumps({**beat, "epoch": 7, "fraction": 0.8}))
        page.run()
        assert "Epoch 7 of 8" in written(page) and charts(page) == before
        add_round(path)
        page.run()
        assert charts(page)[0] != before[0] and "Round 3 is done: " in written(page)


def test_first_round_has_no_chart_yet(open_page, runs):
    with hold(build_run(runs / "run", state="running", done=0)):
        page = open_page("distil", run="run")
    assert "the first usable model appears when round 1 ends" in written(page).lower() and not charts(page)


def test_a_search_is_seen_as_it_happens(open_page, runs):
    path = build_run(runs / "run", state="running", search={2: ["edge", "corrected"]})
    with hold(path):
        page = open_page("distil", run="run")
        before = charts(page)[0]
        fail_attempt(path)
        page.run()
        assert "Epoch 5 of 8, second attempt, composition add." in written(page)
        fail_attempt(path, "kl", rung=1, composition="concat")
        page.run()
    html = written(page)
    assert "Epoch 5 of 8, third attempt, composition concat." in html and charts(page)[0] != before
    for words in (
        "✓ corrected",
        "✕ edge",
        "✕ KL",
        "training",
        "\u22120.0160\u00a0→\u00a0\u22120.0080",
        "KL +3.0\u00a0%, 1.4\u00a0s",
        "the next rung, composition concat, with barrier 0.3.",
    ):
        assert words in html
    names = [trace["name"] for trace in json.loads(charts(page)[0])["data"]]
    assert names == ["correction", "before", "corrects", "does not correct"]


def test_students_that_miss_a_class_for_good_are_shown_as_such(open_page, runs):
    """As where certification is switched off, or the correction after the polish was rejected."""
    path = build_run(runs / "run", rounds=3, method=POLISHED)
    lines = (path / "events.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    for event in told:
        if event["kind"] == "head_corrected":
            event |= {
                "corrected": False,
                "condition_met": False,
                "outcome": "kept",
                "kl_after": event["kl_before"],
                "edges": [-0.00003, *event["edges"][1:]],
                "accuracy_lost": 0.0,
                "rejected": None,
            }
            if event["round"] == 3:
                event["outcome"] = "kl"
                event["rejected"] = {
                    "why": "kl",
                    "edge_min": 0.001,
                    "kl_after": 1.5 * event["kl_before"],
                    "accuracy_lost": 0.0123,
                }
    (path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in told))
    html = written(open_page("distil", run="run"))
    assert "kept, a class is missed" in html and "✕ KL" in html
    assert "KL +50.0\u00a0%, accuracy \u22121.23" in html and "\u22120.000030" in html


def test_a_round_in_which_no_attempt_met_the_condition_names_the_best(open_page, runs):
    build_run(runs / "run", rounds=3, search={2: ["edge", "edge"]})
    html = written(open_page("distil", run="run"))
    assert html.count("✕ edge, yet the best") == 1
    assert "Round 2 misses the condition: attempt 2 came closest and is kept." in html


def test_a_polish_is_watched(open_page, runs):
    with hold(build_run(runs / "run", state="running", done=6, method=POLISHED)):
        page = open_page("distil", run="run")
    html = written(page)
    assert page.title[0].value == "Six students are polished together"
    assert "Epoch 5 of 8. About 52\u00a0min left; 6 models can be used already, as the rounds left them." in html
    assert "The weak learning condition is checked after the polish." in html and "trained" in html
    assert "polish" in [trace["name"] for trace in json.loads(charts(page)[1])["data"]]


def test_a_polished_run_shows_its_final_students(open_page, runs):
    path = build_run(runs / "run", rounds=3, method=POLISHED)
    page = open_page("distil", run="run")
    final = json.loads((path / "polish" / "03" / "round.json").read_text())["record"]["edges"]
    told = json.loads(charts(page)[0])["data"]
    drawn = [y for trace in told if trace["name"] in ("corrects", "does not correct") for y in trace["y"]]
    assert set(final) <= set(drawn) and "The polish is done: " in written(page)
    assert "Output layers after the polish" in [header.value for header in page.header]


def test_a_stopped_polish_says_what_is_usable_and_resumes(open_page, runs, started):
    build_run(runs / "run", state="stopped", done=6, method=POLISHED)
    page = open_page("distil", run="run")
    assert page.title[0].value == "Stopped in the polish"
    assert "Rounds 1 to 6 are usable as they stood." in written(page)
    button(page, "Resume").click().run()
    assert started == ["run"]


def extendable(path, **options):
    build_run(path, **options)
    for folder in (path / "rounds").iterdir():
        for name in ("student.json", "student.safetensors"):
            (folder / name).touch()


def test_rounds_are_added_to_a_finished_run(open_page, runs, started, went):
    extendable(runs / "run")
    page = open_page("distil", run="run")
    assert (
        "Its six students stay as trained, whatever is added. "
        "The last one costs 1.8\u00a0M MACs more and took 10\u00a0s to train."
    ) in written(page)
    page.number_input(key="added").set_value(3)
    button(page, "Start").click().run()
    (longer,) = started
    assert went == [("distil", {"run": longer})]
    info = open_run(longer).stored()
    assert (info.parent, info.config.rounds, info.rounds_done) == ("run", 9, 6)
    page = open_page("distil", run=longer)
    assert "it goes on from run, whose six students stay as they are." in written(page)
    assert len(charts(page)) == 2


def test_budgets_are_added_to_a_finished_run_that_has_some(open_page, runs, started, went):
    extendable(runs / "run", rounds=2)
    info = json.loads((runs / "run" / "run.json").read_text())
    info["config"]["budgets"] = "20k,60k"
    (runs / "run" / "run.json").write_text(json.dumps(info))
    page = open_page("distil", run="run")
    assert not page.number_input
    button(page, "Start").click().run()
    assert "give the field “Budgets” above 60k." in written(page) and not started
    page.text_input(key="budgets").set_value("120k")
    button(page, "Start").click().run()
    assert went == [("distil", {"run": started[0]})]
    assert open_run(started[0]).stored().config.budgets == "20k,60k,120k"


@pytest.mark.parametrize("options", [{"method": POLISHED}, {"train": False}, {"kind": "teach"}])
def test_what_cannot_be_extended_offers_no_rounds(open_page, runs, options):
    build_run(runs / "run", **options)
    page = open_page("distil", run="run")
    assert "Add rounds" not in [each.label for each in page.expander]
    assert "Start" not in [each.label for each in page.button]


def test_without_torch_no_rounds_are_offered(open_page, runs, monkeypatch):
    extendable(runs / "run")
    assert "Add rounds" in [each.label for each in open_page("distil", run="run").expander]
    monkeypatch.setattr("ui.has_torch", lambda: False)
    assert "Add rounds" not in [each.label for each in open_page("distil", run="run").expander]


def test_an_extension_that_is_refused_says_why(open_page, runs, monkeypatch):
    import watch

    def refuse(run, rounds, **further):
        raise UserError("The folder for runs cannot be written.")

    monkeypatch.setattr(watch, "extend_run", refuse)
    extendable(runs / "run")
    page = open_page("distil", run="run")
    button(page, "Start").click().run()
    assert "The folder for runs cannot be written." in written(page)


def test_queued(open_page, runs):
    with hold(build_run(runs / "run", state="queued")):
        page = open_page("distil", run="run")
    assert page.title[0].value == "Waiting for its turn" and "Waiting: another run is training." in written(page)


@pytest.mark.parametrize(
    ("options", "title", "sentences"),
    [
        ({"state": "stopped"}, "Stopped in round 3 of 6", ("Two students are finished and usable.", "repeats epoch 5")),
        ({"state": "running"}, "Stopped in round 3 of 6", ("The worker ended without a word.", "Two students are")),
        ({"state": "failed"}, "Round 3 of 6 failed", ("The disk is full", "Rounds 1 and 2 are safe.")),
        ({"state": "stopped", "kind": "teach"}, "Stopped in epoch 5 of 8", ("The epochs so far are kept.",)),
    ],
)
def test_interrupted_run_says_what_is_safe_and_resumes(open_page, runs, started, options, title, sentences):
    build_run(runs / "run", **options)
    page = open_page("distil", run="run")
    assert page.title[0].value == title
    assert all(sentence in written(page) for sentence in sentences)
    button(page, "Resume").click().run()
    assert started == ["run"]


def test_failed_run_shows_the_worker_s_last_lines(open_page, runs):
    build_run(runs / "run", state="failed")
    assert "No space left on device" in copyable(open_page("distil", run="run"))


def test_second_start_of_a_run_is_refused_with_a_sentence(open_page, runs, monkeypatch):
    import watch

    def refuse(run):
        raise UserError("This run is training already.")

    monkeypatch.setattr(watch, "start_worker", refuse)
    build_run(runs / "run", state="stopped")
    page = open_page("distil", run="run")
    button(page, "Resume").click().run()
    assert "This run is training already." in written(page)


def test_finished_leads_to_explore(open_page, runs, went):
    build_run(runs / "run")
    page = open_page("distil", run="run")
    assert page.title[0].value == "Six students are ready"
    button(page, "Open in Explore").click().run()
    assert went == [("explore", {"run": "run"})]


def test_replay_shows_the_run_as_it_happened(open_page, runs):
    build_run(runs / "run", rounds=3)
    page = open_page("distil", run="run")
    button(page, "Replay the training").click().run()
    button(page, "Pause").click().run()
    assert "as it happened. Nothing is trained." in written(page)
    button(page, "Next round").click().run()
    assert page.title[0].value == "Round 2 of 3 is training" and len(json.loads(charts(page)[0])["data"][0]["x"]) == 10
    button(page, "Next epoch").click().run()
    assert "Epoch 2 of 8" in written(page) and "Stop" not in [each.label for each in page.button]
    for _ in range(2):
        button(page, "Next round").click().run()
    assert button(page, "Next round").disabled and "Round 3 is done: " in written(page)
    button(page, "Leave the replay").click().run()
    assert page.title[0].value == "Three students are ready" and button(page, "Open in Explore")


def test_teacher_in_training_and_ready(open_page, runs, went, own_home, teacher):
    with hold(build_run(runs / "run", kind="teach", state="running")):
        page = open_page("distil", run="run")
        assert page.title[0].value == "The teacher is training" and "Epoch 5 of 8." in written(page)
        assert len(json.loads(charts(page)[0])["data"][0]["x"]) == 4
    build_run(runs / "ready", kind="teach", dataset="fashion-mnist")
    page = open_page("distil", run="ready")
    assert page.title[0].value == "The teacher is ready"
    assert "Distil this teacher" not in [each.label for each in page.button]  # it has been removed
    folder = own_home / "teachers" / "fashion-mnist-resnet-m-seed-0"
    shutil.copytree(own_home / "teachers" / teacher, folder)
    button(page.run(), "Distil this teacher").click().run()
    assert went == [("distil", {"dataset": "fashion-mnist", "teacher": folder.name})]


@pytest.mark.parametrize(
    ("damage", "title"), [("corrupt", "This run cannot be opened"), ("newer", "This run cannot be opened")]
)
def test_unreadable_run(open_page, runs, went, damage, title):
    build_run(runs / "run", damage=damage)
    page = open_page("distil", run="run")
    assert page.title[0].value == title
    button(page, "See all runs").click().run()
    assert went == [("home", {})]


def test_torn_last_event_is_not_yet_written(open_page, runs):
    build_run(runs / "run", damage="torn")
    assert open_page("distil", run="run").title[0].value == "Six students are ready"


def test_run_deleted_while_it_is_watched(open_page, runs):
    path = build_run(runs / "run", state="running")
    with hold(path):
        page = open_page("distil", run="run")
    shutil.rmtree(path)
    page.run()
    assert not page.exception and page.title[0].value == "This run is gone"
    assert "Nothing else is affected." in written(page)


@pytest.fixture
def watch_teacher(teacher, own_home):
    """A saved teacher for Watch, as far as a card tells."""
    card = json.loads((own_home / "teachers" / teacher / "card.json").read_text())
    folder = own_home / "teachers" / "watch-conv1d-m"
    folder.mkdir()
    known = {"name": folder.name, "architecture": "conv1d-m", "dataset": "watch", "input_shape": [6, 100]}
    known["classes"] = list("abcdefg")
    (folder / "card.json").write_text(json.dumps(card | known))
    return folder.name


def test_data_sets_say_what_they_hold_pictures_first(open_page, asked, teacher):
    labels = open_page("distil").selectbox(key="dataset").options
    assert "Japanese Vowels: 640 utterances, nothing to download" in labels
    assert "Watch: 4677 windows, nothing to download" in labels
    kinds = [next(kind for kind in ("pictures", "utterances", "windows") if kind in label) for label in labels[:-1]]
    assert labels[-1] == "Your own, by its path"
    assert kinds == sorted(kinds) and len(set(kinds)) == 3


def test_series_have_students_compositions_and_modes_of_their_own(open_page, asked, watch_teacher):
    page = open_page("distil", dataset="watch")
    students = page.selectbox(key="student-watch").options
    assert {name.partition("-")[0] for name in students} == {"gru", "tcn"}
    page.selectbox(key="student-watch").set_value("gru-m").run()
    assert page.selectbox(key=f"composition-watch-{POLISHED}-gru").options == [
        "alone: reads the inputs only",
        "carry-state: goes on from the last state of the student before it",
        "carry-state-pool: goes on from that state, and answers from what all so far have read",
    ]
    page.selectbox(key="student-watch").set_value("tcn-s").run()
    offered = page.selectbox(key=f"composition-watch-{POLISHED}-tcn").options
    assert [label.partition(":")[0] for label in offered] == ["alone", "add", "concat"]
    assert (asked.config.composition, asked.config.mode) == ("add", "full")
    page.selectbox(key=f"mode-watch-{POLISHED}-tcn").set_value("segments").run()
    assert "Convolutions read each other over the same steps: choose the mode full, or alone." in written(page)
    page.selectbox(key="student-watch").set_value("gru-xs").run()
    page.selectbox(key=f"mode-watch-{POLISHED}-gru").set_value("segments").run()
    assert asked.config.mode == "segments" and "--mode segments" in copyable(page)
    assert page.selectbox(key=f"mode-watch-{POLISHED}-gru").options == [
        "segments: a quarter of the window",
        "full: the whole window",
    ]
    html = written(page)
    assert "student 1 reads the first of four equal parts" in html and "after 25\u00a0% of the window" in html
    page.selectbox(key=f"mode-watch-{POLISHED}-gru").set_value("full").run()
    assert asked.config.mode == "full" and "--mode" not in copyable(page)  # the recipe's
    assert "Every prefix answers when the window has ended." in written(page)


def test_recurrent_students_that_are_trained_together_may_share_a_cell(open_page, asked, watch_teacher):
    page = open_page("distil", dataset="watch")
    key = f"cell-watch-{POLISHED}-gru"
    assert key not in [each.key for each in page.selectbox]  # convolutions have none
    page.selectbox(key="student-watch").set_value("gru-m").run()
    page.selectbox(key=key).set_value("shared").run()
    assert asked.config.cell == "shared" and "--cell shared" in copyable(page)
    page.selectbox(key="method").set_value("b-distil").run()
    assert asked.config.cell == "own" and "Recurrent cell" not in [each.label for each in page.selectbox]


def test_the_mode_goes_along_with_the_rounds(open_page, asked, watch_teacher):
    page = open_page("distil", dataset="watch")
    page.selectbox(key="student-watch").set_value("gru-m").run()
    page.selectbox(key=f"mode-watch-{POLISHED}-gru").set_value("full")
    page.slider(key="rounds-watch").set_value(2).run()
    assert (asked.config.mode, asked.config.rounds) == ("full", 2)
    assert page.selectbox(key=f"mode-watch-{POLISHED}-gru").options[0] == "segments: a half of the window"


def test_pictures_have_no_mode(open_page, asked, teacher):
    page = open_page("distil")
    assert "Each student reads" not in [each.label for each in page.selectbox] and asked.config.mode == "full"


def test_teachers_are_offered_that_read_the_data(open_page, asked, teacher):
    page = open_page("distil")
    page.selectbox(key="teach-dataset").set_value("watch").run()
    kinds = {label.partition("-")[0] for label in page.selectbox(key="architecture-watch").options}
    assert "resnet" not in kinds and {"conv1d", "gru"} <= kinds
