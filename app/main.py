"""The dashboard's server: `streamlit run app/main.py`. The pages begin in shell.py; here is what makes them open fast.

A browser needs about a second for Streamlit's own code before it asks for a page. In that time the server imports what
pages need, and the browser loads what they will draw with.
"""

import socket
import threading
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from os import dup
from pathlib import Path
from typing import Any

import psutil
import streamlit as st
from doors import Doors
from starlette.middleware import Middleware

BUNDLES = Path(st.__file__).parent / "static" / "static" / "js"
EARLY = ("PlotlyChart", "BidiComponent", "Selectbox", "ButtonGroup")  # else asked for once a page has come


class Early:
    """Names in the head of every HTML answer the parts of Streamlit that pages will want."""

    def __init__(self, app: Any) -> None:
        files = [file.name for name in EARLY for file in BUNDLES.glob(f"{name}.*.js")]
        self.app = app
        self.links = ", ".join(f"</static/js/{name}>; rel=modulepreload" for name in files).encode()

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        async def told(message: dict) -> None:
            headers = message.get("headers", ())
            if any(name == b"content-type" and value.startswith(b"text/html") for name, value in headers):
                message["headers"] = [*headers, (b"link", self.links)]
            await send(message)

        await self.app(scope, receive, told if scope["type"] == "http" else send)


def answer_at_once() -> None:
    """Streamlit's sockets hold small answers back until the last one is acknowledged, 40 ms each; connections inherit
    this from the socket that listens.
    """
    for connection in psutil.Process().net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN:
            with socket.socket(fileno=dup(connection.fd)) as listening:
                listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def prepare() -> None:
    """Opens the browser, unless told not to, and imports what pages need. No torch."""
    if not st.get_option("server.headless"):
        webbrowser.open(f"http://{st.get_option('server.address')}:{st.get_option('server.port')}")
    import form  # noqa: F401
    import guarantee  # noqa: F401
    import watch  # noqa: F401

    from bdistil.report import chart, palette

    chart.empty("", palette.THEMES["light"])  # a first figure: Plotly imports its parts as they are needed


@asynccontextmanager
async def starting(_: st.App) -> AsyncIterator[None]:
    answer_at_once()
    threading.Thread(target=prepare, daemon=True).start()
    yield


app = st.App(Path(__file__).with_name("shell.py"), middleware=[Middleware(Doors), Middleware(Early)], lifespan=starting)
