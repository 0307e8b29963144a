"""Students of somebody's own making: they train as any other by both methods, and what they break is one sentence."""

import numpy as np
import pytest
import torch
from torch import nn

from bdistil import BDistil
from bdistil.config import DistilConfig
from bdistil.data import load_dataset
from bdistil.errors import UserError
from bdistil.method.ladder import WIDER, untrained
from bdistil.method_registry import METHODS
from bdistil.students.build import build_student
from bdistil.students.catalogue import names
from bdistil.students.custom import own_student
from bdistil.teachers.cards import card_for
from bdistil.teachers.logits import TeacherLogits
from tests.tasks import one_thread  # noqa: F401

SHAPE, CLASSES = (1, 8, 8), 10


class Dense(nn.Module):
    """A hidden layer that also reads what its predecessor's hid."""

    def __init__(self, input_shape, classes, reads, hidden=24):
        super().__init__()
        before = reads.get("hidden", (0,))[0]
        self.hidden = nn.Linear(int(np.prod(input_shape)) + before, hidden)
        self.norm = nn.BatchNorm1d(hidden)
        self.head = nn.Linear(hidden, classes)

    def forward(self, x, carry):
        h = torch.cat([x.flatten(1), *carry.values()], dim=1)
        h = self.norm(self.hidden(h)).relu()
        return self.head(h), {"hidden": h}


def broken(**methods):
    """A factory of `Dense` students with other methods or attributes; None deletes one."""

    def factory(**shapes):
        student = Dense(**shapes)
        for name, value in methods.items():
            if value is None:
                delattr(student, name)
            else:
                setattr(student, name, value.__get__(student) if callable(value) else value)
        return student

    return factory


@pytest.mark.parametrize("method", METHODS)
def test_a_module_of_ones_own_is_trained_and_corrected(method):
    data, logits = load_dataset("digits"), TeacherLogits(card_for(None, "digits"))
    model = BDistil(student=Dense, rounds=3, epochs=6, polish_epochs=6, batch_size=64, method=method)
    model.fit(data.x_train, data.y_train, teacher_logits=logits(data.x_train))
    assert (model.predict(data.x_test) == data.y_test).mean() > 0.9
    assert all(record.condition_met for record in model.records_) and (model.edges_[1:] > 0).all()
    second = model.ensemble_.students[1]
    assert second.reads == second.carry_shapes == {"hidden": (24,)} and second.module.hidden.in_features == 64 + 24
    with pytest.raises(UserError, match="A student of your own making can't be saved"):
        model.ensemble_.save("nowhere")
    assert model.ensemble_.truncate(2)(data.x_test[:3]).shape == (2, 3, 10)


def test_what_an_own_student_leaves_is_what_its_successor_is_offered():
    offered = []

    def factory(**shapes):
        offered.append(shapes)
        return Dense(**shapes, hidden=5 + len(offered))

    torch.manual_seed(0)
    first = own_student(factory, SHAPE, CLASSES)
    own_student(factory, SHAPE, CLASSES, [first])
    assert [shapes["reads"] for shapes in offered] == [{}, {"hidden": (6,)}]
    assert first.training and first.module.norm.num_batches_tracked == 0  # looking at it has changed nothing


def returns(change):
    """A student that returns something else of (itself, logits, hidden)."""

    def forward(self, x, carry):
        logits, left = Dense.forward(self, x, carry)
        return change(self, logits, left["hidden"])

    return broken(forward=forward)


@pytest.mark.parametrize(
    ("factory", "sentence"),
    [
        (lambda **shapes: 3, r"must be a torch.nn.Module, and the factory returned int\."),
        (broken(head=None), r"needs an attribute head, the nn.Linear that gives its 10 logits\."),
        (lambda input_shape, classes, reads: Dense(input_shape, 9, reads), "the nn.Linear that gives its 10 logits"),
        (returns(lambda self, logits, h: logits), "returns its head's logits and its carry"),
        (returns(lambda self, logits, h: (logits[0], {})), r"of two examples this one gives float32 \(10,\)\."),
        (returns(lambda self, logits, h: (2 * logits, {})), "what its head gives, unchanged"),
        (
            returns(lambda self, logits, h: 1 / 0),
            r"cannot read inputs \(2, 1, 8, 8\) and an empty carry: ZeroDivisionError: division",
        ),
        (returns(lambda self, logits, h: (logits, {"a": h[0]})), "each with the batch first"),
        (returns(lambda self, logits, h: (logits, {"a": [1, 2]})), "dictionary of floating-point tensors"),
        (returns(lambda self, logits, h: (self.head(h + torch.rand(1)), {})), "the same answer each time"),
        (returns(lambda self, logits, h: (self.head(h - h.mean(dim=0)), {})), "mixes those of a batch"),
        (returns(lambda self, logits, h: (self.head(h * np.nan), {})), "gives finite logits: .* gives NaN or infinity"),
        (returns(lambda self, logits, h: (logits, {0: h})), "dictionary of floating-point tensors by name"),
        (
            returns(lambda self, logits, h: (logits, {}) if not self.training else 1 / 0),
            r"cannot be trained on inputs \(2, 1, 8, 8\), though it reads them in evaluation mode: ZeroDivisionError",
        ),
        (lambda **shapes: Dense(**shapes).requires_grad_(False), "needs parameters to train: those of this one are"),
        (lambda: Dense(SHAPE, CLASSES, {}), r"this one cannot be \(got an unexpected keyword argument 'input_shape'\)"),
        (lambda input_shape, classes: 3, r"and this one cannot be \(got an .* 'reads'\): let it take these three"),
        (Dense(SHAPE, CLASSES, {}), "a module that is made already: give Dense itself"),
        (lambda **shapes: 1 / 0, r"fails when it is called as .* \(ZeroDivisionError: division by zero\): fix it"),
    ],
)
def test_a_broken_contract_is_one_sentence(factory, sentence):
    torch.manual_seed(0)
    with pytest.raises(UserError, match=sentence) as caught:
        own_student(factory, SHAPE, CLASSES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shared", ["all", "hidden", "norm"])
def test_weights_that_an_earlier_student_has_are_refused(method, shared):
    """Training a later round would change a finished student."""

    class Alone(Dense):
        def forward(self, x, carry):
            return super().forward(x, carry)[0], {}

    made = Alone(SHAPE, 4, {})

    def factory(**shapes):
        student = Alone(**shapes)
        if shared != "all":
            setattr(student, shared, getattr(made, shared))
        return made if shared == "all" else student

    x = np.random.default_rng(0).integers(0, 17, (40, 1, 8, 8)).astype(np.uint8)
    model = BDistil(student=factory, rounds=2, epochs=1, polish_epochs=1, method=method)
    with pytest.raises(UserError, match="shares some with student 1: let the factory make a new module at each call"):
        model.fit(x, teacher_logits=np.random.default_rng(1).normal(size=(40, 4)))


@pytest.mark.parametrize(
    "name,value",
    [("composition", "add"), ("head", "prefix"), ("mode", "segments"), ("cell", "shared"), ("dropout", 0.1)],
)
def test_options_that_own_students_would_not_heed_are_refused(name, value):
    x, logits = np.zeros((4, 1, 8, 8), np.uint8), np.eye(4)
    with pytest.raises(UserError, match=f"The {name} is for bdistil's own students, .*: leave {name} out"):
        BDistil(student=Dense, **{name: value}).fit(x, teacher_logits=logits)


@pytest.mark.parametrize("composition", ["add", "concat", "concat-all"])
def test_students_grow_from_round_to_round(composition):
    x = np.random.default_rng(0).integers(0, 17, (80, 8, 8)).astype(np.uint8)
    model = BDistil(
        student="cnn-xs",
        rounds=3,
        epochs=1,
        polish_epochs=1,
        growth=1.5,
        composition=composition,
        head="student",
        meet_condition=False,
    )
    model.fit(x, teacher_logits=np.random.default_rng(1).normal(size=(80, 4)))
    assert [record.student for record in model.records_] == ["cnn-xs", "cnn-xs × 1.5", "cnn-xs × 2.25"]
    last = [student.spec["widths"][-1] for student in model.ensemble_.students]
    assert last == sorted(last) and last[-1] > last[0] == 16


def widths(growth):
    """Of four students that grow and read nobody."""
    config = DistilConfig.create("digits", teacher="t", student="cnn-xs", rounds=4, growth=growth, composition="alone")
    return [student.spec["widths"] for student in untrained(config, config.data_info, 4).students]


def test_growth_is_no_jump():
    """In steps of four channels, never below the round before."""
    assert widths(1.01) == [[8, 16, 16, 16]] * 4
    assert widths(1.2) == [[8, 16, 16, 16], [8, 20, 20, 20], [12, 24, 24, 24], [12, 28, 28, 28]]
    each = widths(1.07)
    assert all(a <= b for one, other in zip(each, each[1:], strict=False) for a, b in zip(one, other, strict=True))


def test_the_ladders_last_rung_is_as_wide_as_ever():
    sizes = {
        name: build_student(name, input_shape=(1, 28, 28), classes=2, composition="alone", wider=WIDER).spec
        for name in names("image")
    }
    assert {name: tuple(spec["widths"]) for name, spec in sizes.items()} == {
        "cnn-xs": (16, 24, 24, 24),
        "cnn-s": (32, 48, 80, 80),
        "cnn-m": (48, 80, 96, 96),
        "cnn-l": (128, 192, 320, 320),
        "cnn-xl": (80, 80, 144, 144, 192, 192),
    }


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"growth": 0.5}, "`growth` must be a number from 1 to 4; got “0.5”."),
        ({"growth": 2, "rounds": 8}, "The last student may have 64 times the first one's channels at most"),
        ({"growth": 1.5, "dataset": "japanese-vowels", "cell": "shared"}, "Students that share a cell, or .* do not"),
        ({"factory": "Dense"}, "`factory` must be a name, or a function that makes one"),
    ],
)
def test_growth_has_limits(given, sentence):
    with pytest.raises(UserError, match=sentence):
        DistilConfig.create(**{"dataset": "digits", "teacher": "t", **given})


def test_a_factory_is_no_part_of_what_is_stored():
    config = DistilConfig.build(
        **DistilConfig.create("digits", teacher="t").model_dump()
        | {
            "factory": Dense,
            "student": "own",
            "composition": "own",
            "head": "student",
        }
    )
    assert config.factory is Dense and "factory" not in config.model_dump()
    assert build_student("cnn-xs", input_shape=SHAPE, classes=2, composition="alone", wider=1.5).spec["widths"][0] == 16
