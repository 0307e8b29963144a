"""What holds for every data set of the catalogue: a new one is tested unasked."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bdistil.data import CATALOGUE, data_home, fetch, info, is_here, load_dataset
from bdistil.data.dataset import SPLITS, Dataset
from bdistil.errors import UserError


@pytest.fixture(scope="module", params=list(CATALOGUE))
def dataset(request):
    if not is_here(request.param):
        pytest.skip(f"{request.param} is not in BDISTIL_DATA.")
    return load_dataset(request.param)


def test_shapes_types_and_counts_are_as_announced(dataset):
    for name in SPLITS:
        x, y = dataset.split(name)
        assert x.shape == (getattr(dataset.info, name), *dataset.info.input_shape) and x.dtype == np.uint8
        assert y.shape == (len(x),) and y.dtype == np.int64
        assert x.flags.c_contiguous and x.flags.writeable and y.flags.writeable  # torch warns of read-only arrays


def test_every_split_has_every_class_in_the_same_proportion(dataset):
    shares = [np.bincount(dataset.split(name)[1]) / len(dataset.split(name)[1]) for name in SPLITS]
    assert all(len(share) == len(dataset.info.classes) for share in shares)
    np.testing.assert_allclose(shares[1:], [shares[0]] * 2, atol=0.005)


def test_moments_are_those_of_the_train_split(dataset):
    pixels = dataset.x_train.astype(np.float64)
    np.testing.assert_allclose(dataset.mean, pixels.mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(dataset.std, pixels.std(axis=(0, 2, 3)), rtol=1e-12)


def test_an_unknown_split_is_refused(dataset):
    with pytest.raises(ValueError, match="There is no split 'info'"):
        dataset.split("info")


def test_the_catalogue_is_keyed_by_name():
    assert [known.name for known in CATALOGUE.values()] == list(CATALOGUE) == ["digits", "fashion-mnist"]
    assert info("digits") is CATALOGUE["digits"]


@pytest.mark.parametrize("asks", [info, is_here, fetch, load_dataset])
def test_an_unknown_name_gets_the_nearest(asks):
    sentence = (
        "^There is no dataset called fashionmnist. Did you mean fashion-mnist\\? Choose one of digits, fashion-mnist.$"
    )
    with pytest.raises(UserError, match=sentence):
        asks("fashionmnist")


def test_the_data_home_is_bdistil_data_or_in_the_users_data_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("BDISTIL_DATA", "~/my data")
    assert data_home() == tmp_path / "my data"
    monkeypatch.delenv("BDISTIL_DATA")
    assert data_home().is_relative_to(tmp_path)
    assert data_home().parts[-2:] == ("bdistil", "datasets")


def test_moments_are_taken_of_each_channel():
    x = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 4), dtype=np.uint8)
    made = Dataset.of(CATALOGUE["digits"], dict.fromkeys(SPLITS, (x, np.zeros(5, np.int64))))
    np.testing.assert_allclose(made.mean, x.mean(axis=(0, 2, 3)))
    np.testing.assert_allclose(made.std, x.std(axis=(0, 2, 3)))


def test_the_checksum_covers_every_split_and_its_labels():
    x, y = np.zeros((5, 1, 2, 2), np.uint8), np.zeros(5, np.int64)
    other_x, other_y = x + np.uint8(1), y + 1
    checksums = {Dataset.of(CATALOGUE["digits"], dict.fromkeys(SPLITS, (x, y))).checksum}
    for name in SPLITS:
        for changed in [(other_x, y), (x, other_y)]:
            splits = dict.fromkeys(SPLITS, (x, y)) | {name: changed}
            checksums.add(Dataset.of(CATALOGUE["digits"], splits).checksum)
    assert len(checksums) == 7


def test_listing_the_data_sets_imports_nothing_heavy():
    code = (
        "import sys; from bdistil.data import CATALOGUE, is_here; [is_here(name) for name in CATALOGUE]; "
        "print(sorted({'torch', 'sklearn', 'pooch', 'requests', 'streamlit'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert child.stdout.strip() == "[]"
