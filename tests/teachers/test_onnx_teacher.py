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
from bdistil.teachers.doubts import better_scaling
from bdistil.teachers.logits import TeacherLogits, teacher_oracle
from bdistil.teachers.onnx_teacher import OnnxTeacher, onnx_card
from bdistil.teachers.scaling import Statistics
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

    def make(
        shape=SHAPE,
        gives=("batch", 10),
        kind=FLOAT,
        more=(),
        last=("Identity",),
        inputs=(),
        outputs=(),
        weight=WEIGHT,
        **options,
    ):
        node = onnx.helper.make_node
        nodes = [
            node("Cast", ["x"], ["float"], to=FLOAT),
            node("Flatten", ["float"], ["flat"]),
            node("MatMul", ["flat", "weight"], ["product"]),
            node(last[0], ["product", *last[1:]], ["logits"], **options),
            *more,
        ]
        graph = onnx.helper.make_graph(
            nodes,
            "made",
            [value("x", shape, kind), *inputs],
            [value("logits", gives), *outputs],
            [onnx.numpy_helper.from_array(weight, "weight"), onnx.numpy_helper.from_array(np.arange(10) < 9, "nine")],
        )
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
    asked = "set `teacher_output` to the one with the answers, best the logits, such as logits"
    assert f"has 2 outputs (logits, product): {asked}" in refusal(path)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"shape": ("batch", 3, 8, 8), "weight": np.tile(WEIGHT, (3, 1))},
            "reads (batch, 3, 8, 8), the dataset has (batch, 1, 8, 8)",
        ),
        ({"shape": (0, 1, 8, 8), "gives": (0, 10)}, "reads a batch of 0 examples: export it with a dynamic batch"),
        ({"shape": ("batch", 8, 8)}, "reads (batch, 8, 8), the dataset has (batch, 1, 8, 8)"),
        ({"shape": ("batch", 1, "height", 8)}, "reads (batch, 1, ?, 8): only the batch may be dynamic"),
        ({"shape": ("batch", 1, None, None)}, "reads (batch, 1, ?, ?): only the batch may be dynamic"),
        ({"shape": SHAPE, "kind": onnx.TensorProto.INT64}, "reads tensor(int64): export it with an input of float32"),
    ],
)
def test_another_input_is_one_sentence(made, changes, sentence):
    assert sentence in refusal(made(**changes))


def test_other_classes_are_one_sentence(made):
    nine = replace(DIGITS, classes=DIGITS.classes[:9])
    assert "gives tensor(float) (batch, 10), the data have 9 classes" in refusal(made(), known=nine)
    path = made(gives=("batch", "many"), last=("Compress", "nine"), axis=1)  # how many is seen when it is tried
    assert "answers 24 examples with (24, 9), the dataset has 10 classes" in refusal(path)


def test_an_operator_that_nobody_knows_is_one_sentence(made):
    assert "uses the operator Magic, which onnxruntime does not know" in refusal(made(last=("Magic",)))
    assert "uses the operator Magic" in refusal(made(last=("Magic",), domain="mine"))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code. Name:'' Status Message: /src/bfc_arena.cc:360 void* "
            "onnxruntime::BFCArena::AllocateRawInternal(size_t, bool) Failed to allocate memory.\n",
            "Non-zero status code. Name:'' Status Message: Failed to allocate memory",
        ),
        (
            "[ONNXRuntimeError] : 1 : FAIL : utils.cc:1805 Validate Initializer 'W': count (0) does not match.",
            "Initializer 'W': count (0) does not match",
        ),
    ],
)
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
    choices = "choose the teacher input raw (as they are), unit (divided by 255)"
    assert f"reads float32: {choices}" in refusal(made(), reads=None)
    with pytest.raises(UserError, match="`teacher_input` must be one of raw, unit, .*; got “pixels”"):
        onnx_card(made(), DIGITS, "pixels")
    assert "reads whole numbers (uint8), which are raw" in refusal(made(kind=UINT8), reads="normalised")


def test_answers_that_are_not_numbers_name_their_row(made):
    """log of a negative sum: the first picture that gives one is named."""
    x = load_dataset("digits").x_test[:50]
    path = made(last=("Log",))
    row = int(np.argmax((answers(x) < 0).any(axis=1)))
    with pytest.raises(UserError, match=rf"teacher.onnx, test inputs, row {row + 1}: the logits hold NaN"):
        teacher_oracle(onnx_card(path, DIGITS, "raw"), load_dataset("digits"))(x, "test")


def test_a_file_that_changed_since_is_one_sentence(made):
    known = onnx_card(made(), DIGITS, "raw")
    made(last=("Neg",))
    with pytest.raises(UserError, match="has changed since this run began"):
        OnnxTeacher(known, DIGITS, Statistics((0.0,), (1.0,), 16.0))


def test_without_onnxruntime_the_sentence_says_how_to_install_it(made, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"An ONNX teacher needs onnxruntime, .*pip install 'bdistil\[export\]'"):
        onnx_card(made(), DIGITS, "raw")


# ------------------------------------------------------------------------------------------------- what it answers


@pytest.mark.parametrize("batch", ["batch", None, 1, 7, 64])
def test_any_batch_gives_the_same_answers(made, batch):
    x = load_dataset("digits").x_test[:50]
    teacher = OnnxTeacher(
        onnx_card(made(shape=(batch, 1, 8, 8), gives=(batch, 10)), DIGITS, "raw"),
        DIGITS,
        Statistics((0.0,), (1.0,), 16.0),
    )
    assert teacher(x, "test") == pytest.approx(answers(x), rel=1e-4, abs=1e-3)


def test_raw_and_normalised_inputs_and_their_caches_differ(made, own_home):
    data, path = load_dataset("digits"), made()
    x = data.x_test[:50]
    for reads, mean, std in (("raw", 0.0, 1.0), ("normalised", data.mean[0], data.std[0])):
        for _ in range(2):  # once answered, once from the cache
            found = teacher_oracle(onnx_card(path, DIGITS, reads), data)(x, "test")
            assert found.dtype == np.float32 and found == pytest.approx(answers(x, mean, std), rel=1e-4, abs=1e-2)
    assert len(list((own_home / "cache" / "teacher-logits").iterdir())) == 2


def test_whole_numbers_are_raw(made):
    known = onnx_card(made(kind=UINT8), DIGITS, None)
    x = load_dataset("digits").x_test[:50]
    assert known.reads == "raw"
    assert OnnxTeacher(known, DIGITS, Statistics((5.0,), (2.0,), 16.0))(x, "test") == pytest.approx(
        answers(x), rel=1e-4, abs=1e-3
    )


def test_probabilities_become_logarithms(made):
    known = onnx_card(made(last=("Softmax",)), DIGITS, "raw")
    x = load_dataset("digits").x_test[:50]
    found = OnnxTeacher(known, DIGITS, Statistics((0.0,), (1.0,), 16.0))(x, "test")
    assert known.probabilities and "gives probabilities, not logits" in known.notices[0]
    assert (found.argmax(axis=1) == answers(x).argmax(axis=1)).all() and found.min() == pytest.approx(np.log(1e-7))


def test_the_card_tells_the_signature_and_only_stated_costs(made):
    known = card_for(made(), "digits", teacher_input="raw", teacher_macs=640)
    assert known.signature == "x float32 (batch, 1, 8, 8) raw → logits float32 (batch, 10)"
    assert (known.kind, known.macs, known.macs_stated, known.parameters) == ("onnx", 640, True, None)
    fixed = card_for(made(shape=(4, 1, 8, 8), gives=(4, 10)), "digits", teacher_input="raw")
    assert fixed.signature == "x float32 (batch, 1, 8, 8), batch 4 raw → logits float32 (batch, 10), batch 4"
    assert fixed.macs is None and not fixed.macs_stated


def test_an_exported_network_answers_as_it_did(tmp_path):
    """The shipped teacher as an ONNX file gives the logits that it gives itself."""
    shipped, data, path = card("digits-resnet-s"), load_dataset("digits"), str(tmp_path / "shipped.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        torch.onnx.export(
            load_teacher(shipped),
            (torch.zeros(2, 1, 8, 8),),
            path,
            dynamo=True,
            external_data=False,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    ask = teacher_oracle(card_for(path, "digits", teacher_input="normalised"), data)
    assert ask(data.x_test, "test") == pytest.approx(TeacherLogits(shipped)(data.x_test), abs=1e-3)


# ---------------------------------------------------------------------------------- as the world exports them


def asked_of(path, reads="raw", output=None):
    """The card of a file and what it answers to 50 digits."""
    data = load_dataset("digits")
    known = onnx_card(path, DIGITS, reads, None, output)
    return known, teacher_oracle(known, data)(data.x_test[:50], "test")


EXPECTED = answers(load_dataset("digits").x_test[:50])


@pytest.mark.parametrize(
    ("shape", "notice"),
    [
        (("batch", 8, 8, 1), "channels last: the dataset’s (batch, 1, 8, 8) is rearranged"),
        (("batch", 64), "the dataset’s (batch, 1, 8, 8) is flattened"),
    ],
)
def test_another_layout_is_adapted_and_said(made, shape, notice):
    known, found = asked_of(made(shape=shape))
    assert notice in known.notices[0] and found == pytest.approx(EXPECTED, rel=1e-4, abs=1e-3)


def test_channels_are_moved_last_not_only_renamed(made):
    """With three channels the order of the numbers changes: each is weighed as the file reads it."""
    info = replace(DIGITS, input_shape=(3, 8, 8))
    weight = np.random.default_rng(1).normal(size=(192, 10)).astype(np.float32)
    x = np.random.default_rng(2).integers(0, 256, (5, 3, 8, 8)).astype(np.uint8)
    teacher = OnnxTeacher(
        onnx_card(made(shape=("batch", 8, 8, 3), weight=weight), info, "raw"), info, Statistics.invented(3)
    )
    expected = x.transpose(0, 2, 3, 1).reshape(5, -1).astype(np.float32) @ weight
    assert teacher.ask(x) == pytest.approx(expected, rel=1e-4, abs=1e-2)


@pytest.mark.parametrize(
    ("kind", "name"), [(onnx.TensorProto.DOUBLE, "float64"), (onnx.TensorProto.FLOAT16, "float16")]
)
def test_other_floats_are_adapted_and_said(made, kind, name):
    cast = onnx.helper.make_node("Cast", ["logits"], ["wide"], to=kind)
    path = made(kind=kind, more=[cast], outputs=[value("wide", ("batch", 10), kind)])
    known, found = asked_of(path, output="wide")
    assert f"reads and gives {name}: numbers are converted" in known.notices[0]
    assert found.dtype == np.float32 and found == pytest.approx(EXPECTED, rel=1e-2, abs=1e-2)


def test_a_named_output_is_the_one_that_answers(made):
    """Each has its own answers, from the cache as well."""
    negative = onnx.helper.make_node("Neg", ["product"], ["negative"])
    path = made(more=[negative], outputs=[value("negative", ("batch", 10))])
    for name, sign in (("logits", 1), ("negative", -1), ("logits", 1)):
        assert asked_of(path, output=name)[1] == pytest.approx(sign * EXPECTED, rel=1e-4, abs=1e-3)
    with pytest.raises(UserError, match="has no output other: set `teacher_output` to one of logits, negative"):
        onnx_card(path, DIGITS, "raw", None, "other")


def test_of_scikit_learns_pair_the_probabilities_are_taken(made):
    nodes = [
        onnx.helper.make_node("ArgMax", ["product"], ["label"], axis=1, keepdims=0),
        onnx.helper.make_node("Softmax", ["product"], ["probabilities"], axis=1),
    ]
    path = made(more=nodes, outputs=[value("label", ("batch",), onnx.TensorProto.INT64)])
    model = onnx.load(path)
    table = value("probabilities", ("batch", 10))
    model.graph.output.remove(model.graph.output[0])
    model.graph.output.append(table)
    onnx.save(model, path)
    known, found = asked_of(path)
    assert "probabilities is taken, the only one with a number for each of the 10 classes" in known.notices[0]
    assert known.probabilities and (found.argmax(axis=1) == EXPECTED.argmax(axis=1)).all()


@pytest.mark.parametrize("classes", [{"classlabels_int64s": range(10)}, {"classlabels_strings": list("1032547698")}])
def test_dictionaries_are_read_by_their_keys(made, classes):
    """scikit-learn's ZipMap; names are matched to the data set's classes, not taken in their order."""
    nodes = [
        onnx.helper.make_node("Softmax", ["product"], ["table"], axis=1),
        onnx.helper.make_node("ZipMap", ["table"], ["maps"], domain="ai.onnx.ml", **classes),
    ]
    path = made(more=nodes)
    model = onnx.load(path)
    model.opset_import.append(onnx.helper.make_opsetid("ai.onnx.ml", 1))
    key = onnx.TensorProto.INT64 if "classlabels_int64s" in classes else onnx.TensorProto.STRING
    number = onnx.helper.make_tensor_type_proto(FLOAT, [])
    kind = onnx.helper.make_sequence_type_proto(onnx.helper.make_map_type_proto(key, number))
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_value_info("maps", kind))
    onnx.save(model, path)
    _, found = asked_of(path)
    order = [1, 0, 3, 2, 5, 4, 7, 6, 9, 8] if key == onnx.TensorProto.STRING else list(range(10))
    assert (found.argmax(axis=1) == EXPECTED[:, order].argmax(axis=1)).all()


@pytest.mark.parametrize(
    ("reads", "mean", "std"), [("unit", 0, 255), ("maximum", 0, 16), ("mean=0.1;std=0.5", 25.5, 127.5)]
)
def test_inputs_are_scaled_as_chosen(made, reads, mean, std):
    assert asked_of(made(), reads)[1] == pytest.approx(answers(load_dataset("digits").x_test[:50], mean, std), abs=1e-3)


@pytest.mark.parametrize(
    ("reads", "sentence"),
    [
        ("imagenet", "imagenet for colour pictures only"),
        ("mean=0.1,0.2;std=1,1", "has 2 means and 2 standard deviations for 1 channels"),
        ("mean=0.1", "write it like 'mean=0.5,0.5,0.5;std=0.25,0.25,0.25'"),
        ("mean=0;std=0", "with every std above 0"),
        ("mean=nan;std=1", "can't be read"),
    ],
)
def test_another_scaling_is_one_sentence(made, reads, sentence):
    with pytest.raises(UserError) as error:
        onnx_card(made(), DIGITS, reads)
    assert sentence in str(error.value)


def nearest_mean():
    """Weights and biases of a linear classifier that is right for most digits as they are."""
    data = load_dataset("digits")
    x = data.x_train.reshape(len(data.x_train), -1)
    means = np.stack([x[data.y_train == label].mean(axis=0) for label in range(10)], axis=1)
    return means.astype(np.float32), (-0.5 * (means**2).sum(axis=0)).astype(np.float32)


def test_a_scaling_that_is_right_more_often_is_named(made):
    weight, bias = nearest_mean()
    path = made(weight=weight, last=("Add", "bias"))
    model = onnx.load(path)
    model.graph.initializer.append(onnx.numpy_helper.from_array(bias, "bias"))
    onnx.save(model, path)
    data = load_dataset("digits")
    sentence = better_scaling(teacher_oracle(onnx_card(path, DIGITS, "maximum"), data), "maximum", data)
    assert "training examples with the input maximum" in sentence[0] and "set `teacher_input` to raw" in sentence[0]
    assert better_scaling(teacher_oracle(onnx_card(path, DIGITS, "raw"), data), "raw", data) == []


# --------------------------------------------------------------- answers that depend on more than the example


def test_a_teacher_in_training_mode_is_refused(made):
    """Its dropout draws anew at every call."""
    path = made(last=("Dropout", "ratio", "yes"))
    model = onnx.load(path)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(0.3, np.float32), "ratio"))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(True), "yes"))
    onnx.save(model, path)
    assert "its answers differ from call to call: export it in evaluation mode" in refusal(path)


def test_a_teacher_that_reads_its_batch_is_refused(made):
    mean = onnx.helper.make_node("ReduceMean", ["product"], ["mean"], axes=[0])
    path = made()
    model = onnx.load(path)
    model.graph.node.insert(3, mean)
    model.graph.node[4].CopyFrom(onnx.helper.make_node("Sub", ["product", "mean"], ["logits"]))
    onnx.save(model, path)
    assert "its answer to an example depends on other examples of the batch" in refusal(path)
