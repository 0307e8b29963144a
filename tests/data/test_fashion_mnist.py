"""Fashion-MNIST: the real files, damaged copies of them, and the official download from a server on this machine."""

import gzip
import hashlib
import os
import re
import socket
import struct

import numpy as np
import pytest

from bdistil.data import fashion_mnist, fetch, is_here, load_dataset
from bdistil.errors import UserError

# When each official file was packed: its gzip header holds that time and its name, which a repacked copy may lack.
PACKED_AT = {
    "train-images-idx3-ubyte.gz": 1504176606,
    "train-labels-idx1-ubyte.gz": 1504176606,
    "t10k-images-idx3-ubyte.gz": 1504176627,
    "t10k-labels-idx1-ubyte.gz": 1504176627,
}
NAMES = list(PACKED_AT)


@pytest.fixture
def home(fashion_mnist_files, tmp_path, monkeypatch):
    """A data home of our own whose files are links to the real ones; returns the folder of the files."""
    folder = tmp_path / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    for name in NAMES:
        (folder / name).symlink_to(fashion_mnist_files / name)
    monkeypatch.setenv("BDISTIL_DATA", str(tmp_path))
    return folder


@pytest.fixture
def no_network(monkeypatch):
    """An official source that refuses every connection."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setattr(fashion_mnist, "URL", f"http://127.0.0.1:{unused.getsockname()[1]}/")
        yield


def replace(path, content):
    path.unlink()
    path.write_bytes(content)


@pytest.mark.data("fashion-mnist")
def test_it_is_the_official_data_split_without_overlap(fashion_mnist_files):
    """The test split and the union of train and validation are the files' own content, in order."""
    data = load_dataset("fashion-mnist")
    images = np.frombuffer(gzip.decompress((fashion_mnist_files / NAMES[0]).read_bytes())[16:], np.uint8)
    digests = [hashlib.md5(image).digest() for image in images.reshape(-1, 784)]
    train, validation = ([hashlib.md5(image).digest() for image in data.split(s)[0]] for s in ("train", "validation"))
    assert sorted(train + validation) == sorted(digests)
    test = np.frombuffer(gzip.decompress((fashion_mnist_files / NAMES[2]).read_bytes())[16:], np.uint8)
    np.testing.assert_array_equal(data.x_test.ravel(), test)
    labels = np.frombuffer(gzip.decompress((fashion_mnist_files / NAMES[3]).read_bytes())[8:], np.uint8)
    np.testing.assert_array_equal(data.y_test, labels)


@pytest.mark.data("fashion-mnist")
def test_the_split_never_changes(fashion_mnist_files):
    """Teachers and sample runs that ship were made with this split."""
    expected = "b441412da84e0fd152e5081eb7b944567991ee28d57f86b9ee7df03c59bd40d6"
    assert load_dataset("fashion-mnist").checksum == expected


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.data("fashion-mnist")
@pytest.mark.parametrize("damage", ["wrong value", "cut off", "wrong magic"])
def test_a_damaged_file_is_named_and_kept(home, name, damage):
    content = gzip.decompress((home / name).read_bytes())
    damaged, reason = {
        "wrong value": (gzip.compress(content[:-1] + bytes([content[-1] ^ 1]), 1), "checksum differs"),
        "cut off": ((home / name).read_bytes()[:-100], "it is cut off"),
        "wrong magic": (gzip.compress(b"\1" + content[1:], 1), "it is no idx file of unsigned bytes in "),
    }[damage]
    replace(home / name, damaged)
    with pytest.raises(
        UserError, match=f"^{re.escape(name)} is damaged \\({reason}.*\\)\\. Delete it and start again\\.$"
    ):
        load_dataset("fashion-mnist")
    assert (home / name).read_bytes() == damaged


@pytest.mark.data("fashion-mnist")
def test_fetch_checks_what_is_there_too(home):
    assert fetch("fashion-mnist", progress=False) == home
    replace(home / NAMES[1], b"")
    with pytest.raises(UserError, match=f"{NAMES[1]} is damaged"):
        fetch("fashion-mnist", progress=False)


@pytest.mark.data("fashion-mnist")
def test_a_folder_that_is_read_only_can_be_read(home):
    home.chmod(0o555)
    try:
        assert fetch("fashion-mnist", progress=False) == home
        assert sorted(os.listdir(home)) == sorted(NAMES)
    finally:
        home.chmod(0o755)


@pytest.mark.data("fashion-mnist")
@pytest.mark.parametrize("missing", [NAMES, NAMES[2:3]], ids=["all", "one"])
def test_without_network_a_missing_file_means_choose_digits(home, no_network, missing):
    for name in missing:
        (home / name).unlink()
    assert not is_here("fashion-mnist")
    with pytest.raises(UserError, match=r"^There is no network and fashion-mnist is not here\. Choose digits\.$"):
        load_dataset("fashion-mnist")


@pytest.mark.data("fashion-mnist")
def test_without_network_files_that_are_here_suffice(home, no_network):
    assert is_here("fashion-mnist")
    assert len(load_dataset("fashion-mnist").x_test) == 10_000


def official(path):
    """The file as the official source serves it, made of the real content at `path`."""
    packed = path.read_bytes()
    flags = packed[3]
    assert flags in (0, 8)  # no name, or a name, after the 10 bytes of a gzip header
    body = packed[10:] if flags == 0 else packed[packed.index(b"\0", 10) + 1 :]
    return b"\x1f\x8b\x08\x08" + struct.pack("<I", PACKED_AT[path.name]) + b"\0\3" + path.stem.encode() + b"\0" + body


@pytest.mark.data("fashion-mnist")
def test_the_official_download_is_accepted_resumed_and_announced(fashion_mnist_files, tmp_path, monkeypatch, server):
    """The official bytes, with their published MD5s, over a connection that breaks twice."""
    monkeypatch.setenv("BDISTIL_DATA", str(tmp_path))
    monkeypatch.setattr(fashion_mnist, "URL", server.url)
    server.files = {name: official(fashion_mnist_files / name) for name in NAMES}
    server.cuts = [10_000_000, 9_000_000]
    assert not is_here("fashion-mnist")
    folder = fetch("fashion-mnist", progress=False)
    assert is_here("fashion-mnist")
    assert {name: (folder / name).read_bytes() for name in NAMES} == server.files
    assert sum(map(len, server.files.values())) == fashion_mnist.INFO.download_bytes
    assert [name for name, _ in server.asked] == [NAMES[0]] * 3 + NAMES[1:]
    assert sorted(path.name for path in folder.iterdir()) == [".download.lock", *sorted(NAMES)]
