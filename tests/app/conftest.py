"""Pages under AppTest: `open_page("explore", run="fashion")` runs one page alone on the test's own home."""

import json
import sys
import time
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import bdistil.teachers  # noqa: F401
from bdistil.paths import DATA_ROOTS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def runs(own_home, tmp_path, monkeypatch):
    """The folder of one's own runs, on an installation without samples."""
    monkeypatch.setattr("bdistil.runs.store.ASSETS", tmp_path / "assets")
    monkeypatch.setattr(sys.modules["bdistil.teachers.cards"], "ASSETS", tmp_path / "assets")
    st.cache_resource.clear()
    return own_home / "runs"


@pytest.fixture
def samples(runs, tmp_path):
    """The folder of samples, empty."""
    return tmp_path / "assets" / "runs"


@pytest.fixture
def went(monkeypatch):
    """Where the pages led, instead of going there: (page, parameters) in order."""
    import ui

    places = []
    monkeypatch.setattr(ui, "go", lambda page, **asked: places.append((page, asked)))
    return places


@pytest.fixture
def open_page(runs, tmp_path, monkeypatch):
    """Runs a page at an address and returns it; an exception of the page fails the test. It reads the test's files."""
    monkeypatch.setenv(DATA_ROOTS, str(tmp_path))

    def opened(name, **asked):
        page = AppTest.from_file(str(ROOT / "pages" / f"{name}.py"), default_timeout=60)
        for key, value in asked.items():
            page.query_params[key] = str(value)
        page.run()
        assert not page.exception, page.exception[0].stack_trace
        return page

    return opened


def once_answered(page, waiting, seconds):
    """The page when it no longer says that it is waiting for a process of its own; within so many seconds."""
    deadline = time.monotonic() + seconds
    while waiting in written(page):
        assert time.monotonic() < deadline
        time.sleep(0.1)
        page.run()
    assert not page.exception
    return page


def written(page):
    """All text that a page shows in HTML, notices included."""
    return " ".join(element.proto.body for element in page.get("html"))


def button(page, label):
    """The button of that label."""
    return next(each for each in page.button if each.label == label)


def charts(page):
    """The specs of the page's charts."""
    return [chart.proto.spec for chart in page.get("plotly_chart")]


def copyable(page, begins=""):
    """The first text that the page offers to copy (and that begins so)."""
    blocks = (block.proto for block in page.get("bidi_component") if block.proto.component_name == "copyable")
    texts = [json.loads(block.json)["text"] for block in blocks]
    return next(text for text in texts if text.startswith(begins))
