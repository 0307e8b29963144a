"""The form of Distil: what to distil, with its price beside it, and the start; below it, the training of a teacher.

Every option is declared and validated in `bdistil.config`, with the label, help and limits of its field; here is only
where fields stand, and that they begin with the data set's recipe.
"""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import fields
import own
import run_text
import streamlit as st
import ui
from copyable import copyable
from engine import Refused
from estimate import estimates, flags, teachings

from bdistil import teachers
from bdistil.config import OPTIONS, DistilConfig, TeachConfig
from bdistil.data import CATALOGUE, info, is_here
from bdistil.data.catalogue import located
from bdistil.data.reading import OwnData
from bdistil.errors import UserError
from bdistil.method_registry import DEFAULT_METHOD, METHODS
from bdistil.options import Option, by_group
from bdistil.report import formats
from bdistil.runs import create_run, list_runs
from bdistil.runs.estimate_record import Estimate, StudentCost
from bdistil.runs.launch import start_worker
from bdistil.students.catalogue import family, names
from bdistil.teachers.card import TeacherCard
from bdistil.teachers.catalogue import ARCHITECTURES
from bdistil.teachers.catalogue import names as architectures
from bdistil.teachers.naming import TORCHVISION
from bdistil.teachers.snippet import snippet

MOST_ROUNDS = 24
NONE = "none"  # in the list of teachers
FIRST = "First comes what to distil: the price follows."
NO_TORCH = "Install it with the command below and reload; finished runs open without it."


def form() -> None:
    """Draws the form, its price, and the section that trains a teacher."""
    st.title("Distil a teacher into students", anchor=False)
    _training()
    options, price = st.columns([3, 2], gap="large")
    data, asked = None, None
    with options, refused("own"):
        data = _data()
        asked = _options(*data) if data else None
    with price:
        if asked is None:
            ui.muted(FIRST)
        else:
            _checked(asked)
    with st.expander("Train a teacher of your own", key="teach"), refused("teach-config"):
        _teacher_form(data)


@contextmanager
def refused(key: str) -> Iterator[None]:
    """A notice with what cannot be of what is drawn inside."""
    try:
        yield
    except UserError as error:
        with ui.notice(str(error), key=key):
            pass


@dataclass(frozen=True)
class Teacher:
    """The teacher that is chosen; name: None while there is none. options: of a black box, None of a saved one."""

    name: str | None
    options: dict[str, object] | None = None


@dataclass(frozen=True)
class Asked:
    """What is asked for: data, how to read it, a teacher, and the options that were chosen."""

    dataset: str
    data: OwnData | None
    teacher: Teacher
    options: dict[str, object]

    def config(self, teacher: str, **options: object) -> DistilConfig:
        """The configuration with a teacher of that name. Raises UserError where it cannot be."""
        given = {**(self.teacher.options or {}), **self.options, **options}
        return DistilConfig.create(self.dataset, data=self.data, teacher=teacher, **given)


def _checked(asked: Asked) -> None:
    """The price and the start of a run that can be; else what is wrong with it.

    A black box is not opened here: the estimate's process looks into it.
    """
    with refused("config"):
        name = asked.teacher.name
        if asked.teacher.options is None:
            name = teachers.card_for(name, asked.dataset, asked.data).name
        config = asked.config(str(name))
        with st.container(border=True, key="price"):
            _price(config)


def _training() -> None:
    """Says what trains already, with the way to it."""
    known = [(each.id, each.info) for each in list_runs(samples=False) if each.info]
    alive = [(id, info) for id, info in known if info.state in ("running", "queued")]
    if not alive:
        return
    with st.container(key="training", horizontal=True, vertical_alignment="center"):
        ui.muted(f"{alive[-1][1].title} is training; a run that is started now waits for its turn.")
        if st.button("Watch it"):
            ui.go("distil", run=alive[-1][0])


def dataset_labels() -> dict[str, str]:
    """The data sets in words, those of pictures first, then speech, then sensors."""
    kinds = list(formats.EXAMPLES)
    return {name: dataset_label(name) for name in sorted(CATALOGUE, key=lambda name: kinds.index(info(name).modality))}


def dataset_label(name: str) -> str:
    """A data set with its price: “Fashion-MNIST: 70 000 pictures, 30 MB to download”."""
    data_info = info(name)
    count = formats.count(data_info.train + data_info.validation + data_info.test)
    price = (
        f"{formats.size(data_info.download_bytes)} to download"
        if data_info.download_bytes
        else "to be put in its folder"
    )
    if is_here(name):
        price = "nothing to download"
    return f"{data_info.title}: {count} {formats.examples(data_info.modality)}, {price}"


def teacher_label(card: TeacherCard) -> str:
    """A teacher with what it reaches and costs, as far as that is known."""
    accuracy, macs = card.accuracy, card.macs
    known = [f"{formats.percent(accuracy)} accuracy"] if accuracy is not None else []
    known += [f"{formats.macs(macs)} MACs"] if macs else []
    known += [] if card.split_known else ["trained on a split that is not known"]
    return f"{card.name}: {', '.join(known)}" if known else card.name


def _data() -> tuple[str, OwnData | None] | None:
    """Draws the choice of data; returns a name or a path, and how to read it. On arrival the address may name it."""
    asked = ui.address()
    labels = dataset_labels() | {own.OWN: "Your own, by its path"}
    if "dataset" not in st.session_state and asked.dataset in labels:
        ui.remember("dataset", asked.dataset)
    dataset = _choose("dataset", labels, "dataset", next(iter(labels)))
    return own.data() if dataset == own.OWN else (dataset, None)


def _teacher(dataset: str, data: OwnData | None) -> Teacher:
    """Draws the choice of a teacher."""
    asked, cards = ui.address(), {card.name: card for card in teachers.cards_for(dataset, data)}
    labels = {name: teacher_label(card) for name, card in cards.items()}
    if not labels:
        of_another_split = " for this split" if teachers.cards(located(dataset)) else ""
        labels = {NONE: f"none yet{of_another_split}: train one below"}
    if f"teacher-{dataset}" not in st.session_state and asked.teacher and asked.teacher in cards:
        ui.remember(f"teacher-{dataset}", asked.teacher)
    teacher = _choose("teacher", labels | own.BLACK_BOXES, f"teacher-{dataset}", next(iter(labels)))
    if teacher in own.BLACK_BOXES:
        given = own.black_box(teacher)
        with st.expander("Write it from a PyTorch model", key="snippet"):
            ui.muted("This writes answers, train.npz and test.npz, and teacher.onnx, which reads normalised inputs.")
            copyable(snippet(dataset, data), key="program")
        return _black_box(**given)
    return Teacher(None if teacher == NONE else teacher)


def _choose(name: str, labels: dict[str, str], key: str, first: str) -> str:
    """Draws the list of an option by its name, of values with their labels; returns the value that is chosen."""
    return ui.select(OPTIONS[name].title, labels, key, first)


def _slide(name: str, most: int, key: str, first: int) -> int:
    """Draws the slider of a number from 1 on, an option by its name; returns the number that is chosen."""
    return st.slider(OPTIONS[name].title, 1, most, first, key=key, help=OPTIONS[name].help)


def _black_box(teacher: str | None, **options: object) -> Teacher:
    return Teacher(teacher, options)


def _options(dataset: str, data: OwnData | None) -> Asked | None:
    """Draws the options and returns what was chosen, None until a black box's files are named."""
    teacher = _teacher(dataset, data)
    named = teacher.name or "none yet"
    method = _choose("method", _method_labels(), "method", DEFAULT_METHOD)
    asked = Asked(dataset, data, teacher, {"method": method})
    recipe = asked.config(named)
    student = _choose("student", _student_labels(recipe), f"student-{dataset}", recipe.student)
    recipe = asked.config(named, student=student)
    rounds = _slide("rounds", MOST_ROUNDS, f"rounds-{dataset}", recipe.rounds)
    given: dict[str, object] = {"student": student, "rounds": rounds}
    if recipe.data_info.modality != "image":
        given["mode"] = _mode(recipe, rounds)
    with st.expander("More: composition, objective, training, seed"):
        given |= _more(recipe)
    return replace(asked, options=asked.options | given) if teacher.name or teacher.options is None else None


def _mode(recipe: DistilConfig, rounds: int) -> str:
    """What part of a series each student reads, and what that means for the prefixes."""
    labels = run_text.modes(rounds)
    mode = _choose("mode", labels, _key(recipe, "mode"), recipe.mode)
    ui.muted(run_text.mode(mode, rounds))
    return mode


def _method_labels() -> dict[str, str]:
    """The methods, the default first, each with what it does."""
    names = sorted(METHODS, key=lambda name: name != DEFAULT_METHOD)
    return {name: f"{name}: {METHODS[name].summary}" for name in names}


def _student_labels(recipe: DistilConfig) -> dict[str, str]:
    """Students by name, with their prices once an estimate has told them: “cnn-xs: 60 k MACs, 3 % of the teacher”."""
    labels = {name: name for name in names(recipe.data_info.modality)}
    for name in labels:
        price = _prices().get(_priced(recipe, name))
        if price:
            ratio = price.macs_ratio
            share = f", {formats.share(ratio)} of the teacher" if ratio is not None else ""
            labels[name] = f"{name}: {formats.macs(price.macs)} MACs{share}"
    return labels


def _more(recipe: DistilConfig) -> dict[str, object]:
    """The options that most runs leave as the recipe has them: lists and switches, then numbers in two columns."""
    given: dict[str, object] = {}
    declared = [option for option in by_group(DistilConfig) if option.form]
    for option in (each for each in declared if each.choices or each.kind is bool):
        if _applies(option.name, recipe.model_copy(update=given)):
            choices = family(recipe.student).ladder if option.name == "composition" else ()
            given[option.name] = _draw(option, recipe, choices=choices)
    chosen = recipe.model_copy(update=given)
    numbers = [each for each in declared if each.kind in (int, float) and _applies(each.name, chosen)]
    half = (len(numbers) + 1) // 2  # a column after the other: on a phone they stand below each other
    for column, options in zip(st.columns(2), (numbers[:half], numbers[half:]), strict=True):
        given |= {option.name: _draw(option, recipe, place=column) for option in options}
    return given


def _draw(option: Option, recipe: DistilConfig, **how: Any) -> object:
    return fields.draw(option, getattr(recipe, option.name), _key(recipe, option.name), **how)


def _applies(name: str, chosen: DistilConfig) -> bool:
    """Whether an option has a meaning in a run of what is chosen so far."""
    match name:
        case "cell":
            return chosen.polished and family(chosen.student).shares_cell
        case "polish_epochs":
            return chosen.polished
        case "retries":
            return not chosen.polished and chosen.meet_condition
    return True


def _key(recipe: DistilConfig, name: str) -> str:
    """An option of each recipe is a widget of its own, so that it starts from it."""
    return f"{name}-{recipe.dataset}-{recipe.method}-{family(recipe.student).name}"


def _price(config: DistilConfig) -> None:
    """What to expect, the start, and the command that does the same."""
    st.header("What to expect", anchor=False)
    if ui.has_torch():
        refused = _expected(config)
    else:
        with ui.notice("Training needs PyTorch, which is not installed here.", NO_TORCH, key="torch"):
            pass
        copyable("pip install -r requirements.txt", key="install")
        return
    if st.button("Start distilling", type="primary", width="stretch", disabled=refused):
        start(config)
    ui.muted("Training goes on if you close this page.")
    copyable(shlex.join(["bdistil", "run", *flags(config)]), key="command")


def _expected(config: DistilConfig) -> bool:
    """The estimate's rows: a fragment that looks twice a second until they are there; whether it refuses the run."""
    found, error = _ask(config)
    if found and _learn(config, found):
        st.rerun()  # the list of students names their prices from now on

    @st.fragment(run_every=0.5 if found is None and error is None else None)
    def expected() -> None:
        if found is None and error is None and _ask(config) != (None, None):
            st.rerun()  # nothing is left to wait for
        if error:
            with ui.notice(str(error), key="estimate"):
                pass
        else:
            _rows(config, found)

    expected()
    return isinstance(error, Refused)


def _ask(config: DistilConfig) -> tuple[Estimate | None, UserError | None]:
    """The estimate or why there is none; both None while it is being made."""
    try:
        return estimates().ask(config), None
    except UserError as error:
        return None, error


@st.cache_resource
def _prices() -> dict[str, StudentCost]:
    """What students cost, as the server's estimates have told so far."""
    return {}


def _priced(config: DistilConfig, student: str) -> str:
    """What a student's price depends on: data, teacher, and its name."""
    return repr((config.dataset, config.data, config.teacher, config.teacher_logits, config.teacher_macs, student))


def _learn(config: DistilConfig, found: Estimate) -> bool:
    """Keeps what each student costs beside this teacher; says whether that is news."""
    prices = _prices()
    told = {_priced(config, row.student): row for row in found.students}
    news = any(prices.get(key) != row for key, row in told.items())
    prices.update(told)
    return news


def _rows(config: DistilConfig, found: Estimate | None) -> None:
    """A sentence and four rows; dashes keep their place while the estimate is being made."""
    students = run_text.capital(formats.count_students(config.rounds))
    sentence = f"{students}, one a round{', then a polish of all' if config.polished else ''}."
    if found:
        each = f"{formats.macs_between(min(found.macs_of), max(found.macs_of))} MACs"
        each += " each" if config.rounds > 1 else ""
        ratio = found.macs_ratio
        whole = f"{formats.macs(found.macs)} MACs" if ratio is None else f"{formats.share(ratio)} of the teacher"
        sentence = f"{students} of {each}: all together cost about {whole}."
    ui.muted(sentence)
    if found and found.teacher:  # a black box
        ui.muted(" ".join(filter(None, (found.teacher.signature, *found.teacher.notices))))
    names = ("First usable model", "Whole run", "Memory", "On disk")
    values = ["…"] * len(names)
    if found:
        values = [
            f"after about {formats.duration(found.first_model_seconds)}",
            f"about {formats.duration(found.seconds)}",
            formats.size(found.memory_bytes),
            formats.size(found.disk_bytes),
        ]
    ui.pairs(zip(names, values, strict=True))
    if found and found.busy:
        ui.muted(found.busy)


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


def _teacher_form(data: tuple[str, OwnData | None] | None) -> None:
    """A teacher's training: data set (one's own as well, where it is chosen above), architecture, epochs, seed."""
    ui.muted(
        "A teacher’s training is a run as well: watched, stopped and resumed here. The teacher is then offered above."
    )
    labels, key, options = dataset_labels(), "teach-dataset", None
    if data and data[0] not in labels:
        labels, key = {data[0]: f"{data[0]}, chosen above"} | labels, "teach-own"
    dataset = _choose("dataset", labels, key, next(iter(labels)))
    if data and dataset == data[0]:
        options = data[1]
    recipe = TeachConfig.create(dataset=dataset, data=options)
    kinds = {name: f"{name}: {ARCHITECTURES[name]}" for name in architectures(recipe.data_info.modality)}
    if recipe.data_info.modality == "image":
        kinds[TORCHVISION] = "torchvision: any of its classification models, by its name"
    declared = TeachConfig.options()
    architecture = _choose("architecture", kinds, f"architecture-{dataset}", recipe.architecture)
    given = own.torchvision() if architecture == TORCHVISION else {"architecture": architecture, "weights": None}
    numbers = {
        name: fields.draw(declared[name], getattr(recipe, name), f"teach-{name}-{dataset}", place=column)
        for name, column in zip(("epochs", "seed"), st.columns(2), strict=True)
    }
    if given is None:
        return
    asked = {**given, **numbers}
    chosen = {"dataset": located(dataset), "data": options, **asked}
    told = [word for name, value in chosen.items() for word in declared[name].arguments(value)]
    if architecture == TORCHVISION:
        config = _checked_teaching(told) if ui.has_torch() else None
    else:
        config = TeachConfig.create(dataset=dataset, data=options, **asked)
    if config and ui.has_torch() and st.button("Start training"):
        start(config)
    if config:
        copyable(shlex.join(["bdistil", "teach", *told]), key="teach-command")


def _checked_teaching(told: list[str]) -> TeachConfig | None:
    """The training that these flags ask for, checked by a process of its own, as that takes torch; None until it is.

    Raises UserError where it is refused.
    """
    asked = tuple(told)
    found = teachings().ask(asked)
    if found is None:
        own.wait(lambda: teachings().ask(asked), "Checking …")
        return None
    ui.muted(f"Its answers cost {formats.macs(found.macs)} MACs each.")
    return found.config
