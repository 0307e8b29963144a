"""CIFAR-10 and CIFAR-100: small files in the official binary layout, damaged ones, and archives that mean ill."""

import gzip
import hashlib
import io
import re
import tarfile

import numpy as np
import pytest

from bdistil.data import cifar, cifar_10, cifar_100, fetch, is_here, load_dataset
from bdistil.data.dataset import SPLITS
from bdistil.errors import UserError

MODULES = {"cifar-10": cifar_10, "cifar-100": cifar_100}


def record(labels, picture):
    """A record as the official description has it: the labels, then each colour's pixels row by row."""
    return bytes(labels) + b"".join(bytes(row) for colour in picture.tolist() for row in colour)


def official(name):
    """(files by name, pictures and labels of the training files, of the test file): 20 training pictures a class."""
    generator = np.random.default_rng(0)
    classes = len(MODULES[name].INFO.classes)
    made = []
    for count in (20 * classes, 2 * classes):
        y = np.arange(count) % classes
        made.append((generator.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8), y))
    coarse = [] if name == "cifar-10" else [7]
    records = [[record([*coarse, label], one) for one, label in zip(*part, strict=True)] for part in made]
    if name == "cifar-100":
        return {"train.bin": b"".join(records[0]), "test.bin": b"".join(records[1])}, *made
    batches = {f"data_batch_{n + 1}.bin": b"".join(records[0][40 * n : 40 * n + 40]) for n in range(5)}
    return {**batches, "test_batch.bin": b"".join(records[1] * 2)}, *made


@pytest.fixture(params=MODULES)
def small(request, monkeypatch, tmp_path):
    """A data set whose files are expected to be small, and an empty data home: (name, files, training, test)."""
    name = request.param
    files, train, test = official(name)
    if name == "cifar-10":  # all six files are equally long
        monkeypatch.setattr(cifar_10, "_RECORDS", 40)
        test = tuple(np.concatenate([part] * 2) for part in test)
    else:
        monkeypatch.setattr(cifar_100, "_RECORDS", {"train.bin": 2_000, "test.bin": 200})
    monkeypatch.setenv("BDISTIL_DATA", str(tmp_path))
    return name, files, train, test


@pytest.fixture
def folder(small, tmp_path):
    """The folder of the official files, laid out."""
    name, files, _, _ = small
    made = tmp_path / name / MODULES[name]._FOLDER
    made.mkdir(parents=True)
    for file, content in files.items():
        (made / file).write_bytes(content)
    return made


def packed(folder, files):
    """A tar.gz of regular files in a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}" if folder else name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def test_pictures_and_labels_are_read_as_they_are_described_and_a_tenth_is_held_out(small, folder):
    name, _, (x, y), (x_test, y_test) = small
    assert is_here(name)
    data = load_dataset(name)
    np.testing.assert_array_equal(data.x_test, x_test)
    np.testing.assert_array_equal(data.y_test, y_test)
    known = {one.tobytes(): label for one, label in zip(x, y, strict=True)}
    found = [
        known.pop(one.tobytes()) == label
        for part in ("train", "validation")
        for one, label in zip(*data.split(part), strict=True)
    ]
    assert all(found) and not known
    np.testing.assert_array_equal(np.bincount(data.y_validation), [2] * len(data.info.classes))
    assert all(data.split(part)[0].flags.writeable for part in SPLITS)


@pytest.mark.parametrize(
    "damage, reason",
    [
        (lambda content: content[:-1], r"[\d,]+ bytes instead of [\d,]+"),
        (lambda content: content + b"\0", r"[\d,]+ bytes instead of [\d,]+"),
        (lambda content: b"", r"0 bytes instead of [\d,]+"),
        (lambda content: b"\xff\xff" + content[2:], "record 1 has a label that there is not"),
    ],
)
def test_a_damaged_file_is_named_and_kept(small, folder, damage, reason):
    file = sorted(folder.iterdir())[-1]
    content = damage(file.read_bytes())
    file.write_bytes(content)
    with pytest.raises(UserError, match=f"^{file.name} is damaged \\({reason}\\)\\. Delete it and start again\\.$"):
        load_dataset(small[0])
    assert file.read_bytes() == content


def test_classes_of_different_size_are_not_the_official_files(small, folder):
    name = small[0]
    file = folder / ("test_batch.bin" if name == "cifar-10" else "test.bin")
    fine = 0 if name == "cifar-10" else 1
    content = bytearray(file.read_bytes())
    content[fine] = 1  # the first picture's class was 0
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"^The test files of CIFAR-\d+ are not the official ones"):
        load_dataset(name)


def test_the_archive_is_downloaded_checked_unpacked_and_not_asked_for_again(small, tmp_path, monkeypatch, server):
    name, files, _, _ = small
    module = MODULES[name]
    content = packed(module._FOLDER, {**files, "readme.html": b"x"})
    server.files = {module._ARCHIVE: content}
    monkeypatch.setattr(cifar, "URL", server.url)
    assert not is_here(name)
    with pytest.raises(UserError, match=r"arrived damaged \(checksum differs\)"):
        fetch(name, progress=False)  # another archive than the official one
    monkeypatch.setattr(module, "_MD5", hashlib.md5(content).hexdigest())
    folder = fetch(name, progress=False)
    assert is_here(name) and {path.name: path.read_bytes() for path in folder.iterdir()} == files
    asked = len(server.asked)
    load_dataset(name)
    assert len(server.asked) == asked


SIZES = {"a.bin": 3, "b.bin": 3}


def test_files_that_are_there_stay_and_others_are_taken(tmp_path):
    archive, folder = tmp_path / "x.tar.gz", tmp_path / "official"
    archive.write_bytes(packed("official", {"a.bin": b"new", "b.bin": b"two"}))
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"old")
    cifar.unpack(archive, folder, SIZES)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"a.bin": b"old", "b.bin": b"two"}


@pytest.mark.parametrize(
    "members",
    [
        {"../official/a.bin": b"bad", "../official/b.bin": b"bad"},
        {"official/../../a.bin": b"bad", "official/b.bin": b"two"},
        {"/official/a.bin": b"bad", "official/b.bin": b"two"},
        {"official/a.bin": b"four", "official/b.bin": b"two"},
        {"official/b.bin": b"two"},
        {},
    ],
)
def test_an_archive_that_lacks_a_file_or_has_it_elsewhere_is_refused_and_writes_nothing_outside(tmp_path, members):
    home = tmp_path / "home"
    home.mkdir()
    (home / "x.tar.gz").write_bytes(packed("", members))
    with pytest.raises(UserError, match=r"^x\.tar\.gz is damaged \(it lacks official/a\.bin of 3 bytes\)\. Delete it"):
        cifar.unpack(home / "x.tar.gz", home / "official", SIZES)
    assert not (home / "official" / "a.bin").exists() and list(tmp_path.iterdir()) == [home]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_a_link_in_a_files_place_is_not_followed(tmp_path, kind):
    (tmp_path / "secret").write_bytes(b"key")
    with tarfile.open(tmp_path / "x.tar.gz", mode="w:gz") as archive:
        member = tarfile.TarInfo("official/a.bin")
        member.type, member.linkname, member.size = kind, str(tmp_path / "secret"), 0
        archive.addfile(member)
    with pytest.raises(UserError, match=re.escape("it lacks official/a.bin")):
        cifar.unpack(tmp_path / "x.tar.gz", tmp_path / "official", SIZES)
    assert list((tmp_path / "official").iterdir()) == []


WHOLE = packed("official", {"a.bin": b"x" * 90_000})
NO_ARCHIVES = {
    "empty": b"",
    "text": b"no archive",
    "cut off": WHOLE[:80],
    "no tar": gzip.compress(b"text"),
    "wrong bits": WHOLE[:60] + bytes(60) + WHOLE[120:],
}


@pytest.mark.parametrize("content", NO_ARCHIVES.values(), ids=NO_ARCHIVES)
def test_what_is_no_archive_is_named(tmp_path, content):
    (tmp_path / "x.tar.gz").write_bytes(content)
    with pytest.raises(UserError, match=r"^x\.tar\.gz is damaged \(it is no intact archive\)\. Delete it and start"):
        cifar.unpack(tmp_path / "x.tar.gz", tmp_path / "official", SIZES | {"a.bin": 90_000})


def test_the_official_files_are_as_long_as_their_description_says():
    """The sizes of cs.toronto.edu/~kriz/cifar.html: 10,000 records of 3,073 bytes; 50,000 and 10,000 of 3,074."""
    seen = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            cifar, "fetch_files", lambda name, home, archive, md5, folder, sizes, progress: seen.update(sizes)
        )
        cifar_10.fetch(None, False)
        cifar_100.fetch(None, False)
    assert set(seen.values()) == {30_730_000, 153_700_000, 30_740_000} and len(seen) == 8
