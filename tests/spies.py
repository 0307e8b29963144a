"""What a training is given, seen from outside."""

import pytest

from bdistil.method.distillation import Batch, DistillationData


class Batches:
    """While a test lasts, `last` is the batch that a training has drawn last."""

    last: Batch

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        original = DistillationData.batches

        def watched(data, *options):
            for self.last in original(data, *options):
                yield self.last

        monkeypatch.setattr(DistillationData, "batches", watched)
