"""The real server refuses pages of other servers and names that are not its own; tried with Streamlit 1.67."""

import http.client
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

MAIN = Path(__file__).parents[2] / "app" / "main.py"
SOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


@pytest.fixture(scope="module")
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(MAIN), "--server.headless", "true"]
    with subprocess.Popen([*command, "--server.port", str(free)], stdout=subprocess.DEVNULL) as server:
        try:
            for _ in range(120):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", free)) == 0:
                        break
                time.sleep(0.5)
            yield free
        finally:
            server.terminate()


def status(port, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers=headers)
    try:
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "extra", "good"), [("/", {}, 200), ("/_stcore/stream", SOCKET, 101)], ids=["http", "websocket"]
)
def test_only_the_dashboards_own_pages_get_in(port, path, extra, good):
    for name in ("127.0.0.1", "localhost"):
        own = f"{name}:{port}"
        assert status(port, path, **extra, Host=own, Origin=f"http://{own}") == good
    own, foreign = f"127.0.0.1:{port}", f"evil.example:{port}"
    assert status(port, path, **extra, Host=foreign, Origin=f"http://{foreign}") == 403
    assert status(port, path, **extra, Host=foreign) == 403
    for origin in ("http://evil.example", f"http://127.0.0.1:{port + 1}", "null"):
        assert status(port, path, **extra, Host=own, Origin=origin) == 403


def test_metrics_are_closed(port):
    assert status(port, "/_stcore/metrics") == 404
