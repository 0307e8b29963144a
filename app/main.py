"""The dashboard's server: `streamlit run app/main.py`. The pages begin in shell.py; here is what makes a first visit
fast. Each of the three was measured to be worth 0.3 s of it or more (2 cores); what was worth less was left out.

`preload_plotly`: Plotly's 4.7 MB, which else are asked for once a page has come, load with Streamlit's own code.
`answer_at_once`: else every file of Streamlit's code waits 40 ms between its head and its body.
`prepare`: half a second of imports is done while the browser starts, not when the first page is asked for.
"""

import socket
import threading
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from os import dup
from pathlib import Path

import psutil
import streamlit as st
from doors import Doors
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PLOTLY = (Path(st.__file__).parent / "static" / "static" / "js").glob("PlotlyChart.*.js")
LINKS = [(b"link", f"</static/js/{file.name}>; rel=modulepreload".encode()) for file in PLOTLY]


def preload_plotly(app: ASGIApp) -> ASGIApp:
    """Names Plotly's code in the head of every HTML answer, so that browsers load it at once."""

    async def with_link(scope: Scope, receive: Receive, send: Send) -> None:
        async def told(message: Message) -> None:
            headers = message.get("headers", ())
            if any(name == b"content-type" and value.startswith(b"text/html") for name, value in headers):
                message["headers"] = [*headers, *LINKS]
            await send(message)

        await app(scope, receive, told if scope["type"] == "http" else send)

    return with_link


def answer_at_once() -> None:
    """Sets TCP_NODELAY, which Streamlit's socket lacks, where it listens: connections inherit it."""
    for connection in psutil.Process().net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN:
            with socket.socket(fileno=dup(connection.fd)) as listening:
                listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def prepare() -> None:
    """Opens the browser, unless told not to, and imports what all pages need. No torch."""
    if not st.get_option("server.headless"):
        webbrowser.open(f"http://{st.get_option('server.address')}:{st.get_option('server.port')}")
    import sections  # noqa: F401


@asynccontextmanager
async def starting(_: st.App) -> AsyncIterator[None]:
    answer_at_once()
    threading.Thread(target=prepare, daemon=True).start()
    yield


app = st.App(
    Path(__file__).with_name("shell.py"), middleware=[Middleware(Doors), Middleware(preload_plotly)], lifespan=starting
)
