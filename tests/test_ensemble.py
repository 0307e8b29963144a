"""The progressive ensemble: the squash, prefixes, anytime prediction, saving and loading."""

import json
import shutil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bdistil import ensemble as module
from bdistil.ensemble import KAPPA, ProgressiveEnsemble, bound, evaluating
from bdistil.errors import UserError
from bdistil.students import build_student

SHAPE, CLASSES, C = (1, 8, 8), 5, 7.5
logits = st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=12)
scales = st.floats(0.1, 100)


def make_ensemble(rounds=3, composition="add", head="student"):
    """Students with statistics and weights of their own, the second one wider."""
    torch.manual_seed(0)
    ensemble = ProgressiveEnsemble(
        c=C, classes="abcde", mean=[4.9], std=[6.0], input_shape=SHAPE, dataset="digits", teacher="resnet-s"
    )
    previous, carry = None, {}
    for t in range(rounds):
        name = "cnn-s" if t == 1 else "cnn-xs"
        student = build_student(
            name, input_shape=SHAPE, classes=CLASSES, composition=composition, previous=previous, head=head
        )
        _, carry = student(torch.randn(32, *SHAPE), {key: value.detach() for key, value in carry.items()})
        ensemble.append(student)
        previous = student
    return ensemble.eval()


@pytest.fixture
def inputs():
    return torch.randint(0, 17, (6, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@settings(deadline=None)  # a busy machine is no failure
@given(logits, scales)
def test_the_squash_keeps_centring_and_top_1_and_stays_below_kappa(values, c):
    raw = torch.tensor([values])
    f = bound(raw, c)
    assert f.abs().max() < KAPPA
    assert f.sum().abs() < 1e-5 * len(values) + 1e-6 * raw.abs().max() / c * len(values)
    assert f[0, raw.argmax()] == f.max() and f[0, raw.argmin()] == f.min()
    order = raw[0].argsort()
    assert (f[0, order].diff() >= 0).all()


@settings(deadline=None)
@given(st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=12), st.floats(1e-7, 1e-2))
def test_the_squash_is_the_identity_near_zero(values, size):
    u = torch.tensor([values])
    u = (u - u.mean()) * size
    torch.testing.assert_close(bound(u * 3, 3.0), u, rtol=1e-4, atol=1e-9)


@settings(deadline=None)
@given(logits, scales)
def test_the_squash_has_finite_gradients_everywhere(values, c):
    raw = torch.tensor([values], requires_grad=True)
    bound(raw, c)[0, 0].backward()
    assert torch.isfinite(raw.grad).all()


def test_the_gradient_at_zero_is_that_of_centring():
    raw = torch.zeros(1, 4, requires_grad=True)
    bound(raw, 2.0)[0, 0].backward()
    torch.testing.assert_close(raw.grad, (torch.tensor([[1.0, 0, 0, 0]]) - 0.25) / 2)


def test_the_squash_is_the_formula():
    u = torch.tensor([[1.5, 0.5, -2.0]])
    expected = u * KAPPA * torch.tanh(torch.tensor(2.0 / KAPPA)) / 2.0
    torch.testing.assert_close(bound(10 * u + 33, 10.0), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("composition", ["alone", "add", "concat"])
def test_each_prefix_of_one_pass_is_the_truncated_ensembles_last(composition, inputs):
    ensemble = make_ensemble(composition=composition)
    prefixes = list(ensemble.staged(inputs))
    assert len(prefixes) == len(ensemble) == 3
    for t, prefix in enumerate(prefixes, start=1):
        truncated = ensemble.truncate(t)
        assert len(truncated) == t
        assert torch.equal(truncated(inputs)[-1], prefix)
    assert torch.equal(ensemble(inputs), torch.stack(prefixes))
    assert not torch.equal(prefixes[0], prefixes[1])


def test_prefixes_are_means_of_the_students_on_the_teachers_scale(inputs):
    ensemble = make_ensemble()
    outputs = torch.stack(list(ensemble.student_outputs(inputs)))
    means = outputs.cumsum(0) / torch.arange(1, 4).view(3, 1, 1)
    torch.testing.assert_close(ensemble(inputs), C * means)
    assert outputs.abs().max() < KAPPA and outputs.sum(-1).abs().max() < 1e-5


def test_heads_that_give_prefixes_give_them(inputs):
    ensemble = make_ensemble(head="prefix")
    x, carry, given = ensemble.normalise(inputs), {}, []
    with torch.no_grad():
        for student in ensemble.students:
            raw, carry = student(x, carry)
            given.append(C * bound(raw, C))
    torch.testing.assert_close(ensemble(inputs), torch.stack(given))
    first, second, third = ensemble.student_outputs(inputs)
    torch.testing.assert_close(C * first, given[0])
    torch.testing.assert_close(C * (first + second) / 2, given[1])
    torch.testing.assert_close(C * (first + second + third) / 3, given[2])


def test_what_describes_an_ensemble_is_saved_and_kept_by_a_prefix(tmp_path):
    x = torch.randn(4, 2, 9)
    options = dict(mean=[1.0, -2.0], std=[3.0, 0.5], input_shape=(2, 9), front_end="running-maximum")
    ensemble = ProgressiveEnsemble(c=2.0, classes="ab", **options)
    ensemble.append(build_student("gru-xs", input_shape=(2, 9), classes=2, composition="alone"))
    ensemble.save(tmp_path / "saved")
    for other in (ensemble.truncate(1), ProgressiveEnsemble.load(tmp_path / "saved")):
        assert other.front_end == "running-maximum" and torch.equal(other(x), ensemble(x))
    plain = ProgressiveEnsemble(c=2.0, classes="ab", **{**options, "front_end": None})
    assert not torch.equal(plain.normalise(x), ensemble.normalise(x))


def test_staged_prefixes_are_tensors_of_their_own(inputs):
    ensemble = make_ensemble()
    untouched = ensemble(inputs)
    for t, prefix in enumerate(ensemble.staged(inputs)):
        assert torch.equal(prefix, untouched[t])
        prefix.zero_()


def test_a_student_runs_only_when_its_prefix_is_asked_for(inputs):
    ensemble = make_ensemble()
    calls = []
    for t, student in enumerate(ensemble.students):
        student.register_forward_hook(lambda *_, t=t: calls.append(t))
    next(ensemble.staged(inputs))
    assert calls == [0]


def test_running_gives_the_sum_and_the_last_carry(inputs):
    ensemble = make_ensemble()
    total, carry = ensemble.run(ensemble.normalise(inputs))
    torch.testing.assert_close(C * total / 3, ensemble(inputs)[-1])
    assert {name: tuple(value.shape[1:]) for name, value in carry.items()} == ensemble.students[-1].carry_shapes
    left = {}
    with torch.no_grad():
        for student in ensemble.students:
            _, left = student(ensemble.normalise(inputs), left)
    assert all(torch.equal(carry[name], left[name]) for name in left)
    assert not total.requires_grad and not any(value.requires_grad for value in carry.values())


def test_without_students_the_sum_is_zero_and_the_carry_empty(inputs):
    ensemble = make_ensemble(rounds=0)
    total, carry = ensemble.run(ensemble.normalise(inputs))
    assert torch.equal(total, torch.zeros(6, CLASSES)) and carry == {}
    for ask in (ensemble, lambda x: ensemble.predict_until(x, 1.0)):
        with pytest.raises(UserError, match="no students"):
            ask(inputs)


def test_a_new_student_can_train_on_what_running_gave(inputs):
    ensemble = make_ensemble(rounds=1)
    x = ensemble.normalise(inputs)
    total, carry = ensemble.run(x)
    student = build_student(
        "cnn-s", input_shape=SHAPE, classes=CLASSES, composition="concat", previous=ensemble.students[-1]
    )
    (total + bound(student(x, carry)[0], C)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in student.parameters())
    assert all(parameter.grad is None for parameter in ensemble.parameters())


def test_every_mode_is_kept_and_evaluation_does_not_depend_on_it(inputs):
    ensemble = make_ensemble()
    expected = ensemble(inputs)
    ensemble.train()
    ensemble.students[1].norms[0].eval()
    modes = {name: part.training for name, part in ensemble.named_modules()}
    statistics = ensemble.students[0].norms[0].running_mean.clone()
    assert torch.equal(ensemble(inputs), expected)
    for _ in ensemble.staged(inputs):
        assert torch.is_grad_enabled()
        assert {name: part.training for name, part in ensemble.named_modules()} == modes
    assert torch.equal(ensemble.students[0].norms[0].running_mean, statistics)


def test_modes_come_back_after_an_error():
    net = nn.Sequential(nn.Dropout(), nn.ReLU())
    net[1].eval()
    with pytest.raises(ZeroDivisionError), evaluating(net):
        assert not any(part.training for part in net.modules()) and not torch.is_grad_enabled()
        1 / 0  # noqa: B018
    assert [part.training for part in net.modules()] == [True, True, False] and torch.is_grad_enabled()


def test_raw_inputs_are_normalised_whatever_their_type(inputs):
    ensemble = make_ensemble()
    expected = (inputs.float() - 4.9) / 6.0
    for x in (inputs, inputs.double(), inputs.numpy()):
        torch.testing.assert_close(ensemble.normalise(x), expected)


def test_inputs_of_another_shape_are_refused():
    with pytest.raises(UserError, match=r"\(batch, 1, 8, 8\)"):
        make_ensemble(rounds=1)(torch.zeros(2, 1, 28, 28))


def test_a_student_that_does_not_fit_is_refused():
    ensemble = make_ensemble(rounds=2)
    wide = build_student("cnn-m", input_shape=SHAPE, classes=CLASSES, composition="add")
    with pytest.raises(UserError, match="level1"):
        ensemble.append(build_student("cnn-xs", input_shape=SHAPE, classes=CLASSES, composition="add", previous=wide))
    with pytest.raises(UserError, match="9 classes"):
        ensemble.append(build_student("cnn-xs", input_shape=SHAPE, classes=9, composition="alone"))
    assert len(ensemble) == 2


@pytest.mark.parametrize("prefix", [0, -1, 4])
def test_prefixes_that_do_not_exist_are_refused(prefix):
    with pytest.raises(UserError, match="1 to 3"):
        make_ensemble().truncate(prefix)


class Clock:
    """A clock that only moves when a student has run."""

    def __init__(self, ensemble, seconds):
        self.now = 0.0
        for student, each in zip(ensemble.students, seconds, strict=True):
            student.register_forward_hook(lambda *_, each=each: self.pass_by(each))

    def pass_by(self, seconds):
        self.now += seconds

    def perf_counter(self):
        return self.now


@pytest.mark.parametrize(
    ("deadline_ms", "seconds", "prefix"),
    [
        (0, (0.010, 0.010, 0.010), 1),
        (5, (0.010, 0.010, 0.010), 1),
        (19, (0.010, 0.010, 0.010), 1),
        (25, (0.010, 0.010, 0.010), 2),
        (1000, (0.010, 0.010, 0.010), 3),
        (float("inf"), (0.010, 0.010, 0.010), 3),
        (45, (0.010, 0.020, 0.010), 2),  # 30 ms gone, and the slowest student took 20
        (45, (0.020, 0.010, 0.010), 2),  # the slowest counts, whichever it was
        (51, (0.020, 0.010, 0.010), 3),
    ],
)
def test_anytime_prediction_stops_before_its_deadline(monkeypatch, inputs, deadline_ms, seconds, prefix):
    ensemble = make_ensemble()
    prefixes = ensemble(inputs)
    clock = Clock(ensemble, seconds)
    monkeypatch.setattr(module, "time", clock)
    answer, reached = ensemble.predict_until(inputs, deadline_ms)
    assert reached == prefix
    assert torch.equal(answer, prefixes[prefix - 1])
    assert clock.now <= max(deadline_ms / 1000, seconds[0]) + 1e-9


@pytest.mark.parametrize("deadline_ms", [-1, float("nan")])
def test_deadlines_that_cannot_be_kept_are_refused(inputs, deadline_ms):
    with pytest.raises(UserError, match="deadline"):
        make_ensemble().predict_until(inputs, deadline_ms)


@pytest.mark.parametrize("composition", ["alone", "add", "concat"])
def test_a_saved_ensemble_loads_to_equal_bits(tmp_path, inputs, composition):
    ensemble = make_ensemble(composition=composition)
    ensemble.save(tmp_path / "saved")
    again = ProgressiveEnsemble.load(tmp_path / "saved")
    assert torch.equal(again(inputs), ensemble(inputs))
    assert (again.classes, again.c, again.dataset, again.teacher) == (tuple("abcde"), C, "digits", "resnet-s")
    assert not again.training and all(parameter.requires_grad for parameter in again.parameters())
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"saved/ensemble.json"} | {f"saved/students/0{t}.safetensors" for t in (1, 2, 3)}


def test_saving_replaces_an_ensemble_and_nothing_else(tmp_path, inputs):
    ensemble = make_ensemble()
    ensemble.save(tmp_path / "saved")
    ensemble.truncate(2).save(tmp_path / "saved")
    assert len(ProgressiveEnsemble.load(tmp_path / "saved")) == 2
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(UserError, match="something else"):
        ensemble.save(tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"


def test_a_save_that_fails_leaves_the_old_ensemble(tmp_path, monkeypatch):
    ensemble = make_ensemble()
    ensemble.truncate(1).save(tmp_path / "saved")
    monkeypatch.setattr(type(ensemble.students[2]), "weights", lambda self: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        ensemble.save(tmp_path / "saved")
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]
    assert len(ProgressiveEnsemble.load(tmp_path / "saved")) == 1


def edit(folder, **changes):
    path = folder / "ensemble.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def flip_a_bit(folder):
    path = folder / "students" / "02.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "a bit flipped": (flip_a_bit, "damaged"),
    "weights missing": (lambda folder: (folder / "students" / "03.safetensors").unlink(), "damaged"),
    "weights swapped": (
        lambda folder: shutil.copy(folder / "students" / "01.safetensors", folder / "students" / "02.safetensors"),
        "damaged",
    ),
    "torn description": (lambda folder: (folder / "ensemble.json").write_text('{"format": "bdis'), "damaged"),
    "not text": (lambda folder: (folder / "ensemble.json").write_bytes(b"\xff\xfe\x00"), "damaged"),
    "a list": (lambda folder: (folder / "ensemble.json").write_text("[1, 2]"), "no saved ensemble"),
    "another format": (lambda folder: edit(folder, format="bdistil-teacher"), "no saved ensemble"),
    "newer": (lambda folder: edit(folder, schema=2), "update bdistil"),
    "no scale": (lambda folder: edit(folder, c=None), "damaged"),
    "zero scale": (lambda folder: edit(folder, c=0.0), "damaged"),
    "infinite scale": (lambda folder: edit(folder, c=float("inf")), "damaged"),
    "wrong classes": (lambda folder: edit(folder, classes=["a", "b"]), "damaged"),
    "odd students": (lambda folder: edit(folder, students=[3]), "damaged"),
    "unknown field": (lambda folder: edit(folder, surprise=1), "damaged"),
    "empty": (lambda folder: (folder / "ensemble.json").unlink(), "no saved ensemble"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_foreign_and_newer_files_are_refused(tmp_path, damage):
    make_ensemble().save(tmp_path / "saved")
    spoil, sentence = DAMAGES[damage]
    spoil(tmp_path / "saved")
    with pytest.raises(UserError, match=sentence):
        ProgressiveEnsemble.load(tmp_path / "saved")


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="nowhere"):
        ProgressiveEnsemble.load(tmp_path / "nowhere")
