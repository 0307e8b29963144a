"""Chromium and a Streamlit server for tests and benchmarks that drive the real thing."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 180_000  # ms that something may take; a machine that trains beside the tests is slow
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def executable() -> str | None:
    """Debian's Chromium: BDISTIL_CHROMIUM, or the one on the PATH."""
    return os.environ.get("BDISTIL_CHROMIUM") or shutil.which("chromium")


@contextmanager
def serve(script: Path, folder: Path = ROOT / "app", **environment: str) -> Iterator[str]:
    """Runs a Streamlit script; yields its address.

    folder: where the command is given. A script outside `app` has the app's settings only if that is `app`.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    command += ["--server.headless", "true"]  # no browser window of the user's
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(f"http://127.0.0.1:{port}/_stcore/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:  # it waits for an estimate that is being made
            process.kill()
            process.wait()


def _wait(address: str, process: subprocess.Popen, seconds: float = PATIENCE / 1000) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"no answer from {address} (exit status {process.poll()})")


_SETTLED = """async width => {
    const done = () => {
        const app = document.querySelector(".stApp");
        return app?.dataset.testConnectionState === "CONNECTED" && app.dataset.testScriptState === "notRunning"
            && document.fonts.status === "loaded" && !document.querySelector("[data-testid=stSkeleton]")
            && !document.querySelector("[data-stale=true]")
            && [...document.querySelectorAll(".stPlotlyChart")].every(chart => chart.querySelector(".main-svg"))
            && (width === null || innerWidth === width);
    };
    const roots = [document, ...[...document.querySelectorAll("*")].map(node => node.shadowRoot).filter(Boolean)];
    const places = () => JSON.stringify(roots.flatMap(root => [...root.querySelectorAll("*")]).map(node => {
        const { x, y, width, height } = node.getBoundingClientRect();
        return [x, y, width, height];
    }));
    const fades = () => roots.flatMap(root => root.getAnimations()).some(animation =>
        animation.playState === "running" && animation.effect.getComputedTiming().endTime < Infinity);
    const frame = () => new Promise(requestAnimationFrame);
    if (!done()) return false;
    const before = places();
    for (let count = 0; count < 3; count++) await frame();
    return done() && !fades() && places() === before;
}"""


def settle(page: Page, width: int | None = None) -> None:
    """Waits until the page is drawn and still: script and fonts are done, nothing is a skeleton, fades, or moves.

    width: the window's, if it has just been given another.
    """
    end = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(_SETTLED, width):  # wait_for_function takes the promise of an answer for a yes
        if time.monotonic() > end:
            raise TimeoutError("The page did not come to rest.")
        page.wait_for_timeout(50)


def resize(page: Page, width: int, height: int = 900) -> None:
    """Gives the window another size and waits until the page has been laid out for it."""
    page.set_viewport_size({"width": width, "height": height})
    settle(page, width)
