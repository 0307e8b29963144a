"""A download is checked, resumed, atomic, and never touches a file that is there."""

import hashlib
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bdistil.data.download import download
from bdistil.errors import UserError

CONTENT = np.random.default_rng(0).bytes(500_000)
MD5S = {"a.gz": hashlib.md5(CONTENT).hexdigest()}


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != ".download.lock")


def test_a_missing_file_arrives_whole_and_alone(server, tmp_path):
    server.files["a.gz"] = CONTENT
    download("set", server.url, tmp_path / "new" / "raw", MD5S, progress=False)
    assert (tmp_path / "new" / "raw" / "a.gz").read_bytes() == CONTENT
    assert names(tmp_path / "new" / "raw") == ["a.gz"]
    assert server.asked == [("a.gz", None)]


def test_a_file_that_is_there_is_neither_replaced_nor_asked_for(server, tmp_path):
    server.files |= {"a.gz": CONTENT, "b.gz": CONTENT}
    (tmp_path / "a.gz").write_bytes(b"the user's own")
    download("set", server.url, tmp_path, MD5S | {"b.gz": MD5S["a.gz"]}, progress=False)
    assert (tmp_path / "a.gz").read_bytes() == b"the user's own"
    assert (tmp_path / "b.gz").read_bytes() == CONTENT
    assert server.asked == [("b.gz", None)]


def test_a_dropped_connection_is_taken_up_again_at_once(server, tmp_path):
    server.files["a.gz"] = CONTENT
    server.cuts = [300_000, 100_000]
    download("set", server.url, tmp_path, MD5S, progress=False)
    assert (tmp_path / "a.gz").read_bytes() == CONTENT
    starts = [0 if asked is None else int(asked[6:-1]) for _, asked in server.asked]
    assert len(starts) == 3 and 0 == starts[0] < starts[1] < starts[2]


def test_a_later_try_goes_on_where_an_earlier_one_broke_off(server, tmp_path):
    server.files["a.gz"] = CONTENT
    server.cuts = [200_000, 0]
    with pytest.raises(UserError, match=r"^The download of set broke off\. Start again to go on from there\.$"):
        download("set", server.url, tmp_path, MD5S, progress=False)
    assert names(tmp_path) == ["a.gz.part"]
    kept = (tmp_path / "a.gz.part").read_bytes()
    assert kept and CONTENT.startswith(kept)
    download("set", server.url, tmp_path, MD5S, progress=False)
    assert server.asked[-1] == ("a.gz", f"bytes={len(kept)}-")
    assert (tmp_path / "a.gz").read_bytes() == CONTENT
    assert names(tmp_path) == ["a.gz"]


def test_a_server_without_ranges_sends_everything_anew(server, tmp_path):
    server.files["a.gz"] = CONTENT
    server.ranges = False
    (tmp_path / "a.gz.part").write_bytes(b"x" * 400_000)
    download("set", server.url, tmp_path, MD5S, progress=False)
    assert (tmp_path / "a.gz").read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_thrown_away(server, tmp_path):
    server.files["a.gz"] = CONTENT
    (tmp_path / "a.gz.part").write_bytes(b"x" * 600_000)
    download("set", server.url, tmp_path, MD5S, progress=False)
    assert (tmp_path / "a.gz").read_bytes() == CONTENT


@pytest.mark.parametrize("start", [b"", b"not the beginning of it"], ids=["wrong bytes", "wrong part"])
def test_wrong_bytes_leave_nothing_behind(server, tmp_path, start):
    server.files["a.gz"] = CONTENT if start else CONTENT[:-1] + b"?"
    (tmp_path / "a.gz.part").write_bytes(start)
    with pytest.raises(
        UserError, match=r"^a\.gz arrived damaged \(checksum differs\)\. Start again to download it anew\.$"
    ):
        download("set", server.url, tmp_path, MD5S, progress=False)
    assert names(tmp_path) == []
    server.files["a.gz"] = CONTENT
    download("set", server.url, tmp_path, MD5S, progress=False)
    assert (tmp_path / "a.gz").read_bytes() == CONTENT


def test_a_refused_connection_says_that_there_is_no_network(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        with pytest.raises(UserError, match=r"^There is no network and set is not here\. Choose digits\.$"):
            download("set", url, tmp_path, MD5S, progress=False)
    assert names(tmp_path) == []


def test_an_error_of_the_server_is_named(server, tmp_path):
    server.status = 503
    with pytest.raises(UserError, match=r"^set can't be downloaded \(503 .*\)\. Try again later or choose digits\.$"):
        download("set", server.url, tmp_path, MD5S, progress=False)
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_named(server, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(
        UserError, match=re.escape(f"The data folder {tmp_path / 'file' / 'raw'} can't be written (Not a")
    ):
        download("set", server.url, tmp_path / "file" / "raw", MD5S, progress=False)


def test_progress_is_drawn_on_standard_error_only_when_wanted(server, tmp_path, capfd):
    server.files |= {"a.gz": CONTENT, "b.gz": CONTENT}
    download("set", server.url, tmp_path, MD5S, progress=False)
    assert capfd.readouterr() == ("", "")
    download("set", server.url, tmp_path, {"b.gz": MD5S["a.gz"]}, progress=True)
    out, err = capfd.readouterr()
    assert out == "" and "b.gz" in err and "500.0/500.0 kB" in err


DOWNLOAD_IN_A_CHILD = """
import pathlib, sys
from bdistil.data.download import download
download("set", sys.argv[1], pathlib.Path(sys.argv[2]), {"a.gz": sys.argv[3]}, progress=False)
"""


def test_a_killed_download_is_resumed_by_the_next(server, tmp_path):
    """The server keeps the child waiting in the middle of the file, where it is killed."""
    server.files["a.gz"] = CONTENT
    server.cuts = [300_000]
    server.let_go.clear()
    child = subprocess.Popen([sys.executable, "-c", DOWNLOAD_IN_A_CHILD, server.url, str(tmp_path), MD5S["a.gz"]])
    part = tmp_path / "a.gz.part"
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size) and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    child.kill()
    assert child.wait() == -signal.SIGKILL
    server.let_go.set()
    assert not (tmp_path / "a.gz").exists()

    kept = part.stat().st_size
    download("set", server.url, tmp_path, MD5S, progress=False)
    assert kept > 0 and server.asked == [("a.gz", None), ("a.gz", f"bytes={kept}-")]
    assert (tmp_path / "a.gz").read_bytes() == CONTENT


def test_two_that_want_the_same_file_take_turns(server, tmp_path):
    server.files["a.gz"] = CONTENT
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(download, "set", server.url, tmp_path, MD5S, False) for _ in range(2)]
    assert [job.result() for job in jobs] == [None, None]
    assert server.asked == [("a.gz", None)]
    assert (tmp_path / "a.gz").read_bytes() == CONTENT
