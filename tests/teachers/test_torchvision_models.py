"""torchvision's models as teachers: any name, any picture, and weights that are theirs or a sentence."""

import pickle
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

from bdistil.config import TeachConfig
from bdistil.data import load_dataset
from bdistil.errors import UserError
from bdistil.inputs import normalise
from bdistil.runs import list_runs
from bdistil.teachers import card, card_for
from bdistil.teachers.logits import TeacherLogits
from bdistil.teachers.zoo import build_teacher
from bdistil.training.teacher import finish_teacher, teach

SMALL = "torchvision:shufflenet_v2_x0_5@32"


@pytest.fixture(scope="module")
def data():
    """A tenth of digits."""
    whole = load_dataset("digits")
    return replace(
        whole,
        **{
            name: getattr(whole, name)[:100]
            for name in ("x_train", "y_train", "x_validation", "y_validation", "x_test", "y_test")
        },
    )


def config(**given):
    return TeachConfig.create("digits", **(dict(architecture=SMALL, epochs=1, threads=1) | given))


def weights(path, classes, model="shufflenet_v2_x0_5"):
    torch.manual_seed(1)
    made = models.get_model(model, weights=None, num_classes=classes).eval()
    save_file(made.state_dict(), path)
    return made, str(path)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("torchvision:resnet81", r"no classification model called resnet81\. Did you mean resnet\d+\?$"),
        ("resnet18", r"no teacher architecture called resnet18\. Did you mean torchvision:resnet18\?$"),
        ("resnet18@64", r"Did you mean torchvision:resnet18@64\?$"),
        ("torchvision:", r"^torchvision has no classification model called \.$"),
        ("torchvision:fcn_resnet50", "has no classification model called fcn_resnet50"),
        ("torchvision:resnet18@big", "Pictures for resnet18 must have a side from 1 to 1024 pixels; got “big”"),
        ("torchvision:resnet18@0", "must have a side from 1 to 1024 pixels; got “0”"),
        ("torchvision:vit_b_16@64", "vit_b_16 cannot read pictures of 64 pixels: try torchvision:vit_b_16@224"),
        ("torchvision:inception_v3@32", "inception_v3 cannot read pictures of 32 pixels"),
    ],
)
def test_a_name_that_cannot_be_is_one_sentence(name, sentence):
    with pytest.raises(UserError, match=sentence):
        config(architecture=name)


def test_options_that_do_not_go_together_are_one_sentence():
    with pytest.raises(UserError, match="`weights` can be given for torchvision’s models only; resnet-s is none"):
        config(architecture="resnet-s", weights="DEFAULT")
    with pytest.raises(UserError, match="`epochs` can be 0 only with `weights`"):
        config(epochs=0)
    assert config(weights="DEFAULT").learning_rate == 0.01 and config().learning_rate == 0.1


@pytest.mark.parametrize("name", ["resnet18@48", "googlenet@64", "vgg11@32", "efficientnet_b0@32"])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 20, 33)])
def test_pictures_of_any_size_grey_or_coloured_are_read(name, shape):
    with torch.device("meta"):  # no weights are made
        model = build_teacher(f"torchvision:{name}", input_shape=shape, classes=7).eval()
        assert model(torch.zeros(2, *shape)).shape == (2, 7)


def test_four_channels_are_one_sentence():
    with pytest.raises(UserError, match="read pictures of 1 or 3 channels, the dataset’s have 4"):
        build_teacher(SMALL, input_shape=(4, 8, 8), classes=2)


def test_it_is_trained_saved_and_asked_like_any_teacher(data):
    model, accuracy = teach(config(epochs=2), data)
    saved = finish_teacher(config(epochs=2), data, model, accuracy, {}, 1.0)
    assert saved.name == "digits-shufflenet_v2_x0_5-32" and saved.macs > 500_000
    again = TeacherLogits(card_for(saved.name, "digits"))(data.x_test)
    own = model.eval()(normalise(data.x_test, data.mean, data.std)).detach().numpy()
    assert again == pytest.approx(own, abs=1e-4)
    assert card(saved.name).accuracy == pytest.approx((own.argmax(axis=1) == data.y_test).mean())


def test_weights_are_taken_as_they_are(data, tmp_path):
    """With no epochs the teacher answers what the model itself answers on pixels as torchvision prepares them."""
    made, path = weights(tmp_path / "mine.safetensors", 10)
    model, accuracy = teach(config(weights=path, epochs=0), data)
    pixels = torch.from_numpy(data.x_test / data.x_train.max()).float().expand(-1, 3, -1, -1)
    large = torch.nn.functional.interpolate(pixels, (32, 32), mode="bilinear", antialias=True)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    expected = made((large - mean) / std).detach().numpy()
    found = model.eval()(normalise(data.x_test, data.mean, data.std)).detach().numpy()
    assert found == pytest.approx(expected, abs=1e-3) and 0 <= accuracy <= 1
    finished = finish_teacher(config(weights=path, epochs=0), data, model, accuracy, {}, 1.0)
    assert f"--epochs 0 --seed 0 --learning-rate 0.01 --weights {path}" in finished.command


def test_weights_of_other_classes_are_tuned_and_not_taken_as_they_are(data, tmp_path):
    made, path = weights(tmp_path / "mine.safetensors", 7)
    with pytest.raises(UserError, match=r"answer 7 classes, the dataset has 10: fine-tune them with 1 epoch or more"):
        config(weights=path, epochs=0)
    tuned, _ = teach(config(weights=path, learning_rate=1e-7), data)
    fresh, _ = teach(config(learning_rate=1e-7), data)
    first, start, other = (
        model.state_dict()[f"{where}conv1.0.weight"]
        for model, where in ((tuned, "model."), (made, ""), (fresh, "model."))
    )
    assert torch.allclose(first, start, atol=1e-3) and not torch.allclose(other, start, atol=1e-2)


def test_weights_of_another_model_are_one_sentence(tmp_path):
    for model, sentence in (("squeezenet1_1", "are not those of"), ("shufflenet_v2_x1_0", "are not those of")):
        _, path = weights(tmp_path / "other.safetensors", 10, model)
        with pytest.raises(UserError, match=sentence):
            config(weights=path)


@pytest.mark.parametrize(
    "change",
    [
        lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
        lambda state: {name: tensor for name, tensor in state.items() if "num_batches_tracked" not in name},
    ],
)
def test_weights_as_other_tools_name_them_are_the_same(data, tmp_path, change):
    made, path = weights(tmp_path / "mine.safetensors", 10)
    save_file(change(made.state_dict()), tmp_path / "other.safetensors")
    one, other = (
        teach(config(weights=str(file), epochs=0), data)[0].state_dict()
        for file in (path, tmp_path / "other.safetensors")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert torch.equal(one["model.conv1.0.weight"], made.state_dict()["conv1.0.weight"])


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("none.safetensors", None, r"There is no file \S+none.safetensors: give a safetensors file, or DEFAULT\.$"),
        ("none.safetensors", b"", "is no readable safetensors file: give one, or DEFAULT"),
        ("none.safetensors", b"\x80\x04\x95no tensors", "is no readable safetensors file: give one, or DEFAULT"),
        ("none.PTH", b"\x80\x04\x95", r"is a pickle, and none is opened here: convert it with safetensors.torch.save_"),
        ("none.bin", None, r"There is no file \S+none.bin: give a"),
    ],
)
def test_a_file_that_holds_no_tensors_is_one_sentence_and_no_run(bdistil, tmp_path, name, content, sentence):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    status, out, err = bdistil("teach", "--dataset", "digits", "--teacher", SMALL, "--weights", tmp_path / name)
    assert (status, out) == (2, "") and re.search(sentence, err.strip()) and err.count("\n") == 1
    assert list_runs(samples=False) == []


def test_a_pickle_is_never_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return Path.touch, (tmp_path / "exploded",)

    (tmp_path / "mine.pt").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(UserError, match="is a pickle, and none is opened here"):
        config(weights=str(tmp_path / "mine.pt"))
    assert not (tmp_path / "exploded").exists()


def test_without_a_network_the_sentence_says_what_to_do(data, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(UserError, match="There is no network to fetch torchvision’s weights of shufflenet_v2_x0_5"):
        teach(config(weights="DEFAULT"), data)
    assert not np.any([path.is_file() for path in tmp_path.rglob("*.pth")])


def test_the_command_line_trains_one_and_names_it(own_home):
    words = ["--dataset", "digits", "--teacher", SMALL, "--epochs", "1", "--threads", "1", "--quiet"]
    ended = subprocess.run(
        [sys.executable, "-m", "bdistil", "teach", *words], capture_output=True, text=True, timeout=500
    )
    assert (ended.returncode, ended.stdout) == (0, "digits-shufflenet_v2_x0_5-32\n"), ended.stderr
    assert [run.id for run in list_runs(samples=False)][0].startswith("digits-shufflenet_v2_x0_5-32-")
    assert card_for("digits-shufflenet_v2_x0_5-32", "digits").architecture == SMALL
