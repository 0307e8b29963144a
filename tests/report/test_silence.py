"""A silent worker is named with its age and its process; a young or damaged heartbeat says nothing."""

from datetime import UTC, datetime

import pytest

from bdistil.report.silence import quiet, silence

BEAT = {"time": "2026-01-01T00:00:00.000+00:00", "pid": 7}


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


@pytest.mark.parametrize("beat", [None, {}, BEAT, {"time": 5}, {"time": "now"}, {"time": "2026-01-01T00:00:00"}])
def test_a_young_or_damaged_heartbeat_says_nothing(beat):
    assert quiet(beat, at(29)) is silence(beat, at(29)) is None
