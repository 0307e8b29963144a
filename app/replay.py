"""The replay of a finished run: a position among its events that moves with the clock.

Play, pause, step; nothing is trained.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import streamlit as st

from bdistil.records import AnyEvent
from bdistil.runs import Run

# A whole run plays in half a minute, a look twice a second.
SECONDS, PACE = 30.0, 0.5
ROUNDS = ("round_finished", "polish_finished")  # where "Next round" leads

KEPT = "replay"  # in the session’s state


@dataclass
class Replay:
    """`position` events had happened at the clock time `since`; paused where `since` is None."""

    run: str
    total: int
    position: float = 1
    since: float | None = None

    @classmethod
    def of(cls, run: Run) -> "Replay | None":
        """The replay of this run that the session is in, if any."""
        replay = cls(**st.session_state[KEPT]) if KEPT in st.session_state else None
        return replay if replay and replay.run == run.id else None

    @classmethod
    def begin(cls, run: str, total: int) -> None:
        """Starts the replay of a run with `total` events."""
        cls(run, total, since=time.monotonic())._keep()

    @property
    def count(self) -> int:
        """How many events have happened."""
        moved = (time.monotonic() - self.since) * self.total / SECONDS if self.since is not None else 0
        return int(min(self.position + moved, self.total))

    @property
    def playing(self) -> bool:
        return self.since is not None and self.count < self.total

    def play(self) -> None:
        """Plays on; from the start where the end was reached."""
        ended = self.count >= self.total
        self.position, self.since = 1 if ended else self.count, time.monotonic()
        self._keep()

    def pause(self) -> None:
        self.position, self.since = self.count, None
        self._keep()

    def step(self, events: Sequence[AnyEvent], kinds: Sequence[str]) -> None:
        """Pauses after the next event of some kinds; at the end where there is none."""
        here = self.count
        later = (place for place, event in enumerate(events, 1) if place > here and event.kind in kinds)
        self.position, self.since = next(later, self.total), None
        self._keep()

    @staticmethod
    def leave() -> None:
        st.session_state.pop(KEPT, None)

    def _keep(self) -> None:
        st.session_state[KEPT] = asdict(self)

    def controls(self, events: Sequence[AnyEvent]) -> None:
        """Draws the buttons."""
        with st.container(key="replay", horizontal=True, vertical_alignment="center"):
            if self.playing:
                st.button("Pause", key="replay-pause", on_click=self.pause, type="primary")
            else:
                st.button("Play", key="replay-play", on_click=self.play, type="primary")
            st.button("Next epoch", on_click=self.step, args=(events, ["epoch"]), disabled=self.count >= self.total)
            last = all(event.kind not in ROUNDS for event in events[self.count :])
            st.button("Next round", on_click=self.step, args=(events, ROUNDS), disabled=last)
            st.button("Leave the replay", on_click=self.leave)
