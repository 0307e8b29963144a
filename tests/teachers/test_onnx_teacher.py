"""An ONNX file as a teacher: its signature is checked and told, and what cannot be used is one sentence."""

import os
import warnings
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from bdistil.data import CATALOGUE, load_dataset
from bdistil.errors import UserError
from bdistil.teachers import card, card_for, onnx_teacher
from bdistil.teachers.logits import TeacherLogits, asked
from bdistil.teachers.onnx_teacher import OnnxTeacher, onnx_card
from bdistil.teachers.weights import load_teacher

FLOAT, UINT8 = onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8
DIGITS = CATALOGUE["digits"]
SHAPE = ("batch", 1, 8, 8)
WEIGHT = np.random.default_rng(0).normal(size=(64, 10)).astype(np.float32)


def value(name, shape, kind=FLOAT):
    return onnx.helper.make_tensor_value_info(name, kind, shape)


@pytest.fixture
def made(tmp_path):
    """Writes an ONNX file: pictures flattened times WEIGHT, or otherwise as said; returns its path."""

    def make(shape=SHAPE, gives=("batch", 10), kind=FLOAT, more=(), last=("Identity",), inputs=(), outputs=(),
             weight=WEIGHT, **options):  # fmt: skip
        node = onnx.helper.make_node
        nodes = [
            node("Cast", ["x"], ["float"], to=FLOAT),
            node("Flatten", ["float"], ["flat"]),
            node("MatMul", ["flat", "weight"], ["product"]),
            node(last[0], ["product", *last[1:]], ["logits"], **options),
            *more,
        ]
        graph = onnx.helper.make_graph(
            nodes, "made", [value("x", shape, kind), *inputs], [value("logits", gives), *outputs],
            [onnx.numpy_helper.from_array(weight, "weight"), onnx.numpy_helper.from_array(np.arange(10) < 9, "nine")],
        )  # fmt: skip
        opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("mine", 1)]
        model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9)
        path = tmp_path / "teacher.onnx"
        onnx.save(model, path)
        return str(path)

    return make


def refusal(path, reads="raw", known=DIGITS):
    with pytest.raises(UserError) as error:
        onnx_card(path, known, reads)
    sentence = str(error.value)
    assert path in sentence and "\n" not in sentence
    return sentence


def answers(x, mean=0.0, std=1.0):
    return (x.reshape(len(x), -1).astype(np.float32) - mean) / std @ WEIGHT


# ---------------------------------------------------------------------------------------------- what is refused


def test_two_inputs_or_outputs_are_one_sentence(made):
    add = onnx.helper.make_node("Add", ["product", "bias"], ["sum"])
    path = made(more=[add], inputs=[value("bias", (10,))], outputs=[value("sum", ("batch", 10))])
    assert "has 2 inputs (x, bias): export it with exactly one" in refusal(path)
    path = made(outputs=[value("product", ("batch", 10))])
    assert "has 2 outputs (logits, product): export it with exactly one" in refusal(path)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"shape": ("batch", 3, 8, 8), "weight": np.tile(WEIGHT, (3, 1))},
         "reads (batch, 3, 8, 8), the dataset has (batch, 1, 8, 8)"),
        ({"shape": (0, 1, 8, 8), "gives": (0, 10)}, "reads a batch of 0 examples: export it with a dynamic batch"),
        ({"shape": ("batch", 64)}, "reads (batch, 64), the dataset has (batch, 1, 8, 8)"),
        ({"shape": ("batch", 8, 8, 1)}, "reads (batch, 8, 8, 1), the dataset has (batch, 1, 8, 8)"),
        ({"shape": ("batch", 1, "height", 8)}, "reads (batch, 1, ?, 8): only the batch may be dynamic"),
        ({"shape": ("batch", 1, None, None)}, "reads (batch, 1, ?, ?): only the batch may be dynamic"),
        ({"shape": SHAPE, "kind": onnx.TensorProto.DOUBLE}, "reads tensor(double): export it with an input of float32"),
    ],
)  # fmt: skip
def test_another_input_is_one_sentence(made, changes, sentence):
    assert sentence in refusal(made(**changes))


def test_other_classes_are_one_sentence(made):
    nine = replace(DIGITS, classes=DIGITS.classes[:9])
    assert "gives tensor(float) (batch, 10), the dataset has 9 classes" in refusal(made(), known=nine)
    path = made(gives=("batch", "many"), last=("Compress", "nine"), axis=1)  # how many is seen when it is tried
    assert "answers 2 examples with (2, 9), the dataset has 10 classes" in refusal(path)


def test_an_operator_that_nobody_knows_is_one_sentence(made):
    assert "uses the operator Magic, which onnxruntime does not know" in refusal(made(last=("Magic",)))
    assert "uses the operator Magic" in refusal(made(last=("Magic",), domain="mine"))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("[ONNXRuntimeError] : 1 : FAIL : Non-zero status code. Name:'' Status Message: /src/bfc_arena.cc:360 void* "
         "onnxruntime::BFCArena::AllocateRawInternal(size_t, bool) Failed to allocate memory.\n",
         "Non-zero status code. Name:'' Status Message: Failed to allocate memory"),
        ("[ONNXRuntimeError] : 1 : FAIL : utils.cc:1805 Validate Initializer 'W': count (0) does not match.",
         "Initializer 'W': count (0) does not match"),
    ],
)  # fmt: skip
def test_what_onnxruntime_says_is_told_without_places_in_its_source(error, told):
    assert onnx_teacher._one_line(error) == told


def test_external_data_are_not_followed(made, tmp_path):
    """Neither a file beside the model nor one that a path leads to: weights lie in the file itself."""
    (tmp_path / "secret").write_bytes(WEIGHT.tobytes())
    path = made()
    for place in ("weights.bin", "../secret", str(tmp_path / "secret")):
        model = onnx.load(path, load_external_data=False)
        weight = model.graph.initializer[0]
        weight.ClearField("raw_data")
        weight.ClearField("external_data")
        weight.data_location = onnx.TensorProto.EXTERNAL
        weight.external_data.add(key="location", value=place)
        (tmp_path / "outside.onnx").write_bytes(model.SerializeToString())
        assert "keeps its weights in another file (external data)" in refusal(str(tmp_path / "outside.onnx"))


def test_external_data_within_a_branch_are_not_followed(made, tmp_path):
    tensor = onnx.TensorProto(name="hidden", data_type=FLOAT, dims=[1], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/passwd")
    constant = onnx.helper.make_node("Constant", [], ["one"], value=tensor)
    branch = onnx.helper.make_graph([constant], "branch", [], [value("one", (1,))])
    path = made()
    model = onnx.load(path)
    model.graph.node.append(onnx.helper.make_node("If", ["yes"], ["out"], then_branch=branch, else_branch=branch))
    (tmp_path / "branch.onnx").write_bytes(model.SerializeToString())
    assert "keeps its weights in another file" in refusal(str(tmp_path / "branch.onnx"))


def test_three_gigabytes_are_refused_unread(tmp_path):
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(3_000_000_000)  # sparse: no disk is filled
    assert "takes 3.0 GB, the limit is 2 GB: give the teacher’s answers instead" in refusal(str(path))


@pytest.mark.parametrize("content", [b"", b"no model", b"\x80\x04\x95", bytes(1000)])
def test_a_file_that_is_no_model_is_one_sentence(tmp_path, content):
    (tmp_path / "no.onnx").write_bytes(content)
    assert "is no ONNX file" in refusal(str(tmp_path / "no.onnx"))


def test_a_cut_model_is_one_sentence(made, tmp_path):
    content = open_bytes(made())
    for length in range(1, len(content), 257):
        (tmp_path / "cut.onnx").write_bytes(content[:length])
        refusal(str(tmp_path / "cut.onnx"))


def open_bytes(path):
    with open(path, "rb") as file:
        return file.read()


def test_no_file_is_one_sentence(tmp_path):
    assert "cannot be read (No such file or directory)" in refusal(str(tmp_path / "none.onnx"))
    (tmp_path / "folder.onnx").mkdir()
    assert "cannot be read (Is a directory)" in refusal(str(tmp_path / "folder.onnx"))
    os.mkfifo(tmp_path / "pipe.onnx")  # and is not waited for
    assert "cannot be read (it is no regular file)" in refusal(str(tmp_path / "pipe.onnx"))


def test_what_it_reads_must_be_said(made):
    assert "reads float32: choose the teacher input raw, inputs as they are, or" in refusal(made(), reads=None)
    with pytest.raises(UserError, match="--teacher-input is raw or normalised; “pixels” is not"):
        onnx_card(made(), DIGITS, "pixels")
    assert "reads whole numbers (uint8), which are raw" in refusal(made(kind=UINT8), reads="normalised")


def test_answers_that_are_not_numbers_name_their_row(made):
    """log of a negative sum: the first picture that gives one is named."""
    x = load_dataset("digits").x_test[:50]
    path = made(last=("Log",))
    row = int(np.argmax((answers(x) < 0).any(axis=1)))
    with pytest.raises(UserError, match=rf"teacher.onnx, test inputs, row {row + 1}: the logits hold NaN"):
        asked(onnx_card(path, DIGITS, "raw"), load_dataset("digits"))(x, "test")


def test_a_file_that_changed_since_is_one_sentence(made):
    known = onnx_card(made(), DIGITS, "raw")
    made(last=("Neg",))
    with pytest.raises(UserError, match="has changed since this run began"):
        OnnxTeacher(known, [0.0], [1.0])


def test_without_onnxruntime_the_sentence_says_how_to_install_it(made, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"An ONNX teacher needs onnxruntime, .*pip install 'bdistil\[export\]'"):
        onnx_card(made(), DIGITS, "raw")


# ------------------------------------------------------------------------------------------------- what it answers


@pytest.mark.parametrize("batch", ["batch", None, 1, 7, 64])
def test_any_batch_gives_the_same_answers(made, batch):
    x = load_dataset("digits").x_test[:50]
    teacher = OnnxTeacher(onnx_card(made(shape=(batch, 1, 8, 8), gives=(batch, 10)), DIGITS, "raw"), [0.0], [1.0])
    assert teacher(x, "test") == pytest.approx(answers(x), rel=1e-4, abs=1e-3)


def test_raw_and_normalised_inputs_and_their_caches_differ(made, own_home):
    data, path = load_dataset("digits"), made()
    x = data.x_test[:50]
    for reads, mean, std in (("raw", 0.0, 1.0), ("normalised", data.mean[0], data.std[0])):
        for _ in range(2):  # once answered, once from the cache
            found = asked(onnx_card(path, DIGITS, reads), data)(x, "test")
            assert found.dtype == np.float32 and found == pytest.approx(answers(x, mean, std), rel=1e-4, abs=1e-2)
    assert len(list((own_home / "cache" / "teacher-logits").iterdir())) == 2


def test_whole_numbers_are_raw(made):
    known = onnx_card(made(kind=UINT8), DIGITS, None)
    x = load_dataset("digits").x_test[:50]
    assert known["reads"] == "raw"
    assert OnnxTeacher(known, [5.0], [2.0])(x, "test") == pytest.approx(answers(x), rel=1e-4, abs=1e-3)


def test_probabilities_become_logarithms(made):
    known = onnx_card(made(last=("Softmax",)), DIGITS, "raw")
    x = load_dataset("digits").x_test[:50]
    found = OnnxTeacher(known, [0.0], [1.0])(x, "test")
    assert known["probabilities"] and "gives probabilities, not logits" in known["notices"][0]
    assert (found.argmax(axis=1) == answers(x).argmax(axis=1)).all() and found.min() == pytest.approx(np.log(1e-7))


def test_the_card_tells_the_signature_and_only_stated_costs(made):
    known = card_for(made(), "digits", teacher_input="raw", teacher_macs=640)
    assert known["signature"] == "x float32 (batch, 1, 8, 8) raw → logits float32 (batch, 10)"
    assert (known["kind"], known["macs"], known["macs_stated"], known["parameters"]) == ("onnx", 640, True, None)
    fixed = card_for(made(shape=(4, 1, 8, 8), gives=(4, 10)), "digits", teacher_input="raw")
    assert fixed["signature"] == "x float32 (batch, 1, 8, 8), batch 4 raw → logits float32 (batch, 10), batch 4"
    assert fixed["macs"] is None and not fixed["macs_stated"]


def test_an_exported_network_answers_as_it_did(tmp_path):
    """The shipped teacher as an ONNX file gives the logits that it gives itself."""
    shipped, data, path = card("digits-resnet-s"), load_dataset("digits"), str(tmp_path / "shipped.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        torch.onnx.export(load_teacher(shipped), (torch.zeros(2, 1, 8, 8),), path, dynamo=True, external_data=False,
                          dynamic_shapes=({0: torch.export.Dim("batch")},), verbose=False)  # fmt: skip
    ask = asked(card_for(path, "digits", teacher_input="normalised"), data)
    assert ask(data.x_test, "test") == pytest.approx(TeacherLogits(shipped)(data.x_test), abs=1e-3)
