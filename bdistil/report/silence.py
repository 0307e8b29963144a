"""A worker that gives no sign of life: paused (SIGSTOP), or on a machine that sleeps. It still holds its run."""

from datetime import UTC, datetime

from bdistil.records import Heartbeat
from bdistil.report.formats import duration

SILENT = 30.0  # seconds; a worker writes a heartbeat every five, whatever it does


def quiet(beat: Heartbeat | None, now: datetime | None = None) -> str | None:
    """`no sign of life for 40 s`, of the last heartbeat of a run that a worker holds; None where it is recent.

    now: with a time zone; the present by default.
    """
    seconds = ((now or datetime.now(UTC)) - beat.time).total_seconds() if beat else 0.0
    return None if seconds < SILENT else f"no sign of life for {duration(seconds)}"


def silence(beat: Heartbeat | None, now: datetime | None = None) -> str | None:
    """As `quiet`, in sentences that say what to do."""
    words = quiet(beat, now)
    if words is None or beat is None:
        return None
    return (
        f"{words.capitalize()}: the worker is paused, or the machine slept. It goes on by itself when the machine "
        f"wakes; if it does not, end process {beat.pid} and resume. Finished rounds are safe."
    )
