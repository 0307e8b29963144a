"""What holds for every data set of the catalogue: a new one is tested unasked."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bdistil.data import CATALOGUE, data_home, fetch, info, is_here, load_dataset
from bdistil.data.dataset import SPLITS, Dataset
from bdistil.errors import UserError
from bdistil.paths import ASSETS
from tests.data.conftest import DATA_SETS

CHECKSUMS = {
    "digits": "3ab3aa5ee57d3296b0e09b0fc32e9b720baea386077c700cc047b46a020fb9be",
    "fashion-mnist": "b441412da84e0fd152e5081eb7b944567991ee28d57f86b9ee7df03c59bd40d6",
    "free-spoken-digits": "7e30ddace8a3bba8cbf152a2bbeffe47e3f68c65e714edd09669de0b403ec6fb",
    "free-spoken-digits-official": "dbf81e359f096428bbafb0a123cb863eb1d48c37dc62f12c19afe6d52b3b0ad6",
    "japanese-vowels": "feb2847d96928b00a97db6f64755e212595a4b94590b38babd62d93091729e31",
    "watch": "f75c052cc303f6bc23893666c1cce94171a84f88efa7d8ddbef81b6af4c741cb",
    "dsa-19": "2a523a661802db50393528d6ac85e05d97d99a5a9c17e554cda2586a65ba8495",
    "dsa-19-random": "99c0111ed53fee7ff5d832dd938dd079b3aa3c7ae4e3cd080452f7c0ba4b952d",
}


@pytest.fixture(scope="module", params=DATA_SETS)
def dataset(request):
    return load_dataset(request.param)


def test_shapes_types_and_counts_are_as_announced(dataset):
    for name in SPLITS:
        x, y = dataset.split(name)
        assert x.shape == (getattr(dataset.info, name), *dataset.info.input_shape)
        assert x.dtype == (np.uint8 if dataset.info.modality == "image" else np.float32) and np.isfinite(x).all()
        assert y.shape == (len(x),) and y.dtype == np.int64
        assert x.flags.c_contiguous and x.flags.writeable and y.flags.writeable  # torch warns of read-only arrays


def test_splits_are_those_on_which_figures_were_published(dataset):
    """Elsewhere earlier teachers, runs and benchmarks could not be compared with later ones: these never change."""
    assert dataset.checksum == CHECKSUMS.get(dataset.info.name, dataset.checksum)  # of others there is no copy in CI


def test_shipped_runs_are_of_these_splits():
    runs = [json.loads(file.read_text()) for file in (ASSETS / "runs").glob("*/run.json")]
    whole = [run["dataset"] for run in runs if not run["config"].get("examples")]
    assert {known["name"] for known in whole} == {"digits", "fashion-mnist", "japanese-vowels", "watch"}
    assert all(known["checksum"] == CHECKSUMS[known["name"]] for known in whole)


def test_every_split_has_every_class_and_pictures_have_them_in_the_same_proportion(dataset):
    counts = [np.bincount(dataset.split(name)[1], minlength=len(dataset.info.classes)) for name in SPLITS]
    assert all(len(count) == len(dataset.info.classes) and count.min() > 0 for count in counts)
    if dataset.info.modality == "image":
        np.testing.assert_allclose(counts[1] / counts[1].sum(), counts[0] / counts[0].sum(), atol=0.005)
        np.testing.assert_allclose(counts[2] / counts[2].sum(), counts[0] / counts[0].sum(), atol=0.005)


def test_moments_are_those_of_the_train_split(dataset):
    values = dataset.x_train.astype(np.float64)
    axes = (0, *range(2, values.ndim))
    np.testing.assert_allclose(dataset.mean, values.mean(axis=axes), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(dataset.std, values.std(axis=axes), rtol=1e-9)


def test_persons_are_known_where_the_split_holds_them_out(dataset):
    people = [getattr(dataset, f"people_{name}") for name in SPLITS]
    if dataset.info.people is None:
        return
    assert all(who.shape == dataset.split(name)[1].shape for who, name in zip(people, SPLITS, strict=True))
    assert len(set.union(*(set(who) for who in people))) == sum(len(set(who)) for who in people)


def test_a_series_says_what_its_channels_are(dataset):
    if dataset.info.modality != "image":
        assert len(dataset.info.channels) in (0, dataset.info.input_shape[0]) and len(dataset.info.input_shape) == 2


def test_an_unknown_split_is_refused(dataset):
    with pytest.raises(ValueError, match="There is no split 'info'"):
        dataset.split("info")


def test_the_catalogue_is_keyed_by_name():
    assert [data_info.name for data_info in CATALOGUE.values()] == list(CATALOGUE)
    assert info("digits") is CATALOGUE["digits"]


@pytest.mark.parametrize("asks", [info, is_here, fetch, load_dataset])
def test_an_unknown_name_gets_the_nearest(asks):
    sentence = (
        "^There is no dataset called fashionmnist. Did you mean fashion-mnist\\? Choose one of digits, fashion-mnist"
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


def test_moments_of_series_are_exact_far_from_zero_and_over_many_blocks():
    x = np.random.default_rng(0).normal([[1e4], [-3.0]], [[1.0], [5.0]], (9000, 2, 3)).astype(np.float32)
    made = Dataset.of(CATALOGUE["japanese-vowels"], dict.fromkeys(SPLITS, (x, np.zeros(9000, np.int64))))
    np.testing.assert_allclose(made.mean, x.mean(axis=(0, 2), dtype=np.float64), rtol=1e-12)
    np.testing.assert_allclose(made.std, x.std(axis=(0, 2), dtype=np.float64), rtol=1e-9)


def test_persons_come_beside_the_splits_or_in_them():
    x, y, who = np.zeros((2, 1, 2, 2), np.uint8), np.zeros(2, np.int64), np.array([3, 4], np.int8)
    inside = Dataset.of(CATALOGUE["digits"], dict.fromkeys(SPLITS, (x, y, who)))
    beside = Dataset.of(CATALOGUE["digits"], dict.fromkeys(SPLITS, (x, y)), dict.fromkeys(SPLITS, who))
    for made in (inside, beside):
        np.testing.assert_array_equal(made.people_test, [3, 4])
        assert made.people_train.dtype == np.int64
    assert Dataset.of(CATALOGUE["digits"], dict.fromkeys(SPLITS, (x, y))).people_train is None


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
