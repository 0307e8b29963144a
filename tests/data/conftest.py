"""What tests of data sets share: the real Fashion-MNIST where it is at hand, and a small server on this machine."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bdistil.data import CATALOGUE, data_home, is_here

# Sets whose files CI has no copy of: their loaders are tested on small trees of the official layout.
WITHOUT_A_COPY = {"cifar-10", "cifar-100", "speech-commands", "speech-commands-13", "speech-commands-35"}
DATA_SETS = [
    pytest.param(name, marks=pytest.mark.data(name))
    for name in CATALOGUE
    if name not in WITHOUT_A_COPY or is_here(name)
]


@pytest.fixture
def fashion_mnist_files():
    """The folder of the real Fashion-MNIST files."""
    return data_home() / "FashionMNIST" / "raw"


class FileServer(ThreadingHTTPServer):
    """Serves `files` (bytes by name) at `url`, with the faults a test asks for, and remembers each request's Range.

    cuts: for each of the next answers, after how many bytes to drop the connection; it is dropped once `let_go` is set.
    ranges: whether Range is heeded. status: an error to answer with instead.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.cuts: list[int] = []
        self.let_go = threading.Event()
        self.let_go.set()
        self.ranges = True
        self.status: int | None = None
        self.asked: list[tuple[str, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, name, asked = self.server, self.path.lstrip("/"), self.headers.get("Range")
        server.asked.append((name, asked))
        if server.status:
            return self.send_error(server.status)
        content = server.files[name]
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and server.ranges else 0
        if start and start >= len(content):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if not server.cuts:
            self.wfile.write(content[start:])
            return
        self.wfile.write(content[start:][: server.cuts.pop(0)])
        server.let_go.wait(60)

    def log_message(self, *_):
        """Keeps the test's output clean."""


@pytest.fixture
def server(monkeypatch):
    """A running FileServer, reached without any proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    running = FileServer()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()
