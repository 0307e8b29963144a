"""Who may speak to the dashboard: its own pages, under its own names.

Any web page that a user visits can try to reach a server on the same machine. A request is refused where its Host is
none of the server's names (DNS rebinding), or where its Origin is another than that Host (pages of other servers).
"""

from typing import Any
from urllib.parse import urlsplit

import streamlit as st

LOCAL = {"localhost", "127.0.0.1", "::1"}
CLOSED = ("/_stcore/metrics",)


def hosts() -> set[str]:
    """The names that the server answers to: this machine's own, and those that Streamlit was configured with."""
    given = {st.get_option("server.address"), st.get_option("browser.serverAddress")}
    return LOCAL | {name.lower().strip("[]") for name in given if name}


def admitted(host: str, origin: str | None, names: set[str]) -> bool:
    """Whether a request with these headers comes from the dashboard's own pages, or from no page at all."""
    try:
        name = urlsplit(f"//{host}").hostname
        own = origin is None or urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False
    return name in names and own


class Doors:
    """Answers 403 to foreign requests and websockets, and 404 to what no page asks for."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if not admitted(headers.get(b"host", ""), headers.get(b"origin"), hosts()):
            await _refuse(scope, send, 403)
        elif scope["path"].rstrip("/") in CLOSED:
            await _refuse(scope, send, 404)
        else:
            await self.app(scope, receive, send)


async def _refuse(scope: dict, send: Any, status: int) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})  # before it was accepted: HTTP 403
        return
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"Refused."})
