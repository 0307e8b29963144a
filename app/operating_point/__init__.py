"""The operating-point slider: the finding as a sentence, a small frontier whose x-axis is the slider, figures, costs.

    payload.py        frontier -> JSON, all texts formatted; pure
    instrument.html   the nodes, once
    instrument.css    looks, in the tokens of `bdistil.report.palette`; follows the page's theme by itself
    instrument.js     draws, moves, tells the server as it settles; the one writer of the address (run, prefix, cost)

No build step: the files are handed to `st.components.v2` as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from operating_point.payload import Payload
from operating_point.payload import Progress as Progress
from operating_point.payload import payload as payload

_FOLDER = Path(__file__).parent
_instrument = st.components.v2.component(
    "operating_point",
    html=(_FOLDER / "instrument.html").read_text(encoding="utf-8"),
    css=(_FOLDER / "instrument.css").read_text(encoding="utf-8"),
    js=(_FOLDER / "instrument.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Told:
    """What the thumb has told: a prefix, of which run, and after how many pushes."""

    prefix: int
    run: str
    push: int


def operating_point(data: Payload, key: str) -> int:
    """Draws the instrument; returns the settled prefix: what the thumb told in this rerun, else what `data` asks for.

    data: from `payload`. The page holds the prefix: it stores what comes back and passes it in the next payload. To
    move the thumb (a chart click, an address) it passes another prefix with a grown `push`. 0 before the first point.
    """
    told_key = f"{key}-told"

    def told() -> None:
        st.session_state[told_key] = Told(**st.session_state[key]["prefix"])

    _instrument(key=key, data=data.document(), on_prefix_change=told)
    return settled(data, st.session_state.pop(told_key, None))


def settled(data: Payload, told: Told | None) -> int:
    """The prefix to show: the one told, unless it was about another run or came before a push."""
    if told and (told.run, told.push) == (data.run, data.push):
        return min(max(int(told.prefix), 1), len(data.points))
    return data.prefix
