"""Every way in which an idx file can be wrong is refused with its own sentence; the file itself is left alone."""

import gzip
import hashlib
import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bdistil.data.idx import read_idx
from bdistil.errors import UserError

SHAPE = (4, 3, 2)
VALUES = np.arange(24, dtype=np.uint8).reshape(SHAPE)


def idx(values, *, magic=None, sizes=None):
    """Writes uint8 `values` as an uncompressed idx file, or one whose magic number or dimensions lie."""
    header = magic or bytes([0, 0, 8, values.ndim])
    return header + b"".join(size.to_bytes(4) for size in sizes or values.shape) + values.tobytes()


GOOD = idx(VALUES)
GOOD_SHA256 = hashlib.sha256(GOOD).hexdigest()


def read(tmp_path, packed, shape=SHAPE, sha256=GOOD_SHA256):
    path = tmp_path / "some-idx3-ubyte.gz"
    path.write_bytes(packed)
    try:
        return read_idx(path, shape, sha256)
    finally:
        assert path.read_bytes() == packed


def test_values_come_back_and_may_be_written_to(tmp_path):
    values = read(tmp_path, gzip.compress(GOOD))
    np.testing.assert_array_equal(values, VALUES)
    assert values.dtype == np.uint8 and values.flags.writeable


@given(values=st.lists(st.integers(0, 255), min_size=1, max_size=40), level=st.integers(0, 9))
def test_any_bytes_come_back_however_they_were_packed(tmp_path_factory, values, level):
    content = idx(np.array(values, np.uint8))
    path = tmp_path_factory.mktemp("idx")
    got = read(path, gzip.compress(content, level), (len(values),), hashlib.sha256(content).hexdigest())
    assert got.tolist() == values


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        (gzip.compress(GOOD[:-1] + b"?"), "checksum differs"),
        (gzip.compress(GOOD)[:-9], "it is cut off"),
        (gzip.compress(GOOD)[:12], "it is cut off"),
        (b"", "it is no idx file of unsigned bytes in 3 dimensions"),
        (GOOD, "it is no intact gzip file"),
        (gzip.compress(GOOD)[:-8] + b"\0" * 8, "it is no intact gzip file"),
        (gzip.compress(GOOD, mtime=0)[:10] + b"\xff" * 40, "it is no intact gzip file"),
        (gzip.compress(GOOD[:3]), "it is no idx file of unsigned bytes in 3 dimensions"),
        (gzip.compress(idx(VALUES, magic=b"\0\0\x0d\x03")), "it is no idx file of unsigned bytes in 3 dimensions"),
        (gzip.compress(idx(VALUES, magic=b"\1\0\x08\x03")), "it is no idx file of unsigned bytes in 3 dimensions"),
        (gzip.compress(idx(VALUES.ravel())), "it is no idx file of unsigned bytes in 3 dimensions"),
        (gzip.compress(idx(VALUES, sizes=(4, 2, 3))), "its dimensions are (4, 2, 3) instead of (4, 3, 2)"),
        (gzip.compress(GOOD[:-1]), "it holds fewer values than it says"),
        (gzip.compress(GOOD + b"\0"), "it holds more values than it says"),
    ],
    ids=[
        "value",
        "cut",
        "cut early",
        "empty",
        "not packed",
        "crc",
        "deflate",
        "no header",
        "floats",
        "magic",
        "one dimension",
        "dimensions",
        "short",
        "trailing",
    ],
)
def test_a_damaged_file_is_refused(tmp_path, packed, reason):
    sentence = f"some-idx3-ubyte.gz is damaged ({reason}). Delete it and start again."
    with pytest.raises(UserError, match=f"^{re.escape(sentence)}$"):
        read(tmp_path, packed)


def test_bytes_after_the_packed_content_are_refused(tmp_path):
    with pytest.raises(UserError, match="is damaged"):
        read(tmp_path, gzip.compress(GOOD) + b"junk")


def test_a_file_that_unpacks_to_gigabytes_does_not_fill_the_memory(tmp_path):
    packed = gzip.compress(GOOD + bytes(200_000_000), compresslevel=1)
    tracemalloc.start()
    with pytest.raises(UserError, match="more values than it says"):
        read(tmp_path, packed)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_missing_file_and_a_folder_in_its_place_are_named(tmp_path):
    with pytest.raises(UserError, match=re.escape(f"{tmp_path / 'none.gz'} can't be read (No such file")):
        read_idx(tmp_path / "none.gz", SHAPE, "")
    with pytest.raises(UserError, match=re.escape(f"{tmp_path} can't be read (Is a directory")):
        read_idx(tmp_path, SHAPE, "")
