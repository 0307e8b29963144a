"""A teacher's answers: whoever was stopped while they were computed goes on after the last whole batch."""

import numpy as np
import pytest

from bdistil.paths import home
from bdistil.teachers.logit_cache import BATCH, kept


class Stop(Exception):
    """Asked to stop."""


@pytest.fixture
def x():
    """Inputs of four batches, the last one small."""
    return np.random.default_rng(0).normal(size=(3 * BATCH + 7, 2)).astype(np.float32)


@pytest.fixture
def asked():
    """The batches that were asked, by how many inputs they have."""
    return []


@pytest.fixture
def answer(asked):
    def of(batch):
        asked.append(len(batch))
        return np.cumsum(batch, axis=1)

    return of


def stopping(after):
    """Raises before a later batch than so many."""
    left = iter(range(after))

    def tick(done):
        if next(left, None) is None:
            raise Stop

    return tick


def files():
    return sorted(path.suffix for path in (home() / "cache" / "teacher-logits").iterdir())


def test_a_stop_loses_no_batch(x, answer, asked):
    with pytest.raises(Stop):
        kept("t", x, answer, stopping(after=2))
    assert asked == [BATCH] * 2 and files() == [".part"]
    shares = []
    assert np.array_equal(kept("t", x, answer, shares.append), np.cumsum(x, axis=1))
    assert asked == [BATCH] * 3 + [7] and files() == [".npy"]
    assert shares == [2 * BATCH / len(x), 3 * BATCH / len(x)]
    kept("t", x, answer)
    assert len(asked) == 4


@pytest.mark.parametrize("torn", [-1, -200, -BATCH * 8 - 300])
def test_a_torn_batch_is_asked_again(x, answer, asked, torn):
    with pytest.raises(Stop):
        kept("t", x, answer, stopping(after=2))
    (part,) = (home() / "cache" / "teacher-logits").iterdir()
    part.write_bytes(part.read_bytes()[:torn])
    assert np.array_equal(kept("t", x, answer), np.cumsum(x, axis=1))
    assert asked == [BATCH] * (4 if torn > -BATCH * 8 else 5) + [7]


def test_a_damaged_batch_is_asked_again(x, answer, asked):
    with pytest.raises(Stop):
        kept("t", x, answer, stopping(after=2))
    (part,) = (home() / "cache" / "teacher-logits").iterdir()
    content = bytearray(part.read_bytes())
    content[len(content) // 2 + 1000] ^= 1
    part.write_bytes(content)
    assert np.array_equal(kept("t", x, answer), np.cumsum(x, axis=1)) and asked == [BATCH] * 4 + [7]


def test_two_at_once_never_mix_their_answers(x, answer):
    """One that begins while another is at it computes all by itself, and leaves the other's file alone."""

    def inner(batch):
        assert np.array_equal(kept("t", x, answer), np.cumsum(x, axis=1))
        return np.cumsum(batch, axis=1)

    assert np.array_equal(kept("t", x, inner), np.cumsum(x, axis=1)) and files() == [".npy"]


def test_answers_of_another_teacher_are_not_taken(x, answer, asked):
    with pytest.raises(Stop):
        kept("t", x, answer, stopping(after=2))
    kept("u", x, answer)
    assert asked == [BATCH] * 2 + [BATCH] * 3 + [7]
