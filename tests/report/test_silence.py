"""A silent worker is named with its age and its process; a young heartbeat says nothing."""

from datetime import UTC, datetime

import pytest

from bdistil.records import Heartbeat
from bdistil.report.silence import quiet, silence

BEAT = Heartbeat(host="here", pid=7, time=datetime(2026, 1, 1, tzinfo=UTC))


def at(second, minute=0):
    return datetime(2026, 1, 1, 0, minute, second, tzinfo=UTC)


def test_a_silent_worker_is_named():
    assert quiet(BEAT, at(40)) == "no sign of life for 40\N{NO-BREAK SPACE}s"
    assert silence(BEAT, at(40)) == (
        "No sign of life for 40\N{NO-BREAK SPACE}s: the worker is paused, or the machine slept. It goes on by itself "
        "when the machine wakes; if it does not, end process 7 and resume. Finished rounds are safe."
    )
    assert quiet(BEAT, at(0, minute=59)) == "no sign of life for 59\N{NO-BREAK SPACE}min"
    assert quiet(BEAT).startswith("no sign of life for ")


@pytest.mark.parametrize("beat", [None, BEAT])
def test_a_young_heartbeat_or_none_says_nothing(beat):
    assert quiet(beat, at(29)) is silence(beat, at(29)) is None


def test_thirty_seconds_are_silence():
    assert quiet(BEAT, at(30)) == "no sign of life for 30\N{NO-BREAK SPACE}s"
