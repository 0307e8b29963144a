"""What a training is given, seen from outside."""

import pytest

from bdistil.method.distillation_data import Batch, Task


class Batches:
    """While a test lasts, `last` is the batch that a training has drawn last."""

    last: Batch

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        original = Task.batches

        def watched(task, *options):
            for self.last in original(task, *options):
                yield self.last

        monkeypatch.setattr(Task, "batches", watched)
