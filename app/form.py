"""The form of Distil: what to distil, with its price beside it, and the start; below it, a teacher of one's own.

Every option is declared and validated in `bdistil.config`; here are only widgets, filled from the data set's recipe.
"""

import shlex
from typing import Any

import narration
import streamlit as st
import ui
from estimate import estimates, flags

from bdistil import teachers, wording
from bdistil.config import DistilConfig, TeachConfig
from bdistil.data import CATALOGUE, info, is_here
from bdistil.errors import UserError
from bdistil.runs import create_run
from bdistil.runs.launch import start_worker
from bdistil.students.catalogue import COMPOSITIONS, names
from bdistil.teachers.catalogue import ARCHITECTURES

MOST_ROUNDS = 12
LOSSES, DIVERGENCES = ("ensemble", "student"), ("kl", "squared")
COMPOSES = {
    "alone": "reads the inputs only",
    "add": "adds the student before it, level by level",
    "concat": "reads the student before it, level by level",
}
NO_TORCH = "Install it with the command below and reload; finished runs open without it."


def form() -> None:
    """Draws the form, its price, and the section for a teacher of one's own."""
    st.title("Distil a teacher into students", anchor=False)
    options, price = st.columns([3, 2], gap="large")
    with options:
        given = _options()
    with price:
        try:
            teachers.card_for(given["teacher"], given["dataset"])
            config = DistilConfig.create(**given)
        except UserError as error:
            with ui.notice(str(error), key="config"):
                pass
        else:
            with st.container(border=True, key="price"):
                _price(config)
    with st.expander("Train a teacher of your own", key="teach"):
        _teacher_form()


def dataset_label(name: str) -> str:
    """A data set with its price: “Fashion-MNIST: 70 000 pictures, 30 MB to download”."""
    known = info(name)
    count = wording.count(known.train + known.validation + known.test)
    price = "nothing to download" if is_here(name) else f"{wording.size(known.download_bytes)} to download"
    return f"{known.title}: {count} pictures, {price}"


def teacher_label(card: dict[str, Any]) -> str:
    """A teacher with what it reaches and costs."""
    cost = f", {wording.macs(card['macs'])} MACs" if card.get("macs") else ""
    return f"{card['name']}: {wording.percent(card['accuracy'])} accuracy{cost}"


def _options() -> dict[str, Any]:
    """Draws the options and returns what was chosen."""
    dataset = st.selectbox("Dataset", list(CATALOGUE), format_func=dataset_label, key="dataset")
    cards = {card["name"]: card for card in teachers.cards(dataset)}
    if cards:
        teacher = st.selectbox(
            "Teacher", list(cards), format_func=lambda name: teacher_label(cards[name]), key=f"teacher-{dataset}"
        )
    else:
        teacher = st.selectbox("Teacher", [], placeholder="None yet: train one below", disabled=True)
    recipe = DistilConfig.create(dataset=dataset, teacher=teacher or "none yet")
    student = st.selectbox(
        "Student", names(), names().index(recipe.student), format_func=_student_label, key=f"student-{dataset}"
    )
    rounds = st.slider(
        "Rounds", 1, MOST_ROUNDS, recipe.rounds, key=f"rounds-{dataset}", help="Each round adds one student."
    )
    given = {"dataset": dataset, "teacher": teacher, "student": student, "rounds": rounds}
    with st.expander("More: composition, objective, training, seed"):
        return given | _more(recipe)


def _student_label(name: str) -> str:
    """A student with its price, once an estimate has told it: “cnn-xs: 60 k MACs, 3 % of the teacher”."""
    price = st.session_state.get("student_prices", {}).get((st.session_state["dataset"], name))
    if not price:
        return name
    share = f", {wording.share(price['macs_ratio'])} of the teacher" if price.get("macs_ratio") is not None else ""
    return f"{name}: {wording.macs(price['macs'])} MACs{share}"


def _more(recipe: DistilConfig) -> dict[str, Any]:
    """The options that most runs leave as the recipe has them. Limits are those of `DistilConfig`."""
    end = recipe.dataset

    def number(name: str, label: str, step: float, help: str | None = None) -> float:
        value = getattr(recipe, name)
        return st.number_input(label, value=value, step=step, key=f"{name}-{end}", help=help, format=None)

    given: dict[str, Any] = {}
    left, right = st.columns(2)
    with left:
        given["composition"] = st.selectbox(
            "Composition", COMPOSITIONS, COMPOSITIONS.index(recipe.composition), key=f"composition-{end}",
            format_func=lambda name: f"{name}: {COMPOSES[name]}",
        )  # fmt: skip
        given["loss"] = st.selectbox(
            "Loss", LOSSES, LOSSES.index(recipe.loss), key=f"loss-{end}",
            format_func={"ensemble": "ensemble: against the teacher, together", "student": "student: on its own"}.get,
        )  # fmt: skip
        given["divergence"] = st.selectbox(
            "Divergence", DIVERGENCES, DIVERGENCES.index(recipe.divergence), key=f"divergence-{end}",
            format_func={"kl": "Kullback-Leibler", "squared": "squared error"}.get,
        )  # fmt: skip
        given["temperature"] = number("temperature", "Temperature", 0.5)
        given["label_share"] = number("label_share", "Share of the labels in the loss", 0.1, "0: the teacher alone")
    with right:
        given["barrier"] = number("barrier", "Barrier", 0.1, "How strongly a student is pulled to correct the ensemble")
        given["epochs"] = number("epochs", "Epochs a round", 1)
        given["learning_rate"] = st.number_input(
            "Learning rate", value=recipe.learning_rate, step=0.001, format="%.4f", key=f"learning_rate-{end}"
        )
        given["seed"] = number("seed", "Seed", 1)
        given["threads"] = st.number_input(
            "Threads", value=None, step=1, placeholder="all cores but one", key=f"threads-{end}"
        )
    return given


def _price(config: DistilConfig | None) -> None:
    """What to expect, the start, and the command that does the same."""
    st.header("What to expect", anchor=False)
    with st.container(key="expected"):
        _expected(config)
    if not ui.has_torch():
        with ui.notice("Training needs PyTorch, which is not installed here.", NO_TORCH, key="torch"):
            pass
        st.code("pip install -r requirements.txt", language=None, wrap_lines=True)
        return
    if st.button("Start distilling", type="primary", width="stretch"):
        start(config)
    ui.muted("Training goes on if you close this page.")
    st.code(shlex.join(["bdistil", "run", *flags(config)]), language=None, wrap_lines=True)


def _expected(config: DistilConfig) -> None:
    """The estimate's rows: a fragment that looks twice a second until they are there."""
    found, error = _ask(config)

    @st.fragment(run_every=0.5 if found is None and error is None else None)
    def expected() -> None:
        nonlocal found, error
        if found is None and error is None:
            found, error = _ask(config)
            if found or error:
                st.rerun()  # the students' prices are known now, and nothing is left to wait for
        if error:
            with ui.notice(error, key="estimate"):
                pass
        else:
            _rows(config, found or {})

    expected()


def _ask(config: DistilConfig) -> tuple[dict[str, Any] | None, str | None]:
    """The estimate or why there is none; both None while it is being made."""
    if not ui.has_torch():
        return {}, None
    try:
        found = estimates().ask(config)
    except UserError as error:
        return None, str(error)
    for row in (found or {}).get("students", []):
        st.session_state.setdefault("student_prices", {})[(config.dataset, row["student"])] = row
    return found, None


def _rows(config: DistilConfig, found: dict[str, Any]) -> None:
    """A sentence and four rows; dashes keep their place while the estimate is being made."""
    macs, waiting = found.get("macs"), "…"
    sentence = f"{narration.capital(wording.count_students(config.rounds))}, one a round."
    if macs:
        sentence = f"{sentence} The last ensemble costs {wording.macs(macs)} MACs."
    ui.muted(sentence)

    def told(name: str, words: Any) -> str:
        return words(found[name]) if found.get(name) is not None else waiting

    rows = [
        ("First usable model", told("first_model_seconds", lambda value: f"after about {wording.duration(value)}")),
        ("Whole run", told("seconds", lambda value: f"about {wording.duration(value)}")),
        ("Memory", told("memory_bytes", wording.size)),
        ("On disk", told("disk_bytes", wording.size)),
    ]
    ui.pairs(rows)


def start(config: DistilConfig | TeachConfig) -> None:
    """Makes the run, starts its worker, and opens its page; says why where that is refused."""
    try:
        run = create_run(config)
        start_worker(run)
    except UserError as error:
        with ui.notice(str(error), key="refused"):
            return
    st.query_params["run"] = run.id
    st.rerun()


def _teacher_form() -> None:
    """A teacher's training: data set, architecture, epochs, seed."""
    ui.muted(
        "A teacher’s training is a run as well: watched, stopped and resumed here. The teacher is then offered above."
    )
    dataset = st.selectbox("Dataset", list(CATALOGUE), format_func=dataset_label, key="teach-dataset")
    recipe = TeachConfig.create(dataset=dataset)
    kinds = list(ARCHITECTURES)
    architecture = st.selectbox(
        "Architecture", kinds, kinds.index(recipe.architecture), key=f"architecture-{dataset}",
        format_func=lambda name: f"{name}: {ARCHITECTURES[name]}",
    )  # fmt: skip
    left, right = st.columns(2)
    epochs = left.number_input("Epochs", value=recipe.epochs, step=1, key=f"teach-epochs-{dataset}")
    seed = right.number_input("Seed", value=recipe.seed, step=1, key=f"teach-seed-{dataset}")
    try:
        config = TeachConfig.create(dataset=dataset, architecture=architecture, epochs=epochs, seed=seed)
    except UserError as error:
        with ui.notice(str(error), key="teach-config"):
            return
    if ui.has_torch() and st.button("Start training"):
        start(config)
